"""6.2: from the image of the previous commit to this one and back, node by
node, as the DaemonSet rolls: init container, agent and BIRD of the new image;
meanwhile packets flow between the pods of both modes.

An image is used as a container would: its programs, its libraries, its BIRD,
out of the layers of the archive that ./dev image wrote.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "bgp"))
from lab import Flow, Lab, count, wait  # noqa: E402

NODES = ("m1", "m2", "c1", "c2")
LOADER = """#!/bin/sh
# IMAGE {digest}
export PATH={root}/usr/sbin:$PATH
exec {root}/lib64/ld-linux-x86-64.so.2 --library-path \\
  {root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu {root}/usr/sbin/linseyd "$@"
"""


class Image:
    """The archive, unpacked layer by layer."""

    def __init__(self, archive, where):
        self.root = where
        with tarfile.open(archive) as tar:
            def blob(entry):
                return tar.extractfile("blobs/" + entry["digest"].replace(":", "/"))
            index = json.load(tar.extractfile("index.json"))
            self.digest = index["manifests"][0]["digest"]
            manifest = json.load(blob(index["manifests"][0]))
            config = json.load(blob(manifest["config"]))
            for layer in manifest["layers"]:
                with tarfile.open(fileobj=blob(layer), mode="r:gz") as files:
                    files.extractall(where)
        self.commit = config["config"]["Labels"]["org.opencontainers.image.revision"][:8]
        self.plugin = where / "usr/lib/linsey/linsey"

    def put_agent(self, target):
        """As `target`, by rename: what runs of it goes on."""
        new = target.with_suffix(".new")
        new.write_text(LOADER.format(root=self.root, digest=self.digest))
        new.chmod(0o755)
        new.rename(target)

    def init_container(self, node_root):
        done = subprocess.run(
            [str(self.root / "usr/lib/linsey/linsey-install"), "--root", str(node_root),
             "--bin-dir", "/cni/bin", "--conf-dir", "/cni/net.d", "--no-drop-ins"],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"init container: {done.stdout}{done.stderr}")
        return done.stdout


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def is_image(pid, image):
    """The process runs the image's program (by way of its loader)."""
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
    return str(image.root / "usr/sbin/linseyd") in maps


def process(lab, node, word):
    """The pid of linseyd on NODE that has WORD among its arguments, or 0."""
    own = str(lab.root / f"nodes/{node}/").encode()
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if word.encode() in words and any(one.startswith(own) for one in words):
                return int(path.parent.name)
    return 0


def roll(lab, node, image):
    """One node: BIRD's preStop, the agent's end, init container, both anew."""
    image.put_agent(lab.programs / "linseyd")
    supervisor = process(lab, node, "bird-supervisor")
    os.kill(supervisor, signal.SIGTERM)
    lab.lab("agent", node, "stop")
    image.init_container(lab.root / f"nodes/{node}")
    lab.lab("agent", node, "start")
    wait(f"{node} is ready", lambda: lab.ctl(node, "status").returncode == 0, 60)
    wait(f"BIRD's supervisor of {node}",
         lambda: process(lab, node, "bird-supervisor") not in (0, supervisor), 30)
    if node.startswith("m"):
        wait(f"session of {node}", lambda: lab.settled(node), 90)
    agent = process(lab, node, "--config")
    plugin = lab.root / f"nodes/{node}/cni/bin/linsey"
    return is_image(agent, image) and \
        is_image(process(lab, node, "bird-supervisor"), image) and \
        sha(plugin) == sha(image.plugin)


def pods_of(lab):
    return {f"{one['node']}/{one['name']}": (one["containerId"], one["netns"],
                                             one["addresses"])
            for one in json.loads(lab.lab("pod", "list", "-o", "json"))}


def upgrade(lab, image, number):
    """All nodes; what flowed meanwhile: (name, sent, lost)."""
    before = pods_of(lab)
    address = {name: pod[2][0] for name, pod in before.items()}
    pairs = (("m1/p0", "m2/p0"), ("c1/p0", "c2/p0"), ("m2/p0", "c1/p0"))
    flows = [Flow(lab, source, address[target]) for source, target in pairs]
    time.sleep(1)
    good = all([roll(lab, node, image) for node in NODES])
    if not good:
        print("a node does not run what it was upgraded to")
    for node in NODES:  # the new plugin with the new agent, beside the old pods
        lab.lab("pod", "add", node, f"new{number}")
        lab.lab("pod", "check", node, "p0", "p1", f"new{number}")
        lab.lab("pod", "del", node, f"new{number}")
    time.sleep(1)
    for flow, (source, target) in zip(flows, pairs):
        sent, lost, rate = flow.stop()
        print(f"  {source} to {target}: {sent} packets each way at {rate:.0f}/s, {lost} lost")
        good &= lost == 0 and sent > 0
    restarted = [name for name, pod in before.items() if pods_of(lab).get(name) != pod]
    print(f"  {len(before)} pods, {len(restarted)} restarted or changed, all pass CHECK")
    return good and not restarted


def main():
    work = pathlib.Path(sys.argv[3])
    old, new = (Image(pathlib.Path(archive), work / name)
                for archive, name in ((sys.argv[1], "old"), (sys.argv[2], "new")))
    print(f"previous {old.commit} {old.digest[:19]}, this {new.commit} {new.digest[:19]}; "
          f"plugins {sha(old.plugin)}, {sha(new.plugin)}")
    good = True
    with Lab("hybrid") as lab:
        for node in NODES:
            old.init_container(lab.root / f"nodes/{node}")
        # The lab came up with programs of the build tree: the first roll, to
        # the previous image, is not measured.
        lab.lab("node", "list", "--wait")
        for node in NODES:
            wait(f"BIRD's supervisor of {node}",
                 lambda n=node: process(lab, n, "bird-supervisor"))
            roll(lab, node, old)
            lab.lab("pod", "add", node, "p0", "p1")
        for number in range(count("ROUNDS")):
            for word, image in (("upgrade", new), ("rollback", old)):
                print(f"{word} of {len(NODES)} nodes to {image.commit}:", flush=True)
                good &= upgrade(lab, image, f"{number}{word}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

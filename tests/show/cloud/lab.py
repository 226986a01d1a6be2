"""A lab of the lines of milestone 5: a topology made from the shipped one,
`linsey-lab` around it, and what a node's agent says."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = os.environ.get("LINSEY_BUILD", str(ROOT / "build/dev"))


def shipped():
    return json.loads((ROOT / "lab/topologies/hybrid.json").read_text())


def keep_nodes(spec, *names):
    spec["nodes"] = {name: spec["nodes"][name] for name in names}
    for node in spec["nodes"].values():
        node.pop("join", None)


class Lab:
    """Up while the `with` block runs."""

    def __init__(self, spec):
        self.spec = spec
        self.name = spec["name"]
        self.home = tempfile.TemporaryDirectory(prefix="lshow-")
        self.env = {**os.environ, "LINSEY_LAB_DIR": self.home.name}

    def __enter__(self):
        file = pathlib.Path(self.home.name, "topology.json")
        file.write_text(json.dumps(self.spec))
        self("up", "-d", "--topology", str(file))
        try:
            self("node", "list", "--wait")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self("down", check=False)
        self.home.cleanup()

    def __call__(self, *words, check=True, timeout=400):
        verb = 2 if words[0] in ("pod", "node") else 1
        done = subprocess.run(
            [f"{BUILD}/lab/linsey-lab", *words[:verb], "--name", self.name,
             *words[verb:]],
            capture_output=True, text=True, env=self.env, timeout=timeout,
            check=False)
        if check and done.returncode != 0:
            sys.exit(f"linsey-lab {' '.join(words[:4])}: "
                     f"{done.stdout}{done.stderr}")
        return done

    def sh(self, where, script, check=True):
        return self("exec", where, "--", "sh", "-c", script, check=check)

    def start(self, where, *argv, stdout=subprocess.PIPE):
        """A program in a node's or pod's namespace, until it ends itself."""
        return subprocess.Popen(
            [f"{BUILD}/lab/linsey-lab", "exec", "--name", self.name, where,
             "--", *argv],
            stdout=stdout, stderr=subprocess.DEVNULL, text=True, env=self.env)

    def pods(self):
        listed = json.loads(self("pod", "list", "-o", "json").stdout)
        return listed["pods"] if isinstance(listed, dict) else listed

    def agent(self, node, path):
        """GET of the agent's socket."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
            sock.connect(f"{self.home.name}/{self.name}/nodes/{node}/run/"
                         "agent.sock")
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n"
                         "Connection: close\r\n\r\n".encode())
            parts = iter(lambda: sock.recv(65536), b"")
            return b"".join(parts).decode().split("\r\n\r\n", 1)[1]

    def metric(self, node, name):
        """{labels: value} of one metric."""
        return {line[len(name):line.rindex(" ")]: float(line.split()[-1])
                for line in self.agent(node, "/metrics").splitlines()
                if line.startswith(name)}


def address_of(pod, family=4):
    for text in pod["addresses"]:
        bare = text.split("/")[0]
        if (":" in bare) == (family == 6):
            return bare
    return None

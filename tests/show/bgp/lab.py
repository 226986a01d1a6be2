"""A lab for the lines of milestone 4: started from a shipped topology, asked
and disturbed from outside, and always taken down.

The measure for loss is a flow of echo requests: each request and each answer
is a packet between two pods, so its loss is that of both ways.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("LINSEY_BUILD", ROOT / "build/dev"))


class Lab:
    def __init__(self, topology, change=None):
        with open(ROOT / f"lab/topologies/{topology}.json") as file:
            self.topology = json.load(file)
        if change:
            change(self.topology)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lsh-", dir="/tmp"))
        self.name = "s4"
        self.root = self.dir / self.name
        self.programs = self.dir / "bin"
        self.programs.mkdir()
        for room, program in (("agent", "linseyd"), ("plugin", "linsey")):
            shutil.copy(BUILD / room / program, self.programs / program)

    def __enter__(self):
        path = self.dir / "topology.json"
        path.write_text(json.dumps(self.topology))
        self.lab("up", "-d", "--topology", str(path), "--programs",
                 str(self.programs))
        return self

    def __exit__(self, *_):
        subprocess.run(self.argv("down"), stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def argv(self, *words):
        at = 2 if words[0] in ("node", "pod") else 1
        return [str(BUILD / "lab/linsey-lab"), *words[:at], "--name",
                self.name, "--dir", str(self.dir), *words[at:]]

    def lab(self, *words):
        done = subprocess.run(self.argv(*words), capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def exec_argv(self, where, *argv):
        return self.argv("exec", where, "--", *argv)

    def run(self, where, *argv):
        return subprocess.run(self.exec_argv(where, *argv), capture_output=True,
                              text=True, check=False).stdout

    def inventory(self):
        return json.loads((self.root / "inventory.json").read_text())

    def pid(self, who):
        """Of NODE/bird (the supervisor), NODE/linseyd or router/NAME."""
        processes = self.inventory()["processes"]
        return processes.get(who) or sys.exit(f"no process {who}")

    @staticmethod
    def child(pid, name):
        """The child of PID with this name, or 0."""
        with contextlib.suppress(OSError):
            for child in pathlib.Path(
                    f"/proc/{pid}/task/{pid}/children").read_text().split():
                with contextlib.suppress(OSError):
                    if pathlib.Path(f"/proc/{child}/comm").read_text() \
                            .strip() == name:
                        return int(child)
        return 0

    def bird_pid(self, node):
        return self.child(self.pid(f"{node}/bird"), "bird")

    def nodes(self):
        return list(self.topology["nodes"])

    # BIRD of a node, or of a router.
    def control(self, who):
        if who in self.topology["nodes"]:
            return self.root / f"nodes/{who}/run/bird/bird.ctl"
        return self.root / f"reflector/routers/{who}/bird.ctl"

    def birdc(self, who, *words):
        return subprocess.run(["birdc", "-s", str(self.control(who)), *words],
                              capture_output=True, text=True,
                              check=False).stdout

    def up(self, node, peer):
        for line in self.birdc(node, "show", "protocols").splitlines():
            if line.split()[:1] == [f"peer_{peer}"]:
                return "Established" in line
        return False

    def bfd_up(self, node):
        return sum(1 for line in self.birdc(node, "show", "bfd",
                                            "sessions").splitlines()
                   if line.split()[2:3] == ["Up"])

    def wait_settled(self):
        self.lab("node", "list", "--wait")
        for node in self.topology["nodes"]:
            wait(f"sessions of {node}", lambda n=node: self.settled(n), 90)
        # Everybody's blocks are everywhere.
        wait("routes", lambda: all(self.routes(n) >= self.blocks() - 2
                                   for n in self.topology["nodes"]))

    def blocks(self):
        return sum(len(n["blocks"]) for n in self.topology["nodes"].values())

    def routes(self, node):
        """Distinct prefixes by BGP in the kernel's tables."""
        lines = (self.run(node, "ip", "-4", "route", "show", "proto", "bird") +
                 self.run(node, "ip", "-6", "route", "show", "proto", "bird"))
        return len({line.split()[0] for line in lines.splitlines()
                    if line and not line[0].isspace()})

    def settled(self, node):
        """Every session is up and no recovery is under way."""
        lines = [l.split() for l in
                 self.birdc(node, "show", "protocols").splitlines()]
        peers = [l for l in lines if l and l[0].startswith("peer_")]
        return (peers and all("Established" in l for l in peers) and
                "recovery" not in self.birdc(node, "show", "status"))

    def socket(self, node):
        return self.root / f"nodes/{node}/run/agent.sock"

    def ctl(self, node, *words):
        return subprocess.run(
            [str(BUILD / "ctl/linseyctl"), "--socket", str(self.socket(node)),
             *words], capture_output=True, text=True, check=False)

    def pods(self, number):
        """NUMBER pods on every node; {(node, pod): [addresses]}."""
        names = [f"p{i}" for i in range(number)]
        for node in self.topology["nodes"]:
            for at in range(0, number, 10):
                self.lab("pod", "add", node, *names[at:at + 10])
        out = {}
        for pod in json.loads(self.lab("pod", "list", "-o", "json")):
            name = pod.get("name") or pod.get("pod")
            out[pod["node"], name] = [a.split("/")[0]
                                      for a in pod["addresses"]]
        return out


class Flow:
    """1,000 packets a second each way, until stop(): (sent, lost, rate)."""

    def __init__(self, lab, where, address):
        self.process = subprocess.Popen(
            lab.exec_argv(where, sys.executable, "-B",
                          str(pathlib.Path(__file__).parent / "flow.py"),
                          address),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def stop(self):
        # The flow is a child of the exec.
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        for child in children.split():
            os.kill(int(child), signal.SIGINT)
        text, _ = self.process.communicate(timeout=30)
        words = text.split()
        if len(words) != 3:
            sys.exit(f"no figures of a flow: {text}")
        sent, answered = int(words[0]), int(words[1])
        return sent, sent - answered, sent / float(words[2])


def wait(what, condition, limit=60.0):
    end = time.monotonic() + limit
    began = time.monotonic()
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"not within {limit:.0f} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


def count(name):
    """What tests/show/N.M chose."""
    return int(os.environ[name])


def first(addresses, family):
    return next(a for a in addresses if (":" in a) == (family == 6))


def version_of(program):
    return subprocess.run([str(program), "--version"], capture_output=True,
                          text=True, check=True).stdout

"""The world of a case: sandboxes, calls of the shipped binaries, an agent."""

import dataclasses
import http.client
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import kernel
from case import expect, expect_equal

VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
NETWORK = "net1"
BLOCKS = ["10.77.0.0/24", "fd77::/120"]


@dataclasses.dataclass
class Outcome:
    """How a call of a plugin ended."""
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    def ok(self, what=""):
        expect(self.code == 0, f"{what}: exit {self.code}, {self.out} {self.err}")
        return self

    def silent(self, what=""):
        self.ok(what)
        expect_equal(self.out, "", f"{what}: stdout")
        return self

    def error(self, *codes, what=""):
        """Exit not 0, one document with one of the codes (any when none)."""
        expect(self.code != 0, f"{what}: succeeded with {self.out}")
        try:
            document = self.json
        except ValueError as e:
            raise AssertionError(f"{what}: no single document on stdout: "
                                 f"{self.out!r} {self.err!r}") from e
        expect(isinstance(document.get("code"), int), f"{what}: {document}")
        expect(document.get("msg"), f"{what}: empty msg in {document}")
        expect(document.get("cniVersion"), f"{what}: no cniVersion: {document}")
        if codes:
            expect(document["code"] in codes,
                   f"{what}: code {document['code']}, wanted {codes}: {document}")
        return document


class Agent:
    """A real linseyd of mode bgp with its own files."""

    def __init__(self, linseyd, home, **options):
        self.linseyd = str(linseyd)
        self.home = pathlib.Path(home)
        self.socket = str(self.home / "run/agent.sock")
        self.notes = str(self.home / "state/notes")
        self.options = options
        self.process = None
        self._write()

    def _write(self):
        self.home.mkdir(parents=True, exist_ok=True)
        node = {"metadata": {"name": "n1", "labels": {"kind": "metal"}},
                "status": {"addresses": [
                    {"type": "InternalIP", "address": "10.0.1.11"},
                    {"type": "InternalIP", "address": "fd00:1::11"}]}}
        config = {
            "version": 1,
            "node": {"name": "n1", "file": str(self.home / "node.json")},
            "socket": self.socket,
            "runDir": str(self.home / "run"),
            "stateDir": str(self.home / "state"),
            "modes": [{"name": "all", "selector": "", "mode": "bgp"}],
            "evidence": {"dmiPath": str(self.home / "dmi")},
            "pools": [{"name": "v4", "cidr": "10.77.0.0/16", "blockSize": 24},
                      {"name": "v6", "cidr": "fd77::/112", "blockSize": 120}],
            "blocks": {"assignments":
                       {"n1": self.options.get("blocks", BLOCKS)}},
            "ipam": {"coolDown": self.options.get("cool_down", "0s"),
                     "coolDownMin": "0s",
                     "wait": self.options.get("wait", "1s")}}
        (self.home / "node.json").write_text(json.dumps(node))
        (self.home / "agent.json").write_text(json.dumps(config))

    def start(self):
        log = open(self.home / "log", "ab")
        self.process = subprocess.Popen(
            [self.linseyd, "--config", str(self.home / "agent.json")],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        deadline = time.monotonic() + 20
        while not self._ready():
            expect(self.process.poll() is None,
                   f"linseyd ended: {(self.home / 'log').read_text()}")
            expect(time.monotonic() < deadline,
                   f"linseyd is not ready: {(self.home / 'log').read_text()}")
            time.sleep(0.02)
        return self

    def _ready(self):
        try:
            return self.get("/v1/status")["mode"] == "bgp"
        except (OSError, http.client.HTTPException):
            return False

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def get(self, path):
        """GET over the agent's socket."""
        connection = http.client.HTTPConnection("linsey", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(self.socket)
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def held(self):
        """Number of addresses that are held."""
        return self.get("/v1/status")["held"]


class World:
    """Where cases run: this process is in the node's own namespaces."""

    def __init__(self, bin_dir, linseyd, home):
        self.bin = pathlib.Path(bin_dir)
        self.linseyd = linseyd
        self.home = pathlib.Path(home)
        self.sandboxes = []
        self.refused = []  # all calls that had to fail, for P42
        self._numbers = itertools.count(1)
        self._prepare_node()
        self.agent = self.new_agent().start()

    def _prepare_node(self):
        """An uplink with the node's addresses, to which its MTU belongs."""
        kernel.run_ip("link", "add", "up0", "type", "veth", "peer", "up1")
        for name in ("up0", "up1"):
            kernel.run_ip("link", "set", name, "addrgenmode", "none")
        for name in ("lo", "up0", "up1"):
            kernel.run_ip("link", "set", name, "up")
        kernel.run_ip("addr", "add", "10.0.1.11/24", "dev", "up0")
        kernel.run_ip("addr", "add", "fd00:1::11/64", "dev", "up0", "nodad")

    def new_agent(self, **options):
        return Agent(self.linseyd, self.home / f"agent{next(self._numbers)}",
                     **options)

    def sandbox(self):
        """A fresh pod namespace; its name for `ip -n`."""
        name = f"pod{next(self._numbers)}"
        kernel.run_ip("netns", "add", name)
        self.sandboxes.append(name)
        return name

    def cid(self):
        return f"c{next(self._numbers)}"

    def clean(self):
        """Ends a case: sandboxes go, and everything in the ledger with them."""
        for name in self.sandboxes:
            if os.path.exists(f"/run/netns/{name}"):
                kernel.run_ip("netns", "del", name)
        self.sandboxes = []
        if self.agent.process is None:
            self.agent.start()
        self.call("GC", conf=self.conf("1.1.0", **{"cni.dev/attachments": []}))

    def conf(self, version="1.0.0", **more):
        """A valid configuration; a value of None leaves the key out."""
        conf = {"cniVersion": version, "name": NETWORK, "type": "linsey",
                "agentSocket": self.agent.socket, "notesDir": self.agent.notes,
                "agentWait": "300ms", **more}
        return {key: value for key, value in conf.items() if value is not None}

    def environment(self, verb, netns="", cid="c1", ifname="eth0", **more):
        path = f"/run/netns/{netns}" if netns and "/" not in netns else netns
        env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": cid, "CNI_NETNS": path,
               "CNI_IFNAME": ifname, "CNI_ARGS": "", "CNI_PATH": str(self.bin),
               **more}
        return {key: value for key, value in env.items() if value is not None}

    def start(self, verb, plugin="linsey", conf=None, stdin=None, env=None,
              **call):
        """Starts a plugin without waiting for it."""
        if env is None:
            env = self.environment(verb, **call)
        data = stdin if stdin is not None else json.dumps(
            conf if conf is not None else self.conf()).encode()
        process = subprocess.Popen(
            [str(self.bin / plugin)], env=env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.input = data
        return process

    @staticmethod
    def finish(process, timeout=60):
        out, err = process.communicate(process.input, timeout)
        return Outcome(process.returncode, out.decode(), err.decode())

    def call(self, verb, **how):
        """Runs a plugin to its end as a runtime does."""
        return self.finish(self.start(verb, **how))

    def refuse(self, verb, *codes, what="", **how):
        """A call that must fail with one of `codes` and change nothing."""
        before = self.snapshot()
        document = self.call(verb, **how).error(*codes, what=what)
        left = self.snapshot() ^ before
        expect(not left, f"{what}: changed {sorted(map(str, left))}")
        self.refused.append((verb, how))
        return document

    def snapshot(self):
        facts = kernel.snapshot(
            [name for name in self.sandboxes
             if os.path.exists(f"/run/netns/{name}")],
            [self.agent.home / "state"])
        if self.agent.process is not None:
            facts |= {("held", self.agent.held())}
        return facts

    # What most cases of the main plugin begin and end with.

    def add(self, netns, version="1.0.0", **how):
        """An ADD that must succeed; its result."""
        conf = how.pop("conf", None) or self.conf(version)
        return self.call("ADD", netns=netns, conf=conf, **how).ok("ADD").json

    def check(self, netns, result, version="1.0.0", **how):
        conf = how.pop("conf", None) or self.conf(version)
        return self.call("CHECK", netns=netns,
                         conf=conf | {"prevResult": result}, **how)

    def delete(self, netns, version="1.0.0", **how):
        conf = how.pop("conf", None) or self.conf(version)
        return self.call("DEL", netns=netns, conf=conf, **how).silent("DEL")

    def nothing_left(self, what=""):
        expect_equal(kernel.pod_links(), [], f"{what}: host links")
        expect_equal(self.agent.held(), 0, f"{what}: held addresses")
        # A pod's route is a host route; the node's blocks are blackholed.
        pods = [dst for dst in kernel.destinations()
                if dst.startswith(("10.77.0.", "fd77:")) and "/" not in dst]
        expect_equal(pods, [], f"{what}: routes to pods")

"""A bare-metal node: its network, our agent and our plugins on it.

The node is the network namespace of the test. Its uplink leads to a second
namespace that stands for the data centre's switch, so that a pod's packets
have somewhere to leave to and come back from.
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
from collections.abc import Iterator

from runtime import eventually, run

BUILD = pathlib.Path(os.environ["LINSEY_BUILD"])
TOP = pathlib.Path("/run/e2e")
BIN_DIR = TOP / "bin"
CONF_DIR = TOP / "net.d"
AGENT_SOCKET = "/run/linsey/agent.sock"
PEER = "switch"
NODE_ADDRESS = "10.0.1.11"
PEER_ADDRESS = "10.0.1.1"
BLOCK = "10.244.0.0/26"
NODE_ADDRESS6 = "fd00:10::11"
PEER_ADDRESS6 = "fd00:10::1"
BLOCK6 = "fd00:10:244::/122"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the agent's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(AGENT_SOCKET)


def ask_agent(path: str) -> dict:
    connection = _UnixConnection("agent")
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def make_network() -> None:
    """The uplink, the switch behind it, and its routes to the node's pods."""
    # kubeadm demands it of every node; the agent cares for its own links only.
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    run("ip", "netns", "add", PEER)
    run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "port1", "netns", PEER)
    # Made by hand and without detection of duplicates, the link-local address
    # and its routes stand before the first test; without one no router can
    # solicit its neighbours.
    run("ip", "link", "set", "uplink", "addrgenmode", "none", "up")
    run("ip", "addr", "add", "fe80::11/64", "dev", "uplink", "nodad")
    run("ip", "addr", "add", f"{NODE_ADDRESS}/24", "dev", "uplink")
    run("ip", "addr", "add", f"{NODE_ADDRESS6}/64", "dev", "uplink", "nodad")
    run("ip", "route", "add", "default", "via", PEER_ADDRESS)
    for command in ("link set lo up", "link set port1 addrgenmode none up",
                    "addr add fe80::1/64 dev port1 nodad",
                    f"addr add {PEER_ADDRESS}/24 dev port1",
                    f"addr add {PEER_ADDRESS6}/64 dev port1 nodad",
                    f"route add {BLOCK} via {NODE_ADDRESS}",
                    f"route add {BLOCK6} via {NODE_ADDRESS6}"):
        run("ip", "-n", PEER, *command.split())
    run("ip", "route", "add", "default", "via", PEER_ADDRESS6)


def _write_json(path: str, document: dict) -> None:
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(json.dumps(document))


def write_configuration(**overrides) -> None:
    product = TOP / "product_name"
    product.parent.mkdir(parents=True, exist_ok=True)
    product.write_text("PowerEdge R650\n")
    _write_json("/run/e2e/node.json", {
        "metadata": {"name": "m1", "labels": {"site": "dc"}},
        "status": {"addresses": [{"type": "InternalIP", "address": one}
                                 for one in (NODE_ADDRESS, NODE_ADDRESS6)]},
    })
    _write_json("/run/e2e/agent.json", {
        "version": 1,
        "node": {"name": "m1", "file": "/run/e2e/node.json"},
        "modes": [{"name": "metal", "selector": "site=dc", "mode": "bgp"}],
        "evidence": {"dmiPath": str(product)},
        "cidrs": {"dataCentre": ["10.0.0.0/16", "fd00:10::/64"],
                  "nodes": ["10.0.1.0/24"]},
        "pools": [{"name": "dc", "cidr": "10.244.0.0/16", "blockSize": 26}],
        "blocks": {"source": "file", "assignments": {"m1": [BLOCK]}},
        "ipam": {"coolDown": "1s", "coolDownMin": "1s"},
        "cni": {"confDir": str(CONF_DIR), "binDir": str(BIN_DIR)},
    } | overrides)


def install_plugins() -> None:
    """Our plugin, and the same file as loopback. The agent publishes the list
    of plugins by itself, into an existing directory."""
    BIN_DIR.mkdir(parents=True, exist_ok=True)
    CONF_DIR.mkdir(parents=True, exist_ok=True)
    for name in ("linsey", "loopback"):
        shutil.copy(BUILD / "plugin" / "linsey", BIN_DIR / name)


class Agent:
    """A running linseyd."""

    def __init__(self) -> None:
        self.log = TOP / "linseyd.log"
        self._log_file = self.log.open("a")
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [str(BUILD / "agent" / "linseyd"), "--config", "/run/e2e/agent.json"],
            stdout=self._log_file, stderr=subprocess.STDOUT)
        eventually("linseyd is ready", self._ready)

    def _ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"linseyd ended: {self.log.read_text()}")
        try:
            return ask_agent("/v1/status")["ready"]
        except OSError:
            return False

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def close(self) -> None:
        self.stop()
        self._log_file.close()


def held() -> dict[str, str]:
    """What the ledger says: address -> container id."""
    rows = ask_agent("/v1/ipam")["addresses"]
    return {row["address"]: row["holder"]["containerID"] for row in rows
            if row["state"] == "held"}


@contextlib.contextmanager
def running_agent(**overrides) -> Iterator[Agent]:
    """The node with its agent; its log is shown when the body fails."""
    make_network()
    write_configuration(**overrides)
    install_plugins()
    agent = Agent()
    try:
        agent.start()
        yield agent
    except BaseException:
        print(agent.log.read_text()[-6000:])
        raise
    finally:
        agent.close()


def traces() -> dict[str, list]:
    """Everything in the node's kernel that a pod could have left."""
    links = [one["ifname"] for one in json.loads(run("ip", "-j", "link"))]
    rules = run("ip", "rule").splitlines() + run("ip", "-6", "rule").splitlines()
    routes = json.loads(run("ip", "-j", "route", "show", "table", "all") or "[]")
    routes6 = json.loads(run("ip", "-6", "-j", "route", "show", "table", "all") or "[]")
    spaces = pathlib.Path("/run/netns")
    return {
        "links": sorted(links),
        "rules": sorted(rules),
        "routes": sorted(str((one.get("dst"), one.get("dev"), one.get("table")))
                         for one in routes + routes6),
        "neighbours": sorted(run("ip", "neigh", "show", "nud", "permanent").splitlines()),
        "nft": run("nft", "list", "ruleset").splitlines(),
        "netns": sorted(one.name for one in spaces.glob("cni-*")),
    }

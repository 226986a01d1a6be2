"""What the kernel says, by `ip -j`, in the host's or a pod's namespace."""

import json
import os
import subprocess
import sys


def ip(*words, netns=None, fails_ok=False):
    """Runs ip -j and returns what it printed, decoded."""
    where = ["-n", netns] if netns else []
    done = subprocess.run(["ip", *where, "-j", *words], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0 and not fails_ok:
        raise AssertionError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else []


def run_ip(*words, netns=None):
    """Runs ip for what it does."""
    where = ["-n", netns] if netns else []
    subprocess.run(["ip", *where, *words], check=True, capture_output=True)


def link(name, netns=None):
    """One link by name, or None."""
    found = ip("-d", "link", "show", "dev", name, netns=netns, fails_ok=True)
    return found[0] if found else None


def links(netns=None):
    return [one["ifname"] for one in ip("link", "show", netns=netns) if one]


def pod_links():
    """Host ends of pods."""
    return [name for name in links() if name.startswith(("cali", "lin"))]


def addresses(name, netns=None):
    found = ip("addr", "show", "dev", name, netns=netns)
    return [f"{a['local']}/{a['prefixlen']}" for one in found if one
            for a in one["addr_info"]]


def routes(netns=None, table="main"):
    return [route for family in ("-4", "-6")
            for route in ip(family, "route", "show", "table", table,
                            netns=netns, fails_ok=True)]


def destinations(netns=None):
    return [route["dst"] for route in routes(netns)]


def rules():
    return [rule for family in ("-4", "-6") for rule in ip(family, "rule")]


def _facts(netns):
    """Links, addresses and routes of one namespace, without what moves."""
    facts = set()
    for one in ip("-d", "addr", "show", netns=netns):
        if not one:
            continue
        facts.add(("link", one["ifname"], one.get("address"), one["mtu"],
                   "UP" in one["flags"], one.get("ifalias")))
        for address in one["addr_info"]:
            facts.add(("address", one["ifname"], address["local"],
                       address["prefixlen"]))
    for route in routes(netns, "all"):
        # The kernel adds these when it has proved a link-local address, in its
        # own time; a link that is left shows by itself.
        if route["dst"].startswith("fe80:") and route.get("table") == "local":
            continue
        facts.add(("route", route["dst"], route.get("gateway"),
                   route.get("dev"), route.get("table")))
    return facts


def files(*roots):
    """Names of all files below some directories; databases change their own."""
    return {os.path.join(top, name)
            for root in roots for top, _, names in os.walk(root)
            for name in names if "ledger.db" not in name}


def snapshot(netns_list, roots):
    """All that a failing call might leave, as a set of facts."""
    facts = {(None, *fact) for fact in _facts(None)}
    facts |= {("rule", json.dumps(rule, sort_keys=True)) for rule in rules()}
    for netns in netns_list:
        facts |= {(netns, *fact) for fact in _facts(netns)}
    return facts | {("file", name) for name in files(*roots)}


def _python(netns, program, *words):
    """Starts a Python program in a namespace."""
    where = ["ip", "netns", "exec", netns] if netns else []
    return subprocess.Popen([*where, sys.executable, "-c", program, *words],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


_SERVER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.create_server((sys.argv[1], 8000), family=family)
print("ready", flush=True)
c = s.accept()[0]
c.sendall(c.recv(100).upper())
"""
_CLIENT = """
import socket, sys
c = socket.create_connection((sys.argv[1], 8000), 5)
c.sendall(b"hello")
print(c.recv(100).decode())
"""


def tcp(address, server_netns=None, client_netns=None):
    """True when a client in one namespace gets its answer from a server that
    listens on `address` in the other."""
    server = _python(server_netns, _SERVER, address)
    try:
        if server.stdout.readline() != "ready\n":
            raise AssertionError(f"no server on {address}: {server.stderr.read()}")
        client = _python(client_netns, _CLIENT, address)
        out, _ = client.communicate(timeout=20)
        return out == "HELLO\n"
    finally:
        server.kill()
        server.communicate()


def qdiscs(name):
    """tc -j qdisc of one link."""
    done = subprocess.run(["tc", "-j", "qdisc", "show", "dev", name],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)

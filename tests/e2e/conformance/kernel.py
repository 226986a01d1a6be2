"""What the kernel says, by `ip -j`, in the host's or a pod's namespace."""

import json
import os
import subprocess


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

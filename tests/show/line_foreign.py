"""Three kinds of traffic control of an operator on a node's NIC; the guard is
put on, used, changed and taken off. Theirs must be byte-identical in `tc -j`
(without counters) all the time; ours must really limit where it says so."""
import json
import sys

from line import TOOL, Guard, Space, join

KINDS = {
    "clsact with filters, htb root": [
        "tc qdisc add dev eth0 clsact",
        "tc filter add dev eth0 egress pref 7 protocol ip u32 match ip dst 10.3.0.0/16 "
        "action mirred egress mirror dev other",
        "tc filter add dev eth0 ingress protocol ip u32 match ip src 10.3.9.0/24 flowid 1:7",
        "tc qdisc add dev eth0 root handle 8: htb default 1",
        "tc class add dev eth0 parent 8: classid 8:1 htb rate 1gbit ceil 2gbit",
    ],
    "ingress with filters, classful root": [
        "tc qdisc add dev eth0 ingress",
        "tc filter add dev eth0 ingress pref 3 protocol ip u32 match ip src 10.3.9.0/24 flowid 1:7",
        "tc qdisc add dev eth0 root handle 8: htb default 1",
        "tc class add dev eth0 parent 8: classid 8:1 htb rate 1gbit",
        "tc class add dev eth0 parent 8: classid 8:2 htb rate 10mbit",
        "tc filter add dev eth0 parent 8: pref 5 protocol ip u32 match ip dst 10.3.9.9/32 flowid 8:2",
    ],
    "ingress alone, token bucket root": [
        "tc qdisc add dev eth0 ingress",
        "tc filter add dev eth0 parent ffff: pref 3 protocol ipv6 u32 match ip6 src fd00:9::/64 flowid 1:7",
        "tc qdisc add dev eth0 root handle 9: tbf rate 1gbit burst 200k latency 50ms",
    ],
}
OURS = range(50000, 50008)


def listed(node, made):
    """All of eth0 but what is ours: our preferences, and a clsact we made."""
    out = []
    for what in ("qdisc show dev eth0", "class show dev eth0",
                 "filter show dev eth0", "filter show dev eth0 ingress",
                 "filter show dev eth0 egress"):
        done = node.run(["tc", "-j"] + what.split())
        if what.startswith("class"):
            out.append(done.stdout)  # this tc prints no JSON of classes
            continue
        for item in json.loads(done.stdout or "[]"):
            if item.get("pref") in OURS:
                continue
            if made and item.get("kind") == "clsact":
                continue
            out.append(json.dumps(item, sort_keys=True))
    return out


def try_kind(name, commands):
    node, peer = Space("node"), Space("peer")
    join(node, "eth0", peer, "p0")
    node("ip addr add 172.16.0.2/24 dev eth0; ip route add 10.0.0.0/8 via 172.16.0.1; "
         "ip link add other type ifb; ip link set other up")
    peer("ip addr add 172.16.0.1/24 dev p0; ip addr add 10.1.0.1/32 dev lo")
    for command in commands:
        node(command)
    before = listed(node, False)
    links = node("ip -o link | cut -d: -f2")
    # A token bucket takes no filters and the ingress qdisc no clsact: up has
    # no place, and the guard must say so rather than make one.
    refused = "alone" in name
    guard = Guard(node, {"down": 50000000, "up": 50000000}, ["10.0.0.0/8"])
    pods = [("web", "a", "guaranteed", "172.16.0.2")]
    said = guard.apply(pods, 3 if refused else 0)
    same = [listed(node, False) == before]
    node("ping -q -c 20 -i 0.01 -s 1000 10.1.0.1")
    used = sum(int(line.split()[3]) for line in node.run([TOOL, "read"])
               .stdout.splitlines() if line.split()[1] == "10")
    same.append(listed(node, False) == before)
    guard.line["down"] = 60000000
    guard.apply(pods + [("web", "b", "burstable", "172.16.0.3")], 3 if refused else 0)
    same.append(listed(node, False) == before)
    guard.off()
    same.append(listed(node, False) == before and
                node("ip -o link | cut -d: -f2") == links)
    wanted = 20 * 1028 * (1 if refused else 2)
    print(f"{name}: {len(before)} objects, on/use/change/off identical: {same}; "
          f"{used} bytes through the trees (at least {wanted})")
    if refused:
        print("  " + said.splitlines()[1])
    return all(same) and used >= wanted and (not refused or "up is not limited" in said)


sys.exit(0 if all([try_kind(*kind) for kind in KINDS.items()]) else 1)

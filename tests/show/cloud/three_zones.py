#!/usr/bin/env python3
"""Pods on three cloud nodes of three zones: who reaches whom, and whose
addresses they have.

usage: three_zones.py PODS ipv4|dual     (root; LINSEY_BUILD names the build)
"""

import ipaddress
import sys
import time

import lab as cloud_lab


def topology(dual):
    """The shipped one with the cloud's side alone, three zones wide."""
    spec = cloud_lab.shipped()
    spec["name"] = "zones"
    zones = spec["vpc"]["zones"]
    zones["cn-lab-f"]["podVSwitches"] = [
        {"id": "vsw-lab0podf", "cidr": "172.16.48.0/20"}]
    cloud_lab.keep_nodes(spec, "m1", "c1", "c2", "c3")
    for name in ("c1", "c2", "c3"):
        spec["nodes"][name]["instanceType"] = "ecs.g7.4xlarge"
    if not dual:
        return spec
    spec["vpc"]["cidr6"] = "fd00:5::/56"
    for index, zone in enumerate(zones.values()):
        zone["hostVSwitch"]["cidr6"] = f"fd00:5:0:{index:x}::/64"
        for v_switch in zone["podVSwitches"]:
            v_switch["cidr6"] = f"fd00:5:0:1{index:x}::/64"
    for index, name in enumerate(("c1", "c2", "c3")):
        spec["nodes"][name]["address6"] = f"fd00:5:0:{index:x}::{index + 11:x}"
    return spec


def networks(spec):
    """Of each cloud node: the pod networks of its zone."""
    return {name: [ipaddress.ip_network(v[key])
                   for v in spec["vpc"]["zones"][node["zone"]]["podVSwitches"]
                   for key in ("cidr", "cidr6") if key in v]
            for name, node in spec["nodes"].items() if node["site"] == "cloud"}


def main():
    pods, dual = int(sys.argv[1]), sys.argv[2] == "dual"
    spec = topology(dual)
    of_node = networks(spec)
    with cloud_lab.Lab(spec) as lab:
        began = time.monotonic()
        for index, node in enumerate(of_node):
            count = pods // 3 + (1 if index < pods % 3 else 0)
            lab("pod", "add", node, *[f"{node}-{i}" for i in range(count)])
        took = time.monotonic() - began
        rows = lab.pods()
        matrix = lab("matrix", check=False)
        calls = lab("calls").stdout.strip().splitlines()
    print(f"{len(rows)} pods in {took:.1f} s; {calls[-1].strip()}")
    return judge(rows, of_node, pods, (2 if dual else 1, matrix))


def judge(rows, of_node, pods, rest):
    families, matrix = rest
    outside = 0
    seen = set()
    for row in rows:
        for text in row["addresses"]:
            address = ipaddress.ip_address(text.split("/")[0])
            seen.add(address)
            if not any(address in net for net in of_node[row["node"]]):
                outside += 1
                print(f"{row['node']}/{row['name']}: {address} is not of its zone")
    print(f"{len(rows)} of {pods} pods, {len(seen)} addresses, "
          f"{outside} outside the pod vSwitch of their zone")
    print((matrix.stdout.strip() or matrix.stderr.strip()).splitlines()[-1])
    good = (len(rows) == pods and len(seen) == pods * families and
            outside == 0 and matrix.returncode == 0)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

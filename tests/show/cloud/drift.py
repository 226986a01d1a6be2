#!/usr/bin/env python3
"""Somebody takes away rules, tables, links and an ENI of a cloud node while a
client in the data centre pings its pods every 20 ms.

usage: drift.py ROUNDS     (root) Exit 0: each repaired or reported within 2 s,
counted, traffic back.
"""

import json
import re
import sys
import tempfile
import time

import lab as cloud_lab

LIMIT = 2.0
PODS = 3


class Flow:
    """Pings one pod until asked, and tells its longest silence."""

    def __init__(self, lab, address):
        # A file, since a full pipe would stop it.
        self.out = tempfile.TemporaryFile("w+")
        self.process = lab.start("m1", "ping", "-D", "-i", "0.02", address,
                                 stdout=self.out)

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.out.seek(0)
        text = self.out.read()
        self.out.close()
        times = [float(t) for t in re.findall(r"\[(\d+\.\d+)\] \d+ bytes", text)]
        gaps = [b - a for a, b in zip(times, times[1:])]
        return (max(gaps) if gaps else float("inf")), times[-1] if times else 0


def count(lab, node):
    return sum(lab.metric(node, "linsey_drift_repairs_total").values())


def wait_counted(lab, before, limit):
    began = time.monotonic()
    while time.monotonic() - began < limit:
        if count(lab, "c1") > before:
            return time.monotonic() - began
        time.sleep(0.02)
    return None


def enis(lab):
    return [e for e in json.loads(lab.agent("c1", "/v1/ipam"))["supply"]["enis"]
            if "link" in e]


def case(lab, what, script, limits):
    """limits: until it is counted, and of the pods' longest silence."""
    before = count(lab, "c1")
    flows = [Flow(lab, cloud_lab.address_of(pod)) for pod in lab.pods()]
    time.sleep(0.5)
    if callable(script):
        script()
    else:
        lab.sh("c1", script)
    counted = wait_counted(lab, before, limits[0] + 3)
    time.sleep(limits[1])
    changed = time.time()
    ends = [flow.end() for flow in flows]
    silent = max(gap for gap, _ in ends)
    alive = all(changed - last < 1 for _, last in ends)
    good = (counted is not None and counted <= limits[0] and alive and
            silent <= limits[1])
    said = f"{counted:.2f} s" if counted is not None else "never"
    print(f"{'ok  ' if good else 'FAIL'} {what}: counted after {said}, pods' "
          f"longest silence {silent:.2f} s, traffic {'back' if alive else 'gone'}",
          flush=True)
    return good


def round_of(lab):
    eni = enis(lab)[0]
    link, table = eni["link"], eni["table"]
    pod = cloud_lab.address_of(lab.pods()[0])
    strange = "odd" + link[-1]
    both = (LIMIT, LIMIT)
    return [
        case(lab, "a pod's two rules deleted",
             f"ip rule del to {pod} pref 512; ip rule del from {pod} pref 2048",
             both),
        case(lab, "all rules of our priorities flushed",
             "while ip rule del pref 512 2>&-; do :; done;"
             "while ip rule del pref 2048 2>&-; do :; done", both),
        case(lab, f"table {table} flushed", f"ip route flush table {table}", both),
        case(lab, f"{link} renamed to {strange}",
             f"ip link set {link} name {strange}", both),
        case(lab, f"{strange} down and named {link}",
             f"ip link set {strange} down; ip link set {strange} name {link}",
             both),
        case(lab, "our nftables table deleted",
             "nft delete table inet linsey_return", both),
        case(lab, f"ENI {eni['id']} detached at the console",
             lambda: lab("fault", f"detach-by-hand={eni['id']}"), (LIMIT, 10)),
    ]


def main():
    rounds = int(sys.argv[1])
    spec = cloud_lab.shipped()
    spec["name"] = "drift"
    cloud_lab.keep_nodes(spec, "m1", "c1")
    with cloud_lab.Lab(spec) as lab:
        lab("pod", "add", "c1", *[f"p{i}" for i in range(PODS)])
        good = [one for _ in range(rounds) for one in round_of(lab)]
        print(lab.metric("c1", "linsey_drift_repairs_total"))
    print(f"{sum(good)} of {len(good)} repaired or reported within {LIMIT:.0f} s")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())

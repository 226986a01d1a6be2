#!/usr/bin/env python3
"""Figures of line 2.5: what a shaped pod's TCP streams really get.

Must run in namespaces of its own (tests/e2e/containerd/in_namespaces.py). For
each rate, direction and family one stream runs between the node and a pod; the
first bytes (buffers and bursts) are left out, then the payload of
$LINSEY_SECONDS is counted. 100 Gbit/s is more than a machine can send: there the
kernel's own value is read back. Exit code 0 when all is within 10 %.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e/conformance")]

from world import World  # noqa: E402

MBIT = 10**6
RATES = [1 * MBIT, 10 * MBIT, 100 * MBIT, 500 * MBIT]
BURST = 256 * 1024  # bits
SECONDS = float(os.environ.get("LINSEY_SECONDS", "2"))

SENDER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], 7000), family=family)
print("ready", flush=True)
peer, _ = server.accept()
# What waits in the sender's own buffer must not outlive the measurement.
peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
try:
    while True:
        peer.sendall(bytes(1 << 16))
except OSError:
    pass
"""

RECEIVER = """
import socket, sys, time
peer = socket.create_connection((sys.argv[1], 7000), timeout=30)
seconds, skip = float(sys.argv[2]), int(sys.argv[3])
got = 0
while got < skip:
    got += len(peer.recv(1 << 16))
began = last = time.monotonic()
got = 0
while last - began < seconds:
    got += len(peer.recv(1 << 18))
    last = time.monotonic()
print(got * 8 / (last - began))
"""


def inside(netns, *command):
    return ["ip", "netns", "exec", netns, *command] if netns else [*command]


def measure(server_in, client_in, address, rate):
    """Bits of payload a second of one stream."""
    sender = subprocess.Popen(
        inside(server_in, sys.executable, "-c", SENDER, address),
        stdout=subprocess.PIPE, text=True)
    try:
        sender.stdout.readline()
        skip = BURST // 8 * 2 + rate // 8 // 4
        done = subprocess.run(
            inside(client_in, sys.executable, "-c", RECEIVER, address,
                   str(SECONDS), str(skip)),
            stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    finally:
        sender.kill()
        sender.wait()
    return float(done.stdout)


def shaped(world, **bandwidth):
    netns, cid = world.sandbox(), world.cid()
    result = world.add(netns, cid=cid, version="1.0.0", conf=world.conf(
        runtimeConfig={"bandwidth": bandwidth}))
    addresses = [ip["address"].split("/")[0] for ip in result["ips"]]
    return netns, cid, addresses


def by_traffic(world):
    worst = 0.0
    node = {False: "10.0.1.11", True: "fd00:1::11"}
    for rate in RATES:
        for way in ("ingress", "egress"):
            netns, cid, addresses = shaped(
                world, **{f"{way}Rate": rate, f"{way}Burst": BURST})
            for address in addresses:
                v6 = ":" in address
                got = (measure("", netns, node[v6], rate) if way == "ingress"
                       else measure(netns, "", address, rate))
                off = got / rate - 1
                worst = max(worst, abs(off))
                print(f"{rate // MBIT:4d} Mbit/s {way:8s}"
                      f"{'IPv6' if v6 else 'IPv4'}  payload "
                      f"{got / MBIT:8.3f} Mbit/s  {off:+.1%}", flush=True)
            world.delete(netns, cid=cid)
    return worst


def tbf_rates():
    """Bits a second of every token bucket of the node."""
    text = subprocess.run(["tc", "-j", "qdisc", "show"], check=True,
                          stdout=subprocess.PIPE).stdout
    return [one["options"]["rate"] * 8 for one in json.loads(text)
            if one["kind"] == "tbf"]


def by_kernel(world):
    worst = 0.0
    for rate in (1 * MBIT, 4 * 10**9, 35 * 10**9, 100 * 10**9):
        netns, cid, _ = shaped(world, ingressRate=rate, ingressBurst=10**9,
                               egressRate=rate, egressBurst=10**9)
        found = tbf_rates()
        if len(found) != 2:
            print(f"{rate}: {len(found)} token buckets, wanted 2")
            return 1.0
        for value in found:
            worst = max(worst, abs(value / rate - 1))
        print(f"{rate / 10**9:7.3f} Gbit/s in the kernel: "
              f"{', '.join(f'{value / 10**9:.3f}' for value in found)}")
        world.delete(netns, cid=cid)
        if tbf_rates():
            print("token buckets are left after DEL")
            return 1.0
    return worst


def main():
    build = pathlib.Path(os.environ["LINSEY_BUILD"])
    with tempfile.TemporaryDirectory(prefix="linsey-show-") as home:
        world = World(build / "plugin", build / "agent/linseyd", home)
        try:
            worst = max(by_traffic(world), by_kernel(world))
        finally:
            world.agent.stop()
    print(f"farthest from the asked rate: {worst:.1%} (bar 10 %)")
    return 0 if worst <= 0.1 else 1


if __name__ == "__main__":
    sys.exit(main())

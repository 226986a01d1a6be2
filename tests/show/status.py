#!/usr/bin/env python3
"""Figures of line 2.4: STATUS while 64 ADDs run.

Must run in namespaces of its own (tests/e2e/containerd/in_namespaces.py).
Exit code 0 when the p99 of STATUS, as a whole process, is below 200 ms.
"""

import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e/conformance")]

from world import World  # noqa: E402


def timed(function):
    began = time.perf_counter()
    outcome = function()
    return (time.perf_counter() - began) * 1000, outcome


def status_while_adding(world, rounds):
    took, done = [], threading.Event()

    def ask():
        while not done.is_set():
            ms, outcome = timed(
                lambda: world.call("STATUS", conf=world.conf("1.1.0")))
            took.append(ms)
            outcome.silent("STATUS")

    asker = threading.Thread(target=ask)
    asker.start()
    for _ in range(rounds):
        pods = [(world.sandbox(), world.cid()) for _ in range(64)]
        adds = [world.start("ADD", netns=n, cid=c) for n, c in pods]
        for process in adds:
            world.finish(process).ok("ADD")
        for netns, cid in pods:
            world.delete(netns, cid=cid)
    done.set()
    asker.join()
    return took


def main():
    build = pathlib.Path(os.environ["LINSEY_BUILD"])
    with tempfile.TemporaryDirectory(prefix="linsey-show-") as home:
        world = World(build / "plugin", build / "agent/linseyd", home)
        try:
            took = sorted(status_while_adding(world, 5))
        finally:
            world.agent.stop()
    p99 = took[max(0, int(len(took) * 0.99) - 1)]
    print(f"STATUS while 64 ADDs run: {len(took)} calls, median "
          f"{statistics.median(took):.1f} ms, p99 {p99:.1f} ms (bar 200)")
    return 0 if p99 < 200 else 1


if __name__ == "__main__":
    sys.exit(main())

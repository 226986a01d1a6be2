#!/usr/bin/env python3
"""Conformance: runs the shipped binaries from outside, case by case.

    run.py [--bin DIR] [--linseyd FILE] [--only P,L,M7] [--verbose]

Must run in network, mount and PID namespaces of its own, which
tests/e2e/containerd/in_namespaces.py makes; CMakeLists.txt shows how. Prints
one line for each case and how many of each group ran. Exit code: 0 when all
hold, 77 when not root.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time
import traceback

import case
from case import GROUPS
from world import World

import chain  # noqa: F401  (each registers its cases)
import ledger  # noqa: F401
import loopback  # noqa: F401
import main_delete  # noqa: F401
import main_plugin  # noqa: F401
import main_races  # noqa: F401
import protocol  # noqa: F401


def chosen(only):
    wanted = only.split(",") if only else list(GROUPS)
    return [c for c in case.ordered()
            if c.number in wanted or c.group in wanted]


def run_one(one, world, verbose):
    """True when the case holds."""
    began = time.monotonic()
    try:
        one.run(world)
        world.clean()
        print(f"ok    {one.number:4} {one.text} "
              f"({(time.monotonic() - began) * 1000:.0f} ms)", flush=True)
        return True
    except Exception as error:  # noqa: BLE001  (any failure is a failed case)
        print(f"FAIL  {one.number:4} {one.text}\n      {error}", flush=True)
        if verbose:
            traceback.print_exc()
        world.clean()
        return False


def summary(results):
    """"P 42/42, L 21/21, ..." over the numbers of the list that were chosen."""
    parts = []
    for group, count in GROUPS.items():
        ran = [held for c, held in results if c.group == group]
        if ran:
            parts.append(f"{group} {sum(ran)}/{count}")
    return ", ".join(parts)


def main():
    build = pathlib.Path(os.environ.get("LINSEY_BUILD", "build/dev"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=build / "plugin")
    parser.add_argument("--linseyd", default=build / "agent/linseyd")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("conformance needs root: it makes network namespaces")
        return 77
    cases = chosen(options.only)
    groups = {c.group for c in cases}
    missing = [number for number in case.missing() if number[0] in groups]
    for number in missing:
        print(f"NONE  {number} has no case")
    results = []
    with tempfile.TemporaryDirectory(prefix="linsey-conformance-") as home:
        world = World(options.bin, options.linseyd, home)
        try:
            for one in cases:
                if one.inapplicable:
                    print(f"n/a   {one.number:4} {one.text}: {one.inapplicable}")
                results.append((one, run_one(one, world, options.verbose)))
        finally:
            world.agent.stop()
    held = sum(one for _, one in results)
    print(summary(results))
    print(f"{held} passed, {len(results) - held} failed")
    return 0 if held == len(results) and not missing else 1


if __name__ == "__main__":
    sys.exit(main())

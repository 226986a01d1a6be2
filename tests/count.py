#!/usr/bin/env python3
"""Counts the tests of the last ctest run and judges the skipped ones.

Usage: count.py BUILD_TREE. GoogleTest programs are counted by case from their
XML reports; other programs by the plain line "N passed, N failed[, N skipped]"
that they print last, or as one test each. Skipped cases must match a line of
allowed-skips.txt when CI=true. The last line printed is the sum.
"""

import os
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

PLAIN = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
SKIP = re.compile(r"^SKIPPED? (.+)$")
HERE = pathlib.Path(__file__).resolve().parent


class Sum:
    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []
        self.skipped: list[str] = []


def count_gtest(tree: pathlib.Path, total: Sum) -> set[str]:
    """Adds every case of every XML report; returns the programs seen."""
    programs = set()
    for report in sorted((tree / "test-results").glob("*.xml")):
        programs.add(report.stem)
        for case in xml.parse(report).getroot().iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None:
                total.failed.append(name)
            elif case.find("skipped") is not None or case.get("result") == "skipped":
                total.skipped.append(name)
            elif case.get("status") == "run":
                total.passed += 1
    return programs


def sections(tree: pathlib.Path):
    """Yields (test name, passed?, output) of ctest's log."""
    log = tree / "Testing/Temporary/LastTest.log"
    text = log.read_text(errors="replace")
    for part in re.split(r"^\d+/\d+ Testing: ", text, flags=re.M)[1:]:
        name = part.splitlines()[0].strip()
        yield name, "\nTest Passed." in part, part


def count_others(tree: pathlib.Path, programs: set[str], total: Sum) -> None:
    for name, passed, output in sections(tree):
        if name in programs:
            continue
        lines = [line.strip() for line in output.splitlines()]
        plain = [m for m in map(PLAIN.match, lines) if m]
        if not plain:
            if passed:
                total.passed += 1
            else:
                total.failed.append(name)
            continue
        good, bad, _ = plain[-1].groups()
        total.passed += int(good)
        total.failed += [name] * int(bad)
        total.skipped += [m.group(1) for m in map(SKIP.match, lines) if m]
        if not passed and int(bad) == 0:
            total.failed.append(name)


def allowed() -> list[re.Pattern[str]]:
    lines = (HERE / "allowed-skips.txt").read_text().splitlines()
    patterns = (line.split("#")[0].strip() for line in lines)
    return [re.compile(p) for p in patterns if p]


def main() -> int:
    tree = pathlib.Path(sys.argv[1])
    total = Sum()
    programs = count_gtest(tree, total)
    count_others(tree, programs, total)
    patterns = allowed()
    bad_skips = [s for s in total.skipped if not any(p.search(s) for p in patterns)]
    for name in total.failed:
        print(f"FAILED {name}")
    for name in total.skipped:
        print(f"skipped {name}")
    code = 1 if total.failed else 0
    if os.environ.get("CI") == "true" and bad_skips:
        print(f"{len(bad_skips)} tests skipped that tests/allowed-skips.txt does not list")
        code = 1
    print(f"{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped")
    return code


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Fails when a file includes a room that its own room may not know.

Usage: layering.py [ROOT]. The allowed edges stand in layering.json beside this
file; "room" allows every header of it, "room/file.h" that one alone.
"""

import json
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def problems(root: pathlib.Path, allowed: dict[str, list[str]]):
    for room, may in allowed.items():
        for path in sorted((root / room).rglob("*")):
            if path.suffix not in {".h", ".cpp", ".cc"}:
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                target = match.group(1)
                other = target.split("/")[0]
                where = f"{path.relative_to(root)}:{number}"
                if other not in allowed:
                    yield f"{where}: \"{target}\" names no room; write it from the root"
                elif other != room and "*" not in may and other not in may and target not in may:
                    yield f"{where}: {room} may not include {target}"


def main() -> int:
    here = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent
    allowed = json.loads((here / "layering.json").read_text())
    found = list(problems(root, allowed))
    print("\n".join(found) if found else "layering holds")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

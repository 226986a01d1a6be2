#!/usr/bin/env python3
"""clang-tidy over the sources, each only when something it reads has changed.

    tidy.py BUILD FILE...

BUILD holds compile_commands.json. A file that was clean is remembered by the
hash of its command, the checks, the version of clang-tidy and everything of
ours that it includes, in LINSEY_CACHE (default /var/cache/linsey, else
~/.cache/linsey). Exit code 1 when a file has a finding; 0 when none has.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIDY = "clang-tidy"


def cache_folder():
    named = os.environ.get("LINSEY_CACHE")
    for folder in [named] if named else ["/var/cache/linsey", "~/.cache/linsey"]:
        path = pathlib.Path(folder).expanduser() / "tidy"
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(path, os.W_OK):
            return path
    return None


def commands(build):
    """File -> its compiler's arguments, from the compile database."""
    entries = json.loads((build / "compile_commands.json").read_text())
    return {os.path.realpath(entry["file"]): entry for entry in entries}


def included(entry):
    """What of ours the file reads, itself first."""
    words = entry["command"].split()
    cut = words.index("-o")
    scan = [w for w in words[:cut] + words[cut + 2:] if w not in ("-c", "ccache")]
    done = subprocess.run([*scan, "-MM"], cwd=entry["directory"], text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        return None
    names = done.stdout.replace("\\\n", " ").split()[1:]
    return [os.path.join(entry["directory"], name) for name in names]


def key_of(entry, common):
    files = included(entry)
    if files is None:
        return None
    key = hashlib.sha256(common)
    key.update(entry["command"].replace(str(ROOT), "").encode())
    for name in files:
        key.update(b"\0" + hashlib.sha256(pathlib.Path(name).read_bytes()).digest())
    return key.hexdigest()


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    files = [os.path.realpath(ROOT / name) for name in sys.argv[2:]]
    database = commands(build)
    common = (ROOT / ".clang-tidy").read_bytes() + subprocess.run(
        [TIDY, "--version"], capture_output=True, check=True).stdout
    folder = cache_folder()
    lock, known, ran, dirty = threading.Lock(), [0], [0], []

    def look(name):
        entry = database.get(name)
        key = key_of(entry, common) if entry and folder else None
        if key and (folder / key).exists():
            known[0] += 1
            return
        done = subprocess.run([TIDY, "--quiet", "-p", str(build), name],
                              text=True, capture_output=True, check=False)
        with lock:
            ran[0] += 1
            if done.returncode != 0 or "warning:" in done.stdout:
                dirty.append(os.path.relpath(name, ROOT))
                print(done.stdout + done.stderr, flush=True)
            elif key:
                (folder / key).touch()
            if ran[0] % 50 == 0:
                print(f"{ran[0] + known[0]} of {len(files)} files", file=sys.stderr)

    with concurrent.futures.ThreadPoolExecutor(
            int(os.environ.get("JOBS", os.cpu_count()))) as pool:
        list(pool.map(look, files))
    print(f"clang-tidy: {ran[0]} files looked at, {known[0]} known to be clean, "
          f"{len(dirty)} with findings {' '.join(sorted(dirty))}".rstrip())
    return 1 if dirty else 0


if __name__ == "__main__":
    sys.exit(main())

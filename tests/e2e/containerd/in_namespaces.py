"""Runs a test where nothing it does can stay behind.

    in_namespaces.py PROGRAM ARGUMENTS...

The program gets a network, a mount and a PID namespace of its own, an empty
/run, /var/lib and /opt, and the environment variable E2E_CGROUP: the name of a
cgroup parent.
When it ends, or its time is up, the kernel takes its processes, mounts and
network namespaces with the namespaces; this script removes the cgroups, and
fails when one of them still has a process.
"""

import os
import pathlib
import signal
import subprocess
import sys
import time

CGROUPS = pathlib.Path("/sys/fs/cgroup")
# Whole parents: a directory that the machine lacks could not be mounted over,
# and what is then made there would stay.
PRIVATE = ["/run", "/var/lib", "/opt"]


def _mount_private() -> None:
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for path in PRIVATE:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)


def first_process(command: list[str]) -> int:
    """What PID 1 of the new namespace does: prepare, start, reap."""
    _mount_private()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    child = subprocess.Popen(command)
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status)


def _cgroups(name: str) -> list[pathlib.Path]:
    found = [path for top in CGROUPS.iterdir() for path in top.glob(name)]
    if (CGROUPS / name).exists():
        found.append(CGROUPS / name)
    return found


def _remove_cgroup(path: pathlib.Path, deadline: float) -> bool:
    """Children first; waits until the dying processes have left."""
    for child in [one for one in path.iterdir() if one.is_dir()]:
        _remove_cgroup(child, deadline)
    while time.monotonic() < deadline:
        try:
            path.rmdir()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def outside(command: list[str], timeout: float) -> int:
    """Starts the namespaces, waits, cleans up; the exit code for ctest."""
    name = f"linsey-e2e-{os.getpid()}"
    again = [sys.executable, os.path.abspath(__file__), "--first", *command]
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc",
               "--kill-child=SIGKILL", *again]
    child = subprocess.Popen(unshare, env=os.environ | {"E2E_CGROUP": name})
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    try:
        code = child.wait(timeout)
    except subprocess.TimeoutExpired:
        print(f"killed after {timeout} s", file=sys.stderr)
        child.kill()
        code = 1
    left = [path for path in _cgroups(name)
            if not _remove_cgroup(path, time.monotonic() + 10)]
    for path in left:
        print(f"left behind: {path}", file=sys.stderr)
    return 1 if left else code


def main() -> int:
    if sys.argv[1] == "--first":
        return first_process(sys.argv[2:])
    return outside(sys.argv[1:], float(os.environ.get("E2E_TIMEOUT", "240")))


if __name__ == "__main__":
    sys.exit(main())

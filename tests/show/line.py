"""What the shows of the leased line share: a node, its neighbours, traffic.

Everything is in network namespaces of processes that this module started;
they end with it, and with them every link.
"""
import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOOL = os.path.abspath("build/dev/tests/line/line-tool")
_started = []


def _end():
    for process in _started:
        process.kill()
        process.wait()


atexit.register(_end)


class Space:
    """A network namespace, held by a sleeping process."""

    def __init__(self, name):
        self.name = name
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sleep", "infinity"], stdout=subprocess.DEVNULL)
        _started.append(self.holder)
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(self.path) == own:
            time.sleep(0.005)
        self("ip link set lo up")

    @property
    def path(self):
        return f"/proc/{self.holder.pid}/ns/net"

    def command(self, words):
        return ["nsenter", f"--net={self.path}"] + words

    def run(self, words):
        return subprocess.run(self.command(words), capture_output=True, text=True)

    def __call__(self, text):
        done = self.run(["sh", "-ec", text])
        if done.returncode != 0:
            sys.exit(f"{self.name}: {text}: {done.stderr}")
        return done.stdout

    def enter(self, work):
        """Runs work() on a thread inside; sockets made there stay there."""
        result = []

        def inside():
            with open(self.path) as file:
                os_setns(file.fileno())
            result.append(work())
        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        return result[0]


def os_setns(fd):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def join(left, left_name, right, right_name):
    left(f"ip link add {left_name} type veth peer name {right_name} "
         f"netns {right.holder.pid}; ip link set {left_name} up")
    right(f"ip link set {right_name} up")


class Guard:
    """The guard on one node."""

    def __init__(self, node, line, far):
        self.node = node
        self.directory = tempfile.TemporaryDirectory()
        self.line = {"mode": "on", "links": ["eth*"], **line}
        self.far = far

    def apply(self, pods, wanted=0):
        config = os.path.join(self.directory.name, "line.json")
        listed = os.path.join(self.directory.name, "pods")
        with open(config, "w") as file:
            json.dump({"dataCentre": self.far, "line": self.line}, file)
        with open(listed, "w") as file:
            file.writelines(" ".join(pod) + "\n" for pod in pods)
        done = self.node.run([TOOL, "apply", config, listed])
        if done.returncode != wanted:
            sys.exit(f"apply: {done.returncode} {done.stdout} {done.stderr}")
        return done.stdout

    def off(self):
        done = self.node.run([TOOL, "off"])
        if done.returncode != 0:
            sys.exit(f"off: {done.stderr}")


class Pull:
    """One TCP flow from `server` at `address` to `client`; counts bytes."""

    def __init__(self, server, address, client, source, port):
        listener = server.enter(lambda: socket.create_server((address, port)))
        self.received = 0
        self.stop = False
        self.taker = client.enter(lambda: socket.create_connection(
            (address, port), 10, (source, 0)))
        self.giver, _ = listener.accept()
        listener.close()
        self.threads = [threading.Thread(target=self._give),
                        threading.Thread(target=self._take)]
        for thread in self.threads:
            thread.start()

    def _give(self):
        block = bytes(262144)
        try:
            while not self.stop:
                self.giver.sendall(block)
        except OSError:
            pass
        self.giver.close()

    def _take(self):
        buffer = bytearray(262144)
        try:
            while not self.stop:
                size = self.taker.recv_into(buffer)
                if size == 0:
                    break
                self.received += size
        except OSError:
            pass
        self.taker.close()

    def end(self):
        self.stop = True
        self.taker.close()
        for thread in self.threads:
            thread.join(5)


def rates(pulls, warm, seconds):
    """Bits a second of each pull, measured over `seconds` after `warm`."""
    time.sleep(warm)
    start = [pull.received for pull in pulls]
    begin = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begin
    return [(pull.received - before) * 8 / took
            for pull, before in zip(pulls, start)]

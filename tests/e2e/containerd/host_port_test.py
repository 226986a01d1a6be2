"""Host ports, as containerd hands them down."""

import contextlib
import subprocess
import unittest
from collections.abc import Iterator

import cri
import node
from pod_case import PodCase
from runtime import run

_SERVER = """
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
server = socket.socket(socket.AF_INET, kind)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("0.0.0.0", 80))
if kind == socket.SOCK_STREAM: server.listen()
print("bound", flush=True)
while True:
    if kind == socket.SOCK_DGRAM:
        data, peer = server.recvfrom(100)
        server.sendto(b"pod " + peer[0].encode(), peer)
    else:
        client, peer = server.accept()
        client.sendall(b"pod " + peer[0].encode())
        client.close()
"""

_CLIENT = """
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
client = socket.socket(socket.AF_INET, kind)
client.settimeout(3)
client.connect((sys.argv[2], int(sys.argv[3])))
client.send(b"?")
print(client.recv(100).decode())
"""


@contextlib.contextmanager
def serving(netns: str, protocol: str) -> Iterator[None]:
    """A server on port 80 inside the pod; it tells its peer's address."""
    server = subprocess.Popen(
        ["nsenter", f"--net={netns}", "/usr/bin/python3", "-c", _SERVER, protocol],
        stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "bound\n"
        yield
    finally:
        server.kill()
        server.communicate()


def ask(netns: list[str], protocol: str, address: str, port: int) -> str:
    """What the server answers to a client that runs under `netns`."""
    return run(*netns, "/usr/bin/python3", "-c", _CLIENT, protocol, address, str(port)).strip()


SWITCH = ["ip", "netns", "exec", node.PEER]


class HostPorts(PodCase):
    def mapped_pod(self, name: str, **mapping) -> str:
        mapping = {"protocol": "tcp", "container_port": 80, "host_port": 8080} | mapping
        mapping["protocol"] = cri.PROTOCOLS[mapping["protocol"]]
        return self.runtime.start_pod(name, port_mappings=[cri.new("PortMapping", **mapping)])

    def test_a_host_port_reaches_the_pod_from_outside(self) -> None:
        for protocol in ("tcp", "udp"):
            sandbox = self.mapped_pod(f"port-{protocol}", protocol=protocol)

            with serving(self.runtime.netns(sandbox), protocol):
                answer = ask(SWITCH, protocol, node.NODE_ADDRESS, 8080)

            self.assertEqual(answer, f"pod {node.PEER_ADDRESS}")
            self.remove(sandbox)

    def test_a_host_port_answers_the_node_and_the_pod_itself(self) -> None:
        sandbox = self.mapped_pod("hairpin")
        netns = self.runtime.netns(sandbox)

        with serving(netns, "tcp"):
            from_node = ask([], "tcp", node.NODE_ADDRESS, 8080)
            from_itself = ask(["nsenter", f"--net={netns}"], "tcp", node.NODE_ADDRESS, 8080)

        self.assertTrue(from_node.startswith("pod "))
        self.assertTrue(from_itself.startswith("pod "))
        self.remove(sandbox)

    def test_a_host_port_of_one_address_leaves_the_others_alone(self) -> None:
        sandbox = self.mapped_pod("bound", host_ip="10.0.1.99")

        with serving(self.runtime.netns(sandbox), "tcp"), self.assertRaises(RuntimeError):
            ask(SWITCH, "tcp", node.NODE_ADDRESS, 8080)

        self.remove(sandbox)

    def test_a_host_port_of_the_nodes_address_serves_there(self) -> None:
        sandbox = self.mapped_pod("addressed", host_ip=node.NODE_ADDRESS)

        with serving(self.runtime.netns(sandbox), "tcp"):
            self.assertEqual(ask(SWITCH, "tcp", node.NODE_ADDRESS, 8080),
                             f"pod {node.PEER_ADDRESS}")

        self.remove(sandbox)

    def test_a_host_port_outlives_the_agent(self) -> None:
        sandbox = self.mapped_pod("outlives")

        with serving(self.runtime.netns(sandbox), "tcp"):
            self.agent.kill()
            without = ask(SWITCH, "tcp", node.NODE_ADDRESS, 8080)
            self.agent.start()
            again = ask(SWITCH, "tcp", node.NODE_ADDRESS, 8080)

        self.assertEqual([without, again], [f"pod {node.PEER_ADDRESS}"] * 2)
        self.remove(sandbox)

    def test_a_host_port_can_be_taken_again_when_its_pod_is_gone(self) -> None:
        for turn in range(3):
            sandbox = self.mapped_pod(f"again{turn}")
            with serving(self.runtime.netns(sandbox), "tcp"):
                self.assertEqual(ask(SWITCH, "tcp", node.NODE_ADDRESS, 8080),
                                 f"pod {node.PEER_ADDRESS}")
            self.remove(sandbox)


if __name__ == "__main__":
    unittest.main(verbosity=2)

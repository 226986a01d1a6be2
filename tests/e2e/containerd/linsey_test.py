"""containerd drives our plugin and our agent, as on a bare-metal node."""

import concurrent.futures
import unittest

import node
from pod_case import PodCase
from runtime import run


class Pods(PodCase):
    def assert_serves(self, sandbox: str) -> str:
        """CRI and ledger agree, and the address answers; returns it."""
        addresses = self.runtime.cri.addresses(sandbox)
        self.assertEqual(
            [address for address, owner in node.held().items() if owner == sandbox], addresses)
        run("ping", "-c", "1", "-W", "2", addresses[0])
        return addresses[0]

    def test_a_pod_gets_the_ledgers_address_three_times_in_a_row(self) -> None:
        for turn in range(3):
            sandbox = self.runtime.start_pod(f"turn{turn}")
            self.assert_serves(sandbox)
            self.remove(sandbox)

    def test_pods_start_and_go_in_parallel(self) -> None:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            sandboxes = list(pool.map(self.runtime.start_pod, [f"par{i}" for i in range(8)]))
            addresses = [self.assert_serves(one) for one in sandboxes]
            self.assertEqual(len(set(addresses)), len(sandboxes))
            list(pool.map(self.runtime.remove_pod, sandboxes))
        self.assert_clean()

    def test_the_switch_reaches_the_pod_and_the_pod_the_switch(self) -> None:
        sandbox = self.runtime.start_pod("routed")
        address = self.assert_serves(sandbox)

        run("ip", "netns", "exec", node.PEER, "ping", "-c", "1", "-W", "2", address)
        run("nsenter", f"--net={self.runtime.netns(sandbox)}",
            "ping", "-c", "1", "-W", "2", node.PEER_ADDRESS)

        self.remove(sandbox)

    def test_two_pods_reach_each_other(self) -> None:
        one, two = self.runtime.start_pod("one"), self.runtime.start_pod("two")
        address = self.assert_serves(two)

        run("nsenter", f"--net={self.runtime.netns(one)}", "ping", "-c", "1", "-W", "2", address)

        self.runtime.remove_pod(one)
        self.runtime.remove_pod(two)
        self.assert_clean()

    def test_loopback_is_up_in_the_pod(self) -> None:
        sandbox = self.runtime.start_pod("lo")

        run("nsenter", f"--net={self.runtime.netns(sandbox)}", "ping", "-c", "1", "127.0.0.1")

        self.remove(sandbox)

    def test_a_pod_goes_while_the_agent_is_dead(self) -> None:
        sandbox = self.runtime.start_pod("orphan")
        self.assert_serves(sandbox)

        self.agent.kill()
        self.runtime.remove_pod(sandbox)
        self.agent.start()

        self.assert_clean()

    def test_a_killed_agent_keeps_what_pods_hold(self) -> None:
        sandbox = self.runtime.start_pod("kept")
        before = node.held()

        self.agent.kill()
        self.agent.start()

        self.assertEqual(node.held(), before)
        self.assert_serves(sandbox)
        self.remove(sandbox)


if __name__ == "__main__":
    unittest.main(verbosity=2)

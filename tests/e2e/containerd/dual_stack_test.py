"""A node with a block of each family: pods get one address of each."""

import ipaddress
import unittest

import node
from pod_case import PodCase
from runtime import run


class DualStack(PodCase):
    configuration = {
        "pools": [{"name": "dc", "cidr": "10.244.0.0/16", "blockSize": 26},
                  {"name": "dc6", "cidr": "fd00:10:244::/112", "blockSize": 122}],
        "blocks": {"source": "file", "assignments": {"m1": [node.BLOCK, node.BLOCK6]}},
    }

    def test_a_pod_has_and_answers_both_families(self) -> None:
        sandbox = self.runtime.start_pod("dual")

        addresses = self.runtime.cri.addresses(sandbox)

        self.assertEqual([ipaddress.ip_address(one).version for one in addresses], [4, 6])
        self.assertEqual(set(addresses), set(node.held()))
        for address in addresses:
            run("ping", "-c", "1", "-W", "2", address)
        self.remove(sandbox)

    def test_pods_reach_each_other_and_the_switch_by_ipv6(self) -> None:
        one, two = self.runtime.start_pod("one"), self.runtime.start_pod("two")
        inside = ["nsenter", f"--net={self.runtime.netns(one)}"]

        run(*inside, "ping", "-c", "1", "-W", "2", self.runtime.cri.addresses(two)[1])
        run(*inside, "ping", "-c", "1", "-W", "2", node.PEER_ADDRESS6)
        run("ip", "netns", "exec", node.PEER,
            "ping", "-c", "1", "-W", "2", self.runtime.cri.addresses(one)[1])

        self.runtime.remove_pod(one)
        self.remove(two)


if __name__ == "__main__":
    unittest.main(verbosity=2)

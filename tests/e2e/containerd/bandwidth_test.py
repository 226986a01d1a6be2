"""Bandwidth annotations, as containerd hands them down."""

import hashlib
import json
import unittest

import cri
from pod_case import PodCase
from runtime import run

MBIT = 1000 * 1000 // 8


def host_link(pod: str) -> str:
    """The host's end of the pod's eth0, by the rule that Felix shares."""
    return "cali" + hashlib.sha1(f"e2e.{pod}".encode()).hexdigest()[:11]


def tbf_rates(link: str) -> list[int]:
    """The rates, in bytes a second, of all token buckets on a link."""
    qdiscs = json.loads(run("tc", "-j", "qdisc", "show", "dev", link))
    return [one["options"]["rate"] for one in qdiscs if one["kind"] == "tbf"]


class Bandwidth(PodCase):
    def test_annotations_shape_both_ways(self) -> None:
        sandbox = self.runtime.start_pod("shaped", annotations=cri.pairs({
            "kubernetes.io/ingress-bandwidth": "10M",
            "kubernetes.io/egress-bandwidth": "20M",
        }))

        links = [one["ifname"] for one in json.loads(run("ip", "-j", "link"))]
        rates = {rate for link in links for rate in tbf_rates(link)}

        self.assertEqual(tbf_rates(host_link("shaped")), [10 * MBIT])
        self.assertEqual(rates, {10 * MBIT, 20 * MBIT})
        self.remove(sandbox)

    def test_a_pod_without_annotations_is_not_shaped(self) -> None:
        sandbox = self.runtime.start_pod("free")

        self.assertEqual(tbf_rates(host_link("free")), [])
        self.remove(sandbox)


if __name__ == "__main__":
    unittest.main(verbosity=2)

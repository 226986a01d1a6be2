"""The CNI project's own tool drives our plugin: its library 1.3.0 picks the
version, keeps the cache and calls GC and STATUS, which containerd 1.6 does not.
"""

import json
import os
import pathlib
import subprocess
import sys
import unittest

import node
from runtime import eventually, run

TOOL = node.BUILD / "cnitool" / "cnitool-v1.3.0"


class Refused(Exception):
    """The tool ended with an error; its text is that of the plugin."""


def cnitool(verb: str, netns: str = "any", **environment: str) -> str:
    """What the tool prints. It wants a namespace with every verb, and uses it
    with ADD, CHECK and DEL."""
    command = [str(TOOL), verb, "linsey", f"/run/netns/{netns}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        env=os.environ | {"NETCONFPATH": str(node.CONF_DIR), "CNI_PATH": str(node.BIN_DIR)}
        | environment)
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


class Tool(unittest.TestCase):
    """One node for all tests; a test's sandboxes are its own."""

    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.agent = cls.enterClassContext(node.running_agent())
        eventually("the list of plugins is published",
                   (node.CONF_DIR / "10-linsey.conflist").exists)
        cls.clean = node.traces()

    def sandbox(self, name: str) -> str:
        run("ip", "netns", "add", name)
        self.addCleanup(run, "ip", "netns", "del", name)
        return name

    def assert_clean(self) -> None:
        eventually("no address is held", lambda: not node.held())
        self.assertEqual(node.traces(), self.clean)

    def test_the_newest_version_is_spoken(self) -> None:
        pod = self.sandbox("newest")

        result = json.loads(cnitool("add", pod))

        self.assertEqual(result["cniVersion"], "1.1.0")
        self.assertEqual([one["address"].split("/")[0] for one in result["ips"]],
                         list(node.held()))
        cnitool("del", pod)
        self.assert_clean()

    def test_check_is_content_and_then_is_not(self) -> None:
        pod = self.sandbox("checked")
        cnitool("add", pod)

        cnitool("check", pod)
        run("ip", "-n", pod, "route", "flush", "default")
        with self.assertRaises(Refused):
            cnitool("check", pod)

        cnitool("del", pod)
        self.assert_clean()

    def test_del_may_come_twice(self) -> None:
        pod = self.sandbox("twice")
        cnitool("add", pod)

        cnitool("del", pod)
        cnitool("del", pod)

        self.assert_clean()

    def test_gc_takes_what_is_not_listed(self) -> None:
        pod = self.sandbox("collected")
        cnitool("add", pod)

        cnitool("gc")

        self.assert_clean()

    def test_status_follows_the_agent(self) -> None:
        cnitool("status")

        self.agent.kill()
        with self.assertRaises(Refused) as refused:
            cnitool("status")
        self.agent.start()

        self.assertIn("agent", str(refused.exception).lower())
        cnitool("status")

    def test_a_wanted_address_is_given_or_refused(self) -> None:
        one, two = self.sandbox("wanted"), self.sandbox("late")
        wish = json.dumps({"ips": ["10.244.0.40"]})

        result = json.loads(cnitool("add", one, CAP_ARGS=wish))
        with self.assertRaises(Refused):
            cnitool("add", two, CAP_ARGS=wish)

        self.assertEqual(result["ips"][0]["address"], "10.244.0.40/32")
        cnitool("del", one)
        cnitool("del", two)
        self.assert_clean()


if __name__ == "__main__":
    if not pathlib.Path(TOOL).exists():
        print(f"skipped: {TOOL} was not built (see e2e_cnitool_build)")
        sys.exit(77)
    unittest.main(verbosity=2)

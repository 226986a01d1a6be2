"""What the tests of a running node have in common."""

import contextlib
import unittest
from collections.abc import Iterator

import node
from runtime import Runtime, eventually, running


@contextlib.contextmanager
def running_node(configuration: dict) -> Iterator[tuple[node.Agent, Runtime]]:
    """A node with its agent and its containerd, ready for pods."""
    with node.running_agent(**configuration) as agent, \
            running(node.TOP / "containerd", node.CONF_DIR, node.BIN_DIR) as runtime:
        eventually("the network is ready", runtime.cri.network_ready)
        yield agent, runtime


class PodCase(unittest.TestCase):
    """One node for all tests of a class; a failed test's pods are removed."""

    maxDiff = None
    configuration: dict = {}  # laid over the agent's

    @classmethod
    def setUpClass(cls) -> None:
        cls.agent, cls.runtime = cls.enterClassContext(running_node(cls.configuration))
        cls.clean = node.traces()

    def tearDown(self) -> None:
        for sandbox in self.runtime.sandboxes():
            self.runtime.remove_pod(sandbox)

    def assert_clean(self) -> None:
        """Nothing in ledger or kernel tells of the pods that were."""
        eventually("no address is held", lambda: not node.held())
        self.assertEqual(node.traces(), self.clean)

    def remove(self, sandbox: str) -> None:
        self.runtime.remove_pod(sandbox)
        self.assert_clean()

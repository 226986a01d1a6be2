"""Proves the harness itself: the distribution's plugins in our containerd."""

import json
import pathlib
import unittest

from runtime import eventually, run, running

CONFLIST = {
    "cniVersion": "1.0.0",
    "name": "upstream",
    "plugins": [{
        "type": "ptp",
        "ipMasq": False,
        "ipam": {"type": "host-local", "subnet": "10.88.0.0/24", "dataDir": "/run/host-local"},
    }],
}


class Harness(unittest.TestCase):
    def test_a_pod_of_the_upstream_plugins_lives_and_goes(self) -> None:
        conf_dir = pathlib.Path("/run/e2e/net.d")
        conf_dir.mkdir(parents=True)
        (conf_dir / "10-upstream.conflist").write_text(json.dumps(CONFLIST))

        with running(pathlib.Path("/run/e2e/containerd"), conf_dir,
                     pathlib.Path("/usr/lib/cni")) as runtime:
            eventually("the network is ready", runtime.cri.network_ready)
            sandbox = runtime.start_pod("one")
            addresses = runtime.cri.addresses(sandbox)
            run("ping", "-c", "1", "-W", "2", addresses[0])
            self.assertIn("eth0", run("nsenter", f"--net={runtime.netns(sandbox)}", "ip", "link"))
            runtime.remove_pod(sandbox)
            links = [one["ifname"] for one in json.loads(run("ip", "-j", "link"))]
            self.assertEqual(links, ["lo"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""The image, on a host that lacks both the plugin directory and loopback: its
init container, as the DaemonSet describes it, brings pods up by CRI.

LINSEY_IMAGE names the archive that ./dev image wrote.
"""

import contextlib
import os
import pathlib
import subprocess
import unittest

import yaml

import node
from runtime import eventually, run, running

SOURCE = pathlib.Path(os.environ["LINSEY_SOURCE"])
IMAGE = os.environ["LINSEY_IMAGE"]
HOST = pathlib.Path("/run/e2e/host")  # stands for the host's /etc
BIN_DIR = pathlib.Path("/opt/cni/bin")
CONF_DIR = HOST / "etc/cni/net.d"
DEFAULT_RIGHTS = ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID",
                  "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",
                  "AUDIT_WRITE"]


def daemon_set() -> dict:
    text = (SOURCE / "install/hybrid.yaml").read_text()
    return next(one for one in yaml.safe_load_all(text) if one["kind"] == "DaemonSet")


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        configuration = {"cni": {"confDir": str(CONF_DIR), "binDir": str(BIN_DIR)}}
        CONF_DIR.mkdir(parents=True)
        cls.agent = stack.enter_context(node.running_agent(**configuration))
        cls.runtime = stack.enter_context(
            running(node.TOP / "containerd", CONF_DIR, BIN_DIR))
        cls.socket = str(node.TOP / "containerd/containerd.sock")
        run("ctr", "-a", cls.socket, "-n", "k8s.io", "images", "import", IMAGE)
        cls.spec = daemon_set()["spec"]["template"]["spec"]
        cls.count = 0

    def setUp(self) -> None:
        self.assertFalse((BIN_DIR / "loopback").exists())

    def tearDown(self) -> None:
        for sandbox in self.runtime.sandboxes():
            self.runtime.remove_pod(sandbox)
        run("rm", "-rf", str(BIN_DIR.parent), "/var/lib/linsey/install.json")

    def host_path(self, volume: dict) -> pathlib.Path:
        """As kubelet does for DirectoryOrCreate; the machine's /etc is spared."""
        if "configMap" in volume:
            return node.TOP  # holds agent.json
        path = volume["hostPath"]["path"]
        place = HOST / path.lstrip("/") if path.startswith("/etc") else pathlib.Path(path)
        place.mkdir(parents=True, exist_ok=True)
        return place

    def init_container(self) -> subprocess.CompletedProcess:
        """Runs it with the manifest's command, mounts and capabilities."""
        one = self.spec["initContainers"][0]
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        Image.count += 1
        command = ["ctr", "-a", self.socket, "-n", "k8s.io", "run", "--rm", "--net-host",
                   "--read-only", "--cgroup", f"/{os.environ['E2E_CGROUP']}/install{self.count}"]
        wanted = one["securityContext"]["capabilities"]["add"]
        for right in DEFAULT_RIGHTS:
            if right not in wanted:
                command += ["--cap-drop", f"CAP_{right}"]
        for mount in one["volumeMounts"]:
            source = self.host_path(volumes[mount["name"]])
            options = "rbind:ro" if mount.get("readOnly") else "rbind:rw"
            target = mount["mountPath"]
            if target == "/etc/cni/net.d":
                target = str(CONF_DIR)  # where the configuration of the test says
            command += ["--mount", f"type=bind,src={source},dst={target},options={options}"]
        command += [one["image"], f"install{self.count}", *one["command"], *one["args"]]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def assert_pod_runs(self, name: str) -> None:
        eventually("the network is ready", self.runtime.cri.network_ready)
        sandbox = self.runtime.start_pod(name)
        address = self.runtime.cri.addresses(sandbox)[0]
        run("ping", "-c", "1", "-W", "2", address)
        run("nsenter", f"--net={self.runtime.netns(sandbox)}", "ping", "-c", "1", "127.0.0.1")

    def test_a_bare_host_gets_its_directory_and_loopback_and_runs_pods(self) -> None:
        self.assertFalse(BIN_DIR.exists())

        done = self.init_container()

        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("installed  /opt/cni/bin/loopback", done.stdout)
        self.assert_pod_runs("bare")

    def test_it_runs_again_under_running_pods(self) -> None:
        self.assertEqual(self.init_container().returncode, 0)
        self.assert_pod_runs("first")

        again = self.init_container()

        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
        self.assertIn("current    /opt/cni/bin/linsey", again.stdout)
        self.assert_pod_runs("second")

    def test_a_busy_plugin_is_replaced(self) -> None:
        BIN_DIR.mkdir(parents=True)
        busy = BIN_DIR / "linsey"
        busy.write_bytes((node.BUILD / "plugin/linsey").read_bytes() + b"\0")
        busy.chmod(0o755)
        running_plugin = subprocess.Popen([busy], stdin=subprocess.PIPE,
                                          stdout=subprocess.DEVNULL,
                                          env={"CNI_COMMAND": "VERSION"})
        try:
            done = self.init_container()

            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("replaced   /opt/cni/bin/linsey", done.stdout)
            self.assert_pod_runs("busy")
        finally:
            running_plugin.communicate(b"{}", timeout=10)

    def test_a_full_disk_is_named(self) -> None:
        BIN_DIR.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(BIN_DIR))
        self.addCleanup(run, "mkdir", "-p", str(BIN_DIR.parent))
        try:
            done = self.init_container()
        finally:
            run("umount", str(BIN_DIR))

        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("DiskFull", done.stdout)
        self.assertIn("bytes free", done.stdout)

    def test_a_stale_earlier_conflist_is_reported(self) -> None:
        stale = CONF_DIR / "05-calico.conflist"
        stale.write_text('{"name":"k8s-pod-network","plugins":[]}')
        self.addCleanup(stale.unlink)

        done = self.init_container()

        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("ForeignConflist", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

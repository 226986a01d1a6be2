"""linsey-install on host trees that are as bad as real hosts get."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest

BUILD = pathlib.Path(os.environ["LINSEY_BUILD"])
TOP = pathlib.Path("/run/install-test")


def sh(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def foreign(newest: str) -> str:
    versions = json.dumps(["0.4.0", newest])
    return ("#!/bin/sh\nif [ \"$CNI_COMMAND\" = VERSION ]; then\n"
            f"echo '{{\"cniVersion\":\"1.0.0\",\"supportedVersions\":{versions}}}'\n"
            "else echo 'CNI loopback plugin v9' >&2; fi\n")


class Install(unittest.TestCase):
    """A fresh tree and a fresh image directory for each test."""

    def setUp(self) -> None:
        self.top = TOP / self.id().rsplit(".", 1)[1]
        self.image = self.top / "image"
        self.host = self.top / "host"
        self.image.mkdir(parents=True)
        (self.host / "etc").mkdir(parents=True)
        for source, name in (("install/linsey-install", "linsey-install"),
                             ("plugin/linsey", "linsey"), ("plugin/linsey", "loopback")):
            shutil.copy(BUILD / source, self.image / name)
        self.bin = self.host / "opt/cni/bin"

    def call(self, *arguments: str, env: dict | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.image / "linsey-install", "--root", self.host, *arguments],
            env=os.environ | (env or {}), capture_output=True, text=True, check=False)

    def install(self, *arguments: str) -> dict:
        done = self.call("-o", "json", *arguments)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1 if report["errors"] else 0, done.stdout)
        return report

    def put(self, name: str, content: bytes) -> pathlib.Path:
        self.bin.mkdir(parents=True, exist_ok=True)
        path = self.bin / name
        path.write_bytes(content)
        path.chmod(0o755)
        return path

    def assert_ours(self, name: str) -> None:
        self.assertEqual((self.bin / name).read_bytes(), (self.image / name).read_bytes())

    def actions(self, report: dict) -> dict[str, str]:
        return {one["path"]: one["action"] for one in report["steps"]}

    def only_error(self, report: dict, reason: str) -> str:
        messages = [one["message"] for one in report["errors"] if one["reason"] == reason]
        self.assertEqual(len(messages), 1, report)
        return messages[0]

    # ---- what a fresh host lacks

    def test_missing_directories_and_loopback_come_into_being(self) -> None:
        report = self.install()

        self.assertEqual(report["errors"], [])
        self.assertEqual(self.actions(report)["/opt/cni/bin"], "created")
        self.assert_ours("linsey")
        self.assert_ours("loopback")
        self.assertTrue((self.host / "etc/cni/net.d").is_dir())

    def test_a_second_run_changes_nothing(self) -> None:
        self.install()
        before = (self.bin / "linsey").stat().st_ino

        report = self.install()

        self.assertEqual(set(self.actions(report).values()), {"current"})
        self.assertEqual((self.bin / "linsey").stat().st_ino, before)

    # ---- busy

    def test_a_busy_plugin_is_replaced_and_runs_on(self) -> None:
        old = (self.image / "linsey").read_bytes() + b"\0"
        path = self.put("linsey", old)
        running = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env={"CNI_COMMAND": "VERSION"})
        try:
            report = self.install()

            self.assertEqual(report["errors"], [])
            self.assertEqual(self.actions(report)["/opt/cni/bin/linsey"], "replaced")
            self.assert_ours("linsey")
            out, _ = running.communicate(b'{"cniVersion":"1.0.0"}', timeout=10)
            self.assertIn("1.1.0", out.decode())
        finally:
            running.kill()
            running.wait()

    def test_a_kill_in_the_middle_leaves_the_old_plugin(self) -> None:
        old = (self.image / "linsey").read_bytes() + b"\0"
        self.put("linsey", old)

        killed = self.call(env={"LINSEY_CRASH_AT": "install.write"})

        self.assertNotIn(killed.returncode, (0, 1, 2))
        self.assertEqual((self.bin / "linsey").read_bytes(), old)
        self.assertEqual(self.install()["errors"], [])
        self.assert_ours("linsey")

    def test_two_at_once_both_succeed(self) -> None:
        command = [self.image / "linsey-install", "--root", self.host]
        both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]

        self.assertEqual([one.wait(30) for one in both], [0, 0])
        self.assert_ours("loopback")

    # ---- hosts that refuse

    def mounted(self, options: str) -> None:
        self.bin.mkdir(parents=True)
        sh("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.bin))
        self.addCleanup(sh, "umount", str(self.bin))

    def test_a_read_only_directory_is_named_with_its_mount(self) -> None:
        self.mounted("ro")

        report = self.install()

        message = self.only_error(report, "BinDirUnusable")
        self.assertIn(f"remount,rw {self.bin}", message)

    def test_a_full_disk_leaves_the_old_plugin_and_no_temporary(self) -> None:
        self.mounted("size=64k")
        old = foreign("1.0.0").encode()
        self.put("linsey", old)

        report = self.install("--force")

        message = self.only_error(report, "DiskFull")
        self.assertIn("bytes free", message)
        self.assertIn(str(self.bin), message)
        self.assertEqual((self.bin / "linsey").read_bytes(), old)
        self.assertEqual([one.name for one in self.bin.iterdir()], ["linsey"])

    def test_a_noexec_mount_is_named(self) -> None:
        self.mounted("noexec")

        message = self.install()["errors"][0]["message"]

        self.assertIn("mounted noexec", message)
        self.assertIn(f"remount,exec {self.bin}", message)

    def test_a_user_without_rights_is_told_so(self) -> None:
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--clear-groups", self.image / "linsey-install",
             "--root", self.host], capture_output=True, text=True, check=False)

        self.assertEqual(done.returncode, 1)
        self.assertIn("PermissionDenied", done.stdout)
        self.assertIn("user 65534 may not write", done.stdout)

    def test_a_full_state_directory_stops_before_anything_is_written(self) -> None:
        state = self.host / "var/lib/linsey"
        state.mkdir(parents=True)
        sh("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(state))
        self.addCleanup(sh, "umount", str(state))

        report = self.install()

        self.assertTrue(report["errors"])
        self.assertFalse(self.bin.exists())

    # ---- what others left

    def test_a_newer_foreign_loopback_stays(self) -> None:
        theirs = foreign("2.0.0").encode()
        self.put("loopback", theirs)

        report = self.install()

        self.assertEqual(report["errors"], [])
        self.assertEqual(self.actions(report)["/opt/cni/bin/loopback"], "kept")
        self.assertEqual((self.bin / "loopback").read_bytes(), theirs)

    def test_debians_older_loopback_is_replaced_and_comes_back(self) -> None:
        theirs = pathlib.Path("/usr/lib/cni/loopback").read_bytes()
        self.put("loopback", theirs)

        self.assertEqual(self.actions(self.install())["/opt/cni/bin/loopback"], "replaced")
        self.assert_ours("loopback")
        self.assertEqual(self.call("uninstall", "--files-only").returncode, 0)
        self.assertEqual((self.bin / "loopback").read_bytes(), theirs)

    def test_a_broken_loopback_is_replaced(self) -> None:
        self.put("loopback", b"")

        self.assertEqual(self.install()["errors"], [])
        self.assert_ours("loopback")

    def test_policy_absent_tells_of_a_broken_loopback(self) -> None:
        self.put("loopback", b"")

        message = self.only_error(self.install("--policy", "absent"), "ChainPluginMissing")

        self.assertIn("loopback does not answer VERSION", message)

    def test_a_stale_earlier_conflist_is_reported(self) -> None:
        conf = self.host / "etc/cni/net.d"
        conf.mkdir(parents=True)
        (conf / "05-calico.conflist").write_text('{"name":"k8s-pod-network","plugins":[]}')

        report = self.install()

        self.assertEqual(report["errors"], [])
        self.assertEqual(report["warnings"][0]["reason"], "ForeignConflist")
        self.assertIn("05-calico.conflist", report["warnings"][0]["message"])
        self.assertTrue((conf / "05-calico.conflist").exists())

    def test_a_stale_conflist_goes_aside_and_comes_back(self) -> None:
        conf = self.host / "etc/cni/net.d"
        conf.mkdir(parents=True)
        (conf / "05-calico.conflist").write_text('{"name":"k8s-pod-network","plugins":[]}')

        self.install("--set-aside-conflists")

        self.assertFalse((conf / "05-calico.conflist").exists())
        self.assertEqual(self.call("uninstall", "--files-only").returncode, 0)
        self.assertTrue((conf / "05-calico.conflist").exists())

    def test_a_plugin_of_the_chain_that_is_missing_is_named(self) -> None:
        chain = self.top / "chain.conflist"
        chain.write_text('{"cniVersion":"1.0.0","name":"x","plugins":'
                         '[{"type":"linsey"},{"type":"tuning"}]}')

        message = self.only_error(self.install("--conflist-source", str(chain)),
                                  "ChainPluginMissing")

        self.assertIn("/opt/cni/bin/tuning is missing", message)

    # ---- k3s and uninstall

    def test_k3s_has_its_own_directories(self) -> None:
        (self.host / "var/lib/rancher/k3s/agent").mkdir(parents=True)

        self.assertEqual(self.install("--flavor", "auto")["errors"], [])

        self.assertTrue((self.host / "var/lib/rancher/k3s/data/cni/loopback").exists())
        self.assertFalse(self.bin.exists())

    def test_uninstall_leaves_the_tree_as_it_was(self) -> None:
        (self.host / "etc/systemd").mkdir()
        before = sorted(str(one) for one in self.host.rglob("*"))
        self.install()

        done = self.call("uninstall", "--verify", "-o", "json")

        report = json.loads(done.stdout)
        self.assertEqual((done.returncode, report["clean"]), (0, True), done.stdout)
        self.assertGreaterEqual(len(report["lookedAt"]), 14)
        after = sorted(str(one) for one in self.host.rglob("*"))
        mine = [f"{self.host}/var", f"{self.host}/var/lib"]
        self.assertEqual([one for one in after if one not in mine], before)

    def test_unknown_options_are_usage_errors(self) -> None:
        for arguments in (["--policy", "newest"], ["--flavor", "k9s"], ["remove"], ["-o", "xml"]):
            self.assertEqual(self.call(*arguments).returncode, 2, arguments)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""containerd as a node has it, inside the namespaces of the test."""

import contextlib
import json
import os
import pathlib
import subprocess
import time
from collections.abc import Callable, Iterator

import cri
import image

HERE = pathlib.Path(__file__).resolve().parent

_CONFIG = """\
version = 2
root = "{top}/root"
state = "{top}/state"
[grpc]
  address = "{top}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{bin_dir}"
    conf_dir = "{conf_dir}"
    max_conf_num = 1
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""


def eventually(what: str, check: Callable[[], object], seconds: float = 30) -> object:
    """Polls until `check` gives something true; the deadline names `what`."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s still not: {what}")
        time.sleep(0.05)


def run(*command: str) -> str:
    """A command's output; its error text is in the exception."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


class Runtime:
    """A running containerd and its CRI."""

    def __init__(self, top: pathlib.Path, conf_dir: pathlib.Path, bin_dir: pathlib.Path):
        self._top = top
        self._cgroup = os.environ["E2E_CGROUP"]
        top.mkdir(parents=True, exist_ok=True)
        (top / "containerd.toml").write_text(_CONFIG.format(
            top=top, image=image.NAME, bin_dir=bin_dir, conf_dir=conf_dir))
        self.log = top / "containerd.log"
        self._log_file = self.log.open("w")
        self._process = subprocess.Popen(
            ["containerd", "-c", str(top / "containerd.toml")],
            stdout=self._log_file, stderr=subprocess.STDOUT)
        self.cri = cri.Cri(top / "containerd.sock")
        self._count = 0

    def load_image(self) -> None:
        socket = str(self._top / "containerd.sock")
        eventually("containerd answers",
                   lambda: self._process.poll() is None and self._answers(socket))
        pause, archive = self._top / "pause", self._top / "pause.tar"
        run("cc", "-static", "-O2", "-o", str(pause), str(HERE / "pause.c"))
        image.write_image(pause, archive)
        run("ctr", "-a", socket, "-n", "k8s.io", "images", "import", str(archive))

    @staticmethod
    def _answers(socket: str) -> bool:
        done = subprocess.run(["ctr", "-a", socket, "version"], capture_output=True,
                              check=False)
        return done.returncode == 0

    def pod_config(self, name: str, **members):
        self._count += 1
        return cri.new(
            "PodSandboxConfig",
            metadata=cri.new("PodSandboxMetadata", name=name, namespace="e2e",
                             uid=f"uid-{name}-{self._count}", attempt=0),
            hostname=name,
            log_directory=str(self._top / "logs"),
            linux=cri.new("LinuxPodSandboxConfig", cgroup_parent=f"/{self._cgroup}"),
            **members)

    def start_pod(self, name: str, **members) -> str:
        config = self.pod_config(name, **members)
        return self.cri.call("RunPodSandbox", config=config).pod_sandbox_id

    def remove_pod(self, sandbox: str) -> None:
        self.cri.call("StopPodSandbox", pod_sandbox_id=sandbox)
        self.cri.call("RemovePodSandbox", pod_sandbox_id=sandbox)

    def sandboxes(self) -> list[str]:
        return [one.id for one in self.cri.call("ListPodSandbox").items]

    def netns(self, sandbox: str) -> str:
        """The path of the pod's network namespace."""
        info = self.cri.call("PodSandboxStatus", pod_sandbox_id=sandbox, verbose=True).info
        spec = json.loads(next(one.value for one in info if one.key == "info"))
        namespaces = spec["runtimeSpec"]["linux"]["namespaces"]
        return next(one["path"] for one in namespaces if one["type"] == "network")

    def stop(self) -> None:
        self.cri.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log_file.close()


@contextlib.contextmanager
def running(top: pathlib.Path, conf_dir: pathlib.Path,
            bin_dir: pathlib.Path) -> Iterator[Runtime]:
    """A containerd with the pause image, stopped at the end; its log is shown
    when the body fails."""
    runtime = Runtime(top, conf_dir, bin_dir)
    try:
        runtime.load_image()
        yield runtime
    except BaseException:
        print(runtime.log.read_text()[-6000:])
        raise
    finally:
        runtime.stop()

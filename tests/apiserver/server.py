#!/usr/bin/env python3
"""Runs a command against a real kube-apiserver, and says which.

usage: server.py [--build-limit SECONDS] -- COMMAND...

The API server is built from the k8s.io/kubernetes module by the go.mod beside
this file, once, and kept in a cache outside the tree ($LINSEY_CACHE, else
/var/cache/linsey, else $XDG_CACHE_HOME/linsey). etcd is Debian's, unpacked
beside it and not installed. Both run in a network namespace of their own and
die with this script. COMMAND finds LINSEY_CONTRACT_KUBECONFIG in its
environment.

Prints "real API server: yes VERSION" or "real API server: no, REASON". What
cannot be had is no failure (exit 0); what COMMAND says is: its code is ours.
"""

import argparse
import ctypes
import glob
import hashlib
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = 6443
TOKEN = "linsey-contract-admin"


class Missing(Exception):
    """There can be no real API server here; the text says why."""


def cache_directory():
    home = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    for path in (os.environ.get("LINSEY_CACHE"), "/var/cache/linsey",
                 os.path.join(home, "linsey")):
        if not path:
            continue
        try:
            os.makedirs(path, exist_ok=True)
        except OSError:
            continue
        if os.access(path, os.W_OK):
            return path
    raise Missing("no directory to keep the build in; set LINSEY_CACHE")


def find_go():
    go = shutil.which("go") or "/usr/local/go/bin/go"
    if not os.access(go, os.X_OK):
        raise Missing("there is no Go toolchain")
    return go


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def kubernetes_version():
    with open(os.path.join(HERE, "go.mod"), encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[:1] == ["k8s.io/kubernetes"]:
                return words[1]
    raise Missing("go.mod names no k8s.io/kubernetes")


def run_go(go, arguments, limit):
    # The linker gets its flags on the command line; a VCS stamp would need git.
    env = dict(os.environ, CGO_ENABLED="0")
    env["GOFLAGS"] = (env.get("GOFLAGS", "") + " -buildvcs=false").strip()
    try:
        done = subprocess.run(["nice", "-n", "10", go] + arguments, cwd=HERE,
                              env=env, timeout=limit, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        raise Missing(f"go {arguments[0]} took more than {limit} s") from None
    if done.returncode != 0:
        raise Missing(f"go {arguments[0]}: {last_line(done.stdout)}")
    return done.stdout


def built_server(cache, limit):
    """The kube-apiserver of the pinned version, built unless it is cached."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    binary = os.path.join(cache, f"kube-apiserver-{digest.hexdigest()[:16]}")
    if os.access(binary, os.X_OK):
        return binary
    go = find_go()
    began = time.monotonic()
    print("building the API server, once", flush=True)
    version = kubernetes_version()
    name = "k8s.io/component-base/version."
    fresh = f"{binary}.{os.getpid()}"
    run_go(go, ["build", "-trimpath", "-ldflags",
                f"-s -w -X {name}gitVersion={version}",
                "-o", fresh, "."], limit)
    os.rename(fresh, binary)
    print(f"built in {time.monotonic() - began:.0f} s", flush=True)
    return binary


def unpacked_etcd(cache):
    have = shutil.which("etcd")
    if have:
        return have
    binary = os.path.join(cache, "etcd", "usr/bin/etcd")
    if os.access(binary, os.X_OK):
        return binary
    with tempfile.TemporaryDirectory() as place:
        # apt drops its rights for the download.
        os.chmod(place, 0o777)
        for command in (["apt-get", "download", "etcd-server"],
                        ["apt-get", "-q", "update"],
                        ["apt-get", "download", "etcd-server"]):
            done = subprocess.run(command, cwd=place, text=True,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            packages = glob.glob(os.path.join(place, "*.deb"))
            if packages:
                break
        if not packages:
            raise Missing("Debian's etcd-server cannot be downloaded: " +
                          last_line(done.stdout))
        subprocess.run(["dpkg", "-x", packages[0],
                        os.path.join(cache, "etcd")], check=True)
    return binary


def tie(number):
    """In a child: the signal that it gets when its parent dies."""
    ctypes.CDLL(None).prctl(1, number)


def start(argv, log, **more):
    return subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT,
                            preexec_fn=lambda: tie(signal.SIGKILL), **more)


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_files(place):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=linsey-contract", "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout",
            place + "/tls.key", "-out", place + "/tls.crt")
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt",
            "rsa_keygen_bits:2048", "-out", place + "/sa.key")
    with open(place + "/tokens.csv", "w", encoding="utf-8") as file:
        file.write(f'{TOKEN},linsey-contract,1,"system:masters"\n')
    with open(place + "/kubeconfig", "w", encoding="utf-8") as file:
        file.write(f"""apiVersion: v1
kind: Config
clusters:
- name: real
  cluster:
    server: https://127.0.0.1:{PORT}
    certificate-authority: {place}/tls.crt
users:
- name: real
  user:
    token: {TOKEN}
contexts:
- name: real
  context: {{cluster: real, user: real}}
current-context: real
""")


def start_etcd(binary, place, log):
    return start([binary, "--name", "linsey", "--data-dir", place + "/etcd",
                  "--listen-client-urls", "http://127.0.0.1:2379",
                  "--advertise-client-urls", "http://127.0.0.1:2379",
                  "--listen-peer-urls", "http://127.0.0.1:2380",
                  "--initial-advertise-peer-urls", "http://127.0.0.1:2380",
                  "--initial-cluster", "linsey=http://127.0.0.1:2380",
                  "--unsafe-no-fsync"], log,
                 env=dict(os.environ, ETCD_UNSUPPORTED_ARCH=""))


def start_server(binary, place, log):
    return start([binary, "--etcd-servers=http://127.0.0.1:2379",
                  "--bind-address=127.0.0.1", f"--secure-port={PORT}",
                  "--advertise-address=10.99.0.1",
                  "--endpoint-reconciler-type=none",
                  f"--tls-cert-file={place}/tls.crt",
                  f"--tls-private-key-file={place}/tls.key",
                  f"--token-auth-file={place}/tokens.csv",
                  f"--service-account-key-file={place}/sa.key",
                  f"--service-account-signing-key-file={place}/sa.key",
                  "--service-account-issuer=https://kubernetes.default.svc",
                  "--authorization-mode=RBAC", "--anonymous-auth=false",
                  # No controllers run here: nothing makes default accounts,
                  # nothing takes taints off.
                  "--disable-admission-plugins=ServiceAccount,"
                  "TaintNodesByCondition,Priority",
                  # Old versions shall be gone within the suite's patience.
                  "--etcd-compaction-interval=5s",
                  "--service-cluster-ip-range=10.96.0.0/16"], log)


def ask(place, path):
    context = ssl.create_default_context(cafile=place + "/tls.crt")
    request = urllib.request.Request(
        f"https://127.0.0.1:{PORT}{path}",
        headers={"Authorization": "Bearer " + TOKEN})
    with urllib.request.urlopen(request, context=context, timeout=5) as reply:
        return reply.read().decode()


def wait_ready(place, children, limit=120):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        for child in children:
            if child.poll() is not None:
                raise Missing(f"{os.path.basename(child.args[0])} ended")
        try:
            if ask(place, "/readyz") == "ok":
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise Missing(f"it was not ready within {limit} s")


def in_namespace(binary, etcd, command):
    """Runs inside the new namespace: servers, then the command."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", "10.99.0.1/32", "dev", "lo"],
                   check=True)
    place = tempfile.mkdtemp(prefix="linsey-apiserver-")
    children = []
    try:
        make_files(place)
        with open(place + "/etcd.log", "wb") as log:
            children.append(start_etcd(etcd, place, log))
        with open(place + "/apiserver.log", "wb") as log:
            children.append(start_server(binary, place, log))
        try:
            wait_ready(place, children)
        except Missing as missing:
            for name in ("etcd", "apiserver"):
                with open(f"{place}/{name}.log", errors="replace",
                          encoding="utf-8") as log:
                    print(f"{name}: {last_line(log.read())}")
            print(f"real API server: no, {missing}")
            return 0
        version = ask(place, "/version").split('"gitVersion": "')[1]
        print(f"real API server: yes {version.split(chr(34))[0]}", flush=True)
        env = dict(os.environ, LINSEY_CONTRACT_KUBECONFIG=place + "/kubeconfig")
        return subprocess.run(command, env=env).returncode
    finally:
        for child in reversed(children):
            child.kill()
            child.wait()
        shutil.rmtree(place, ignore_errors=True)


def end_orderly(*_):
    """Files and servers go too; a second signal must not cut that short."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-limit", type=int, default=2400)
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, end_orderly)
    if options.inside:
        return in_namespace(*options.inside, options.command)
    try:
        if os.geteuid() != 0:
            raise Missing("it needs root for a network namespace")
        cache = cache_directory()
        binary = built_server(cache, options.build_limit)
        etcd = unpacked_etcd(cache)
    except Missing as missing:
        print(f"real API server: no, {missing}")
        return 0
    inside = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-B", os.path.abspath(__file__),
         "--inside", binary, etcd, "--"] + options.command,
        preexec_fn=lambda: tie(signal.SIGTERM))
    try:
        return inside.wait()
    finally:
        inside.terminate()
        inside.wait()


if __name__ == "__main__":
    sys.exit(main())

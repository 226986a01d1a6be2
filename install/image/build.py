#!/usr/bin/env python3
"""Builds Linsey's OCI image without a container daemon: Debian packages by
mmdebstrap, our programs from a build tree, and a layout written by hand.

usage: build.py --build TREE --output IMAGE.tar [--update-lock] [--name NAME]

Equal commit, equal programs, equal packages.lock: equal digest. Nothing in the
image knows when or where it was built; every time stamp is the commit's. The
packages must be those of packages.lock, which the image carries, or the build
fails and says which differ; --update-lock takes the present ones.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SUITE = "bookworm"
PACKAGES = ["base-files", "base-passwd", "bird2", "ca-certificates", "coreutils", "dash",
            "libcurl4", "libnftables1", "libsqlite3-0", "libssl3", "libstdc++6",
            "libyaml-cpp0.7", "netbase"]
# Not needed to run, and some differ from build to build.
DROPPED = re.compile(r"^(dev/|proc/|sys/|tmp/.|var/cache/|var/log/|var/lib/apt/|run/.|"
                     r"usr/share/(doc|man|locale|info|lintian|bash-completion|zoneinfo)/|"
                     r"etc/(machine-id|resolv\.conf|hostname|apt/)|var/lib/dpkg/|"
                     r"usr/lib/systemd/|usr/lib/udev/|etc/init\.d/|usr/share/(perl|perl5)/)")
PROGRAMS = [("plugin/linsey", "usr/lib/linsey/linsey", 0o755),
            ("plugin/linsey", "usr/lib/linsey/loopback", 0o755),
            ("install/linsey-install", "usr/lib/linsey/linsey-install", 0o755),
            ("agent/linseyd", "usr/sbin/linseyd", 0o755),
            ("ctl/linseyctl", "usr/bin/linseyctl", 0o755),
            ("controller/linsey-controller", "usr/sbin/linsey-controller", 0o755)]
OPTIONAL = {"controller/linsey-controller"}
MOUNT_POINTS = ["etc/linsey", "opt/cni/bin", "etc/cni/net.d", "run/linsey", "var/lib/linsey",
                "etc/NetworkManager/conf.d", "etc/systemd/network",
                "etc/systemd/networkd.conf.d", "host/proc/sys/net"]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True,
                          check=True).stdout.strip()


def make_root(target: pathlib.Path, epoch: int) -> list[str]:
    """The packages, unpacked and not configured: no script of theirs runs.
    Returns their names and versions."""
    listing = target.with_suffix(".packages")
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=extract", "--format=tar",
         "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
         f"--extract-hook=ls \"$1/var/cache/apt/archives\" > {listing}",
         f"--include={','.join(PACKAGES)}", SUITE, target],
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}, check=True,
        stdout=subprocess.DEVNULL)
    names = [one for one in listing.read_text().split() if one.endswith(".deb")]
    return sorted(" ".join(one.replace("%3a", ":").split("_")[:2]) for one in names)


def check_lock(found: list[str], update: bool) -> str:
    lock = HERE / "packages.lock"
    text = "".join(line + "\n" for line in found)
    if update:
        lock.write_text(text)
    known = lock.read_text().splitlines() if lock.exists() else []
    if known != found:
        for line in sorted(set(known) ^ set(found)):
            print(f"{'lock' if line in known else 'here'}: {line}", file=sys.stderr)
        raise SystemExit("image: the packages are not those of install/image/packages.lock; "
                         "build with --update-lock and commit it")
    return text


def clean(entry: tarfile.TarInfo, epoch: int) -> tarfile.TarInfo:
    entry.mtime = epoch
    entry.uname = entry.gname = ""
    entry.pax_headers = {}
    return entry


def base_layer(root: tarfile.TarFile, epoch: int) -> bytes:
    buffer = io.BytesIO()
    authorities = []
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for member in sorted(root.getmembers(), key=lambda one: one.name):
            name = member.name.removeprefix("./").rstrip("/")
            if not name or name == "." or DROPPED.match(name + ("/" if member.isdir() else "")):
                continue
            if member.isdev():
                continue
            content = root.extractfile(member) if member.isreg() else None
            if content and name.startswith("usr/share/ca-certificates/"):
                authorities.append(content.read())
                content.seek(0)
            member.name = name
            member.linkname = member.linkname.removeprefix("./")
            layer.addfile(clean(member, epoch), content)
        # What ca-certificates' own script would have made.
        add(layer, "etc/ssl/certs/ca-certificates.crt", b"".join(authorities), 0o644, epoch)
    return buffer.getvalue()


def add(layer: tarfile.TarFile, name: str, data: bytes, mode: int, epoch: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = mode
    layer.addfile(clean(entry, epoch), io.BytesIO(data))


def program_layer(tree: pathlib.Path, lock: str, epoch: int) -> tuple[bytes, list[str]]:
    buffer = io.BytesIO()
    missing = []
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for place in MOUNT_POINTS:
            entry = tarfile.TarInfo(place)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o755
            layer.addfile(clean(entry, epoch))
        for source, target, mode in PROGRAMS:
            path = tree / source
            if not path.exists():
                if source not in OPTIONAL:
                    raise SystemExit(f"image: {path} is not built")
                missing.append(target)
                continue
            add(layer, target, path.read_bytes(), mode, epoch)
        add(layer, "usr/share/linsey/packages.lock", lock.encode(), 0o644, epoch)
        add(layer, "usr/share/linsey/LICENSE", (ROOT / "LICENSE").read_bytes(), 0o644, epoch)
    return buffer.getvalue(), missing


def dump(document: dict) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(kind: str, data: bytes) -> dict:
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


def write_image(layers: list[bytes], name: str, epoch: int, target: pathlib.Path) -> str:
    """Returns the manifest's digest."""
    packed = [gzip.compress(layer, 6, mtime=0) for layer in layers]
    created = git("show", "-s", "--format=%cI", "HEAD")
    config = dump({
        "architecture": "amd64", "os": "linux", "created": created,
        "config": {
            "Entrypoint": ["/usr/sbin/linseyd"],
            "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            "Labels": {"org.opencontainers.image.revision": git("rev-parse", "HEAD"),
                       "org.opencontainers.image.title": "linsey",
                       "org.opencontainers.image.licenses": "Apache-2.0"}},
        "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]}})
    manifest = dump({"schemaVersion": 2, "mediaType": MANIFEST,
                     "config": descriptor(CONFIG, config),
                     "layers": [descriptor(LAYER, one) for one in packed]})
    entry = descriptor(MANIFEST, manifest)
    entry["annotations"] = {"io.containerd.image.name": name,
                            "org.opencontainers.image.ref.name": name}
    index = dump({"schemaVersion": 2, "manifests": [entry]})
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644, epoch)
        add(tar, "index.json", index, 0o644, epoch)
        for blob in sorted([config, manifest, *packed], key=digest):
            add(tar, "blobs/sha256/" + digest(blob)[7:], blob, 0o644, epoch)
    return digest(manifest)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--name", default="docker.io/linsey/linsey:0.1.0")
    parser.add_argument("--update-lock", action="store_true")
    options = parser.parse_args()
    epoch = int(git("show", "-s", "--format=%ct", "HEAD"))
    with tempfile.TemporaryDirectory(prefix="linsey-image-") as work:
        packages = pathlib.Path(work) / "root.tar"
        lock = check_lock(make_root(packages, epoch), options.update_lock)
        with tarfile.open(packages) as root:
            base = base_layer(root, epoch)
    programs, missing = program_layer(options.build, lock, epoch)
    told = write_image([base, programs], options.name, epoch, options.output)
    for one in missing:
        print(f"left out, not built: {one}")
    print(f"digest {told}")
    print(f"size {options.output.stat().st_size / 1e6:.1f} MB packed, packages "
          f"{len(base) / 1e6:.1f} MB and programs {len(programs) / 1e6:.1f} MB unpacked, "
          f"{len(lock.splitlines())} packages")


if __name__ == "__main__":
    main()

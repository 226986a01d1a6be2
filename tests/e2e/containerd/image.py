"""Packs one static program as an OCI image in a tar, without any tool.

The archive is what `ctr images import` reads: an OCI layout with one
uncompressed layer. Equal program, equal bytes.
"""

import hashlib
import io
import json
import pathlib
import tarfile

NAME = "docker.io/local/pause:1"

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = mode
    archive.addfile(entry, io.BytesIO(data))


def _layer(program: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as layer:
        _add(layer, "pause", program, 0o755)
    return buffer.getvalue()


def _descriptor(kind: str, data: bytes) -> dict:
    digest = hashlib.sha256(data).hexdigest()
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}


def _dump(document: dict) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def write_image(program: pathlib.Path, archive: pathlib.Path) -> None:
    """Writes `archive`, an image named NAME that runs `program` as /pause."""
    layer = _layer(program.read_bytes())
    layer_digest = hashlib.sha256(layer).hexdigest()
    config = _dump({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
    })
    manifest = _dump({
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor(_CONFIG, config),
        "layers": [_descriptor(_LAYER, layer)],
    })
    entry = _descriptor(_MANIFEST, manifest)
    entry["annotations"] = {
        "io.containerd.image.name": NAME,
        "org.opencontainers.image.ref.name": NAME,
    }
    index = _dump({"schemaVersion": 2, "manifests": [entry]})
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", index)
        for blob in (config, manifest, layer):
            _add(tar, "blobs/sha256/" + hashlib.sha256(blob).hexdigest(), blob)

"""Writes container images as OCI archives in plain Python, the same bytes for the same content.

The formats are those of the OCI image specification 1.1: image-layout, manifest, config, and layers as gzipped tar.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

Json = dict[str, Any]
_LEVEL = 3
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Blob:
    """Content, known by its digest."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """`sha256:` and the hexadecimal digest."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def descriptor(self, **more: object) -> Json:
        """How another document refers to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content), **more}


@dataclass(frozen=True)
class Layer:
    """Files to be laid over the layers below."""

    blob: Blob
    diff_id: str
    """The digest of the layer before it was compressed."""


@dataclass(frozen=True)
class Image:
    """Layers, the lowest first, and how they are run."""

    layers: Sequence[Layer]
    entrypoint: Sequence[str]
    environment: Mapping[str, str]
    user: str
    architecture: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def blobs(self) -> tuple[Blob, Blob]:
        """The manifest, and the config that it refers to."""
        run = {
            "User": self.user,
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "Entrypoint": list(self.entrypoint),
            "WorkingDir": "/",
            "Labels": dict(self.labels),
        }
        layers = {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]}
        config = _json({"architecture": self.architecture, "os": "linux", "config": run, "rootfs": layers}, _CONFIG)
        manifest: Json = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.blob.descriptor() for layer in self.layers],
            "annotations": dict(self.labels),
        }
        return _json(manifest, _MANIFEST), config


def layer(files: Iterable[tuple[Path, PurePosixPath]], folders: Iterable[str] = ()) -> Layer:
    """A layer of files, each with its place in the image; links are followed, times and owners left out.

    `folders` are made empty and writable by everybody, with the sticky bit.
    """
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(folders):
            folder = tarfile.TarInfo(name.strip("/"))
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(folder)
        for source, place in sorted(files, key=lambda pair: pair[1]):
            executable = bool(source.stat().st_mode & 0o100)
            _put(tar, str(place).strip("/"), source.read_bytes(), executable=executable)
    content = raw.getvalue()
    packed = gzip.compress(content, _LEVEL, mtime=0)
    return Layer(Blob(packed, _LAYER), f"sha256:{hashlib.sha256(content).hexdigest()}")


def write(image: Image, reference: str, path: Path) -> str:
    """Writes the archive, with the image under this reference, and returns the manifest's digest."""
    manifest, config = image.blobs()
    named = {"org.opencontainers.image.ref.name": reference}
    index = {"schemaVersion": 2, "manifests": [manifest.descriptor(annotations=named)]}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        _put(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _put(tar, "index.json", _json(index, "").content)
        for blob in {b.digest: b for b in (manifest, config, *(one.blob for one in image.layers))}.values():
            _put(tar, f"blobs/sha256/{blob.digest.removeprefix('sha256:')}", blob.content)
    return manifest.digest


def _json(document: Json, media_type: str) -> Blob:
    return Blob(json.dumps(document, sort_keys=True, separators=(",", ":")).encode(), media_type)


def _put(tar: tarfile.TarFile, name: str, content: bytes, *, executable: bool = False) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o755 if executable else 0o644
    tar.addfile(info, io.BytesIO(content))

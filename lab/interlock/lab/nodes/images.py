"""Makes the images of real nodes from the lab's table: one program, and beside it what it does under this tag."""

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from interlock.lab.kubelet.images import Image

PAUSE: Final = "registry.k8s.io/pause:3.10"
LISTENS_UNLESS_SAID: Final = (80, 8080)
"""A real program cannot know which ports its container declares."""
_TYPE: Final = "application/vnd.oci.image"
MANIFEST_TYPE: Final = f"{_TYPE}.manifest.v1+json"
_NOBODY: Final = "65532"


@dataclass(frozen=True)
class Blob:
    """A part of an image as a registry serves it."""

    content: bytes
    type: str

    @cached_property
    def digest(self) -> str:
        """Its name."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    @property
    def descriptor(self) -> dict[str, str | int]:
        """How another part refers to it."""
        return {"mediaType": self.type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True)
class BuiltImage:
    """An image with all its parts."""

    manifest: Blob
    parts: tuple[Blob, ...]


def program_layer(program: bytes) -> Blob:
    """The layer that all images share: the program, which is their shell too."""
    return _layer([_file("program", program, 0o755), _folder("bin"), _link("bin/sh", "/program")])


def build(program: Blob, image: Image) -> BuiltImage:
    """The image of a program that behaves like this."""
    listens = image.listens if image.listens is not None or image.completes is not None else LISTENS_UNLESS_SAID
    behaviour = image.model_copy(update={"listens": listens or ()}).model_dump_json().encode()
    return _image((program, _layer([_file("behaviour.json", behaviour, 0o644)])), "/program")


def pause(program: Blob) -> BuiltImage:
    """The image that holds a pod's namespaces."""
    return _image((program,), "/program", "pause")


def _image(layers: tuple[Blob, ...], *entrypoint: str) -> BuiltImage:
    config = _json(
        f"{_TYPE}.config.v1+json",
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/bin"], "User": _NOBODY},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        },
    )
    content = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor,
        "layers": [layer.descriptor for layer in layers],
    }
    return BuiltImage(_json(MANIFEST_TYPE, content), (config, *layers))


def _json(type_: str, value: dict[str, Any]) -> Blob:
    return Blob(json.dumps(value, sort_keys=True).encode(), type_)


def _layer(entries: list[tuple[tarfile.TarInfo, bytes]]) -> Blob:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return Blob(buffer.getvalue(), f"{_TYPE}.layer.v1.tar")


def _file(name: str, content: bytes, mode: int) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    return entry, content


def _folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry, b""


def _link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry, b""

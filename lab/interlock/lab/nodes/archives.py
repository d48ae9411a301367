"""Images that somebody built, for real nodes to pull: OCI archives in the lab's folder, read anew at each pull.

The format is the image layout of the OCI image specification 1.1, as a tar.
"""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interlock.lab.errors import LabError
from interlock.lab.kubelet.images import split_reference
from interlock.lab.nodes.images import Blob

_INDEX: Final = "index.json"
_NAME: Final = "org.opencontainers.image.ref.name"
_PLAIN: Final = "application/octet-stream"


@dataclass(frozen=True)
class Archives:
    """The archives of one folder."""

    folder: Path

    def manifest(self, repository: str, reference: str) -> Blob | None:
        """The manifest of a tag or digest of a repository; its name begins with its registry's."""
        for path in self._paths():
            with tarfile.open(path) as archive:
                for name, digest, kind in _manifests(archive):
                    named, tag = split_reference(name)
                    if named == repository and reference in {tag, digest}:
                        return Blob(_read(archive, digest), kind)
        return None

    def blob(self, digest: str) -> Blob | None:
        """A part of an image."""
        for path in self._paths():
            with tarfile.open(path) as archive:
                try:
                    return Blob(_read(archive, digest), _PLAIN)
                except KeyError:
                    continue
        return None

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.tar"))


def names_in(path: Path) -> list[str]:
    """The images of an archive, each with its registry.

    Raises:
        LabError: it is no archive, or names no image.
    """
    try:
        with tarfile.open(path) as archive:
            names = [":".join(split_reference(name)) for name, _, _ in _manifests(archive)]
    except (OSError, KeyError, ValueError, tarfile.TarError) as wrong:
        raise LabError(f"{path} is no OCI archive: {wrong}; `make images` writes some") from wrong
    if not names:
        raise LabError(f"no image in {path} has a name ({_NAME})")
    return names


def _manifests(archive: tarfile.TarFile) -> Iterator[tuple[str, str, str]]:
    """Name, digest and media type of each image that has a name."""
    for entry in json.loads(_content(archive, _INDEX))["manifests"]:
        if name := entry.get("annotations", {}).get(_NAME):
            yield name, entry["digest"], entry["mediaType"]


def _read(archive: tarfile.TarFile, digest: str) -> bytes:
    return _content(archive, "blobs/" + digest.replace(":", "/"))


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found.read()

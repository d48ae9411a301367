"""A catalogue's files, wherever they are kept: a folder, a ConfigMap in a file, or an OCI image layout.

All three hold the same: the signed index, and each runbook with its attestations under its name.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from interlock.cli.errors import CommandError, UsageError

Files = Mapping[str, bytes]
"""Content by file name."""
Form = Literal["folder", "configmap", "oci"]

INDEX = "index.dsse.json"
MOST_BYTES = 16 << 20
CONFIGMAP_BYTES = 1 << 20
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_LAYER = "application/vnd.interlock.catalogue.file.v1"
_REFERENCE = "org.opencontainers.image.ref.name"
_TITLE = "org.opencontainers.image.title"


def read(path: Path) -> Files:
    """The files of a catalogue.

    Raises:
        UsageError: there is none.
        CommandError: it cannot be read.
    """
    try:
        found = _reader(path)(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as wrong:
        raise CommandError(f"{path} cannot be read as a catalogue: {wrong}") from wrong
    if sum(map(len, found.values())) > MOST_BYTES:
        raise CommandError(f"{path} is larger than {MOST_BYTES} bytes: no catalogue is")
    if INDEX not in found:
        raise CommandError(f"{path} has no {INDEX}", "Make a catalogue of runbooks: interlock catalogue make")
    return found


def _reader(path: Path) -> Callable[[Path], Files]:
    if (path / "oci-layout").is_file():
        return _read_oci
    if path.is_dir():
        return _read_folder
    if path.is_file():
        return _read_configmap
    raise UsageError(f"there is no catalogue {path}", "Name a folder, a file with a ConfigMap, or an OCI layout.")


def _read_folder(path: Path) -> Files:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir()) if file.is_file()}


def _read_configmap(path: Path) -> Files:
    body = yaml.safe_load(path.read_bytes())
    if body["kind"] != "ConfigMap":
        raise ValueError(f"it holds a {body['kind']}, not a ConfigMap")
    return {name: text.encode() for name, text in body["data"].items()}


def _read_oci(path: Path) -> Files:
    [described] = json.loads((path / "index.json").read_bytes())["manifests"]
    manifest = json.loads(_blob(path, described["digest"]))
    return {layer["annotations"][_TITLE]: _blob(path, layer["digest"]) for layer in manifest["layers"]}


def _blob(path: Path, digest: str) -> bytes:
    algorithm, _, name = digest.partition(":")
    if algorithm != "sha256" or not name.isalnum():
        raise ValueError(f"{digest} is no digest")
    content = (path / "blobs" / "sha256" / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != name:
        raise ValueError(f"the blob {digest} is not what its name says")
    return content


def write(path: Path, files: Files, form: Form, name: str) -> None:
    """Writes a catalogue where there is nothing yet.

    Raises:
        CommandError: something is there, or a ConfigMap cannot hold so much.
    """
    if path.exists():
        raise CommandError(f"{path} is there already", "A catalogue is never overwritten: name another place.")
    {"folder": _write_folder, "configmap": _write_configmap, "oci": _write_oci}[form](path, files, name)


def _write_folder(path: Path, files: Files, _: str) -> None:
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_bytes(content)


def _write_configmap(path: Path, files: Files, name: str) -> None:
    if sum(map(len, files.values())) > CONFIGMAP_BYTES:
        raise CommandError("a ConfigMap holds at most 1 MiB, this catalogue is larger", "Take --form folder or oci.")
    data = {file: content.decode() for file, content in files.items()}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    path.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")


def _write_oci(path: Path, files: Files, name: str) -> None:
    blobs = path / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def stored(content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}

    layers = [stored(content, _LAYER, annotations={_TITLE: file}) for file, content in files.items()]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": "application/vnd.interlock.catalogue.v1",
        "config": stored(b"{}", _EMPTY, data=base64.b64encode(b"{}").decode()),
        "layers": layers,
    }
    described = stored(
        json.dumps(manifest).encode(), _MANIFEST, annotations={"org.opencontainers.image.ref.name": name}
    )
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (path / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))

"""A read-only registry that real nodes pull from, so that "not found" and "unauthorized" are a registry's own answers.

Speaks as much of the OCI distribution specification as a container runtime asks for.
"""

import http.server
import json
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from interlock.lab.kubelet.images import Image, ImageTable
from interlock.lab.nodes.archives import Archives
from interlock.lab.nodes.images import PAUSE, Blob, build, pause, program_layer

HOSTS: Final = ("docker.io", "registry.k8s.io", "registry.example", "registry.test", "quay.io", "ghcr.io")
"""The registries that nodes find here; any other host does not resolve."""


class Shelf:
    """The images of archives, and those of a table, built when somebody asks for them."""

    def __init__(self, table: ImageTable, program: bytes, archives: Archives) -> None:
        self._table = table
        self._archives = archives
        self._program = program_layer(program)
        self._manifests: dict[str, Blob] = {}
        self._blobs: dict[str, Blob] = {}

    def is_private(self, repository: str, tag: str) -> bool:
        """Whether it is given to those only who say who they are."""
        image = self._table.find(f"{repository}:{tag}")
        return isinstance(image, Image) and image.private

    def manifest(self, repository: str, reference: str) -> Blob | None:
        """The manifest of a tag, or of a digest that was handed out for a tag."""
        if (archived := self._archives.manifest(repository, reference)) is not None:
            return archived
        if reference.startswith("sha256:"):
            return self._manifests.get(reference)
        name = f"{repository}:{reference}"
        image = self._table.find(name)
        if not isinstance(image, Image):
            return None
        built = pause(self._program) if name == PAUSE else build(self._program, image)
        self._blobs.update((part.digest, part) for part in built.parts)
        return self._manifests.setdefault(built.manifest.digest, built.manifest)

    def blob(self, digest: str) -> Blob | None:
        """A part of an image whose manifest was handed out."""
        return self._blobs.get(digest) or self._archives.blob(digest)


def serve(shelf: Shelf, port: int) -> http.server.ThreadingHTTPServer:
    """A server of these images on 127.0.0.1; the caller runs it."""

    class Handler(_Handler):
        images = shelf

    return http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    images: Shelf

    def do_GET(self) -> None:
        """Answers a pull."""
        asked = urlsplit(self.path)
        host = parse_qs(asked.query).get("ns", [""])[0]
        name, _, reference = asked.path.removeprefix("/v2/").rpartition("/")
        repository, _, kind = name.rpartition("/")
        if kind == "manifests":
            if self.images.is_private(f"{host}/{repository}", reference) and "Authorization" not in self.headers:
                self._answer(HTTPStatus.UNAUTHORIZED, _error("UNAUTHORIZED"), {"WWW-Authenticate": 'Basic realm="lab"'})
                return
            self._give(self.images.manifest(f"{host}/{repository}", reference), "MANIFEST_UNKNOWN")
        else:
            self._give(self.images.blob(reference), "BLOB_UNKNOWN")

    do_HEAD = do_GET

    def _give(self, blob: Blob | None, unknown: str) -> None:
        if blob is None:
            self._answer(HTTPStatus.NOT_FOUND, _error(unknown), {})
        else:
            self._answer(HTTPStatus.OK, blob, {"Docker-Content-Digest": blob.digest})

    def _answer(self, status: HTTPStatus, blob: Blob, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Type": blob.type, "Content-Length": str(len(blob.content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(blob.content)


def _error(code: str) -> Blob:
    return Blob(json.dumps({"errors": [{"code": code}]}).encode(), "application/json")

"""Somebody who speaks to the API server: one set of credentials, requests as plain JSON, answers to assert on.

Tests of what is refused need to see the wire: the status, the words of the refusal, nothing retried, nothing hidden.
"""

import base64
import http.client
import json
import os
import ssl
import tempfile
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import yaml

Json = dict[str, Any]

PLAIN = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    body: Json

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """Its words, all causes of a refusal included."""
        return str(self.body.get("message", ""))

    def __str__(self) -> str:
        return f"{self.status} {self.message or self.body.get('kind')}"


@dataclass(frozen=True)
class Identity:
    """One user of the API server."""

    name: str
    kubeconfig: Path
    host: str
    tls: ssl.SSLContext = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def load(cls, kubeconfig: Path) -> Self:
        """The user of the first context of a kubeconfig with its credentials inside."""
        document = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        tls = ssl.create_default_context(cadata=authority)
        credentials = user["user"]
        token = credentials.get("token")
        if token is None:
            _load_certificate(tls, credentials)
        host = urllib.parse.urlsplit(cluster["server"]).netloc
        return cls(user["name"], kubeconfig, host, tls, (("Authorization", f"Bearer {token}"),) if token else ())

    def impersonating(self, user: str, *groups: str) -> Self:
        """The same credentials, asking as another user of exactly these groups."""
        asked = (("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups))
        return replace(self, name=user, headers=(*self.headers, *asked))

    def request(self, method: str, path: str, body: object = None, content_type: str = "") -> Answer:
        """One request, one answer; a refusal is an answer like any other."""
        content_type = content_type or (MERGE if method == "PATCH" else PLAIN)
        content = b"" if body is None else json.dumps(body).encode()
        plain = (("Content-Type", content_type), ("Accept", PLAIN), ("Connection", "close"), ("User-Agent", _test()))
        headers = (*self.headers, *plain)
        connection = http.client.HTTPSConnection(self.host, context=self.tls, timeout=120)
        try:
            connection.putrequest(method, path)
            for name, value in (*headers, ("Content-Length", str(len(content)))):
                connection.putheader(name, value)
            connection.endheaders(content)
            answer = connection.getresponse()
            return Answer(answer.status, _decoded(answer.read()))
        finally:
            connection.close()

    def name_at_the_server(self) -> str:
        """The user name that the API server knows these credentials by."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        return str(self.post(path, review).body["status"]["userInfo"]["username"])

    def get(self, path: str) -> Answer:
        """Reads."""
        return self.request("GET", path)

    def post(self, path: str, body: object) -> Answer:
        """Creates."""
        return self.request("POST", path, body)

    def patch(self, path: str, body: object, content_type: str = MERGE) -> Answer:
        """Changes, by merge patch unless told otherwise."""
        return self.request("PATCH", path, body, content_type)

    def delete(self, path: str) -> Answer:
        """Deletes."""
        return self.request("DELETE", path)

    def apply(self, manifest: Json) -> Answer:
        """Server-side apply of a manifest of one of the kinds that Interlock installs."""
        return self.request("PATCH", f"{path_of(manifest)}?fieldManager=tests&force=true", manifest, APPLY)


def path_of(manifest: Json) -> str:
    """Where an object of the kinds that Interlock's manifests use is served."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    place = manifest["metadata"].get("namespace")
    kind = manifest["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"{base}{f'/namespaces/{place}' if place else ''}/{plural}/{manifest['metadata']['name']}"


def _test() -> str:
    """Which test asks: the API server's audit log then tells which tests a rule has refused something to."""
    return urllib.parse.quote(os.environ.get("PYTEST_CURRENT_TEST", "tests"))


def _decoded(content: bytes) -> Json:
    try:
        decoded = json.loads(content)
    except ValueError:
        decoded = None
    return decoded if isinstance(decoded, dict) else {"message": content.decode(errors="replace")}


def _load_certificate(tls: ssl.SSLContext, credentials: Mapping[str, str]) -> None:
    """The ssl module reads client certificates from files only."""
    with tempfile.NamedTemporaryFile() as file:
        for part in ("client-certificate-data", "client-key-data"):
            file.write(base64.b64decode(credentials[part]))
        file.flush()
        tls.load_cert_chain(file.name)

"""The few requests that the lab itself makes of an API server, over the standard library.

The Kubernetes client takes a second to import; a lab that starts in ten has none to spare.
"""

import base64
import json
import os
import ssl
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from interlock.lab.errors import ApiError

Json = dict[str, Any]
HTTP_CONFLICT = 409


class Api:
    """An API server as the user of a kubeconfig that this lab wrote."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        self.server: str = document["clusters"][0]["cluster"]["server"]
        self.tls = client_context(document)

    def request(self, method: str, path: str, body: Json | None = None) -> Json:
        """The decoded answer; raises ApiError when it is a refusal, OSError when there is none."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data=data, method=method)  # noqa: S310
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=10) as answer:  # noqa: S310
                decoded: Json = json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise ApiError(refusal.code, refusal.read().decode(errors="replace")) from refusal
        return decoded

    def create(self, path: str, body: Json) -> None:
        """Creates an object, or leaves the one of that name as it is."""
        try:
            self.request("POST", path, body)
        except ApiError as refusal:
            if refusal.status != HTTP_CONFLICT:
                raise


def client_context(kubeconfig: Json) -> ssl.SSLContext:
    """TLS with the authority and the client certificate of a kubeconfig."""
    cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    pem = base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"])
    # The ssl module reads client certificates from files only.
    descriptor, name = tempfile.mkstemp()
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    try:
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
    return context

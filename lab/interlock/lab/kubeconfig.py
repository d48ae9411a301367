"""Writes kubeconfig files: who speaks to which API server, self-contained so that they can be copied away."""

import base64
from collections.abc import Mapping
from pathlib import Path

import yaml

from interlock.lab.certificates import KeyPair, write_private

CONTEXT = "interlock-lab"


def certificate_user(pair: KeyPair) -> dict[str, str]:
    """Credentials of a client certificate."""
    return {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)}


def token_user(token: str) -> dict[str, str]:
    """Credentials of a bearer token."""
    return {"token": token}


def write_kubeconfig(path: Path, server: str, authority: bytes, name: str, credentials: Mapping[str, str]) -> Path:
    """Writes a kubeconfig with one context and returns its path."""
    cluster = {"server": server, "certificate-authority-data": _base64(authority)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": name, "user": dict(credentials)}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": name}}],
        "current-context": CONTEXT,
    }
    write_private(path, yaml.safe_dump(document, sort_keys=False).encode())
    return path


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()

"""Digests over canonical JSON (RFC 8785), so that the same content has the same digest in every language."""

import hashlib
from collections.abc import Mapping, Sequence

import rfc8785
from pydantic import JsonValue

from interlock.crds.types import Digest


def canonical(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> bytes:
    """The RFC 8785 form of a JSON value.

    Raises:
        rfc8785.CanonicalizationError: a number that JSON cannot carry exactly (an integer beyond 2**53).
    """
    return rfc8785.dumps(value)


def digest(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> Digest:
    """`sha256:` and the hexadecimal SHA-256 of the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()

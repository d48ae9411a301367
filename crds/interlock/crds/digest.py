"""Digests over canonical JSON (RFC 8785), so that the same content has the same digest in every language."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import rfc8785
from pydantic import JsonValue

from interlock.crds.types import Digest


def canonical(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> bytes:
    """The RFC 8785 form of a JSON value.

    Raises:
        rfc8785.CanonicalizationError: a number that JSON cannot carry exactly (an integer beyond 2**53).
    """
    if _is_plain(value):
        text = _ENCODER.encode(value)
        if text.isascii():
            return text.encode()
    return rfc8785.dumps(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_MOST_EXACT = 2**53 - 1


def _is_plain(value: object) -> bool:
    """Whether the standard encoder, which is many times faster, writes RFC 8785 of it if all of it is ASCII.

    Floats are written in other ways, and beyond ASCII names are sorted in another order.
    """
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, int):
        return -_MOST_EXACT <= value <= _MOST_EXACT
    if isinstance(value, dict):
        for name, one in value.items():
            if not isinstance(name, str) or not (isinstance(one, str) or _is_plain(one)):
                return False
        return True
    return isinstance(value, list | tuple) and all(map(_is_plain, value))


def digest(value: JsonValue | Mapping[str, JsonValue] | Sequence[JsonValue]) -> Digest:
    """`sha256:` and the hexadecimal SHA-256 of the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()

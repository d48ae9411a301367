"""DSSE envelopes of one Ed25519 signature, by securesystemslib, in one spelling: canonical JSON (RFC 8785).

What stands in an envelope is hostile until its signature is verified, and nothing of it is interpreted before.
"""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError

from interlock.crds.digest import canonical
from interlock.crds.signing import KeyId, SigningKey, public_key
from interlock.crds.types import Line, Model

MOST_BYTES = 1 << 20


class EnvelopeRefused(Exception):
    """It is no envelope of the kind that was asked for, or the key did not sign it."""

    def __init__(self, kind: Literal["Unreadable", "SignatureWrong"], message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Signature(Model):
    keyid: KeyId
    sig: Annotated[str, StringConstraints(max_length=88, pattern=r"^[A-Za-z0-9+/]{86}==$")]


class _Envelope(Model):
    payload: Annotated[str, StringConstraints(max_length=MOST_BYTES, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
    payload_type: Line
    signatures: Annotated[list[_Signature], Field(min_length=1, max_length=1)]


def sealed(payload: bytes, payload_type: str, key: SigningKey) -> bytes:
    """An envelope around a payload."""
    envelope = Envelope(payload, payload_type, {})
    envelope.sign(key.signer)
    return canonical(envelope.to_dict())


def signer_of(content: bytes) -> KeyId:
    """The key that an envelope names, which says nothing about who signed it.

    Raises:
        EnvelopeRefused: it is no envelope.
    """
    return _parsed(content).signatures[0].keyid


def opened(content: bytes, payload_type: str, key_id: KeyId) -> bytes:
    """What the holder of the key signed.

    Raises:
        EnvelopeRefused: it is no envelope of this type, names another key, or the signature is wrong.
    """
    envelope = _parsed(content)
    if envelope.payload_type != payload_type:
        raise EnvelopeRefused("Unreadable", f"the envelope does not hold {payload_type}")
    if envelope.signatures[0].keyid != key_id:
        raise EnvelopeRefused("Unreadable", "the envelope names another key")
    found = Envelope.from_dict(envelope.model_dump(mode="json", by_alias=True))
    try:
        found.verify([public_key(key_id)], threshold=1)
    except VerificationError as wrong:
        raise EnvelopeRefused("SignatureWrong", f"{key_id} did not sign this content") from wrong
    return bytes(found.payload)


def _parsed(content: bytes) -> _Envelope:
    try:
        envelope = _Envelope.model_validate_json(content, strict=True)
    except ValidationError as wrong:
        raise EnvelopeRefused("Unreadable", "it is no DSSE envelope of one Ed25519 signature") from wrong
    in_base64 = (envelope.payload, envelope.signatures[0].sig)
    if content != canonical(envelope.model_dump(mode="json", by_alias=True)) or not all(map(is_canonical, in_base64)):
        raise EnvelopeRefused("Unreadable", "the envelope is not in canonical form (RFC 8785)")
    return envelope


def is_canonical(text: str) -> bool:
    """Whether this is how base64 writes what it stands for."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except binascii.Error:
        return False

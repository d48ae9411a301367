"""Ed25519 signatures over the archive's heads and anchors. A key's id is the public key itself."""

import base64
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from interlock.operator.archive.errors import ArchiveError
from interlock.operator.keys import made_once

_SCHEME = "ed25519:"


class Signer:
    """Holds a private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = _SCHEME + base64.b64encode(key.public_key().public_bytes_raw()).decode()

    @classmethod
    def load(cls, path: Path, *, make: bool = False) -> "Signer":
        """The key in a PEM file (PKCS #8, unencrypted); with `make`, one that is made once if there is none.

        Raises:
            ArchiveError: the file cannot be read, or holds no Ed25519 key.
        """
        try:
            key = load_pem_private_key(made_once(path, _new_key) if make else path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as wrong:
            raise ArchiveError(f"{path} is no readable key in PEM without a password: {wrong}") from wrong
        if not isinstance(key, Ed25519PrivateKey):
            raise ArchiveError(f"{path} holds no Ed25519 key: make one with `openssl genpkey -algorithm ed25519`")
        return cls(key)

    def sign(self, content: bytes) -> str:
        """The signature in base64."""
        return base64.b64encode(self._key.sign(content)).decode()


def verifies(key_id: str, signature: str, content: bytes) -> bool:
    """Whether the holder of the key signed exactly this."""
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key_id.removeprefix(_SCHEME), validate=True))
        public.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, ValueError):
        return False
    return key_id.startswith(_SCHEME)


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

"""Ed25519 keys that attest: made, read, and named by what they are, so that an identifier can stand for no other key.

Signing and verifying are securesystemslib's, over pyca/cryptography; nothing here computes a signature.
"""

import base64
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import StringConstraints
from securesystemslib.signer import CryptoSigner, SSlibKey

_SCHEME = "ed25519:"
KeyId = Annotated[str, StringConstraints(max_length=52, pattern=r"^ed25519:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")]
"""`ed25519:` and the public key itself in base64, in the one spelling that there is of it."""


class KeyRefused(Exception):
    """A file holds no key that can sign; the message says what it should hold."""


class SigningKey:
    """A private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        public = key.public_key()
        self.key_id: KeyId = _SCHEME + base64.b64encode(public.public_bytes_raw()).decode()
        self.signer = CryptoSigner(key, SSlibKey.from_crypto(public, keyid=self.key_id))

    @classmethod
    def new(cls) -> "SigningKey":
        """A key that nobody else has."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, pem: bytes) -> "SigningKey":
        """The key in a PEM file's content (PKCS #8, unencrypted).

        Raises:
            KeyRefused: it is no such key.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as wrong:
            raise KeyRefused(f"no readable key in PEM without a password: {wrong}") from wrong
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyRefused("a key of another kind than Ed25519")
        return cls(key)

    def pem(self) -> bytes:
        """PKCS #8, unencrypted: for a file that nobody else may read."""
        return self.signer.private_bytes


def public_key(key_id: KeyId) -> SSlibKey:
    """The key that an identifier is."""
    public = base64.b64decode(key_id.removeprefix(_SCHEME), validate=True)
    return SSlibKey(key_id, "ed25519", "ed25519", {"public": public.hex()})

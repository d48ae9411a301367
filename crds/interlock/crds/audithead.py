"""AuditHead: the signed head of the archive's chain, kept where whoever can write the archive cannot change it.

An archive is only as honest as its database: who can write all of it can write all of it anew, chain included. A head
that left the database before shows that. It is signed, so that nobody but the holder of the key could have made it.
"""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from interlock.crds.digest import canonical
from interlock.crds.types import API_VERSION, Digest, Model, Time

KeyId = Annotated[str, StringConstraints(max_length=52, pattern=r"^ed25519:[A-Za-z0-9+/]{43}=$")]
"""`ed25519:` and the public key in base64: whoever has the id can verify."""
Signature = Annotated[str, StringConstraints(max_length=88, pattern=r"^[A-Za-z0-9+/]{86}==$")]
"""An Ed25519 signature in base64."""


class AuditHeadSpec(Model):
    """One state of the archive: so many executions, ending in this hash."""

    seq: Annotated[int, Field(ge=1, le=10**12 - 1)] = Field(description="Position of the last archived execution.")
    head: Digest = Field(description="Hash of that position; it covers all before it.")
    previous: Digest | None = Field(default=None, description="The head that was signed before this one.")
    key_id: KeyId = Field(description="The public key that verifies the signature.")
    signature: Signature = Field(description="Ed25519 signature over all other fields.")
    signed_at: Time = Field(description="When, by the operator's clock.")

    @property
    def name(self) -> str:
        """The object's name. It carries the hash, so that a forged archive cannot take the place of a true head."""
        return f"audit-{self.seq:012d}-{self.head.removeprefix('sha256:')[:8]}"

    def signed(self) -> bytes:
        """What the signature covers."""
        return signed_content(self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"signature"}))

    def manifest(self) -> dict[str, Any]:
        """The object to create."""
        return {
            "apiVersion": API_VERSION,
            "kind": "AuditHead",
            "metadata": {"name": self.name},
            "spec": self.model_dump(mode="json", by_alias=True, exclude_none=True),
        }


def signed_content(fields: dict[str, Any]) -> bytes:
    """The bytes that are signed for a head with these fields; the kind keeps a signature from meaning anything else."""
    return canonical({**fields, "kind": "AuditHead"})

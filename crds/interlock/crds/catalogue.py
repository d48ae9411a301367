"""A catalogue's index: which runbooks belong to it, each by its digest, signed as one.

Attestations say of each runbook that it was vetted; the index says that these runbooks, all of them and no other, are
what its maker means by this version.
"""

from typing import Annotated, Final

from pydantic import Field, ValidationError, field_validator

from interlock.crds.digest import canonical
from interlock.crds.envelope import EnvelopeRefused, opened, sealed, signer_of
from interlock.crds.runbook import Version
from interlock.crds.signing import KeyId, SigningKey
from interlock.crds.trust import TrustPolicy
from interlock.crds.types import Digest, Model, Name, RunbookName, Time

PAYLOAD_TYPE: Final = "application/vnd.interlock.catalogue.v1+json"


class CatalogueRefused(Exception):
    """It is no catalogue, or none that is to be trusted; the message says why."""


class Entry(Model):
    """One runbook."""

    name: RunbookName
    digest: Digest


class Index(Model):
    """What belongs to one version of a catalogue."""

    name: Name = Field(description="What the catalogue is called.")
    version: Version
    created_at: Time
    runbooks: Annotated[list[Entry], Field(min_length=1, max_length=512)]

    @field_validator("runbooks")
    @classmethod
    def _each_once(cls, entries: list[Entry]) -> list[Entry]:
        if len({entry.name for entry in entries}) < len(entries):
            raise ValueError("a runbook is listed twice")
        return entries


def sign_index(index: Index, key: SigningKey) -> bytes:
    """The signed index: a DSSE envelope."""
    return sealed(canonical(index.model_dump(mode="json", by_alias=True)), PAYLOAD_TYPE, key)


def open_index(content: bytes, trust: TrustPolicy) -> Index:
    """The index, if a trusted key signed it.

    Raises:
        CatalogueRefused: none did, or it is something else.
    """
    try:
        return Index.model_validate_json(opened(content, PAYLOAD_TYPE, _trusted_signer(content, trust)), strict=True)
    except EnvelopeRefused as refused:
        raise CatalogueRefused(f"the index cannot be trusted: {refused}") from refused
    except ValidationError as wrong:
        said = wrong.errors(include_url=False, include_input=False)[0]
        raise CatalogueRefused(f"the index: {'.'.join(map(str, said['loc']))}: {said['msg']}") from wrong


def _trusted_signer(content: bytes, trust: TrustPolicy) -> KeyId:
    key_id = signer_of(content)
    if key_id in trust.revoked_keys:
        raise CatalogueRefused(f"the index is signed by {key_id}, which is revoked")
    if key_id not in (trusted.key for trusted in trust.keys):
        raise CatalogueRefused(f"the index is signed by {key_id}, which is not among the trusted keys")
    return key_id

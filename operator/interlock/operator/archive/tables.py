"""The archive's tables. Migrations make them; a test holds both to the same schema."""

import json
from typing import Any

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from interlock.crds.audithead import AuditHeadSpec


class Table(SQLModel, registry=registry()):
    """A table of the operator's: one process may hold the agents' tables as well, and they share nothing."""


class ArchivedExecution(Table, table=True):
    """One finished execution as it stood when it ended, and its place in the chain."""

    __tablename__ = "executions"

    uid: str = Field(primary_key=True, max_length=64)
    namespace: str = Field(index=True, max_length=63)
    name: str = Field(max_length=253)
    runbook: str = Field(index=True, max_length=120)
    target: str = Field(max_length=400)
    phase: str = Field(max_length=20)
    requested_by: str = Field(max_length=253)
    completed_at: str = Field(index=True, max_length=40)
    head: str = Field(max_length=71)
    archived_at: str = Field(max_length=40)
    content: str = Field(sa_type=Text)
    digest: str = Field(max_length=71)
    seq: int = Field(unique=True, sa_type=BigInteger)
    previous: str = Field(unique=True, max_length=71)
    hash: str = Field(max_length=71)

    def body(self) -> dict[str, Any]:
        """The object as it was archived.

        Raises:
            ValueError: the content is not what was archived.
        """
        value = json.loads(self.content)
        if not isinstance(value, dict):
            raise ValueError("the content is not an object")
        return value


class SignedHead(Table, table=True):
    """A head that was signed; the same stands outside of the database."""

    __tablename__ = "signed_heads"

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    head: str = Field(max_length=71)
    previous: str | None = Field(default=None, max_length=71)
    key_id: str = Field(max_length=52)
    signature: str = Field(max_length=88)
    signed_at: str = Field(max_length=40)

    def spec(self) -> AuditHeadSpec:
        """As it goes out.

        Raises:
            pydantic.ValidationError: somebody wrote what is no head.
        """
        return AuditHeadSpec.model_validate(self.model_dump())


class Anchor(Table, table=True):
    """Where the chain begins after everything up to `seq` was pruned; signed, so that only the owner can prune."""

    __tablename__ = "anchors"

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    hash: str = Field(max_length=71)
    before: str = Field(max_length=40)
    pruned_at: str = Field(max_length=40)
    key_id: str = Field(max_length=52)
    signature: str = Field(max_length=88)

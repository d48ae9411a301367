"""The store's tables. Times are RFC 3339 text in UTC, which sorts as time does in every database."""

from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Table(SQLModel, registry=registry()):
    """A table of the agents': one process may hold the operator's tables as well, and they share nothing."""


class SchemaRow(Table, table=True):
    """Which version of the agents made these tables."""

    __tablename__ = "schema_version"

    version: int = Field(primary_key=True)


class AlertRow(Table, table=True):
    """An alert by its identity, with the last word on it; `about` is its object, `held_until` the end of a silence."""

    __tablename__ = "alerts"

    identity: str = Field(primary_key=True)
    name: str
    status: str
    starts_at: str
    ends_at: str | None = None
    labels: str
    annotations: str
    fingerprint: str = ""
    generator_url: str = ""
    received_at: str
    incident_id: str | None = Field(default=None, index=True)
    handled: bool = Field(default=False, index=True)
    note: str = ""
    about: str = ""
    series: str = Field(default="", index=True)
    severity: str = ""
    held_until: str = ""


class DeliveryRow(Table, table=True):
    """A delivery of which the sender left something out."""

    __tablename__ = "truncated_deliveries"

    id: int | None = Field(default=None, primary_key=True)
    received_at: str
    group_key: str
    alerts: int
    truncated: int


class IncidentRow(Table, table=True):
    """An incident: where it stands, when it is looked at next, and whose step that is.

    `root` is what its alerts are put down to, `blamed` the object that the last look found guilty, `part_of` the
    incident that it was folded into, and `looked_since` the first look after its alerts began to fire or came back.
    """

    __tablename__ = "incidents"

    id: str = Field(primary_key=True)
    state: str = Field(index=True)
    target_kind: str
    target_namespace: str | None = None
    target_name: str
    title: str
    severity: str = ""
    opened_at: str
    updated_at: str
    closed_at: str | None = Field(default=None, index=True)
    next_at: str | None = Field(default=None, index=True)
    reason: str = ""
    attempts: int = 0
    looks: int = 0
    verdict: str = ""
    confidence: float | None = None
    diagnosis: str = ""
    holder: str = ""
    held_until: str = ""
    root: str = Field(default="", index=True)
    blamed: str = Field(default="", index=True)
    part_of: str = ""
    looked_since: str = ""


class WordsRow(Table, table=True):
    """The words that an incident is found by, in lower case, each once."""

    __tablename__ = "incident_words"

    number: int | None = Field(default=None, primary_key=True)
    incident_id: str = Field(unique=True)
    words: str


class TimelineRow(Table, table=True):
    """Something that happened to an incident."""

    __tablename__ = "timeline"

    id: int | None = Field(default=None, primary_key=True)
    incident_id: str = Field(index=True)
    at: str
    event: str
    text: str


class EvidenceRow(Table, table=True):
    """One piece of evidence, of the last look; `content` is None when it could not be collected."""

    __tablename__ = "evidence"

    incident_id: str = Field(primary_key=True)
    item_id: str = Field(primary_key=True)
    kind: str
    source: str
    collected_at: str
    digest: str | None = None
    truncated: bool = False
    content: str | None = None
    missing: str = ""


class FindingRow(Table, table=True):
    """One hypothesis of the last look, best first."""

    __tablename__ = "findings"

    incident_id: str = Field(primary_key=True)
    rank: int = Field(primary_key=True)
    cause: str
    confidence: float
    content: str


class ExecutionRow(Table, table=True):
    """An execution that was asked for: written before it is created, so that nothing is asked for twice."""

    __tablename__ = "executions"

    name: str = Field(primary_key=True)
    namespace: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    attempt: int
    handover: bool = False
    runbook: str
    parameters: str
    body: str
    created: bool = False
    phase: str = "Pending"
    message: str = ""
    ended: bool = Field(default=False, index=True)
    updated_at: str


class AnswerRow(Table, table=True):
    """What somebody who is asked only once has answered: a model, by the digest of the whole question."""

    __tablename__ = "answers"

    incident_id: str = Field(primary_key=True)
    question: str = Field(primary_key=True)
    at: str
    content: str

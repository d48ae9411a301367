"""The words in which alerts and incidents are spoken of, in the store and out of it."""

import hashlib
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict

from interlock.crds.digest import canonical
from interlock.crds.types import rfc3339

IncidentState = Literal[
    "open", "investigating", "proposed", "acting", "watching", "resolved", "escalated", "recorded", "folded"
]
"""open → investigating → proposed → acting → watching → resolved, or escalated to a person.

`recorded` is where nothing may be done: the target does not exist, or its namespace did not opt in. `folded` is what
turned out to be part of another incident, which goes on with its alerts.
"""

AlertStatus = Literal["firing", "resolved"]


class Record(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ObjectRef(Record):
    """An object of the cluster by name; `namespace` is None for a cluster-scoped one."""

    kind: str
    namespace: str | None
    name: str

    def __hash__(self) -> int:
        return hash((self.kind, self.namespace, self.name))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectRef):
            return NotImplemented
        return (self.name, self.kind, self.namespace) == (other.name, other.kind, other.namespace)

    @classmethod
    def parse(cls, text: str) -> "ObjectRef":
        """What `str` wrote."""
        kind, _, path = text.partition(" ")
        namespace, _, name = path.rpartition("/")
        return cls(kind=kind, namespace=namespace or None, name=name)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Alert(Record):
    """One alert, as its sender tells it: escaped and bounded, but never proof of anything."""

    labels: dict[str, str]
    annotations: dict[str, str]
    status: AlertStatus
    starts_at: datetime
    ends_at: datetime | None
    fingerprint: str
    generator_url: str

    @property
    def name(self) -> str:
        """The label alertname."""
        return self.labels.get("alertname", "")

    @cached_property
    def identity(self) -> str:
        """Same labels and same start: the same alert, however often it is delivered."""
        content = canonical({"labels": dict(self.labels), "startsAt": iso(self.starts_at)})
        return hashlib.sha256(content).hexdigest()

    @cached_property
    def series(self) -> str:
        """Same labels: the same alert, however often it comes and goes."""
        return hashlib.sha256(canonical(dict(self.labels))).hexdigest()


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return rfc3339(moment)


def moment(text: object) -> datetime | None:
    """The instant that somebody else's text names; None for what names none, or has no time zone."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def utc_now() -> datetime:
    """The present, with its time zone; passed in where decisions are made."""
    return datetime.now(UTC)

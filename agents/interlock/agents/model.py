"""The words in which alerts and incidents are spoken of, in the store and out of it."""

import hashlib
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from interlock.crds.digest import canonical

IncidentState = Literal["open", "investigating", "proposed", "acting", "watching", "resolved", "escalated", "recorded"]
"""open → investigating → proposed → acting → watching → resolved, or escalated to a person.

`recorded` is where nothing may be done: the target does not exist, or its namespace did not opt in.
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

    @property
    def identity(self) -> str:
        """Same labels and same start: the same alert, however often it is delivered."""
        content = canonical({"labels": dict(self.labels), "startsAt": iso(self.starts_at)})
        return hashlib.sha256(content).hexdigest()


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> datetime:
    """The present, with its time zone; passed in where decisions are made."""
    return datetime.now(UTC)

"""One look at an incident's surroundings, as values.

What could not be collected is said as such: an absent list proves nothing, an empty one proves that nothing is there.
"""

from datetime import datetime
from typing import Literal

from pydantic import JsonValue, SkipValidation

from interlock.agents.model import ObjectRef, Record
from interlock.crds.digest import digest
from interlock.crds.types import Digest

Kind = Literal[
    "target",
    "owner",
    "declared",
    "replica-sets",
    "change",
    "pods",
    "events",
    "log",
    "config-maps",
    "services",
    "endpoint-slices",
    "quotas",
    "limit-ranges",
    "metric",
    "alerts",
    "node-lease",
    "node-pods",
    "node-events",
    "around",
]
"""What an item holds; `analyzers.scene` says how each is read."""

LARGEST_ITEM = 48 * 1024
"""Bytes of one item's content as JSON."""


class Item(Record):
    """One thing that was seen: redacted, bounded, and known by its digest."""

    id: str
    kind: Kind
    source: str
    collected_at: datetime
    content: SkipValidation[JsonValue]
    """What the collector read and redacted: JSON as it is."""
    truncated: bool = False

    @property
    def digest(self) -> Digest:
        """The digest of the content."""
        return digest(self.content)


class Missing(Record):
    """One thing that could not be seen, and why."""

    kind: Kind
    source: str
    reason: str


class Evidence(Record):
    """Everything that one look found."""

    target: ObjectRef
    collected_at: datetime
    items: tuple[Item, ...] = ()
    missing: tuple[Missing, ...] = ()

    def of(self, kind: Kind) -> tuple[Item, ...]:
        """All items of a kind."""
        return tuple(item for item in self.items if item.kind == kind)

    def first(self, kind: Kind) -> Item | None:
        """The only or first item of a kind."""
        return next(iter(self.of(kind)), None)

    def lacks(self, kind: Kind) -> bool:
        """Whether something of this kind could not be collected."""
        return any(gap.kind == kind for gap in self.missing)

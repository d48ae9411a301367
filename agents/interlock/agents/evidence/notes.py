"""What a look finds while it goes on: bounded, and with what could not be read; numbered when it is over."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, get_args

from pydantic import JsonValue

from interlock.agents.cluster import Json
from interlock.agents.errors import AccessDeniedError, ClusterUnavailableError
from interlock.agents.evidence.bounds import BudgetSpentError, within
from interlock.agents.evidence.model import Evidence, Item, Kind, Missing
from interlock.agents.model import ObjectRef
from interlock.crds.redact import redact_object

T = TypeVar("T")
_ORDER = {kind: position for position, kind in enumerate(get_args(Kind))}


@dataclass
class Notes:
    """What the look has found so far."""

    now: Callable[[], datetime]
    found: list[tuple[Kind, str, datetime, JsonValue, bool]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def keep(self, kind: Kind, source: str, content: JsonValue) -> None:
        """Keeps something, as far as it fits."""
        kept, truncated = within(content)
        self.found.append((kind, source, self.now(), kept, truncated))

    async def attempt(self, kind: Kind, source: str, reading: Awaitable[T]) -> T | None:
        """What was read, or None with a note of why not."""
        try:
            return await reading
        except (AccessDeniedError, ClusterUnavailableError, BudgetSpentError) as failure:
            self.missing.append(Missing(kind=kind, source=source, reason=str(failure)[:300]))
            return None

    def evidence(self, target: ObjectRef) -> Evidence:
        """All of it, numbered in a fixed order."""
        ordered = sorted(self.found, key=lambda note: (_ORDER[note[0]], note[1]))
        items = tuple(
            Item(id=f"E{n}", kind=kind, source=source, collected_at=at, content=content, truncated=truncated)
            for n, (kind, source, at, content, truncated) in enumerate(ordered, start=1)
        )
        missing = tuple(sorted(self.missing, key=lambda gap: (_ORDER[gap.kind], gap.source)))
        return Evidence(target=target, collected_at=self.now(), items=items, missing=missing)


def redacted_view(body: Json) -> JsonValue:
    """An object, or a part of one, without managed fields and secret values."""
    value = {**body, "metadata": {k: v for k, v in (body.get("metadata") or {}).items() if k != "managedFields"}}
    return redact_object(value)

"""What the agents' tools do: look at evidence that is there, or read live objects of the incident's own namespace.

Live answers become items of the evidence (M1, M2, …), so that they can be cited and checked like all others, and are
durable before a model sees them: whoever goes on after a crash, or replays, sees the same.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import cast

from pydantic import JsonValue

from interlock.agents.cluster import CLUSTER_SCOPED, KINDS, Json, Reader
from interlock.agents.errors import AccessDeniedError, ClusterUnavailableError
from interlock.agents.evidence import Evidence, Item
from interlock.agents.evidence.bounds import Budgeted, BudgetSpentError
from interlock.agents.evidence.parts import events_of, pod_view
from interlock.agents.evidence.survey import redacted
from interlock.agents.llm.arguments import (
    Arguments,
    GetObject,
    ListEvents,
    ListObjects,
    ReadEvidence,
    ReadLog,
    SearchEvidence,
)
from interlock.agents.llm.exchange import clean
from interlock.agents.llm.reading import LONGEST_PART, hits, part_of
from interlock.agents.llm.tables import ToolCallRow
from interlock.agents.llm.transcript import Key
from interlock.crds.redact import redact_object

MOST_READS = 8
"""Live reads of one consultation."""
LONGEST_LOG = 8 * 1024
LARGEST_ITEM = 8 * 1024
MOST_LISTED = 40

ToolRun = Callable[[Arguments], Awaitable[str]]
Keep = Callable[[ToolCallRow], Awaitable[None]]


class Toolbox:
    """The tools of one consultation."""

    def __init__(
        self,
        key: Key,
        evidence: Evidence,
        reader: Reader | None,
        *,
        now: Callable[[], datetime],
        keep: Keep,
        known: Sequence[ToolCallRow] = (),
    ) -> None:
        self._key = key
        self._given = evidence
        self._reader = Budgeted(reader, MOST_READS) if reader else None
        self._now = now
        self._keep = keep
        self._known = {row.ordinal: row for row in known}
        self._reads = 0
        self._found: list[Item] = []
        self._one_at_a_time = asyncio.Lock()

    @property
    def found(self) -> tuple[Item, ...]:
        """What was read since."""
        return tuple(self._found)

    @property
    def evidence(self) -> Evidence:
        """What was given, and what was read since."""
        return self._given.model_copy(update={"items": (*self._given.items, *self._found)})

    def analysis(self) -> dict[str, ToolRun]:
        """The tools over evidence; they see what was there at the beginning, whoever reads beside them."""
        return {"search_evidence": self._search, "read_evidence": self._read}

    def kubectl(self) -> dict[str, ToolRun]:
        """The tools over the live namespace."""
        return dict.fromkeys(("list_objects", "get_object", "list_events", "read_log"), self._live)

    async def _search(self, arguments: Arguments) -> str:
        return hits(self._given, cast(SearchEvidence, arguments).text)

    async def _read(self, arguments: Arguments) -> str:
        asked = cast(ReadEvidence, arguments)
        item = next((item for item in self._given.items if item.id == asked.id), None)
        return part_of(item, asked.offset) if item else f"there is no evidence {asked.id}"

    async def _live(self, arguments: Arguments) -> str:
        async with self._one_at_a_time:
            self._reads += 1
            ordinal, name, asked = self._reads, type(arguments).__name__, arguments.model_dump_json()
            known = self._known.get(ordinal)
            if known is not None and (known.name, known.arguments) == (name, asked):
                if known.item:
                    self._found.append(Item.model_validate_json(known.item))
                return known.result
            result, item = await self._look(arguments)
            row = ToolCallRow(
                incident_id=self._key.incident,
                consultation=self._key.number,
                agent="kubectl",
                ordinal=ordinal,
                name=name,
                arguments=asked,
                result=result,
                item=item.model_dump_json() if item else "",
            )
            await self._keep(row)
            if item:
                self._found.append(item)
            return result

    async def _look(self, arguments: Arguments) -> tuple[str, Item | None]:
        if self._reader is None:
            return "live objects cannot be read here", None
        if self._given.target.namespace is None and not _is_of_the_cluster(arguments):
            return "the incident is about no namespace; only what is cluster-scoped can be read", None
        try:
            source, content = await self._content(self._reader, arguments)
        except (AccessDeniedError, ClusterUnavailableError, BudgetSpentError) as failure:
            return clean(f"could not be read: {failure}")[:300], None
        if content is None:
            return f"{source}: there is none", None
        text = json.dumps(content, ensure_ascii=False)
        small = len(text) <= LARGEST_ITEM
        item = Item(
            id=f"M{len(self._found) + 1}",
            kind="around",
            source=source,
            collected_at=self._now(),
            content=content if small else text[:LARGEST_ITEM],
            truncated=not small,
        )
        return part_of(item, 0)[: LONGEST_PART + 300], item

    async def _content(self, reader: Reader, arguments: Arguments) -> tuple[str, JsonValue]:
        namespace = self._given.target.namespace or ""
        match arguments:
            case ListObjects():
                place = self._place(arguments.kind)
                bodies = await reader.list(arguments.kind, place)
                return f"{arguments.kind}s of {place or 'the cluster'}", [_brief(body) for body in bodies[:MOST_LISTED]]
            case GetObject():
                body = await reader.get(arguments.kind, arguments.name, self._place(arguments.kind))
                return f"{arguments.kind} {arguments.name}", _whole(arguments.kind, body) if body else None
            case ListEvents():
                events = await reader.list("Event", namespace, fields=f"involvedObject.name={arguments.name}")
                return f"Events about {arguments.name}", redact_object(list(events_of(events, 15)))
            case ReadLog():
                text = None
                if namespace is not None:
                    one = arguments
                    text = await reader.logs(
                        namespace, one.pod, one.container, previous=one.previous, limit_bytes=LONGEST_LOG
                    )
                run = ", previous run" if arguments.previous else ""
                return f"log of {arguments.pod}/{arguments.container}{run}", clean(text)[
                    -LONGEST_PART:
                ] if text else None
        raise AssertionError(f"no such tool: {type(arguments).__name__}")

    def _place(self, kind: str) -> str | None:
        return None if kind in CLUSTER_SCOPED else self._given.target.namespace


def _is_of_the_cluster(arguments: Arguments) -> bool:
    return isinstance(arguments, ListObjects | GetObject) and arguments.kind in CLUSTER_SCOPED


def _whole(kind: str, body: Json) -> JsonValue:
    if kind == "ConfigMap":
        keys: JsonValue = sorted({**(body.get("data") or {}), **(body.get("binaryData") or {})})
        return {"name": body["metadata"]["name"], "keys": keys}
    kept: JsonValue = redacted(KINDS[kind][1], pod_view(body) if kind == "Pod" else body)
    return kept


def _brief(body: Json) -> JsonValue:
    status = body.get("status") or {}
    telling = {
        key: status[key]
        for key in (
            "phase",
            "replicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "succeeded",
            "failed",
        )
        if key in status
    }
    waiting = [
        f"{one.get('name')}: {(one.get('state') or {}).get('waiting', {}).get('reason')}"
        for one in status.get("containerStatuses") or ()
        if (one.get("state") or {}).get("waiting")
    ]
    shown: dict[str, JsonValue] = {"name": body["metadata"]["name"], **telling}
    return redact_object({**shown, "waiting": list(waiting)} if waiting else shown)

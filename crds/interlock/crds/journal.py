"""The journal: what happened to an execution, one small entry each, append-only and hash-chained.

The API server refuses a change of an entry that stands; the chain makes a change show wherever the journal is copied.
Entry n's hash covers entry n and the hash of entry n-1; the first covers the execution's UID and what was asked.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from interlock.crds.digest import canonical
from interlock.crds.runbook import StepName
from interlock.crds.types import PROSE_PATTERN, UNSEEN, Digest, Model, Time

EventName = Literal[
    "Requested",
    "Planned",
    "PlanVoided",
    "Approved",
    "StepStarted",
    "StepActed",
    "StepSucceeded",
    "StepSkipped",
    "StepFailed",
    "StepUnclear",
    "VerificationStarted",
    "VerificationPassed",
    "VerificationFailed",
    "CancelRequested",
    "Halted",
    "UndoStarted",
    "UndoSucceeded",
    "UndoFailed",
    "PersonNeeded",
    "PersonDecided",
    "Ended",
]
Hash = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-f0-9]{64}$")]
Data = Annotated[str, StringConstraints(max_length=4096, pattern=PROSE_PATTERN)]


class Entry(Model):
    """One thing that happened."""

    seq: Annotated[int, Field(ge=0, le=255)] = Field(description="Position, from 0.")
    at: Time = Field(description="When, by the operator's clock.")
    event: EventName = Field(description="What.")
    step: StepName | None = Field(default=None, description="The step that it is about.")
    data: Data = Field(default="{}", description="Details, as canonical JSON with unseen characters escaped.")
    hash: Hash = Field(description="SHA-256 over this entry and the hash of the one before.")

    def details(self) -> dict[str, JsonValue]:
        """The details as a value."""
        value = json.loads(self.data)
        if not isinstance(value, dict):
            raise ValueError(f"journal entry {self.seq}: data is not an object")
        return value


class Event(Model):
    """Something that happened and is not yet in the journal."""

    event: EventName
    step: StepName | None = None
    data: Mapping[str, JsonValue] = {}


def genesis(uid: str, request: Digest) -> str:
    """What the first entry's hash covers in place of a predecessor: who it is and what was asked."""
    return hashlib.sha256(f"{uid}\n{request}".encode()).hexdigest()


# What PROSE_PATTERN refuses and JSON carries as it is.
_UNSEEN = re.compile(f"[{UNSEEN}]")


def _encoded(data: Mapping[str, JsonValue]) -> str:
    """Canonical JSON with unseen characters escaped: what a log or an error message says must always be recordable."""
    return _UNSEEN.sub(lambda unseen: f"\\u{ord(unseen[0]):04x}", canonical(data).decode())


def _link(previous: str, entry: Mapping[str, JsonValue]) -> str:
    return hashlib.sha256(previous.encode() + b"\n" + canonical(entry)).hexdigest()


def _content(seq: int, at: Time, event: str, step: str | None, data: str) -> dict[str, JsonValue]:
    return {"seq": seq, "at": at, "event": event, "step": step or "", "data": data}


def extend(start: str, journal: Sequence[Entry], events: Iterable[Event], at: Time) -> tuple[Entry, ...]:
    """The journal with `events` appended at time `at`; `start` is the genesis of its execution."""
    entries = list(journal)
    for event in events:
        previous = entries[-1].hash if entries else start
        data = _encoded(event.data)
        content = _content(len(entries), at, event.event, event.step, data)
        entries.append(
            Entry(seq=len(entries), at=at, event=event.event, step=event.step, data=data, hash=_link(previous, content))
        )
    return tuple(entries)


def broken_at(start: str, journal: Sequence[Entry]) -> int | None:
    """The position of the first entry that the chain does not bear out, or None if all are as they were written."""
    previous = start
    for position, entry in enumerate(journal):
        content = _content(entry.seq, entry.at, entry.event, entry.step, entry.data)
        if entry.seq != position or entry.hash != _link(previous, content):
            return position
        previous = entry.hash
    return None


def head(start: str, journal: Sequence[Entry]) -> Digest:
    """The digest that stands for the whole journal up to now."""
    return "sha256:" + (journal[-1].hash if journal else start)

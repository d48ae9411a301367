"""What an execution said that it would write, before it wrote: read from its journal."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import Entry
from interlock.crds.names import RUNNERS_NAMESPACE, runner_account

_FORTH = ("StepStarted", "UndoStarted")
_OUTCOMES = {
    "StepStarted": ("StepSucceeded", "StepFailed"),
    "UndoStarted": ("UndoSucceeded", "UndoFailed"),
}


@dataclass(frozen=True)
class Intent:
    """One intent that was durable before its effect, and what came of it."""

    uid: str
    step: str
    undo: bool
    at: str
    credential: str
    objects: frozenset[tuple[str, str]]
    """(kind, name) of all that it names; the kind is empty where it says none."""
    data: Mapping[str, Any]
    outcome: Entry | None


def intents(execution: RunbookExecution) -> Iterator[Intent]:
    """The intents to write, in the order in which they were stated."""
    journal = execution.journal
    for position, entry in enumerate(journal):
        data = entry.details()
        if entry.event not in _FORTH or data.get("writes") is False:
            continue
        outcome = next((e for e in journal[position + 1 :] if e.step == entry.step and _closes(entry, e)), None)
        yield Intent(
            uid=execution.uid,
            step=entry.step or "",
            undo=entry.event == "UndoStarted",
            at=entry.at,
            credential=str(data.get("credential") or ""),
            objects=frozenset(_named(data)),
            data=data,
            outcome=outcome if outcome is not None and outcome.event != entry.event else None,
        )


def account(execution: RunbookExecution) -> str:
    """The user that its steps act as."""
    name = runner_account(execution.spec.runbook.family, execution.spec.target.namespace)
    return f"system:serviceaccount:{RUNNERS_NAMESPACE}:{name}"


def _closes(intent: Entry, entry: Entry) -> bool:
    """An outcome, or the next intent of the same step: then this one came to nothing."""
    return entry.event in _OUTCOMES[intent.event] or entry.event == intent.event


def _named(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if isinstance(name := value.get("name"), str):
            yield str(value.get("kind") or ""), name
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)

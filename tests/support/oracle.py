"""What must be true of a run whatever was done to its operator, and in what it may differ from an undisturbed one.

Not compared are what a crash rightly adds: a repeated look and intent for an effect that did not happen.
"""

import json
from collections.abc import Iterator

from tests.support.audit import plain
from tests.support.lane import Outcome

from interlock.crds.journal import Entry, broken_at, genesis, head
from interlock.crds.names import LAST_STEP_ANNOTATION

_COUNTED = frozenset({LAST_STEP_ANNOTATION, "deployment.kubernetes.io/revision"})
_OUTCOMES = {"StepSucceeded": "StepStarted", "StepFailed": "StepStarted", "UndoSucceeded": "UndoStarted"}

Told = tuple[str, str | None]


def violations(outcome: Outcome) -> Iterator[str]:
    """What must never be, each in words."""
    execution = outcome.execution
    start = genesis(execution.uid, execution.spec.request_digest())
    if (position := broken_at(start, execution.journal)) is not None:
        yield f"the journal is broken at entry {position}"
    yield from _without_intent(execution.journal)
    yield from _undeclared(outcome)
    yield from (f"the operator's account did: {what}" for what in outcome.written.forbidden)
    if len(outcome.archived) != 1:
        yield f"{len(outcome.archived)} rows in the archive"
    elif outcome.archived[0].head != head(start, execution.journal):
        yield "the archive holds another journal"
    yield from (f"the archive: {flaw}" for flaw in outcome.flaws)
    if outcome.secrets_left:
        yield f"{outcome.secrets_left} Secrets of its runner are left"
    if outcome.holds:
        yield "it still holds what it took from the Ledger"


def _undeclared(outcome: Outcome) -> Iterator[str]:
    """Effects on another version of an object than any intent in the journal speaks of."""
    declared = {
        (entry.step, entry.event == "UndoStarted", seen)
        for entry in outcome.execution.journal
        if entry.event in _OUTCOMES.values()
        for seen in (entry.details().get("resourceVersion"), f"generation {entry.details().get('generation')}")
    }
    for marker, version in outcome.written.conditions:
        _, step, attempt = marker.split("/")
        if (step, attempt == "undo", version) not in declared:
            yield f"an effect of {step} on version {version}, of which no intent speaks"


def _without_intent(journal: tuple[Entry, ...] | list[Entry]) -> Iterator[str]:
    """Outcomes that no intent precedes; each intent is good for one outcome."""
    open_intents: set[Told] = set()
    for entry in journal:
        if entry.event in _OUTCOMES.values():
            open_intents.add((entry.event, entry.step))
        elif (intent := (_OUTCOMES.get(entry.event, ""), entry.step)) in open_intents:
            open_intents.discard(intent)
        elif entry.event in _OUTCOMES:
            yield f"{entry.event} of {entry.step} without an intent"


def differences(expected: Outcome, got: Outcome, *, ordered: bool = True) -> Iterator[str]:
    """In what a run differs from an undisturbed one of the same runbook; unordered steps may interleave otherwise."""
    story = told if ordered else _by_step
    for what, wanted, found in (
        ("end", end(expected), end(got)),
        ("journal", story(expected), story(got)),
        ("end state", _state(expected), _state(got)),
        ("effects", sorted(expected.written.effects.elements()), sorted(got.written.effects.elements())),
    ):
        if wanted != found:
            yield f"{what}: {found} instead of {wanted}"


def end(outcome: Outcome) -> tuple[str, str | None]:
    """Its phase and reason."""
    status = outcome.execution.status
    assert status is not None
    return status.phase, status.reason


def told(outcome: Outcome) -> list[Told]:
    """What the journal tells, an intent that another one of the same step replaced left out."""
    story: list[Told] = []
    for entry in outcome.execution.journal:
        if entry.event in _OUTCOMES.values() and (entry.event, entry.step) in story:
            story.remove((entry.event, entry.step))
        story.append((entry.event, entry.step))
    return story


def _by_step(outcome: Outcome) -> list[Told]:
    """The same, step after step, and what happened before and after all of them."""
    return sorted(told(outcome), key=lambda entry: entry[1] or "")


def _state(outcome: Outcome) -> str:
    """Spec, labels and annotations of its objects, without our marker and what their controllers count."""
    states = []
    for live in outcome.objects:
        meta = live.get("metadata", {})
        notes = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in _COUNTED}
        states.append({"spec": live.get("spec"), "labels": meta.get("labels"), "annotations": notes})
    return plain(json.dumps(states, sort_keys=True), dict(outcome.rename))

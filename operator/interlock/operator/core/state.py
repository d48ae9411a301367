"""The journal is the state: what has happened so far, replayed from its entries, says where an execution stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, cast

from pydantic import JsonValue

from interlock.crds.execution import TRANSITIONS, Phase
from interlock.crds.journal import Entry, Event

Outcome = Literal["Succeeded", "Skipped", "Failed"]
UndoOutcome = Literal["Succeeded", "Failed"]
Verdict = Literal["Confirm", "Resume", "Undo"]
Trouble = Literal["StepFailed", "VerificationFailed", "Cancelled", "UndoDecided", "TimedOut", "JournalFull"]


@dataclass(frozen=True)
class StepState:
    """One step: its latest intent and what came of it."""

    name: str
    intent: Mapping[str, JsonValue]
    started_at: datetime
    """Since when its time runs: the first intent, a person's word to go on, or the first intent of its undo."""
    attempt: int = 1
    tries: int = 1
    looks: int = 1
    """Attempts of the present try: an object that does not hold still costs looks, a failure costs a try."""
    acted: bool = False
    outcome: Outcome | None = None
    goes_on: bool = True
    """Whether what needs this step may begin although it failed."""
    retry_at: datetime | None = None
    unclear: str = ""
    asks: frozenset[Verdict] = frozenset()
    outputs: Mapping[str, JsonValue] = field(default_factory=dict)
    undo_intent: Mapping[str, JsonValue] | None = None
    undo_attempts: int = 0
    undo_outcome: UndoOutcome | None = None

    @property
    def writes(self) -> bool:
        """Whether the step's intent is to change something."""
        return self.intent.get("writes") is True

    @property
    def changed_something(self) -> bool:
        """Whether the step had, or may have had, an effect."""
        return self.writes and (self.acted or self.outcome == "Succeeded")

    @property
    def can_be_undone(self) -> bool:
        """Whether there is something to put back."""
        return self.changed_something and self.intent.get("undoable", True) is not False

    @property
    def is_open(self) -> bool:
        """Whether the intent is durable and the outcome is not."""
        return self.outcome is None and self.retry_at is None

    @property
    def may_be_acting(self) -> bool:
        """Whether an effect may be under way: it must be known what came of it before anything is given up."""
        return self.is_open and self.writes and not self.acted

    @property
    def undo_is_open(self) -> bool:
        """Whether the intent to undo is durable and its outcome is not."""
        return self.undo_intent is not None and self.undo_outcome is None

    @property
    def is_done(self) -> bool:
        """Whether what needs this step may begin."""
        return self.outcome in {"Succeeded", "Skipped"} or (self.outcome == "Failed" and self.goes_on)


@dataclass(frozen=True)
class State:
    """Where an execution stands."""

    phase: Phase | None = None
    entries: int = 0
    plan: str | None = None
    voided: int = 0
    approved: bool = False
    begun: bool = False
    clock_from: datetime | None = None
    """Since when the execution's time runs: its first intent, or what a person decided last."""
    steps: Mapping[str, StepState] = field(default_factory=dict)
    """By name, in the order of their latest intents: what wrote to one object later is put back earlier."""
    verification_started_at: datetime | None = None
    verified: bool = False
    revert_at: datetime | None = None
    trouble: Trouble | None = None
    trouble_message: str = ""
    undo_wanted: bool = True
    person_needed_for: str | None = None
    resumed: Mapping[str, int] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it has a terminal phase."""
        return self.phase is not None and self.phase not in TRANSITIONS

    @property
    def open_steps(self) -> tuple[StepState, ...]:
        """The steps whose outcome is not known yet."""
        return tuple(s for s in self.steps.values() if s.is_open)

    @property
    def open_undo(self) -> StepState | None:
        """The step whose undo has begun and has no outcome yet."""
        return next((s for s in self.steps.values() if s.undo_is_open), None)

    def to_undo(self) -> StepState | None:
        """The step with the last intent of those that had an effect and whose undo has not begun."""
        return next((s for s in reversed(list(self.steps.values())) if s.can_be_undone and s.undo_intent is None), None)

    def outputs(self) -> Mapping[str, JsonValue]:
        """What the steps have yielded so far, by their names."""
        return {s.name: dict(s.outputs) for s in self.steps.values() if s.outcome == "Succeeded"}


def replay(journal: Iterable[Entry]) -> State:
    """The state that a journal stands for."""
    state = State()
    for entry in journal:
        state = apply(state, Event(event=entry.event, step=entry.step, data=entry.details()), parse_time(entry.at))
    return state


def apply(state: State, event: Event, at: datetime) -> State:
    """The state after one more event at time `at`."""
    return _apply(replace(state, entries=state.entries + 1), event, at)


def _apply(state: State, event: Event, at: datetime) -> State:
    match event.event:
        case "Requested":
            return replace(state, phase="Pending")
        case "Planned":
            return replace(state, phase="AwaitingApproval", plan=str(event.data["plan"]))
        case "PlanVoided":
            return replace(state, phase="Planning", plan=None, approved=False, voided=state.voided + 1)
        case "Approved":
            return replace(state, phase="Approved", approved=True)
        case "StepStarted" | "StepActed" | "StepSucceeded" | "StepSkipped" | "StepFailed" | "StepUnclear":
            return _step(state, event, at)
        case "VerificationStarted":
            return replace(state, phase="Verifying", verification_started_at=at)
        case "VerificationPassed":
            return _verified(state, event)
        case "VerificationFailed":
            return _troubled(state, "VerificationFailed", event)
        case "CancelRequested":
            return _troubled(state, "Cancelled", event)
        case "Halted":
            return _troubled(state, cast(Trouble, event.data["reason"]), event)
        case "UndoStarted" | "UndoSucceeded" | "UndoFailed":
            return _undo(state, event, at)
        case "PersonNeeded":
            return replace(state, phase="AwaitingPerson", person_needed_for=event.step)
        case "PersonDecided":
            return _decided(state, event, at)
        case "Ended":
            return replace(state, phase=cast(Phase, event.data["phase"]))


def _troubled(state: State, trouble: Trouble, event: Event) -> State:
    return replace(state, trouble=trouble, trouble_message=str(event.data.get("message", "")))


def _with(state: State, step: StepState) -> State:
    return replace(state, steps={**state.steps, step.name: step})


def _without(state: State, name: str) -> State:
    return replace(state, steps={other: step for other, step in state.steps.items() if other != name})


def _verified(state: State, event: Event) -> State:
    revert_at = event.data.get("revertAt")
    if not isinstance(revert_at, str):
        return replace(state, verified=True)
    return replace(state, verified=True, phase="Reverting", revert_at=parse_time(revert_at))


def _step(state: State, event: Event, at: datetime) -> State:
    name = event.step or ""
    state = replace(state, begun=True, clock_from=state.clock_from or at)
    if event.event == "StepStarted":
        started = _started(state, name, event, at)
        return replace(_with(_without(state, name), started), phase="Running")
    if event.event == "StepSkipped":
        return replace(_with(state, StepState(name, event.data, at, outcome="Skipped")), phase="Running")
    before = state.steps[name]
    if event.event == "StepActed":
        return _with(state, replace(before, acted=True))
    if event.event == "StepSucceeded":
        outputs = event.data.get("outputs")
        return _with(state, replace(before, outcome="Succeeded", outputs=outputs if isinstance(outputs, dict) else {}))
    if event.event == "StepUnclear":
        return _with(state, replace(before, unclear=str(event.data.get("message", "")), asks=_verdicts(event)))
    return _failed(state, before, event)


def _started(state: State, name: str, event: Event, at: datetime) -> StepState:
    before = state.steps.get(name)
    attempt = (before.attempt if before else state.resumed.get(name, 0)) + 1
    if before is None:
        return StepState(name=name, intent=event.data, started_at=at, attempt=attempt)
    looks = 1 if before.retry_at is not None else before.looks + 1
    return StepState(name, event.data, before.started_at, attempt=attempt, tries=before.tries, looks=looks)


def _failed(state: State, step: StepState, event: Event) -> State:
    """What a failure means stands in the event: the runbook said so when it happened."""
    match event.data.get("then", "Undo"):
        case "Retry":
            retry_at = parse_time(str(event.data["retryAt"]))
            return _with(state, replace(step, retry_at=retry_at, tries=step.tries + 1))
        case "Continue":
            return _with(state, replace(step, outcome="Failed"))
        case "Ask":
            asked = replace(step, outcome="Failed", goes_on=False, unclear=str(event.data.get("message", "")))
            return _with(state, replace(asked, asks=frozenset({"Confirm", "Resume", "Undo"})))
        case then:
            failed = _with(state, replace(step, outcome="Failed", goes_on=False))
            undo_wanted = state.undo_wanted and then != "Stop"
            return replace(_troubled(failed, "StepFailed", event), undo_wanted=undo_wanted)


def _verdicts(event: Event) -> frozenset[Verdict]:
    listed = event.data.get("verdicts")
    return frozenset(cast(list[Verdict], listed)) if isinstance(listed, list) else frozenset()


def _undo(state: State, event: Event, at: datetime) -> State:
    step = state.steps[event.step or ""]
    if event.event == "UndoStarted":
        begun = replace(
            step,
            started_at=at if step.undo_intent is None else step.started_at,
            undo_intent=event.data,
            undo_outcome=None,
            undo_attempts=step.undo_attempts + 1,
            unclear="",
            asks=_NONE,
        )
        return replace(_with(state, begun), phase=_back(state))
    outcome: UndoOutcome = "Succeeded" if event.event == "UndoSucceeded" else "Failed"
    return _with(state, replace(step, undo_outcome=outcome))


_NONE: frozenset[Verdict] = frozenset()


def _back(state: State) -> Phase:
    return "Reverting" if state.revert_at is not None else "Undoing"


def _decided(state: State, event: Event, at: datetime) -> State:
    """A person's word stands for the outcome that no probe could tell; no time runs while it is awaited."""
    step = replace(state.steps[event.step or ""], unclear="", asks=_NONE, started_at=at)
    undoing = step.undo_intent is not None
    state = replace(
        state,
        person_needed_for=None,
        clock_from=at,
        steps={s.name: s if s.outcome else replace(s, started_at=at) for s in state.steps.values()},
        phase=_back(state) if undoing else "Running",
    )
    match event.data["verdict"], undoing:
        case "Confirm", False:
            return _with(state, replace(step, outcome="Succeeded"))
        case "Confirm", True:
            return _with(state, replace(step, undo_outcome="Succeeded"))
        case "Resume", False if step.changed_something:
            return _with(state, replace(step, outcome=None, goes_on=True))
        case "Resume", False if state.trouble is None:
            return replace(_without(state, step.name), resumed={**state.resumed, step.name: step.attempt})
        case "Resume", False:  # it goes back already: the undo looks for itself whether there is anything to put back
            return _with(state, replace(step, outcome="Succeeded"))
        case _, True:
            return _with(state, replace(step, undo_intent=None, undo_outcome=None))
        case _:
            undecided = _with(state, replace(step, outcome=step.outcome or "Succeeded"))
            return _troubled(undecided, "UndoDecided" if event.data["by"] else "Cancelled", event)


def parse_time(text: str) -> datetime:
    """The instant that an RFC 3339 text names."""
    return datetime.fromisoformat(text)

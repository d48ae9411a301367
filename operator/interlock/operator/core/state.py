"""What a journal means: the state of an execution is the fold of its entries and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, cast

from pydantic import JsonValue

from interlock.crds.execution import TRANSITIONS, Phase
from interlock.crds.journal import Entry, Event

Outcome = Literal["Succeeded", "Skipped", "Failed"]
UndoOutcome = Literal["Succeeded", "Failed"]
Trouble = Literal["StepFailed", "VerificationFailed", "Cancelled", "UndoDecided"]


@dataclass(frozen=True)
class StepState:
    """One step: its latest intent and what came of it."""

    name: str
    intent: Mapping[str, JsonValue]
    started_at: datetime
    attempt: int = 1
    outcome: Outcome | None = None
    undo_intent: Mapping[str, JsonValue] | None = None
    undo_attempts: int = 0
    undo_outcome: UndoOutcome | None = None

    @property
    def writes(self) -> bool:
        """Whether the step had, or may have had, an effect that can be undone."""
        return self.intent.get("writes") is True

    @property
    def is_open(self) -> bool:
        """Whether the intent is durable and the outcome is not."""
        return self.outcome is None

    @property
    def undo_is_open(self) -> bool:
        """Whether the intent to undo is durable and its outcome is not."""
        return self.undo_intent is not None and self.undo_outcome is None


@dataclass(frozen=True)
class State:
    """Where an execution stands."""

    phase: Phase | None = None
    plan: str | None = None
    voided: int = 0
    approved: bool = False
    begun: bool = False
    steps: Mapping[str, StepState] = field(default_factory=dict)
    verification_started_at: datetime | None = None
    verified: bool = False
    trouble: Trouble | None = None
    trouble_message: str = ""
    person_needed_for: str | None = None
    resumed: Mapping[str, int] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it has a terminal phase."""
        return self.phase is not None and self.phase not in TRANSITIONS

    @property
    def open_step(self) -> StepState | None:
        """The step whose outcome is not known yet."""
        return next((s for s in self.steps.values() if s.is_open), None)

    @property
    def open_undo(self) -> StepState | None:
        """The step whose undo has begun and has no outcome yet."""
        return next((s for s in self.steps.values() if s.undo_is_open), None)

    def to_undo(self) -> StepState | None:
        """The last step that had an effect and whose undo has not begun."""
        return next(
            (
                s
                for s in reversed(list(self.steps.values()))
                if s.writes and s.outcome == "Succeeded" and s.undo_intent is None
            ),
            None,
        )


def replay(journal: Iterable[Entry]) -> State:
    """The state that a journal stands for."""
    state = State()
    for entry in journal:
        state = apply(state, Event(event=entry.event, step=entry.step, data=entry.details()), parse_time(entry.at))
    return state


def apply(state: State, event: Event, at: datetime) -> State:
    """The state after one more event at time `at`."""
    match event.event:
        case "Requested":
            return replace(state, phase="Pending")
        case "Planned":
            return replace(state, phase="AwaitingApproval", plan=str(event.data["plan"]))
        case "PlanVoided":
            return replace(state, phase="Planning", plan=None, approved=False, voided=state.voided + 1)
        case "Approved":
            return replace(state, phase="Approved", approved=True)
        case "StepStarted" | "StepSucceeded" | "StepSkipped" | "StepFailed":
            return _step(state, event, at)
        case "VerificationStarted":
            return replace(state, phase="Verifying", verification_started_at=at)
        case "VerificationPassed":
            return replace(state, verified=True)
        case "VerificationFailed":
            return _troubled(state, "VerificationFailed", event)
        case "CancelRequested":
            looking = state.open_step
            abandoned = _with(state, replace(looking, outcome="Failed")) if looking else state
            return _troubled(abandoned, "Cancelled", event)
        case "UndoStarted" | "UndoSucceeded" | "UndoFailed":
            return _undo(state, event)
        case "PersonNeeded":
            return replace(state, phase="AwaitingPerson", person_needed_for=event.step)
        case "PersonDecided":
            return _decided(state, event)
        case "Ended":
            return replace(state, phase=cast(Phase, event.data["phase"]))


def _troubled(state: State, trouble: Trouble, event: Event) -> State:
    return replace(state, trouble=trouble, trouble_message=str(event.data.get("message", "")))


def _with(state: State, step: StepState) -> State:
    return replace(state, steps={**state.steps, step.name: step})


def _step(state: State, event: Event, at: datetime) -> State:
    name = event.step or ""
    before = state.steps.get(name)
    if event.event == "StepStarted":
        attempt = (before.attempt if before else state.resumed.get(name, 0)) + 1
        started = before.started_at if before else at
        step = StepState(name=name, intent=event.data, started_at=started, attempt=attempt)
        return replace(_with(state, step), phase="Running", begun=True)
    if event.event == "StepSkipped" or before is None:
        skipped = StepState(name, event.data, at, outcome="Skipped")
        return replace(_with(state, skipped), phase="Running", begun=True)
    if event.event == "StepSucceeded":
        return _with(state, replace(before, outcome="Succeeded"))
    return _troubled(_with(state, replace(before, outcome="Failed")), "StepFailed", event)


def _undo(state: State, event: Event) -> State:
    step = state.steps[event.step or ""]
    if event.event == "UndoStarted":
        return replace(
            _with(
                state, replace(step, undo_intent=event.data, undo_outcome=None, undo_attempts=step.undo_attempts + 1)
            ),
            phase="Undoing",
        )
    outcome: UndoOutcome = "Succeeded" if event.event == "UndoSucceeded" else "Failed"
    return _with(state, replace(step, undo_outcome=outcome))


def _decided(state: State, event: Event) -> State:
    """A person's word stands for the outcome that no probe could tell."""
    step = state.steps[event.step or ""]
    state = replace(state, person_needed_for=None, phase="Undoing" if step.undo_intent is not None else "Running")
    match event.data["verdict"], step.undo_intent is not None:
        case "Confirm", False:
            return _with(state, replace(step, outcome="Succeeded"))
        case "Confirm", True:
            return _with(state, replace(step, undo_outcome="Succeeded"))
        case "Resume", False:
            steps = {name: s for name, s in state.steps.items() if name != step.name}
            return replace(state, steps=steps, resumed={**state.resumed, step.name: step.attempt})
        case _, True:
            return _with(state, replace(step, undo_intent=None, undo_outcome=None))
        case _:
            undecided = _with(state, replace(step, outcome="Succeeded"))
            return _troubled(undecided, "UndoDecided" if event.data["by"] else "Cancelled", event)


def parse_time(text: str) -> datetime:
    """The instant that an RFC 3339 text names."""
    return datetime.fromisoformat(text)

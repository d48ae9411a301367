"""Steps and their undo: look, state the intent, act once, find out what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from interlock.crds.journal import Event
from interlock.crds.redact import safe_message
from interlock.operator.actions.base import Condition
from interlock.operator.api import Conflict, Forbidden, Invalid, NotFound, Object, Unavailable
from interlock.operator.changes import UndoConflict
from interlock.operator.core.state import StepState
from interlock.operator.facts import Facts
from interlock.operator.session import Clock, Pause, Rhythm, Session
from interlock.operator.steps import Prepared, StepRefused, Steps, marks_of, undo_marker


@dataclass(frozen=True)
class Effect:
    """An intent that is durable, forth or back."""

    step: str
    intent: Any
    marks: Callable[[str], bool]
    succeeded: Literal["StepSucceeded", "UndoSucceeded"]
    failed: Literal["StepFailed", "UndoFailed"]
    attempts: int
    again: Callable[[], Awaitable[None]]


MAX_ATTEMPTS = 5
"""How often one step may be looked at anew because somebody else changed its object."""


def intend(session: Session, ready: Prepared) -> None:
    """States what a step is about to do; it must be durable before it is done."""
    name = ready.planned.name
    if ready.skipped:
        session.add(Event(event="StepSkipped", step=name, data={"note": ready.planned.note}))
        return
    session.memory.prepared[name] = ready
    session.add(Event(event="StepStarted", step=name, data=ready.intent))


class Effects:
    """Carries out what was approved, and takes it back."""

    def __init__(self, facts: Facts, steps: Steps, rhythm: Rhythm, clock: Clock) -> None:
        self._facts = facts
        self._steps = steps
        self._rhythm = rhythm
        self._clock = clock

    async def begin(self, session: Session, name: str, attempt: int) -> None:
        """Looks again at what a step would do; what differs from the approved plan is not done."""
        try:
            about = session.subject()
            step = next(s for s in about.runbook.spec.steps if s.name == name)
            ready = await self._steps.prepare(about, step, attempt=attempt)
            _as_planned(session, name, ready)
        except (StepRefused, Forbidden, Invalid) as refused:
            if name not in session.state.steps:
                session.add(Event(event="StepStarted", step=name, data={"writes": False}))
            session.add(Event(event="StepFailed", step=name, data={"message": safe_message(refused)}))
            return
        intend(session, ready)

    async def finish(self, session: Session, step: StepState) -> Pause | None:
        """Brings a step that has begun to its outcome."""
        if not step.writes:
            return await self._look(session, step)

        async def again() -> None:
            await self.begin(session, step.name, step.attempt + 1)

        marks = marks_of(session.execution, step.name)
        return await self._effect(
            session, Effect(step.name, step.intent, marks, "StepSucceeded", "StepFailed", step.attempt, again)
        )

    async def begin_undo(self, session: Session, step: StepState) -> None:
        """Looks whether what a step wrote still holds, and states the intent to put it back."""
        try:
            ready = await self._steps.prepare_undo(session.execution, step.name, step.intent)
        except UndoConflict as conflict:
            session.add(Event(event="UndoStarted", step=step.name, data={"writes": False}))
            session.add(Event(event="UndoFailed", step=step.name, data={"message": safe_message(conflict)}))
            return
        if ready is None:
            session.add(Event(event="UndoStarted", step=step.name, data={"writes": False}))
            session.add(Event(event="UndoSucceeded", step=step.name, data={"note": "nothing of it was there any more"}))
            return
        session.memory.prepared[step.name] = ready
        session.add(Event(event="UndoStarted", step=step.name, data=ready.intent))

    async def finish_undo(self, session: Session, step: StepState) -> Pause | None:
        """Brings an undo that has begun to its outcome."""

        async def again() -> None:
            await self.begin_undo(session, step)

        expected = undo_marker(session.execution, step.name)
        effect = Effect(
            step.name, step.undo_intent, expected.__eq__, "UndoSucceeded", "UndoFailed", step.undo_attempts, again
        )
        return await self._effect(session, effect)

    async def _effect(self, session: Session, effect: Effect) -> Pause | None:
        """The intent is durable. Act if it is ours and fresh, otherwise find out first whether it happened."""
        ready = session.memory.prepared.get(effect.step)
        if ready is None or ready.patch is None:
            return await self._find_out(session, effect)
        if await self._facts.stopped(session):
            return Pause(self._rhythm.poll)
        del session.memory.prepared[effect.step]
        try:
            after = await self._steps.act(session.execution, ready.path, ready.patch)
        except Conflict:
            return await self._find_out(session, effect, refused=True)
        except (Forbidden, Invalid, NotFound, StepRefused) as refused:
            session.add(Event(event=effect.failed, step=effect.step, data={"message": safe_message(refused)}))
            return None
        except Unavailable:
            return await self._find_out(session, effect)
        session.add(Event(event=effect.succeeded, step=effect.step, data=_version(after)))
        return None

    async def _find_out(self, session: Session, effect: Effect, *, refused: bool = False) -> Pause | None:
        """What came of an effect: its mark tells; a refused one did not happen, unless an earlier attempt did."""
        found = await self._steps.probe(effect.intent, effect.marks)
        if found == "happened":
            session.add(Event(event=effect.succeeded, step=effect.step, data={"found": "by probe"}))
        elif found == "not" or refused:
            await self._again(session, effect)
        else:
            why = f"whether step {effect.step} had its effect cannot be told; look at its object and decide"
            session.add(Event(event="PersonNeeded", step=effect.step, data={"message": why}))
        return None

    async def _again(self, session: Session, effect: Effect) -> None:
        """A new look and a new intent; an object that never holds still is left alone."""
        if effect.attempts < MAX_ATTEMPTS:
            await effect.again()
            return
        message = f"the object changed between look and write {MAX_ATTEMPTS} times; nothing was written"
        session.add(Event(event=effect.failed, step=effect.step, data={"message": message}))

    async def _look(self, session: Session, step: StepState) -> Pause | None:
        """A step that only looks: it holds now, or until its timeout, or it fails."""
        about = session.subject()
        definition = next(s for s in about.runbook.spec.steps if s.name == step.name)
        ready = session.memory.prepared.get(step.name)
        if ready is None:
            ready = await self._steps.prepare(about, definition, attempt=step.attempt)
            session.memory.prepared[step.name] = ready
        failing = await self._facts.failing(session, about, {step.name: ready.condition or Condition()})
        if not failing:
            session.memory.prepared.pop(step.name, None)
            session.add(Event(event="StepSucceeded", step=step.name))
            return None
        deadline = step.started_at + timedelta(seconds=definition.timeout_seconds)
        if definition.action == "wait" and self._clock() < deadline:
            return Pause(self._rhythm.poll)
        session.add(Event(event="StepFailed", step=step.name, data={"message": safe_message(failing[step.name])}))
        return None


def _as_planned(session: Session, name: str, ready: Prepared) -> None:
    planned = next((s for s in session.plan.steps if s.name == name), None) if session.plan else None
    if planned is None:
        raise StepRefused(f"step {name} is not in the approved plan")
    if planned.deferred is not None:
        if planned.object != ready.planned.object:
            raise StepRefused(f"step {name} would write another object than the plan says")
        return
    if (planned.object, planned.changes) != (ready.planned.object, ready.planned.changes):
        raise StepRefused(f"step {name} would do something else than the approved plan says")


def _version(after: Object) -> dict[str, Any]:
    meta = after["metadata"]
    return {"resourceVersion": meta["resourceVersion"], "generation": meta.get("generation", 0)}

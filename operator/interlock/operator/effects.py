"""Steps and their undo: look, state the intent, act once, find out what came of it, wait until it has settled."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from pydantic import JsonValue

from interlock.crds.journal import Event
from interlock.crds.redact import safe_message
from interlock.operator.changes import UndoConflict
from interlock.operator.core.failing import Error, deadline, failure, stopped
from interlock.operator.core.nodes import Node
from interlock.operator.core.state import StepState
from interlock.operator.errors import Conflict, Forbidden, Invalid, NotFound, OptedOut, Stopped, Unavailable
from interlock.operator.facts import Facts
from interlock.operator.prepared import (
    Acted,
    Condition,
    MovingObject,
    Prepared,
    StepRefused,
    Waiting,
    marks_of,
    undo_marker,
)
from interlock.operator.session import Chance, Clock, Pause, Rhythm, Session
from interlock.operator.steps import Steps


class SwitchedOff(Stopped):
    """A Guardrail has its stop switch on: what is left of an effect is not sent before it is off again."""

    reason = "Stopped"


MAX_ATTEMPTS = 5
"""How often in one try a step may be looked at anew because somebody else changed its object."""
LONGEST_CALM = 5.0
"""Seconds between two such looks at most."""

_CONFIRM_OR_UNDO: list[JsonValue] = ["Confirm", "Undo"]
_ANY_VERDICT: list[JsonValue] = ["Confirm", "Resume", "Undo"]


def intend(session: Session, ready: Prepared) -> None:
    """States what a step is about to do; it must be durable before it is done."""
    name = ready.planned.name
    if ready.skipped:
        session.add(Event(event="StepSkipped", step=name, data={"note": ready.planned.note}))
        return
    session.memory.prepared[name] = ready
    session.add(Event(event="StepStarted", step=name, data=ready.intent))


Failed = Callable[[Error, object], None]
"""Records that something has failed, and why."""


@dataclass(frozen=True)
class Effect:
    """An intent that is durable, forth or back."""

    step: str
    intent: Mapping[str, JsonValue]
    marks: Callable[[str], bool]
    looks: int
    happened: Callable[[Mapping[str, JsonValue]], Awaitable[Pause | None]]
    failed: Failed
    again: Callable[[], Awaitable[None]]


class Effects:
    """Carries out what was approved, and takes it back.

    Each of its public methods raises Stopped where nothing may be written just now, neither forth nor back: what is
    under way stays as it is, and is asked for again later.
    """

    def __init__(self, facts: Facts, steps: Steps, *, rhythm: Rhythm, clock: Clock, chance: Chance) -> None:
        self._facts = facts
        self._steps = steps
        self._rhythm = rhythm
        self._clock = clock
        self._chance = chance

    async def begin(self, session: Session, names: Iterable[str]) -> None:
        """Looks again at what steps would do; what differs from the approved plan is not done."""
        await _all(self._begin(session, name) for name in names)

    async def _begin(self, session: Session, name: str) -> None:
        step = session.state.steps.get(name)
        attempt = (step.attempt if step else session.state.resumed.get(name, 0)) + 1
        if ready := await self._looked(session, name, attempt):
            intend(session, ready)

    async def _looked(self, session: Session, name: str, attempt: int) -> Prepared | None:
        """What a step would do now; None if it has failed, as it must not or cannot be done."""
        begun = session.state.steps.get(name)
        if begun is not None and self._clock() >= deadline(session.node(name).step, begun):
            self._refuse(session, name, "TimedOut", "its time was over before it could be tried again")
            return None
        try:
            ready = await self._steps.prepare(self._facts.subject(session), session.node(name), attempt=attempt)
            _as_planned(session, name, ready)
        except MovingObject as moving:
            self._refuse(session, name, "Conflict", moving)
        except (StepRefused, Forbidden, Invalid) as refused:
            _demand_final(session, refused)
            self._refuse(session, name, "Refused", refused)
        else:
            return ready
        return None

    def _refuse(self, session: Session, name: str, error: Error, why: object) -> None:
        if name not in session.state.steps or session.state.steps[name].retry_at is not None:
            session.add(Event(event="StepStarted", step=name, data={"writes": False}))
        self._fail(session, name, error, why)

    def _fail(self, session: Session, name: str, error: Error, why: object) -> None:
        session.memory.prepared.pop(name, None)
        step, definition = session.state.steps.get(name), session.node(name).step
        session.add(failure(name, definition, step, error, why, now=self._clock(), chance=self._chance()))

    async def finish(self, session: Session, steps: Iterable[StepState], *, stopping: bool) -> Pause | None:
        """Brings steps that have begun nearer to their outcomes, side by side."""
        before = len(session.pending)
        held = await self._facts.stopped(session) if any(s.may_be_acting for s in steps) else ""
        pauses = await _all(self._finish(session, step, stopping=stopping, held=held) for step in steps)
        if len(session.pending) > before:
            return None
        seconds = [pause.seconds for pause in pauses if pause is not None and pause.seconds is not None]
        return Pause(min(seconds, default=None))

    async def _finish(self, session: Session, step: StepState, *, stopping: bool, held: str) -> Pause | None:
        node = session.node(step.name)
        if step.acted:
            return await self._settle(session, node, {})
        if step.writes:
            effect = self._forth(session, step, node, stopping=stopping)
            return await self._effect(session, effect, stopping=stopping, held=held)
        if asks := step.intent.get("asks"):
            self._unclear(session, step.name, asks, _CONFIRM_OR_UNDO)
            return None
        return await self._look(session, step, node)

    def _forth(self, session: Session, step: StepState, node: Node, *, stopping: bool) -> Effect:
        def failed(error: Error, why: object) -> None:
            if stopping:
                session.add(stopped(step.name, why))
            else:
                self._fail(session, step.name, error, why)

        async def happened(data: Mapping[str, JsonValue]) -> Pause | None:
            if stopping:
                self._acted(session, step, data)
                return None
            return await self._settle(session, node, data)

        async def again() -> None:
            if stopping:
                failed("Refused", "it had not been done")
            else:
                await self._begin(session, step.name)

        return Effect(
            step=step.name,
            intent=step.intent,
            marks=marks_of(session.execution, step.name),
            looks=step.looks,
            happened=happened,
            failed=failed,
            again=again,
        )

    async def begin_undo(self, session: Session, step: StepState) -> None:
        """Looks whether what a step wrote still holds, and states the intent to put it back."""
        try:
            ready = await self._steps.prepare_undo(session.execution, step.name, step.intent)
        except (UndoConflict, Forbidden) as conflict:  # forbidden: its namespace goes, and the bindings went first
            _demand_final(session, conflict)
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
        effect = self._back(session, step)
        return await self._effect(session, effect, stopping=False, held=await self._facts.stopped(session))

    def _back(self, session: Session, step: StepState) -> Effect:
        def outcome(event: Literal["UndoSucceeded", "UndoFailed"], data: Mapping[str, JsonValue]) -> None:
            session.add(Event(event=event, step=step.name, data=data))

        async def happened(data: Mapping[str, JsonValue]) -> Pause | None:
            outcome("UndoSucceeded", data)
            return None

        async def again() -> None:
            await self.begin_undo(session, step)

        return Effect(
            step=step.name,
            intent=step.undo_intent or {},
            marks=undo_marker(session.execution, step.name).__eq__,
            looks=step.undo_attempts,
            happened=happened,
            failed=lambda _, why: outcome("UndoFailed", {"message": safe_message(why)}),
            again=again,
        )

    async def _effect(self, session: Session, effect: Effect, *, stopping: bool, held: str) -> Pause | None:
        """The intent is durable. Act if it is ours and fresh, otherwise find out first whether it happened.

        What was prepared may belong to an intent that could not be written: only the one that was is acted on.
        """
        ready = session.memory.prepared.get(effect.step)
        if ready is None or ready.intent != effect.intent:
            return await self._find_out(session, effect)
        if stopping:
            session.memory.prepared.pop(effect.step)
            effect.failed("Refused", "stopped before it was done, or before all of it was")
            return None
        if held:
            raise SwitchedOff(0, held)
        session.memory.prepared.pop(effect.step)
        try:
            came = await self._steps.act(session.execution, ready, partial(self._demand_on, session))
        except Conflict:
            return await self._find_out(session, effect, refused=True)
        except (Forbidden, Invalid, NotFound, StepRefused) as refused:
            session.memory.prepared[effect.step] = ready
            _demand_final(session, refused)
            session.memory.prepared.pop(effect.step)
            effect.failed("Refused", refused)
            return None
        except Unavailable:
            return await self._find_out(session, effect)
        session.set_condition("Held", False, "Resumed", "")
        if isinstance(came, Acted):
            return await effect.happened(came.data)
        session.memory.prepared[effect.step] = ready
        return self._wait(session, effect.step, came, effect.failed)

    async def _demand_on(self, session: Session) -> None:
        """Asked again between the writes of an effect that is more than one."""
        if held := await self._facts.stopped(session):
            raise SwitchedOff(0, held)

    async def _find_out(self, session: Session, effect: Effect, *, refused: bool = False) -> Pause | None:
        """What came of an effect: its mark tells; a refused one did not happen, unless an earlier attempt did."""
        try:
            found = await self._steps.probe(effect.intent, effect.marks)
        except Forbidden:
            found = "unknown"
        if found == "happened":
            return await effect.happened({"found": "by probe"})
        if found == "not" or refused:
            await self._again(effect)
        else:
            why = f"whether step {effect.step} had its effect cannot be told; look at its object and decide"
            self._unclear(session, effect.step, why, _ANY_VERDICT)
        return None

    async def _again(self, effect: Effect) -> None:
        """A new look and a new intent, later each time; an object that never holds still is left alone.

        What controllers write while a rollout goes on would otherwise use up all looks before it is over.
        """
        if effect.looks < MAX_ATTEMPTS:
            if calm := min(LONGEST_CALM, self._rhythm.calm * 3 ** max(0, effect.looks - 1)):
                await asyncio.sleep(calm)
            await effect.again()
            return
        effect.failed(
            "Conflict", f"the object changed between look and write {MAX_ATTEMPTS} times; nothing was written"
        )

    async def _settle(self, session: Session, node: Node, data: Mapping[str, JsonValue]) -> Pause | None:
        """The effect happened, or what was looked for holds: what follows is waited for, then the step is done."""
        step = session.state.steps[node.name]
        try:
            settled = await self._steps.settle(self._facts.subject(session), node, step.intent)
        except StepRefused as refused:
            self._acted(session, step, data)
            self._fail(session, node.name, "Refused", refused)
            return None
        if isinstance(settled, Waiting):
            self._acted(session, step, data)
            return self._wait(session, node.name, settled, partial(self._fail, session, node.name))
        session.set_condition("Progressing", False, "Done", "")
        outputs = {"outputs": dict(settled.outputs)} if settled.outputs else {}
        session.add(Event(event="StepSucceeded", step=node.name, data={**data, **outputs}))
        return None

    def _acted(self, session: Session, step: StepState, data: Mapping[str, JsonValue]) -> None:
        if not step.acted:
            session.add(Event(event="StepActed", step=step.name, data=data))

    def _wait(self, session: Session, name: str, waiting: Waiting, failed: Failed) -> Pause | None:
        """Not yet: until the time of the step, or of its undo, is over. How far it has come is shown."""
        now = self._clock()
        ends = deadline(session.node(name).step, session.state.steps[name])
        if now >= ends:
            session.memory.prepared.pop(name, None)
            failed("TimedOut", waiting.message)
            return None
        session.set_condition("Progressing", True, "Waiting", f"{name}: {waiting.message}")
        return Pause(min(self._rhythm.poll, max(0.0, (ends - now).total_seconds())))

    async def _look(self, session: Session, step: StepState, node: Node) -> Pause | None:
        """A step that only looks: it holds now, or until its timeout, or it fails."""
        about = self._facts.subject(session)
        ready = session.memory.prepared.get(step.name)
        if ready is None:
            ready = await self._looked(session, step.name, step.attempt)
            if ready is None:
                return None
        if ready.skipped:
            intend(session, ready)
            return None
        session.memory.prepared[step.name] = ready
        view = about.view.giving(item=node.item, steps=dict(about.outputs or {}))
        failing = await self._facts.failing({step.name: ready.condition or Condition()}, view)
        if not failing:
            session.memory.prepared.pop(step.name, None)
            return await self._settle(session, node, {})
        if node.step.action == "wait" and self._clock() < deadline(node.step, step):
            return Pause(self._rhythm.poll)
        self._fail(session, step.name, "TimedOut" if node.step.action == "wait" else "NotHolding", failing[step.name])
        return None

    def _unclear(self, session: Session, name: str, message: object, verdicts: list[JsonValue]) -> None:
        data: dict[str, JsonValue] = {"message": safe_message(message), "verdicts": list(verdicts)}
        session.add(Event(event="StepUnclear", step=name, data=data))


def _demand_final(session: Session, refused: Exception) -> None:
    """Raises a refusal that may be over later; one that nobody waits for is as final as any other.

    Consent that was withdrawn is waited for as a pause is, but not for ever: whoever cancels wants an end. For what
    acts in many namespaces, one that has not opted in is an obstacle like others.
    """
    away = isinstance(refused, OptedOut)
    if isinstance(refused, Stopped) and not (
        away and (session.cancelled or not session.execution.spec.target.namespace)
    ):
        raise refused


T = TypeVar("T")


async def _all(work: Iterable[Awaitable[T]]) -> list[T]:
    """All of it side by side; what fails is raised only when the rest has come to its end."""
    results: list[Any] = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _as_planned(session: Session, name: str, ready: Prepared) -> None:
    planned = next((s for s in session.plan.steps if s.name == name), None) if session.plan else None
    if planned is None:
        raise StepRefused(f"step {name} is not in the approved plan")
    if not ready.fits(planned):
        raise StepRefused(f"step {name} would do something else than the approved plan says")

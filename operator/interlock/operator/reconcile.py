"""The way of an execution, from request to archive: the product in one file.

Each pass replays the journal, asks the core what follows, does it, and remembers what happened. Before anything that
changes the cluster, all that was decided is made durable. A pass ends where something must be waited for.
"""

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from interlock.crds.execution import TERMINAL, RunbookExecution
from interlock.crds.journal import Event
from interlock.operator.actions.base import Condition
from interlock.operator.api import Conflict, Forbidden, Invalid, NotFound, Object, Unavailable
from interlock.operator.changes import UndoConflict
from interlock.operator.core import decide as core
from interlock.operator.core.gates import HOLD_GATES, REQUEST_GATES, Case, Objection, objection
from interlock.operator.core.state import StepState, parse_time
from interlock.operator.facts import Facts
from interlock.operator.planning import Draft, draft_plan, quorum, subject, timestamp
from interlock.operator.record import Recorder
from interlock.operator.runner import Runners
from interlock.operator.session import Clock, Memory, Session, utc_now
from interlock.operator.steps import Prepared, StepRefused, Steps, Subject, marker, target_key, undo_marker

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pause:
    """Nothing more to do now; look again after so many seconds, or when something changes."""

    seconds: float | None


@dataclass(frozen=True)
class Rhythm:
    """How often waiting things are looked at again, in seconds."""

    poll: float
    drift: float


class Reconciler:
    """Takes executions forward."""

    def __init__(
        self,
        *,
        facts: Facts,
        steps: Steps,
        runners: Runners,
        recorder: Recorder,
        rhythm: Rhythm,
        clock: Clock = utc_now,
    ) -> None:
        self._facts = facts
        self._steps = steps
        self._runners = runners
        self._recorder = recorder
        self._rhythm = rhythm
        self._clock = clock
        self._memories: dict[str, Memory] = {}
        self._target_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def reconcile(self, key: str) -> float | None:
        """Takes one execution, `namespace/name`, as far as it goes now; the seconds until it wants to be looked at."""
        namespace, _, name = key.partition("/")
        body = await self._recorder.read(namespace, name)
        if body is None:
            return None
        phase = (body.get("status") or {}).get("phase")
        if phase in TERMINAL:
            await self._close(body)
            return None
        try:
            execution = RunbookExecution.from_object(body)
        except ValidationError as error:
            log.error("%s is not understood and left alone: %s", key, error)
            return None
        session = Session(execution, body, self._memories.setdefault(execution.uid, Memory()), self._clock)
        session.guardrails = await self._facts.guardrails(session)
        await self._facts.remember_runbook(session)
        return await self._advance(session)

    async def _advance(self, session: Session) -> float | None:
        while True:
            following = core.decide(session.state, session.request(), self._clock())
            if isinstance(following, core.EFFECTS) and session.pending:
                await self._recorder.record(session)
            log.debug("%s: %s", session.execution.key, following)
            pause = await self._do(session, following)
            if pause is not None:
                if session.pending:
                    await self._recorder.record(session)
                return pause.seconds

    async def _do(self, session: Session, following: core.Next) -> Pause | None:
        match following:
            case core.Append(event):
                session.add(event)
                return None
            case core.MakePlan():
                return await self._offer(session)
            case core.AwaitApproval():
                return await self._watch_offer(session)
            case core.Start():
                return await self._start(session)
            case core.BeginStep(name, attempt):
                return await self._begin(session, name, attempt)
            case core.FinishStep(step):
                return await self._finish(session, step)
            case core.Verify(deadline):
                return await self._verify(session, deadline)
            case core.BeginUndo(step):
                return await self._begin_undo(session, step)
            case core.FinishUndo(step):
                return await self._finish_undo(session, step)
            case core.AwaitPerson():
                return Pause(None)
            case core.Done():
                await self._recorder.record(session)
                await self._close(session.body)
                return Pause(None)

    async def _close(self, body: Object) -> None:
        uid = body["metadata"]["uid"]
        await self._runners.release(uid)
        self._memories.pop(uid, None)
        await self._recorder.close(body)

    # --- before the first effect ---

    async def _offer(self, session: Session) -> Pause | None:
        """Pass the gates, compute the plan, offer it."""
        if not session.execution.journal and not session.pending:
            session.add(_requested(session.execution))
        case = await self._facts.case(session)
        if found := objection(REQUEST_GATES, case):
            session.add(core.end(found.verdict, found.reason, found.message).event)
            return None
        try:
            draft = await self._draft(session, case)
        except (StepRefused, Forbidden, Invalid) as refused:
            session.add(core.end("Refused", "PlanRefused", str(refused)[:1000]).event)
            return None
        session.plan = draft.plan
        session.memory.looked_at = self._clock()
        session.add(Event(event="Planned", data={"plan": draft.plan.digest, "steps": len(draft.plan.steps)}))
        return None

    async def _draft(self, session: Session, case: Case, attempt: int = 1) -> Draft:
        """The plan as the cluster stands now; a plan that is offered already lends its times."""
        offered = session.plan if session.state.plan else None
        made_at = offered.made_at if offered else timestamp(self._clock())
        about = self._subject(session, case, made_at)
        expires = offered.expires_at if offered else None
        needed = quorum(about.runbook, session.guardrails)
        return await draft_plan(
            self._steps, about, needed=needed, now=self._clock(), attempt=attempt, expires_at=expires
        )

    def _subject(self, session: Session, case: Case | None = None, made_at: str | None = None) -> Subject:
        runbook = case.runbook if case else session.memory.runbook
        uid = (
            case.target["metadata"]["uid"]
            if case and case.target
            else (session.plan.target_uid if session.plan else "")
        )
        when = made_at or (session.plan.made_at if session.plan else timestamp(self._clock()))
        if runbook is None:
            raise StepRefused(f"runbook {session.execution.spec.runbook.name} is not published any more")
        return subject(session.execution, runbook, uid, when)

    async def _watch_offer(self, session: Session) -> Pause | None:
        """While a plan waits: is the fault still there, and would the same still be done?"""
        if session.pending:
            return Pause(self._until_next_look(session))
        if (seconds := self._until_next_look(session)) > 0:
            return Pause(seconds)
        session.memory.looked_at = self._clock()
        case = await self._facts.case(session)
        if found := objection(REQUEST_GATES, case):
            session.add(core.end(found.verdict, found.reason, found.message).event)
            return None
        drifted, why = await self._drift(session, case)
        if session.set_condition("Drifted", drifted, "PlanDiffers" if drifted else "AsPlanned", why):
            await self._recorder.record(session, conditions_only=True)
        return Pause(self._rhythm.drift)

    def _until_next_look(self, session: Session) -> float:
        looked = session.memory.looked_at or datetime.min.replace(tzinfo=self._clock().tzinfo)
        due = (looked + timedelta(seconds=self._rhythm.drift) - self._clock()).total_seconds()
        expires = parse_time(session.plan.expires_at) if session.plan else self._clock()
        return max(0.0, min(due, (expires - self._clock()).total_seconds() + 0.05))

    async def _drift(self, session: Session, case: Case) -> tuple[bool, str]:
        try:
            draft = await self._draft(session, case)
        except (StepRefused, Forbidden, Invalid) as refused:
            return True, str(refused)
        if session.plan is None or draft.plan.digest == session.plan.digest:
            return False, ""
        return True, "the cluster has changed: an approval will be void and a new plan will be offered"

    async def _start(self, session: Session) -> Pause | None:
        """Approved: the gates again, the whole plan again, and the first intent, one execution at a time per target."""
        async with self._target_locks[target_key(session.execution.spec.target)]:
            case = await self._facts.case(session, starting=True)
            if found := objection(REQUEST_GATES, case):
                session.add(core.end(found.verdict, found.reason, found.message).event)
                return None
            if found := objection(HOLD_GATES, case):
                return await self._hold(session, found)
            try:
                draft = await self._draft(session, case)
            except (StepRefused, Forbidden, Invalid) as refused:
                session.add(core.end("Refused", "PlanRefused", str(refused)[:1000]).event)
                return None
            if session.plan is None or draft.plan.digest != session.plan.digest:
                return self._void(session, draft)
            if draft.first is not None:
                session.set_condition("Held", False, "Started", "")
                self._intend(session, draft.plan.steps[0].name, draft.first)
            await self._recorder.record(session)
        return None

    async def _hold(self, session: Session, found: Objection) -> Pause:
        """Approved, but not now: what keeps it from starting is shown, and it is tried again."""
        if session.set_condition("Held", True, found.reason, found.message) or session.pending:
            await self._recorder.record(session, conditions_only=True)
        return Pause(self._rhythm.poll)

    def _void(self, session: Session, draft: Draft) -> Pause | None:
        if session.state.voided >= core.MAX_REPLANS:
            message = f"the plan was voided {core.MAX_REPLANS} times by changes in the cluster"
            session.add(core.end("Refused", "KeepsChanging", message).event)
        else:
            old = session.plan.digest if session.plan else ""
            session.add(Event(event="PlanVoided", data={"plan": old, "now": draft.plan.digest}))
        return None

    # --- steps ---

    def _intend(self, session: Session, name: str, ready: Prepared) -> None:
        if ready.skipped:
            session.add(Event(event="StepSkipped", step=name, data={"note": ready.planned.note}))
            return
        session.memory.prepared[name] = ready
        session.add(Event(event="StepStarted", step=name, data=ready.intent))

    async def _begin(self, session: Session, name: str, attempt: int = 1) -> Pause | None:
        """Look again at what this step would do; what differs from the plan is not done."""
        try:
            about = self._subject(session)
            step = next(s for s in about.runbook.spec.steps if s.name == name)
            ready = await self._steps.prepare(about, step, attempt=attempt)
            self._as_planned(session, name, ready)
        except (StepRefused, Forbidden, Invalid) as refused:
            if name not in session.state.steps:
                session.add(Event(event="StepStarted", step=name, data={"writes": False}))
            session.add(Event(event="StepFailed", step=name, data={"message": str(refused)[:1000]}))
            return None
        self._intend(session, name, ready)
        return None

    def _as_planned(self, session: Session, name: str, ready: Prepared) -> None:
        planned = next((s for s in session.plan.steps if s.name == name), None) if session.plan else None
        if planned is None:
            raise StepRefused(f"step {name} is not in the approved plan")
        if planned.deferred is not None:
            if planned.object != ready.planned.object:
                raise StepRefused(f"step {name} would write another object than the plan says")
            return
        if (planned.object, planned.changes) != (ready.planned.object, ready.planned.changes):
            raise StepRefused(f"step {name} would do something else than the approved plan says")

    async def _finish(self, session: Session, step: StepState) -> Pause | None:
        """The intent is durable. Act if it is ours and fresh, otherwise find out first whether it happened."""
        if not step.writes:
            return await self._look(session, step)
        ready = session.memory.prepared.get(step.name)
        if ready is None or ready.patch is None:
            return await self._resume(session, step)
        if await self._facts.stopped(session):
            return Pause(self._rhythm.poll)
        del session.memory.prepared[step.name]
        try:
            after = await self._steps.act(session.execution, ready.path, ready.patch)
        except Conflict:
            return await self._begin(session, step.name, attempt=step.attempt + 1)
        except (Forbidden, Invalid, NotFound) as refused:
            session.add(Event(event="StepFailed", step=step.name, data={"message": str(refused)[:1000]}))
            return None
        except Unavailable:
            return await self._resume(session, step)
        session.add(Event(event="StepSucceeded", step=step.name, data=_version(after)))
        return None

    async def _resume(self, session: Session, step: StepState) -> Pause | None:
        match await self._steps.probe(step.intent, marker(session.execution, step.name, step.attempt)):
            case "happened":
                session.add(Event(event="StepSucceeded", step=step.name, data={"found": "by probe"}))
            case "not":
                return await self._begin(session, step.name, attempt=step.attempt + 1)
            case "unknown":
                why = f"whether step {step.name} had its effect cannot be told; look at its object and decide"
                session.add(Event(event="PersonNeeded", step=step.name, data={"message": why}))
        return None

    async def _look(self, session: Session, step: StepState) -> Pause | None:
        """A step that only looks: it holds now, or until its timeout, or it fails."""
        about = self._subject(session)
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
        session.add(Event(event="StepFailed", step=step.name, data={"message": failing[step.name][:1000]}))
        return None

    # --- verification and undo ---

    async def _verify(self, session: Session, deadline: datetime) -> Pause | None:
        """Success is what verification says: all checks, without a break, for as long as they must hold."""
        about = self._subject(session)
        verification = about.runbook.spec.verification
        if verification is None:
            raise StepRefused("the runbook has no verification")
        conditions = {c.name: Condition(c.expression, c.promql, c.satisfies) for c in verification.checks}
        failing = await self._facts.failing(session, about, conditions)
        now = self._clock()
        if not failing:
            since = session.memory.holding_since = session.memory.holding_since or now
            if now - since >= timedelta(seconds=verification.hold_for_seconds):
                session.add(Event(event="VerificationPassed", data={"checks": sorted(conditions)}))
                return None
        else:
            session.memory.holding_since = None
        if now >= deadline:
            why = (
                "; ".join(f"{name}: {reason}" for name, reason in sorted(failing.items())) or "did not hold long enough"
            )
            session.add(Event(event="VerificationFailed", data={"message": why[:1000]}))
            return None
        return Pause(self._rhythm.poll)

    async def _begin_undo(self, session: Session, step: StepState) -> Pause | None:
        try:
            ready = await self._steps.prepare_undo(session.execution, step.name, step.intent)
        except UndoConflict as conflict:
            session.add(Event(event="UndoStarted", step=step.name, data={"writes": False}))
            session.add(Event(event="UndoFailed", step=step.name, data={"message": str(conflict)[:1000]}))
            return None
        if ready is None:
            session.add(Event(event="UndoStarted", step=step.name, data={"writes": False}))
            session.add(Event(event="UndoSucceeded", step=step.name, data={"note": "nothing of it was there any more"}))
            return None
        session.memory.prepared[step.name] = ready
        session.add(Event(event="UndoStarted", step=step.name, data=ready.intent))
        return None

    async def _finish_undo(self, session: Session, step: StepState) -> Pause | None:
        ready = session.memory.prepared.get(step.name)
        if ready is None or ready.patch is None:
            return await self._resume_undo(session, step)
        if await self._facts.stopped(session):
            return Pause(self._rhythm.poll)
        del session.memory.prepared[step.name]
        try:
            after = await self._steps.act(session.execution, ready.path, ready.patch)
        except Conflict:
            return await self._begin_undo(session, step)
        except (Forbidden, Invalid, NotFound) as refused:
            session.add(Event(event="UndoFailed", step=step.name, data={"message": str(refused)[:1000]}))
            return None
        except Unavailable:
            return await self._resume_undo(session, step)
        session.add(Event(event="UndoSucceeded", step=step.name, data=_version(after)))
        return None

    async def _resume_undo(self, session: Session, step: StepState) -> Pause | None:
        mark = undo_marker(session.execution, step.name)
        match await self._steps.probe(step.undo_intent or {}, mark):
            case "happened":
                session.add(Event(event="UndoSucceeded", step=step.name, data={"found": "by probe"}))
            case "not":
                return await self._begin_undo(session, step)
            case "unknown":
                why = (
                    f"whether the undo of step {step.name} had its effect cannot be told; look at its object and decide"
                )
                session.add(Event(event="PersonNeeded", step=step.name, data={"message": why}))
        return None


def _requested(execution: RunbookExecution) -> Event:
    spec = execution.spec
    return Event(
        event="Requested",
        data={"by": spec.requested_by, "runbook": spec.runbook.digest, "request": spec.request_digest()},
    )


def _version(after: Object) -> dict[str, Any]:
    meta = after["metadata"]
    return {"resourceVersion": meta["resourceVersion"], "generation": meta.get("generation", 0)}

"""Before the first effect: gates, plan, offer, drift, approval, and the first intents."""

from collections.abc import Callable
from datetime import timedelta

from interlock.crds.journal import Event
from interlock.crds.redact import safe_message
from interlock.crds.runbook import Runbook
from interlock.crds.types import rfc3339
from interlock.operator.core import decide as core
from interlock.operator.core.gates import HOLD_GATES, REQUEST_GATES, Case, objection
from interlock.operator.core.gitops import manager_of
from interlock.operator.core.limits import Finding
from interlock.operator.core.state import parse_time
from interlock.operator.effects import intend
from interlock.operator.errors import Forbidden, Invalid
from interlock.operator.facts import Facts
from interlock.operator.ledgers import Ledgers
from interlock.operator.planning import Draft, Terms, draft_plan, quorum, subject
from interlock.operator.prepared import NotGranted, StepRefused
from interlock.operator.record import Recorder
from interlock.operator.session import Chance, Clock, Pause, Rhythm, Session
from interlock.operator.steps import Steps

REFUSALS = (StepRefused, Forbidden, Invalid)
"""What ends an attempt to look at a step: it must not be done, or the API server says so."""

LOOKS_PER_SECOND = 2
"""How many waiting plans are compared with the cluster each second at most, over all executions."""


class Offers:
    """Takes an execution from its request to its first intents."""

    def __init__(
        self,
        facts: Facts,
        steps: Steps,
        recorder: Recorder,
        ledgers: Ledgers,
        *,
        rhythm: Rhythm,
        clock: Clock,
        chance: Chance,
        crowd: Callable[[], int],
    ) -> None:
        self._facts = facts
        self._steps = steps
        self._recorder = recorder
        self._ledgers = ledgers
        self._rhythm = rhythm
        self._clock = clock
        self._chance = chance
        self._crowd = crowd

    async def make(self, session: Session) -> Pause | None:
        """Pass the gates, compute the plan, offer it."""
        case = await self._admitted(session)
        if case is None:
            return None
        try:
            draft = await self._draft(session, case)
        except REFUSALS as refused:
            session.add(_refusal(refused))
            return None
        session.plan = draft.plan
        session.memory.looked_at = self._clock()
        session.add(Event(event="Planned", data={"plan": draft.plan.digest, "steps": len(draft.plan.steps)}))
        return None

    async def _admitted(self, session: Session) -> Case | None:
        """What the gates judged; None if one objects, with which the execution ends."""
        case = await self._facts.case(session)
        if found := objection(REQUEST_GATES, case):
            session.add(core.end(found.verdict, found.reason, found.message).event)
            return None
        return case

    async def _draft(self, session: Session, case: Case) -> Draft:
        """The plan as the cluster stands now; a plan that is offered already lends its times."""
        offered = session.plan if session.state.plan else None
        made_at = offered.made_at if offered else rfc3339(self._clock())
        if case.runbook is None or case.target is None or session.view is None:
            raise StepRefused("the runbook or the target is gone")
        about = subject(session.execution, case.runbook, session.view, case.target["metadata"]["uid"], made_at)
        # What is offered for approval stays so, although autonomy is earned meanwhile: that voids nobody's approval.
        alone = offered is None or offered.autonomy is not None
        earned = await self._facts.autonomy(session, case.runbook) if alone else None
        terms = Terms(
            quorum=0 if earned else quorum(about.runbook, session.guardrails),
            autonomy=earned,
            expires_at=offered.expires_at if offered else self._expires_at(case.runbook),
            manager=manager_of(case.target),
        )
        return await draft_plan(self._steps, about, terms)

    def _expires_at(self, runbook: Runbook) -> str:
        return rfc3339(self._clock() + timedelta(seconds=runbook.spec.approval.expires_after_seconds))

    async def watch(self, session: Session) -> Pause | None:
        """While a plan waits: is the fault still there, and would the same still be done?"""
        if session.pending:
            return Pause(self._until_next_look(session))
        if (seconds := self._until_next_look(session)) > 0:
            return Pause(seconds)
        session.memory.looked_at = self._clock()
        case = await self._admitted(session)
        if case is None or session.observed:
            return None
        drifted, why = await self._drift(session, case)
        session.set_condition("Drifted", drifted, "PlanDiffers" if drifted else "AsPlanned", why)
        return Pause(self._until_next_look(session))

    def _until_next_look(self, session: Session) -> float:
        """Many that wait are looked at less often each, so that they leave the operator time for those that run."""
        now, every = self._clock(), max(self._rhythm.drift, self._crowd() / LOOKS_PER_SECOND)
        looked = session.memory.looked_at
        if looked is None:  # not seen by this process before: spread over the interval, not all at once
            looked = session.memory.looked_at = now - timedelta(seconds=every * self._chance())
        due = (looked + timedelta(seconds=every) - now).total_seconds()
        expires = parse_time(session.plan.expires_at) if session.plan else now
        return max(0.0, min(due, (expires - now).total_seconds() + 0.05))

    async def _drift(self, session: Session, case: Case) -> tuple[bool, str]:
        try:
            draft = await self._draft(session, case)
        except REFUSALS as refused:
            return True, safe_message(refused)
        if session.plan is None or draft.plan.digest == session.plan.digest:
            return False, ""
        return True, "the cluster has changed: an approval will be void and a new plan will be offered"

    async def start(self, session: Session) -> Pause | None:
        """Approved: the gates again, the whole plan again, what the Ledger has to say, and the first intents."""
        case = await self._admitted(session)
        if case is None or session.observed:
            return None
        if found := objection(HOLD_GATES, case):
            return self._hold(session, found.reason, found.message)
        try:
            draft = await self._draft(session, case)
        except REFUSALS as refused:
            session.add(_refusal(refused))
            return None
        if session.plan is None or draft.plan.digest != session.plan.digest:
            return self._void(session, draft)
        if limited := await self._take(session, case, draft):
            return self._limited(session, limited)
        session.set_condition("Held", False, "Started", "")
        for ready in draft.first:
            intend(session, ready)
        await self._recorder.record(session)
        return None

    async def _take(self, session: Session, case: Case, draft: Draft) -> Finding | None:
        """Takes what a start needs, in one write of the Ledger."""
        if case.runbook is None or case.target is None:
            raise StepRefused("the runbook or the target is gone")
        return await self._ledgers.take(await self._facts.asked(session, case.runbook, case.target, draft.plan))

    def _limited(self, session: Session, found: Finding) -> Pause | None:
        """A limit holds until it frees up; where waiting is no way out, a person must look."""
        if found.is_final:
            session.add(core.end("Refused", found.reason, safe_message(found.message)).event)
            return None
        wait = (found.frees_at - self._clock()).total_seconds() if found.frees_at else 0.0
        return self._hold(session, found.reason, found.message, min(wait, self._rhythm.drift))

    def _hold(self, session: Session, reason: str, message: str, wait: float = 0.0) -> Pause:
        """Approved, but not now: what keeps it from starting is shown, and it is tried again."""
        session.set_condition("Held", True, reason, message)
        return Pause(max(self._rhythm.poll, wait))

    def _void(self, session: Session, draft: Draft) -> Pause | None:
        if session.state.voided >= core.MAX_REPLANS:
            message = f"the plan was voided {core.MAX_REPLANS} times by changes in the cluster"
            session.add(core.end("Refused", "KeepsChanging", message).event)
        else:
            old = session.plan.digest if session.plan else ""
            session.add(Event(event="PlanVoided", data={"plan": old, "now": draft.plan.digest}))
        return None


def _refusal(refused: Exception) -> Event:
    reason = "NotGranted" if isinstance(refused, NotGranted) else "PlanRefused"
    return core.end("Refused", reason, safe_message(refused)).event

"""Verification: success is what the runbook's checks say, never that a patch went through."""

from datetime import datetime, timedelta

from pydantic import JsonValue

from interlock.crds.journal import Event
from interlock.crds.redact import safe_message
from interlock.crds.runbook import Runbook
from interlock.crds.types import rfc3339
from interlock.operator.facts import Facts
from interlock.operator.prepared import Condition, StepRefused
from interlock.operator.session import Clock, Pause, Rhythm, Session
from interlock.operator.trial import IN_EARNEST, Trial


class Verifier:
    """Looks whether the cure is proven."""

    def __init__(self, facts: Facts, rhythm: Rhythm, clock: Clock, trial: Trial = IN_EARNEST) -> None:
        self._facts = facts
        self._rhythm = rhythm
        self._clock = clock
        self._trial = trial

    async def verify(self, session: Session, deadline: datetime) -> Pause | None:
        """Success is what verification says: all checks, without a break, for as long as they must hold."""
        about = self._facts.subject(session)
        verification = about.runbook.spec.verification
        if verification is None:
            raise StepRefused("the runbook has no verification")
        conditions = {c.name: Condition(c.expression, c.promql, c.satisfies) for c in verification.checks}
        view = about.view.giving(steps=dict(about.outputs or {}))
        failing = await self._facts.failing(conditions, view)
        now = self._clock()
        if not failing:
            since = session.memory.holding_since = session.memory.holding_since or now
            if now - since >= timedelta(seconds=verification.hold_for_seconds * self._trial.time_scale):
                refuted = self._trial.refutes(session.execution)
                session.add(_REFUTED if refuted else _passed(about.runbook, sorted(conditions), now))
                return None
        else:
            session.memory.holding_since = None
        if now >= deadline:
            why = (
                "; ".join(f"{name}: {reason}" for name, reason in sorted(failing.items())) or "did not hold long enough"
            )
            session.add(Event(event="VerificationFailed", data={"message": safe_message(why)}))
            return None
        return Pause(self._rhythm.poll)


_REFUTED = Event(event="VerificationFailed", data={"message": "all checks held; refuted to see the undo"})


def _passed(runbook: Runbook, checks: list[str], now: datetime) -> Event:
    """The cure is proven; a temporary measure is put back at a time that is fixed now and outlives restarts."""
    data: dict[str, JsonValue] = {"checks": list(checks)}
    if runbook.spec.revert_after_seconds is not None:
        data["revertAt"] = rfc3339(now + timedelta(seconds=runbook.spec.revert_after_seconds))
    return Event(event="VerificationPassed", data=data)

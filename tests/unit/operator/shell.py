"""The shell around the core without a cluster: every look and every effect has an outcome that somebody chooses.

It keeps an execution as the API server would, refuses the writes that the API server would refuse, and may lose
everything that is not written at any moment, as a killed process does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.operator.making import REQUESTER, body, digest, plan

from interlock.crds.execution import FIRST_PHASES, TRANSITIONS, Fence, RunbookExecution, RunbookExecutionStatus
from interlock.crds.guardrail import Guardrail, GuardrailSpec
from interlock.crds.journal import Entry, Event, broken_at
from interlock.crds.runbook import Runbook
from interlock.operator.actions.patch import merged
from interlock.operator.core import decide as core
from interlock.operator.core.state import StepState, parse_time, replay
from interlock.operator.planning import timestamp
from interlock.operator.session import Memory, Session

Choose = Callable[[str, Sequence[str]], str]
"""Chooses an outcome of what is named; the first is the one with which all goes well."""

OFFERED_FOR = timedelta(minutes=10)
FENCE = Fence(epoch=1, holder="operator-0")
VERDICTS_ON_PLANS = ("Approve", "Deny")
MAX_DECISIONS = 24


class Killed(Exception):
    """The process ended; what was not written is lost."""


@dataclass(frozen=True)
class Cast:
    """A decision with how long the journal was when it was cast."""

    by: str
    verdict: str
    subject: str
    after: int


@dataclass
class Shell:
    """One execution, its operator and the people around it."""

    runbook: Runbook
    choose: Choose
    quorum: int = 1
    observed: bool = False
    dry_run: bool = False
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    writes: int = 0
    plans: int = 0
    casts: list[Cast] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    cancelled_after: int | None = None

    def __post_init__(self) -> None:
        self.body = body(self.runbook, dryRun=self.dry_run)

    # --- what stands ---

    @property
    def status(self) -> RunbookExecutionStatus | None:
        """The status as it is written."""
        return RunbookExecution.from_object(self.body).status

    @property
    def journal(self) -> tuple[Entry, ...]:
        """The journal as it is written."""
        return RunbookExecution.from_object(self.body).journal

    @property
    def ended(self) -> bool:
        """Whether the written phase is final."""
        return bool(self.phases) and self.phases[-1] not in TRANSITIONS

    # --- the operator ---

    def following(self) -> core.Next:
        """What an operator that has just started would do next."""
        session = self._session()
        return core.decide(session.state, session.request(), self.now)

    def _session(self) -> Session:
        memory = Memory(runbook=self.runbook)
        session = Session(self.body, memory, lambda: self.now)
        if self.observed:
            session.guardrails = (Guardrail(name="observe", spec=GuardrailSpec(mode="Observe")),)
        return session

    def run_pass(self) -> None:
        """One pass of the operator, as far as it goes without waiting, or until it is killed."""
        session = self._session()
        try:
            while not self._pauses(session):
                pass
        except Killed:
            return
        if session.pending:
            self._record(session)

    def _pauses(self, session: Session) -> bool:
        if self.choose("process", ["lives", "is killed"]) == "is killed":
            raise Killed
        following = core.decide(session.state, session.request(), self.now)
        if isinstance(following, core.EFFECTS) and session.pending:
            self._record(session)
        match following:
            case core.Append(event):
                session.add(event)
            case core.MakePlan():
                self._offer(session)
            case core.AwaitApproval():
                return self._watch(session)
            case core.Start():
                return self._start(session)
            case core.BeginSteps(names):
                for name in names:
                    self._begin(session, name)
            case core.FinishSteps(steps, stopping):
                waits = [self._finish(session, step, stopping=stopping) for step in steps]  # each has its turn
                return all(waits)
            case core.WaitUntil(time):
                return self.now < time
            case core.Verify(deadline):
                return self._verify(session, deadline)
            case core.BeginUndo(step):
                self._begin_undo(session, step)
            case core.FinishUndo(step):
                return self._finish_undo(session, step)
            case core.AwaitPerson() | core.Done():
                return True
        return False

    def _record(self, session: Session) -> None:
        """Writes what is pending as the API server takes it; each write has the journal's meaning at that point."""
        meant = session.state
        for patch in session.patches(FENCE):
            self._write(patch)
        session.written(self.body)
        assert replay(session.execution.journal) == meant
        assert broken_at(session.start, session.execution.journal) is None

    def _write(self, patch: Mapping[str, Any]) -> None:
        body = merged(self.body, patch)
        old, status = self.status, RunbookExecutionStatus.model_validate(body["status"])
        if old is None:
            assert status.phase in FIRST_PHASES
        else:
            assert status.phase == old.phase or status.phase in TRANSITIONS[old.phase], (old.phase, status.phase)
            assert status.journal[: len(old.journal)] == old.journal
            voided = old.phase in {"AwaitingApproval", "Approved"} and status.phase == "Planning"
            assert status.replans == old.replans + voided, "replans counts each way back to Planning"
            may_offer = old.phase in {"Pending", "Planning"} or status.phase == "Planning"
            assert may_offer or status.plan == old.plan, "the plan is frozen once it is offered"
        self.phases.append(status.phase)
        self.writes += 1
        body["metadata"]["resourceVersion"] = str(self.writes + 1)
        self.body = body

    # --- before the first effect ---

    def _offer(self, session: Session) -> None:
        if not session.execution.journal and not session.pending:
            session.add(Event(event="Requested", data={"by": REQUESTER}))
        match self.choose("gates", ["pass", "refuse", "are not needed"]):
            case "pass":
                self.plans += 1
                session.plan = plan(self.plans, quorum=self.quorum, expires_at=timestamp(self.now + OFFERED_FOR))
                session.add(Event(event="Planned", data={"plan": session.plan.digest, "steps": 1}))
            case "refuse":
                session.add(core.end("Refused", "NotOptedIn").event)
            case _:
                session.add(core.end("NotNeeded", "PreconditionNotMet").event)

    def _watch(self, session: Session) -> bool:
        if not session.pending and self.choose("fault", ["is still there", "is gone"]) == "is gone":
            session.add(core.end("NotNeeded", "PreconditionNotMet").event)
            return False
        return True

    def _start(self, session: Session) -> bool:
        match self.choose("start", ["begins", "is skipped", "is refused", "is held", "finds drift"]):
            case "begins":
                self._intend(session, next(iter(session.request().needs)))
            case "is skipped":
                session.add(Event(event="StepSkipped", step=next(iter(session.request().needs))))
            case "is refused":
                session.add(core.end("Refused", "PlanRefused").event)
                return False
            case "is held":
                return True
            case _:
                self._void(session)
                return False
        self._record(session)
        return False

    def _void(self, session: Session) -> None:
        if session.state.voided >= core.MAX_REPLANS:
            session.add(core.end("Refused", "KeepsChanging").event)
        else:
            session.add(Event(event="PlanVoided", data={"plan": session.state.plan}))

    # --- steps and undo ---

    def _intend(self, session: Session, name: str) -> None:
        writes = self.choose("step", ["writes", "looks"]) == "writes"
        session.add(Event(event="StepStarted", step=name, data={"writes": writes}))

    def _begin(self, session: Session, name: str) -> None:
        before = session.state.steps.get(name)
        attempt = (before.attempt if before else session.state.resumed.get(name, 0)) + 1
        match self.choose("begin", ["begins", "is skipped", "is refused"]):
            case "begins":
                self._intend(session, name)
                assert session.state.steps[name].attempt == attempt
            case "is skipped":
                session.add(Event(event="StepSkipped", step=name))
            case _:
                if name not in session.state.steps:
                    session.add(Event(event="StepStarted", step=name, data={"writes": False}))
                session.add(Event(event="StepFailed", step=name, data={"message": "refused"}))

    def _finish(self, session: Session, step: StepState, *, stopping: bool) -> bool:
        outcomes = ["succeeds", "fails", "waits"]
        match self.choose("finish", [*outcomes, "meets a conflict", "cannot be told"] if step.writes else outcomes):
            case "succeeds":
                session.add(Event(event="StepSucceeded", step=step.name))
            case "fails":
                session.add(Event(event="StepFailed", step=step.name, data={"message": "forbidden"}))
            case "waits":
                return True
            case "meets a conflict":
                self._begin(session, step.name)
            case _:
                self._unclear(session, step.name, ["Confirm", "Resume", "Undo"])
        return False

    def _unclear(self, session: Session, name: str, verdicts: list[str]) -> None:
        data = {"message": "cannot be told", "verdicts": list(verdicts)}
        session.add(Event(event="StepUnclear", step=name, data=data))

    def _verify(self, session: Session, deadline: datetime) -> bool:
        outcome = self.choose("verification", ["passes", "does not hold yet"])
        if outcome == "passes":
            session.add(Event(event="VerificationPassed"))
        elif self.now >= deadline:
            session.add(Event(event="VerificationFailed", data={"message": "not ready"}))
        else:
            return True
        return False

    def _begin_undo(self, session: Session, step: StepState) -> None:
        outcome = self.choose("undo", ["begins", "meets another's change", "finds nothing"])
        session.add(Event(event="UndoStarted", step=step.name, data={"writes": outcome == "begins"}))
        if outcome == "meets another's change":
            session.add(Event(event="UndoFailed", step=step.name, data={"message": "no longer holds"}))
        elif outcome == "finds nothing":
            session.add(Event(event="UndoSucceeded", step=step.name))

    def _finish_undo(self, session: Session, step: StepState) -> bool:
        outcomes = ["succeeds", "fails", "waits", "meets a conflict", "cannot be told"]
        match self.choose("finish undo", outcomes):
            case "succeeds":
                session.add(Event(event="UndoSucceeded", step=step.name))
            case "fails":
                session.add(Event(event="UndoFailed", step=step.name, data={"message": "forbidden"}))
            case "waits":
                return True
            case "meets a conflict":
                self._begin_undo(session, step)
            case _:
                self._unclear(session, step.name, ["Confirm", "Resume", "Undo"])
        return False

    # --- the world between two passes ---

    def decide(self, by: str, verdict: str, *, stale: bool = False) -> bool:
        """Somebody decides on the plan, or on how to go on; False where the API server does not let them."""
        status = self.status
        if status is None or status.plan is None or self.ended or len(self.casts) >= MAX_DECISIONS:
            return False
        if verdict in VERDICTS_ON_PLANS:
            subject = status.plan.digest if not stale else digest(max(1, self.plans - 1))
        elif status.phase == "AwaitingPerson":
            subject = f"sha256:{status.journal[-1].hash}"
        else:
            return False
        if any((cast.by, cast.subject) == (by, subject) for cast in self.casts):
            return False
        self.casts.append(Cast(by, verdict, subject, len(status.journal)))
        decisions = [*self.body["spec"]["decisions"], {"by": by, "verdict": verdict, "subject": subject}]
        self.body = {**self.body, "spec": {**self.body["spec"], "decisions": decisions}}
        return True

    def cancel(self) -> None:
        """Somebody asks to stop."""
        if self.cancelled_after is None and not self.ended:
            self.cancelled_after = len(self.journal)
            self.body = {**self.body, "spec": {**self.body["spec"], "cancelled": {"by": "carol"}}}

    def expires_at(self) -> datetime | None:
        """When the offered plan expires."""
        return parse_time(self.status.plan.expires_at) if self.status and self.status.plan else None

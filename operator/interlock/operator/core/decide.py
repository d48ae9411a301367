"""What follows from a state: one next thing to do, chosen without looking at anything but what is passed in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from interlock.crds.execution import Decision, Phase
from interlock.crds.journal import Event
from interlock.crds.redact import safe_message
from interlock.operator.core.state import State, StepState


@dataclass(frozen=True)
class Request:
    """What the decision rests on beside the journal: the execution's spec, its runbook and its offered plan."""

    steps: tuple[str, ...]
    handover: bool
    undoes: bool
    dry_run: bool
    observe_only: bool
    decisions: tuple[Decision, ...]
    requested_by: str
    cancelled: str | None
    quorum: int
    expires_at: datetime | None
    verify_within: timedelta
    head: str

    def approvers(self, plan: str) -> tuple[str, ...]:
        """Who approved exactly this plan; the requester never counts."""
        return tuple(
            sorted(
                {
                    d.by
                    for d in self.decisions
                    if d.subject == plan and d.verdict == "Approve" and d.by != self.requested_by
                }
            )
        )

    def denier(self, plan: str) -> Decision | None:
        """Who denied exactly this plan."""
        return next((d for d in self.decisions if d.subject == plan and d.verdict == "Deny"), None)


@dataclass(frozen=True)
class Append:
    """Something follows without looking at the cluster: it is recorded."""

    event: Event


@dataclass(frozen=True)
class MakePlan:
    """Pass the gates and compute what would be done."""


@dataclass(frozen=True)
class AwaitApproval:
    """Nothing to do but watch whether the plan is still true and needed."""

    until: datetime


@dataclass(frozen=True)
class Start:
    """The plan is approved: pass the gates again, compute the plan again, and begin if nothing differs."""


@dataclass(frozen=True)
class BeginStep:
    """Look at what the step would do now, and state the intent."""

    step: str
    attempt: int


@dataclass(frozen=True)
class FinishStep:
    """The intent is durable: act, or find out what came of it."""

    step: StepState


@dataclass(frozen=True)
class Verify:
    """Look whether the cure is proven."""

    deadline: datetime


@dataclass(frozen=True)
class BeginUndo:
    """Look whether what the step wrote still holds, and state the intent to put it back."""

    step: StepState


@dataclass(frozen=True)
class FinishUndo:
    """The intent to undo is durable: act, or find out what came of it."""

    step: StepState


@dataclass(frozen=True)
class AwaitPerson:
    """Only a person can tell how to go on."""

    step: str


@dataclass(frozen=True)
class Done:
    """Nothing follows but archiving."""


Next = (
    Append
    | MakePlan
    | AwaitApproval
    | Start
    | BeginStep
    | FinishStep
    | Verify
    | BeginUndo
    | FinishUndo
    | AwaitPerson
    | Done
)
EFFECTS = (FinishStep, FinishUndo)
"""What may change the cluster: everything decided before must be durable first."""

MAX_REPLANS = 3


def end(phase: Phase, reason: str, message: str = "") -> Append:
    """The execution ends."""
    return Append(Event(event="Ended", data={"phase": phase, "reason": reason, "message": safe_message(message)}))


def decide(state: State, request: Request, now: datetime) -> Next:
    """The next thing to do."""
    if state.ended:
        return Done()
    if state.person_needed_for is not None:
        return _with_person(state, request)
    if state.begun:
        return _started(state, request)
    return _before_start(state, request, now)


def _before_start(state: State, request: Request, now: datetime) -> Next:
    if request.cancelled is not None:
        return end("Cancelled", "CancelledBeforeStart", request.cancelled)
    if state.plan is None:
        return MakePlan()
    if request.dry_run:
        return end("Planned", "DryRun", "planned only, as requested")
    if request.observe_only:
        return end("Observed", "ObserveOnly", "a guardrail lets this only be observed")
    if denial := request.denier(state.plan):
        return end("Denied", "Denied", f"denied by {denial.by}" + (f": {denial.comment}" if denial.comment else ""))
    if request.expires_at is not None and now >= request.expires_at:
        if state.approved:
            return end("Expired", "HeldTooLong", "the plan was approved, but something kept it from starting in time")
        return end("Expired", "NoApprovalInTime", "the plan was offered and not approved in time")
    approvers = request.approvers(state.plan)
    if len(approvers) < request.quorum:
        return AwaitApproval(until=request.expires_at or now)
    if request.handover:
        return end("HandedOver", "TakenOver", f"taken over by {', '.join(approvers)}")
    if not state.approved:
        return Append(Event(event="Approved", data={"by": list(approvers), "plan": state.plan}))
    return Start()


def _started(state: State, request: Request) -> Next:
    if step := state.open_undo:
        return FinishUndo(step)
    step = state.open_step
    if step is not None and step.writes:
        return FinishStep(step)
    if state.trouble is None and request.cancelled is not None and not state.verified:
        return Append(Event(event="CancelRequested", data={"message": request.cancelled}))
    if step is not None:
        return FinishStep(step)
    if state.trouble is not None:
        return _troubled(state, request)
    return _next_step(state, request)


def _next_step(state: State, request: Request) -> Next:
    for name in request.steps:
        if name not in state.steps:
            return BeginStep(name, attempt=state.resumed.get(name, 0) + 1)
    if state.verification_started_at is None:
        return Append(Event(event="VerificationStarted"))
    if not state.verified:
        return Verify(state.verification_started_at + request.verify_within)
    return end("Succeeded", "Verified", "the cure is proven")


def _troubled(state: State, request: Request) -> Next:
    undo = request.undoes or state.trouble in {"Cancelled", "UndoDecided"}
    if undo and (step := state.to_undo()):
        return BeginUndo(step)
    undone = [s.name for s in state.steps.values() if s.undo_outcome == "Succeeded"]
    stuck = [s.name for s in state.steps.values() if s.undo_outcome == "Failed"]
    reason, message = state.trouble or "StepFailed", state.trouble_message
    if stuck:
        return end("Failed", "UndoFailed", f"{message}; could not be undone: {', '.join(stuck)}")
    if state.trouble == "Cancelled":
        return end("Cancelled", "CancelledAndUndone" if undone else "NothingToUndo", message)
    if undone:
        return end("Undone", reason, message)
    return end("Failed", reason, message)


def _with_person(state: State, request: Request) -> Next:
    name = state.person_needed_for or ""
    verdicts = [d for d in request.decisions if d.subject == request.head and d.by != request.requested_by]
    for decision in verdicts:
        if decision.verdict in {"Confirm", "Resume", "Undo"}:
            said = f"{decision.by} decided to {decision.verdict.lower()}" + f": {decision.comment}" * bool(
                decision.comment
            )
            data = {"by": decision.by, "verdict": decision.verdict, "message": said}
            return Append(Event(event="PersonDecided", step=name, data=data))
    if request.cancelled is not None and state.steps[name].undo_intent is None:
        return Append(
            Event(event="PersonDecided", step=name, data={"verdict": "Undo", "by": "", "message": request.cancelled})
        )
    return AwaitPerson(name)

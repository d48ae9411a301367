"""What follows from a state: one next thing to do, chosen without looking at anything but what is passed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from interlock.crds.execution import Decision, Phase
from interlock.crds.journal import Event
from interlock.crds.redact import safe_message
from interlock.operator.core.state import State, StepState


@dataclass(frozen=True)
class Request:
    """What the decision rests on beside the journal: the execution's spec, its runbook and its offered plan."""

    needs: Mapping[str, frozenset[str]]
    """The steps in their order, each with those that must be done before."""
    handover: bool
    undoes: bool
    dry_run: bool
    observe_only: bool
    decisions: tuple[Decision, ...]
    requested_by: str
    low_risk: bool
    cancelled: str | None
    quorum: int
    expires_at: datetime | None
    verify_within: timedelta
    time_limit: timedelta
    head: str

    def approvers(self, plan: str) -> tuple[str, ...]:
        """Who approved exactly this plan; the requester counts only by breaking the glass."""
        others = {
            d.by for d in self.decisions if d.subject == plan and d.verdict == "Approve" and d.by != self.requested_by
        }
        return tuple(sorted({*others, self.requested_by} if self.broken_glass(plan) else others))

    def broken_glass(self, plan: str) -> Decision | None:
        """The requester's own approval of exactly this plan, where something of low risk is done."""
        own = (d for d in self.decisions if d.subject == plan and d.verdict == "BreakGlass")
        return next((d for d in own if d.by == self.requested_by and self.low_risk and not self.handover), None)

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
class BeginSteps:
    """Look at what each of these would do now, and state the intents."""

    steps: tuple[str, ...]


@dataclass(frozen=True)
class FinishSteps:
    """The intents are durable: act, or find out what came of it. `stopping`: begin nothing more, and wait no longer."""

    steps: tuple[StepState, ...]
    stopping: bool = False


@dataclass(frozen=True)
class WaitUntil:
    """Nothing to do before a certain time."""

    time: datetime


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
    | BeginSteps
    | FinishSteps
    | WaitUntil
    | Verify
    | BeginUndo
    | FinishUndo
    | AwaitPerson
    | Done
)
EFFECTS = (FinishSteps, FinishUndo)
"""What may change the cluster: everything decided before must be durable first."""

MAX_REPLANS = 3
JOURNAL_ENTRIES = 256
_LAST_ENTRIES = 9
"""One undo with all its new intents, a question to a person, the answer, and the end."""


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
        return _started(state, request, now)
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
        return Append(_approved(request, state.plan, approvers))
    return Start()


def _approved(request: Request, plan: str, approvers: tuple[str, ...]) -> Event:
    """Who approved stands in the journal for ever, and so does it that somebody approved their own request."""
    broken = request.broken_glass(plan)
    mark = {"breakGlass": broken.by, "reason": safe_message(broken.comment)} if broken else {}
    return Event(event="Approved", data={"by": list(approvers), "plan": plan, **mark})


def _started(state: State, request: Request, now: datetime) -> Next:
    if state.open_undo is not None or state.trouble is not None:
        return _backwards(state, request)
    if state.verified:
        return _reverting(state, request, now)
    if halt := _halt(state, request, now):
        return _stopping(state) or halt
    return _forwards(state, request, now)


def _halt(state: State, request: Request, now: datetime) -> Append | None:
    """Why it may not go on, although nothing has failed."""
    if request.cancelled is not None:
        return Append(Event(event="CancelRequested", data={"message": request.cancelled}))
    if state.clock_from is not None and now >= state.clock_from + request.time_limit:
        message = f"not done within {request.time_limit.total_seconds():.0f} s"
        return Append(Event(event="Halted", data={"reason": "TimedOut", "message": message}))
    if state.entries + _way_back(state, request) > JOURNAL_ENTRIES:
        message = f"the journal has {state.entries} of {JOURNAL_ENTRIES} entries: what is left is kept for the undo"
        return Append(Event(event="Halted", data={"reason": "JournalFull", "message": message}))
    return None


def _way_back(state: State, request: Request) -> int:
    """Entries to keep: an intent and an outcome for what is not done, as many for each undo, and the end."""
    unfinished = sum(name not in state.steps or state.steps[name].outcome is None for name in request.needs)
    return 4 * unfinished + 2 * sum(s.changed_something for s in state.steps.values()) + _LAST_ENTRIES


def _is_full(state: State) -> bool:
    return state.entries > JOURNAL_ENTRIES - _LAST_ENTRIES


def _stopping(state: State) -> Next | None:
    """What must be known first: what came of every effect that is under way."""
    acting = tuple(s for s in state.open_steps if s.may_be_acting)
    if clear := tuple(s for s in acting if not s.asks):
        return FinishSteps(clear, stopping=True)
    return _ask(acting[0]) if acting and not _is_full(state) else None


def _forwards(state: State, request: Request, now: datetime) -> Next:
    asking = next((s for s in state.steps.values() if s.asks), None)
    ready = tuple(name for name in request.needs if _is_ready(name, state, request, now))
    if ready and asking is None:
        return BeginSteps(ready)
    # A question does not wait for what only looks, but for effects under way: their outcomes would change the head.
    if busy := tuple(s for s in state.open_steps if not s.asks and (asking is None or s.may_be_acting)):
        return FinishSteps(busy)
    if asking is not None:
        return _ask(asking)
    if later := [s.retry_at for s in state.steps.values() if s.retry_at is not None]:
        return WaitUntil(min(*later, (state.clock_from or now) + request.time_limit))
    if state.verification_started_at is None:
        return Append(Event(event="VerificationStarted"))
    return Verify(state.verification_started_at + request.verify_within)


def _is_ready(name: str, state: State, request: Request, now: datetime) -> bool:
    begun = state.steps.get(name)
    if begun is not None:
        return begun.retry_at is not None and now >= begun.retry_at
    return all(needed in state.steps and state.steps[needed].is_done for needed in request.needs[name])


def _ask(step: StepState) -> Append:
    data = {"message": step.unclear, "verdicts": sorted(step.asks)}
    return Append(Event(event="PersonNeeded", step=step.name, data=data))


def _backwards(state: State, request: Request) -> Next:
    if step := state.open_undo:
        return _ask(step) if step.asks else FinishUndo(step)
    if first := _stopping(state):
        return first
    if _is_full(state):
        return end("Failed", "JournalFull", f"{state.trouble_message}; no room in the journal to undo the rest")
    undo = state.trouble == "UndoDecided" or (request.undoes and state.undo_wanted)
    if undo and (step := state.to_undo()):
        return BeginUndo(step)
    return _end_of_trouble(state, undo=undo)


def _end_of_trouble(state: State, *, undo: bool) -> Append:
    steps = state.steps.values()
    undone = [s.name for s in steps if s.undo_outcome == "Succeeded"]
    stuck = [s.name for s in steps if s.undo_outcome == "Failed"]
    lasting = [s.name for s in steps if s.changed_something and not s.can_be_undone]
    reason, message = state.trouble or "StepFailed", state.trouble_message
    if undo and lasting:
        message += f"; cannot be undone: {', '.join(lasting)}"
    if stuck:
        return end("Failed", "UndoFailed", f"{message}; could not be undone: {', '.join(stuck)}")
    if state.trouble == "Cancelled":
        return end("Cancelled", "CancelledAndUndone" if undone else "NothingUndone", message)
    return end("Undone" if undone else "Failed", reason, message)


def _reverting(state: State, request: Request, now: datetime) -> Next:
    """Proven: the end, or for a temporary measure the wait and the way back."""
    if state.revert_at is None:
        return end("Succeeded", "Verified", "the cure is proven")
    if now < state.revert_at and request.cancelled is None:
        return WaitUntil(state.revert_at)
    if step := state.to_undo():
        if _is_full(state):
            return end("Failed", "JournalFull", "the measure helped; no room in the journal to put back the rest")
        return BeginUndo(step)
    if stuck := [s.name for s in state.steps.values() if s.undo_outcome == "Failed"]:
        return end("Failed", "RevertFailed", f"the measure helped, but could not be put back: {', '.join(stuck)}")
    early = f": {request.cancelled}" if request.cancelled is not None and now < state.revert_at else ""
    return end("Succeeded", "Reverted", "the cure was proven, and the temporary measure is put back" + early)


def _with_person(state: State, request: Request) -> Next:
    name = state.person_needed_for or ""
    step = state.steps[name]
    verdicts = [d for d in request.decisions if d.subject == request.head and d.by != request.requested_by]
    for decision in verdicts:
        if decision.verdict in step.asks:
            said = f"{decision.by} decided to {decision.verdict.lower()}" + f": {decision.comment}" * bool(
                decision.comment
            )
            data = {"by": decision.by, "verdict": decision.verdict, "message": said}
            return Append(Event(event="PersonDecided", step=name, data=data))
    if request.cancelled is not None and step.undo_intent is None:
        return Append(
            Event(event="PersonDecided", step=name, data={"verdict": "Undo", "by": "", "message": request.cancelled})
        )
    return AwaitPerson(name)

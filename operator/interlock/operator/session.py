"""One execution while it is worked on: its journal, what happened since it was last written, and how it is written.

Events gather in memory until something needs them to be durable: an effect that must not precede its intent, or a
pause. Then they go out as one status patch, so that the outcome of one step and the intent of the next are one write.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from interlock.crds.execution import FIRST_PHASES, TRANSITIONS, Condition, Fence, Plan, RunbookExecution
from interlock.crds.guardrail import Guardrail
from interlock.crds.journal import Entry, Event, extend, genesis, head
from interlock.crds.redact import safe_message
from interlock.crds.runbook import Runbook
from interlock.crds.types import rfc3339
from interlock.operator.core import state as core
from interlock.operator.core.decide import Request
from interlock.operator.core.ledger import Horizon
from interlock.operator.core.nodes import Node, of_plan
from interlock.operator.look import View
from interlock.operator.prepared import Prepared

Clock = Callable[[], datetime]


Chance = Callable[[], float]
"""A number from 0 to 1."""


def utc_now() -> datetime:
    """The operator's clock."""
    return datetime.now(UTC)


UNGUARDED = "Unguarded"
"""Reason of what is held because the cluster's guards do not stand."""


class IllegalTransition(Exception):
    """The core decided what the phase graph forbids: a defect, and nothing is written."""


@dataclass(frozen=True)
class Pause:
    """Nothing more to do now; look again after so many seconds, or when something changes."""

    seconds: float | None


@dataclass(frozen=True)
class Rhythm:
    """How often waiting things are looked at again, in seconds."""

    poll: float
    drift: float
    calm: float = 0.25
    """How long an object that somebody else changed is left alone, the first time; then three times as long."""


@dataclass
class Memory:
    """What is kept of an execution between passes. Losing it costs time, never correctness."""

    inherited: bool = True
    """Whether another operator may have worked on it before."""
    runbook: Runbook | None = None
    nodes: tuple[str, tuple[Node, ...]] | None = None
    """The steps of the plan with this digest."""
    prepared: dict[str, Prepared] = field(default_factory=dict)
    holding_since: datetime | None = None
    looked_at: datetime | None = None


@dataclass
class Session:
    """One pass over one execution."""

    body: dict[str, Any]
    memory: Memory
    clock: Clock
    execution: RunbookExecution = field(init=False)
    published: tuple[Runbook | None, str] | None = None
    guardrails: tuple[Guardrail, ...] = ()
    """Those that select it, once the gates have looked: before the plan, while it waits and before the start."""
    horizon: Horizon = field(default_factory=Horizon)
    """How far any guardrail of the cluster looks back, as of the same look."""
    view: View | None = None
    """The moment that the gates judged, for the plan that is made of it."""
    pending: list[Event] = field(default_factory=list)
    unshown: bool = False
    """Whether a condition has changed since the last write."""
    conditions: dict[str, Condition] = field(init=False)
    plan: Plan | None = field(init=False)
    state: core.State = field(init=False)
    """Where it stands with all that is pending."""
    _durable: core.State = field(init=False)
    """Where it stands by what is written."""

    def __post_init__(self) -> None:
        self._load(self.body)
        self.state = self._durable = core.replay(self.execution.journal)

    def _load(self, body: dict[str, Any]) -> None:
        self.body = body
        self.execution = RunbookExecution.from_object(body)
        status = self.execution.status
        self.plan = status.plan if status else None
        self.conditions = {c.type: c for c in status.conditions} if status else {}

    @property
    def start(self) -> str:
        """What the first journal entry is chained to."""
        return genesis(self.execution.uid, self.execution.spec.request_digest())

    @property
    def head(self) -> str:
        """The digest of the journal's head: the subject of a person's decision."""
        return head(self.start, self.execution.journal)

    def nodes(self) -> tuple[Node, ...]:
        """The steps as the offered plan has them; none before there is a plan, or where the runbook is not known."""
        runbook = self.memory.runbook
        if runbook is None or self.plan is None:
            return ()
        if self.memory.nodes is None or self.memory.nodes[0] != self.plan.digest:
            self.memory.nodes = (self.plan.digest, of_plan(runbook.spec.steps, self.plan))
        return self.memory.nodes[1]

    def node(self, name: str) -> Node:
        """One step as the offered plan has it."""
        return next(node for node in self.nodes() if node.name == name)

    def add(self, event: Event) -> None:
        """Something happened."""
        self.pending.append(event)
        self.state = core.apply(self.state, event, self.clock())
        if breaker := event.data.get("breakGlass"):
            message = f"{breaker} approved their own request: {event.data.get('reason', '')}"
            self.set_condition("BreakGlass", True, "SelfApproved", message)

    def set_condition(self, kind: str, holds: bool, reason: str, message: str) -> None:
        """Sets a condition; what changes is shown with the next write, or at the next pause."""
        status, message = "True" if holds else "False", safe_message(message)
        before = self.conditions.get(kind)
        if before is None and not holds:
            return
        if before is not None and (before.status, before.reason, before.message) == (status, reason, message):
            return
        same = before is not None and before.status == status
        since = before.last_transition_time if before is not None and same else rfc3339(self.clock())
        self.conditions[kind] = Condition.model_validate(
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastTransitionTime": since,
            }
        )
        self.unshown = True

    def guarded(self) -> None:
        """It is worked on, so what guards the cluster stands: what said otherwise is taken back."""
        held = self.conditions.get("Held")
        if held is not None and held.status == "True" and held.reason == UNGUARDED:
            self.set_condition("Held", False, "Guarded", "")

    def request(self) -> Request:
        """What the core decides on; a question that is not written yet has no head that an answer could name."""
        spec, runbook = self.execution.spec, self.memory.runbook
        within = runbook.spec.verification.within_seconds if runbook and runbook.spec.verification else 0
        return Request(
            needs={node.name: node.needs for node in self.nodes()},
            handover=runbook is not None and runbook.spec.type == "Handover",
            undoes=runbook is None or runbook.spec.undo == "OnFailure",
            dry_run=spec.dry_run,
            observe_only=self.observed,
            decisions=tuple(spec.decisions),
            requested_by=spec.requested_by,
            low_risk=runbook is not None and runbook.spec.risk == "Low",
            cancelled=self.cancelled,
            quorum=self.plan.quorum if self.plan else 1,
            expires_at=core.parse_time(self.plan.expires_at) if self.plan else None,
            verify_within=timedelta(seconds=within),
            time_limit=timedelta(seconds=runbook.spec.timeout_seconds if runbook else 0),
            head="" if self.pending else self.head,
        )

    @property
    def observed(self) -> bool:
        """Whether a guardrail, as far as they were looked at in this pass, lets it only be observed."""
        return any(guardrail.spec.mode == "Observe" for guardrail in self.guardrails)

    @property
    def cancelled(self) -> str | None:
        """Why somebody wants it to end, if anybody does."""
        if self.execution.deleted:
            return "the execution was deleted"
        if (cancelled := self.execution.spec.cancelled) is None:
            return None
        return f"cancelled by {cancelled.by}" + (f": {cancelled.reason}" if cancelled.reason else "")

    def patches(self, fence: Fence) -> list[dict[str, Any]]:
        """The status patches that make all pending events durable: one, unless the phase graph needs a stop between.

        They must all be written and told by `written`; otherwise the session is of no use any more.
        """
        patches: list[dict[str, Any]] = []
        events = list(self.pending)
        while True:
            count = self._longest_legal(events)
            patches.append(self._patch(events[:count], fence))
            events = events[count:]
            if not events:
                return patches
            self._assume(patches[-1])

    def _longest_legal(self, events: Sequence[Event]) -> int:
        phase = self.execution.status.phase if self.execution.status else None
        allowed = {phase} | TRANSITIONS.get(phase, frozenset()) if phase else FIRST_PHASES
        state, best = self._durable, 0
        for count, event in enumerate(events, start=1):
            state = core.apply(state, event, self.clock())
            if state.phase in allowed:
                best = count
            if event.event == "PlanVoided":  # a void is a write of its own: the plan may change only after it
                break
        if events and not best:
            raise IllegalTransition(f"{self.execution.key}: {phase} never leads to {state.phase}")
        return best

    def _patch(self, events: Sequence[Event], fence: Fence) -> dict[str, Any]:
        now = rfc3339(self.clock())
        journal = extend(self.start, self.execution.journal, events, now)
        state = self._durable = _after(self._durable, events, core.parse_time(now))
        status: dict[str, Any] = {
            "phase": state.phase,
            "journal": [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in journal],
            "fence": fence.model_dump(mode="json", by_alias=True),
            "replans": state.voided,
            "conditions": [c.model_dump(mode="json", by_alias=True, exclude_none=True) for c in self._conditions()],
            **_for_people(state, journal, self.plan, self.conditions.get("Held")),
        }
        if self.plan is not None and any(event.event == "Planned" for event in events):
            status["plan"] = self.plan.model_dump(mode="json", by_alias=True, exclude_none=True)
        if state.ended:
            status["completedAt"] = now
        return {"status": status}

    def _conditions(self) -> list[Condition]:
        return [self.conditions[kind] for kind in sorted(self.conditions)]

    def _assume(self, patch: Mapping[str, Any]) -> None:
        status = {**(self.body.get("status") or {}), **patch["status"]}
        self.execution = RunbookExecution.from_object({**self.body, "status": status})

    def written(self, body: dict[str, Any]) -> None:
        """The API server has taken everything that was pending."""
        self.pending.clear()
        self.unshown = False
        self.state = self._durable
        self._load(body)


def _after(state: core.State, events: Iterable[Event], at: datetime) -> core.State:
    """The state that the journal stands for once these events are written."""
    for event in events:
        state = core.apply(state, event, at)
    return state


def _for_people(
    state: core.State, journal: Sequence[Entry], plan: Plan | None, held: Condition | None
) -> dict[str, Any]:
    """The fields that are printed."""
    latest = journal[-1].details() if journal else {}
    fields: dict[str, Any] = {"reason": None, "message": "", "step": _current(state)}
    if state.ended:
        fields |= {"reason": latest.get("reason"), "message": safe_message(latest.get("message", ""))}
    elif state.phase == "AwaitingPerson":
        fields |= {"reason": "PersonNeeded", "message": safe_message(latest.get("message", ""))}
    elif state.trouble is not None:
        fields |= {"reason": state.trouble, "message": safe_message(state.trouble_message)}
    elif held is not None and held.status == "True":
        fields |= {"reason": held.reason, "message": held.message}
    if plan is not None:
        given = next((len(_listed(e.details().get("by"))) for e in reversed(journal) if e.event == "Approved"), 0)
        fields["approvals"] = f"{given if state.approved else 0}/{plan.quorum}" if plan.quorum else "auto"
    return fields


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _current(state: core.State) -> str:
    undoing = state.open_undo
    if names := [undoing.name] if undoing else [step.name for step in state.open_steps]:
        return ", ".join(names)[:64]
    return "" if not state.steps or state.ended else list(state.steps)[-1]

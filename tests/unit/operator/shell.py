"""The operator over a world without a cluster: its own reconciler, whose looks and effects have chosen outcomes.

It keeps an execution as the API server would, refuses the writes that the API server would refuse, and may lose
everything that is not written at any moment, as a killed process does.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pydantic import JsonValue
from tests.unit.operator.making import UID, body
from tests.unit.operator.world import NO_API, Choose, Killed, Traits, World, WorldFacts, WorldLedgers, WorldSteps

from interlock.crds.execution import FIRST_PHASES, STARTED, TERMINAL, TRANSITIONS, Fence, Phase, RunbookExecution
from interlock.crds.execution import RunbookExecutionStatus as Status
from interlock.crds.guardrail import SHARED, Guardrail
from interlock.crds.journal import Entry, broken_at
from interlock.crds.runbook import Runbook
from interlock.operator.actions.patch import merged
from interlock.operator.api import Object
from interlock.operator.archiver import Archiver
from interlock.operator.core.decide import JOURNAL_ENTRIES
from interlock.operator.core.state import parse_time, replay
from interlock.operator.errors import Unavailable
from interlock.operator.events import Events
from interlock.operator.lease import Leadership
from interlock.operator.ledgers import Ledgers
from interlock.operator.reconcile import Reconciler
from interlock.operator.record import Recorder
from interlock.operator.runner import Runners
from interlock.operator.session import Rhythm, Session

OFFERED_FOR = timedelta(minutes=10)
FENCE = Fence(epoch=1, holder="operator-0")
KEY = "shop/scale-1"
POLL = 1.0
VERDICTS_ON_PLANS = ("Approve", "Deny")
MAX_DECISIONS = 32


@dataclass(frozen=True)
class Cast:
    """A decision, and how long the journal was when the operator could know of it first."""

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
    guardrails: tuple[Guardrail, ...] = ()
    dry_run: bool = False
    traits: Traits = field(default_factory=Traits)
    meanwhile: Callable[[], None] = lambda: None
    """What others do while the operator writes."""
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    writes: int = 0
    casts: list[Cast] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """How long the journal was after each write."""
    on_its_way: int = 0
    """How many entries are just being written."""
    cancelled_after: int | None = None
    closed: int = 0

    def __post_init__(self) -> None:
        approval = self.runbook.spec.approval.model_copy(
            update={"quorum": self.quorum, "expires_after_seconds": int(OFFERED_FOR.total_seconds())}
        )
        spec = self.runbook.spec.model_copy(update={"approval": approval})
        self.runbook = self.runbook.model_copy(update={"spec": spec})
        self.body = body(self.runbook, dryRun=self.dry_run)
        self.world = World(self._chosen, self.traits, guardrails=self.guardrails, phase=self._phase)
        self._operator = self._started()

    # --- what stands ---

    @property
    def status(self) -> Status | None:
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

    @property
    def holds(self) -> list[str]:
        """The Ledgers in which the execution holds something."""
        return [name for name, ledger in self.world.ledgers.items() if any(h.uid == UID for h in ledger.spec.holds)]

    # --- the operator ---

    def _started(self) -> Reconciler:
        self.world.dead = False
        ledgers = self._ledgers = Ledgers(WorldLedgers(self.world), self._clock)
        return Reconciler(
            facts=WorldFacts(self.world, self.runbook, self._clock, ledgers),
            steps=WorldSteps(self.world, self._intended),
            runners=_NoRunners(NO_API),
            recorder=_ShellRecorder(self),
            ledgers=ledgers,
            rhythm=Rhythm(poll=POLL, drift=POLL, calm=0),
            clock=self._clock,
            chance=lambda: 1.0 if self.choose("jitter", ["none", "all"]) == "all" else 0.0,
        )

    def _chosen(self, what: str, outcomes: Sequence[str]) -> str:
        return self.choose(what, outcomes)

    def _clock(self) -> datetime:
        return self.now

    def restart(self) -> None:
        """Another process takes over; nothing that was in memory is left."""
        self._operator = self._started()

    @property
    def shared(self) -> bool:
        """Whether any limit reaches beyond the namespace."""
        return any(budget.per in SHARED for guardrail in self.guardrails for budget in guardrail.spec.budgets)

    def run_pass(self) -> float | None:
        """One pass, until it waits, is killed or gets no answer; the seconds until it wants to go on."""
        try:
            return asyncio.run(self._operator.reconcile(KEY))
        except Killed:
            self.restart()
        except Unavailable:
            pass
        return POLL

    def sweep(self) -> None:
        """What has ended holds nothing any more, whoever was killed before giving it back."""
        with contextlib.suppress(Unavailable):
            try:
                asyncio.run(self._ledgers.sweep())
            except Killed:
                self.restart()

    def _phase(self) -> Phase:
        return self.status.phase if self.status else "Pending"

    def _intended(self, name: str, intent: Mapping[str, JsonValue], undo: bool) -> int:
        """Durable first: what is about to be done stands in the written journal, and nothing of what came of it."""
        state = replay(self.journal)
        step = state.steps[name]
        assert (step.undo_intent if undo else step.intent) == intent
        assert step.undo_is_open if undo else step.may_be_acting
        assert state.phase in ({"Undoing", "Reverting"} if undo else {"Running"})
        assert undo or state.trouble is None
        assert "ns.shop" in self.holds
        return len(self.journal)

    def write(self, patch: Mapping[str, Any]) -> None:
        """A status patch as the API server takes it."""
        body = merged(self.body, patch)
        old, status = self.status, Status.model_validate(body["status"])
        if old is None:
            assert status.phase in FIRST_PHASES
        else:
            assert status.phase == old.phase or status.phase in TRANSITIONS[old.phase], (old.phase, status.phase)
            assert status.journal[: len(old.journal)] == old.journal
            voided = old.phase in {"AwaitingApproval", "Approved"} and status.phase == "Planning"
            assert status.replans == old.replans + voided, "replans counts each way back to Planning"
            may_offer = old.phase in {"Pending", "Planning"} or status.phase == "Planning"
            assert may_offer or status.plan == old.plan, "the plan is frozen once it is offered"
        assert len(status.journal) <= JOURNAL_ENTRIES
        if status.phase in STARTED:
            assert ("ns.shop" in self.holds, "shared" in self.holds) == (True, self.shared), (
                "what runs holds its target"
            )
        self.phases.append(status.phase)
        self.lengths.append(len(status.journal))
        self.writes += 1
        body["metadata"]["resourceVersion"] = str(self.writes + 1)
        self.body = body

    # --- the world between two passes ---

    def decide(self, by: str, verdict: str, *, stale: bool = False) -> bool:
        """Somebody decides on the plan, or on how to go on; False where the API server does not let them."""
        status = self.status
        if status is None or status.plan is None or self.ended or len(self.casts) >= MAX_DECISIONS:
            return False
        if verdict in VERDICTS_ON_PLANS:
            subject = self._offered()[-2 if stale else -1 :][0]
        elif status.phase == "AwaitingPerson":
            subject = f"sha256:{status.journal[-2 if stale else -1].hash}"
        else:
            return False
        if any((cast.by, cast.subject) == (by, subject) for cast in self.casts):
            return False
        self.casts.append(Cast(by, verdict, subject, self._known()))
        decisions = [*self.body["spec"]["decisions"], {"by": by, "verdict": verdict, "subject": subject}]
        self.body = {**self.body, "spec": {**self.body["spec"], "decisions": decisions}}
        return True

    def _known(self) -> int:
        return len(self.journal) + self.on_its_way

    def _offered(self) -> list[str]:
        return [str(entry.details()["plan"]) for entry in self.journal if entry.event == "Planned"]

    def cancel(self) -> None:
        """Somebody asks to stop."""
        if self.cancelled_after is None and not self.ended:
            self.cancelled_after = self._known()
            self.body = {**self.body, "spec": {**self.body["spec"], "cancelled": {"by": "carol"}}}

    def delete(self) -> None:
        """Somebody deletes it; the finalizer keeps it until it is archived."""
        if self.cancelled_after is None and not self.ended:
            self.cancelled_after = self._known()
            metadata = {**self.body["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
            self.body = {**self.body, "metadata": metadata}

    def expires_at(self) -> datetime | None:
        """When the offered plan expires."""
        return parse_time(self.status.plan.expires_at) if self.status and self.status.plan else None


class _NoRunners(Runners):
    async def release(self, uid: str, *, inherited: bool = False) -> None:
        return


class _ShellRecorder(Recorder):
    """Writes what is pending into the shell; each write has the meaning that was lived, and loses nothing of it."""

    def __init__(self, shell: Shell) -> None:
        super().__init__(NO_API, cast(Leadership, None), cast(Archiver, None), cast(Events, None))
        self._shell = shell

    async def read(self, namespace: str, name: str) -> Object | None:
        await self._shell.world.answers()
        return self._shell.body

    async def record(self, session: Session) -> None:
        if not session.pending and not session.unshown:
            return
        lived, events, before = session.state, list(session.pending), session.execution.journal
        self._shell.on_its_way = len(events)
        self._shell.meanwhile()
        self._shell.on_its_way = 0
        for patch in session.patches(FENCE):
            await self._shell.world.answers()
            self._shell.write(patch)
            session.body = self._shell.body
        session.written(self._shell.body)
        journal = session.execution.journal
        assert [(e.event, e.step, e.details()) for e in journal[len(before) :]] == [
            (e.event, e.step, e.data) for e in events
        ]
        assert session.state == replay(journal) == lived
        assert broken_at(session.start, journal) is None

    async def close(self, body: Object) -> None:
        assert body["status"]["phase"] in TERMINAL
        self._shell.closed += 1

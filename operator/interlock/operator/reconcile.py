"""The way of an execution, from request to archive: what the operator does, on one screen.

Each pass replays the journal, asks the core what follows, does it, and remembers what happened. Before anything that
changes the cluster, all that was decided is made durable. A pass ends where something must be waited for.
"""

import logging
import random

from interlock.crds.execution import TERMINAL, RunbookExecution
from interlock.crds.journal import Event
from interlock.crds.names import AUDIT_FINALIZER
from interlock.operator.api import Object
from interlock.operator.core import decide as core
from interlock.operator.effects import Effects
from interlock.operator.errors import Stopped
from interlock.operator.facts import Facts
from interlock.operator.ledgers import Ledgers
from interlock.operator.offer import Offers
from interlock.operator.record import Recorder
from interlock.operator.runner import Runners
from interlock.operator.session import Chance, Clock, Memory, Pause, Rhythm, Session, utc_now
from interlock.operator.steps import Steps
from interlock.operator.trial import IN_EARNEST, Trial
from interlock.operator.verify import Verifier

log = logging.getLogger(__name__)


class Reconciler:
    """Takes executions forward."""

    def __init__(
        self,
        *,
        facts: Facts,
        steps: Steps,
        runners: Runners,
        recorder: Recorder,
        ledgers: Ledgers,
        rhythm: Rhythm,
        clock: Clock = utc_now,
        chance: Chance = random.random,
        trial: Trial = IN_EARNEST,
    ) -> None:
        self._facts = facts
        self._runners = runners
        self._recorder = recorder
        self._ledgers = ledgers
        self._clock = clock
        self._rhythm = rhythm
        self._offers = Offers(
            facts,
            steps,
            recorder,
            ledgers,
            rhythm=rhythm,
            clock=clock,
            chance=chance,
            crowd=lambda: len(self._memories),
        )
        self._effects = Effects(facts, steps, rhythm=rhythm, clock=clock, chance=chance)
        self._verifier = Verifier(facts, rhythm, clock, trial)
        self._memories: dict[str, Memory] = {}

    def forget(self) -> None:
        """Drops what is remembered between passes: another leader may have worked in the meantime."""
        self._memories.clear()
        self._ledgers.forget()

    def knows(self, version: str) -> bool:
        """Whether an execution has this version by our own writing: there is nothing in it that we have not seen."""
        return self._recorder.wrote(version)

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
        session = Session(body, self._memory(body), self._clock)
        session.guarded()
        await self._facts.remember_runbook(session)
        if not session.execution.journal:
            session.add(_requested(session.execution))
        return await self._advance(session)

    async def _advance(self, session: Session) -> float | None:
        while True:
            following = core.decide(session.state, session.request(), self._clock())
            if isinstance(following, core.EFFECTS) and session.pending:
                await self._recorder.record(session)
            log.debug("%s: %s", session.execution.key, following)
            try:
                pause = await self._do(session, following)
            except Stopped as stop:
                session.set_condition("Held", True, stop.reason, str(stop))
                pause = Pause(self._rhythm.poll)
            if pause is not None:
                await self._recorder.record(session)
                return pause.seconds

    async def _do(self, session: Session, following: core.Next) -> Pause | None:
        match following:
            case core.Append(event):
                session.add(event)
                return None
            case core.MakePlan():
                return await self._offers.make(session)
            case core.AwaitApproval():
                return await self._offers.watch(session)
            case core.Start():
                return await self._offers.start(session)
            case core.BeginSteps(names):
                await self._effects.begin(session, names)
                return None
            case core.FinishSteps(steps, stopping):
                return await self._effects.finish(session, steps, stopping=stopping)
            case core.WaitUntil(time):
                return Pause(max(0.0, (time - self._clock()).total_seconds()))
            case core.Verify(deadline):
                return await self._verifier.verify(session, deadline)
            case core.BeginUndo(step):
                await self._effects.begin_undo(session, step)
                return None
            case core.FinishUndo(step):
                return await self._effects.finish_undo(session, step)
            case core.AwaitPerson():
                return Pause(None)
            case core.Done():
                await self._recorder.record(session)
                await self._close(session.body)
                return Pause(None)

    def _memory(self, body: Object) -> Memory:
        return self._memories.setdefault(body["metadata"]["uid"], Memory(inherited="status" in body))

    async def _close(self, body: Object) -> None:
        meta, status = body["metadata"], body["status"]
        if "plan" in status:
            await self._ledgers.release(meta["namespace"], meta["uid"], status["phase"])
        if AUDIT_FINALIZER in (meta.get("finalizers") or ()):
            memory = self._memories.get(meta["uid"])
            await self._runners.release(meta["uid"], inherited=memory is None or memory.inherited)
            await self._recorder.close(body)
        self._memories.pop(meta["uid"], None)


def _requested(execution: RunbookExecution) -> Event:
    spec = execution.spec
    return Event(
        event="Requested",
        data={"by": spec.requested_by, "runbook": spec.runbook.digest, "request": spec.request_digest()},
    )

"""One step of one incident at a time: look, diagnose, propose, hand over, watch. Every step ends in the store.

Judgment by a model, where one is configured, joins after `diagnose`: it only adds hypotheses with citations, or a doubt
that a person must resolve, and `propose` decides as it does without.
"""

from asyncio import gather, to_thread
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from pydantic import JsonValue

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.beyond import beyond, explained, with_quotes
from interlock.agents.cluster import Server
from interlock.agents.diagnose import Diagnosis, diagnose
from interlock.agents.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ClusterUnavailableError,
    RefusedError,
)
from interlock.agents.evidence import Evidence
from interlock.agents.evidence.around import SYSTEM, look_around
from interlock.agents.evidence.collect import collect
from interlock.agents.evidence.host import most_common_namespace
from interlock.agents.evidence.metrics import Metrics
from interlock.agents.fitness import objection
from interlock.agents.kept import alerts_in
from interlock.agents.llm.advice import Advice, Adviser
from interlock.agents.model import IncidentState
from interlock.agents.places import opt_in_problem
from interlock.agents.propose import (
    Choice,
    Nothing,
    Tried,
    catalogue,
    choose,
    execution_body,
    execution_name,
    hand_over,
)
from interlock.agents.rows import target_of
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.tables import ExecutionRow, IncidentRow
from interlock.agents.wire import dump, load, parameters_of

NOT_NEEDED, MOST_NOT_NEEDED = "NotNeeded", 2
"""So often the same may be found not to be needed before a person is asked."""


class Worker:
    """Takes incidents one step further."""

    def __init__(
        self,
        settings: AgentSettings,
        store: Store,
        cluster: Server,
        metrics: Metrics | None,
        now: Callable[[], datetime],
        *,
        adviser: Adviser | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._cluster = cluster
        self._metrics = metrics
        self._now = now
        self._adviser = adviser
        self._user = ""

    async def advance(self, incident: IncidentRow) -> None:
        """Does the incident's next step; what the cluster does not answer now is tried again later.

        Raises:
            StoreUnavailableError: nothing was decided.
        """
        try:
            if incident.state == "watching":
                await self._watch(incident)
                return
            asked = await to_thread(self._store.executions_of, incident.id)
            if (intended := _intended(asked)) is not None:
                await self._create(intended)
            else:
                await self._investigate(incident, asked)
        except ClusterUnavailableError as failure:
            await to_thread(self._store.postpone, incident.id, self._in(self._settings.retry_after), str(failure)[:200])
        except AccessDeniedError as failure:
            await to_thread(self._store.enter, incident.id, "escalated", f"the agents lack a right: {failure}"[:300])

    async def escalate(self, incident: IncidentRow, why: str, *, with_runbook: bool = True) -> None:
        """Hands the incident to a person: by the runbook for it where there is one, else by its state alone."""
        asked = await to_thread(self._store.executions_of, incident.id)
        if (intended := _intended(asked)) is not None:  # it was begun, and broken off
            await self._create(intended)
            return
        look = await to_thread(self._store.last_look, incident)
        choice: Choice | Nothing = Nothing(why=why)
        if with_runbook and look is not None:
            runbooks = catalogue(await self._cluster.list("Runbook"))
            choice = hand_over(why, look[1], (target_of(incident),), runbooks)
        if look is None or isinstance(choice, Nothing):
            await to_thread(self._store.enter, incident.id, "escalated", choice.why)
            return
        await self._ask(incident, choice, asked, *look)

    async def look_again(self, incident: IncidentRow, why: str) -> None:
        """Nothing was done, which cures nothing: while an alert fires the incident is soon looked at anew."""
        if await to_thread(self._store.firing, incident.id) == 0:
            await to_thread(self._store.enter, incident.id, "watching", why)
            return
        soon = self._in(self._settings.look_again_after)
        await to_thread(self._store.enter, incident.id, "investigating", why, next_at=soon)

    async def _investigate(self, incident: IncidentRow, asked: Sequence[ExecutionRow]) -> None:
        evidence, diagnosis, land = await self._look(incident)
        if _is_unclear(diagnosis) and not self._patience_spent(
            incident
        ):  # what crashes in a loop looks well now and then
            await to_thread(self._store.postpone, incident.id, self._in(self._settings.look_again_after))
            return
        if diagnosis.verdict.startswith("none."):
            until = self._in(self._settings.patience)
            await to_thread(self._store.enter, incident.id, "watching", _said(diagnosis), next_at=until)
            return
        problem, bodies, land, _ = await gather(
            opt_in_problem(self._cluster, incident.target_namespace, self._settings.namespaces),
            self._cluster.list("Runbook"),
            self._beside(incident, evidence, land, logs=False),
            self._me(),
        )
        if problem:
            await to_thread(self._store.enter, incident.id, "recorded", problem)
            return
        advice = await self._advice(incident, evidence, diagnosis)
        evidence, diagnosis = advice.evidence, advice.diagnosis
        runbooks = await to_thread(catalogue, bodies)
        if advice.doubt:
            choice = hand_over(advice.doubt, diagnosis, (target_of(incident),), runbooks)
        else:
            asks = partial(choose, diagnosis, evidence, runbooks, _tried(asked), land=land)
            choice = await to_thread(partial(asks, objection=objection))
            if not _acts(choice) and not self._patience_spent(incident) and _acts(await to_thread(asks)):
                # Only a precondition speaks against it, which may be false for a moment only.
                await to_thread(self._store.postpone, incident.id, self._in(self._settings.look_again_after))
                return
        if isinstance(choice, Nothing):
            await to_thread(self._store.enter, incident.id, "escalated", choice.why)
            return
        await self._ask(incident, choice, asked, evidence, diagnosis)

    async def _look(self, incident: IncidentRow) -> tuple[Evidence, Diagnosis, Landscape | None]:
        """What is seen and concluded; with what stands around the target, where that had to be looked at."""
        evidence = await collect(
            self._cluster,
            self._metrics,
            target_of(incident),
            await to_thread(self._store.alerts_of, incident.id),
            now=self._now,
            calls=self._settings.look_calls,
            seconds=self._settings.look_timeout,
        )
        diagnosis, land = diagnose(evidence, self._settings.min_confidence), None
        if not explained(diagnosis.hypotheses):
            land = await self._beside(incident, evidence, None, logs=True)
            wide = await to_thread(beyond, land, evidence.target)
            evidence, cited = with_quotes(evidence, (f for f in wide if not f.cause.startswith("none.")))
            diagnosis = diagnose(evidence, self._settings.min_confidence, cited)
        await to_thread(self._store.keep_look, incident.id, evidence, diagnosis)
        return evidence, diagnosis, land

    async def _beside(
        self, incident: IncidentRow, evidence: Evidence, land: Landscape | None, *, logs: bool
    ) -> Landscape:
        """What stands around the target, looked at unless somebody has."""
        return land or await self._around(await self._place(incident, evidence), evidence, logs=logs)

    async def _around(self, namespace: str, evidence: Evidence, *, logs: bool) -> Landscape:
        settings, now = self._settings, self._now()
        look = partial(look_around, calls=settings.look_calls, seconds=settings.look_timeout)
        looking = look(self._cluster, namespace, now=now, logs=logs)
        found, measured = await gather(looking, self._measured(namespace, now))
        found.folders["metrics"], calls = measured
        if calls:
            found.papers["service-dependencies"] = calls
        if told := alerts_in(evidence):
            found.papers["alerts"] = told
        return Landscape(found)

    async def _measured(self, namespace: str, now: datetime) -> tuple[dict[str, JsonValue], list[JsonValue]]:
        return await self._metrics.around(namespace, now) if self._metrics is not None else ({}, [])

    async def _advice(self, incident: IncidentRow, evidence: Evidence, diagnosis: Diagnosis) -> Advice:
        if self._adviser is None:
            return Advice(evidence=evidence, diagnosis=diagnosis)
        advice = await self._adviser.advise(incident.id, evidence, diagnosis)
        if advice.told:
            await to_thread(self._store.note, incident.id, "Model", advice.told)
        await to_thread(self._store.keep_look, incident.id, advice.evidence, advice.diagnosis)
        return advice

    async def _place(self, incident: IncidentRow, evidence: Evidence) -> str:
        """The namespace to look at; for something cluster-scoped, the one that most alerts put down to it are about."""
        if evidence.target.namespace:
            return evidence.target.namespace
        told = await to_thread(self._store.most_told_namespace, incident.id)
        return told or most_common_namespace(evidence) or SYSTEM

    async def _watch(self, incident: IncidentRow) -> None:
        if await to_thread(self._store.firing, incident.id) == 0:
            await to_thread(self._store.enter, incident.id, "resolved", "all its alerts are resolved")
        elif incident.next_at is None:  # a cure is given its time; what came back need only be there to stay
            wait = self._settings.watch_for if incident.attempts else self._settings.look_again_after
            await to_thread(self._store.postpone, incident.id, self._in(wait))
        elif not self._is_well(incident, (await self._look(incident))[1]):
            await to_thread(self._store.enter, incident.id, "investigating", "its alerts fire, and not all is well")
        elif incident.attempts or self._looked_for(incident, self._settings.watch_for):
            await self.escalate(incident, "its alerts keep firing although nothing more is found to be wrong")
        else:
            await to_thread(self._store.postpone, incident.id, self._in(self._settings.patience))

    async def _ask(
        self,
        incident: IncidentRow,
        choice: Choice,
        asked: Iterable[ExecutionRow],
        evidence: Evidence,
        diagnosis: Diagnosis,
    ) -> None:
        attempt = 1 + max((e.attempt for e in asked), default=0)
        body = execution_body(
            choice,
            incident=incident.id,
            attempt=attempt,
            diagnosis=diagnosis,
            evidence=evidence,
            requested_by=await self._me(),
        )
        intended = ExecutionRow(
            name=execution_name(incident.id, attempt),
            namespace=body["metadata"]["namespace"],
            incident_id=incident.id,
            attempt=attempt,
            handover=choice.handover,
            runbook=choice.runbook,
            parameters=dump(choice.parameters),
            body=dump(body),
            message=choice.why,
            updated_at="",
        )
        flap = timedelta(seconds=self._settings.flap_window)
        standing = await to_thread(self._store.intend, intended, flap)
        if standing is not None:
            await self._create(standing)

    async def _create(self, intended: ExecutionRow) -> None:
        try:
            await self._cluster.create("RunbookExecution", intended.namespace, load(intended.body))
        except AlreadyExistsError:
            if not await self._is_ours(intended):
                await self._not_created(intended, f"the name {intended.name} is taken by something else")
                return
        except (RefusedError, AccessDeniedError) as failure:
            await self._not_created(intended, f"{intended.runbook} could not be asked for: {failure}"[:500])
            return
        state: IncidentState = "escalated" if intended.handover else "proposed"
        what = f"{intended.runbook} as {intended.namespace}/{intended.name}: {intended.message}"
        await to_thread(partial(self._store.settle, intended, state, what[:1000], created=True))

    async def _is_ours(self, intended: ExecutionRow) -> bool:
        found = await self._cluster.get("RunbookExecution", intended.name, intended.namespace)
        asked = load(intended.body)["spec"]
        return found is not None and all(found["spec"].get(k) == asked[k] for k in ("requestedBy", "runbook", "target"))

    async def _not_created(self, intended: ExecutionRow, why: str) -> None:
        ended = {"ended": True, "phase": "NotCreated", "message": why}
        await to_thread(partial(self._store.settle, intended, "escalated", why, **ended))

    async def _me(self) -> str:
        """The name of the agents' identity, asked for once."""
        self._user = self._user or await self._cluster.whoami()
        return self._user

    def _is_well(self, incident: IncidentRow, diagnosis: Diagnosis) -> bool:
        """Whether nothing is found to be wrong; after a cure, nothing that one could name."""
        return _is_unclear(diagnosis) if incident.attempts else diagnosis.verdict.startswith("none.")

    def _patience_spent(self, incident: IncidentRow) -> bool:
        return self._looked_for(incident, self._settings.patience)

    def _looked_for(self, incident: IncidentRow, seconds: float) -> bool:
        """Whether the first look was so long ago: work that waits in a queue uses up nobody's patience."""
        since = incident.looked_since
        return bool(since) and self._now() - datetime.fromisoformat(since) >= timedelta(seconds=seconds)

    def _in(self, seconds: float) -> datetime:
        return self._now() + timedelta(seconds=seconds)


def _intended(asked: Iterable[ExecutionRow]) -> ExecutionRow | None:
    """What was written down to be asked for, and of which nobody knows whether it was."""
    return next((e for e in asked if not e.created and not e.ended), None)


def _tried(asked: Iterable[ExecutionRow]) -> Tried:
    """What is not asked for again; what was not needed did nothing, and may be once more: a fault comes and goes."""
    known = [(e.phase, (e.runbook.rpartition("-")[0], parameters_of(e.parameters))) for e in asked]
    unneeded = Counter(what for phase, what in known if phase == NOT_NEEDED)
    return frozenset(what for phase, what in known if phase != NOT_NEEDED or unneeded[what] >= MOST_NOT_NEEDED)


def _acts(choice: Choice | Nothing) -> bool:
    """Whether something is to be changed."""
    return isinstance(choice, Choice) and not choice.handover


def _is_unclear(diagnosis: Diagnosis) -> bool:
    """Whether the verdict is that nothing is wrong, or that nobody knows what."""
    return diagnosis.verdict.startswith(("unknown.", "none."))


def _said(diagnosis: Diagnosis) -> str:
    return diagnosis.best.summary if diagnosis.best else diagnosis.verdict

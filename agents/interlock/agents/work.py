"""One step of one incident at a time: look, diagnose, propose, hand over, watch. Every step ends in the store.

This is where judgment by models will join: between `collect` and `diagnose` further looks may be asked for, and after
`diagnose` a second opinion may be heard; both only add hypotheses with citations, and `propose` decides as it does now.
"""

from asyncio import to_thread
from collections.abc import Callable
from datetime import datetime, timedelta

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
from interlock.agents.evidence.around import look_around
from interlock.agents.evidence.collect import collect
from interlock.agents.evidence.metrics import Metrics
from interlock.agents.intake import opt_in_problem
from interlock.agents.model import IncidentState
from interlock.agents.propose import Choice, Nothing, catalogue, choose, execution_body, execution_name, hand_over
from interlock.agents.rows import target_of
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.tables import ExecutionRow, IncidentRow
from interlock.agents.wire import dump, load, parameters_of


class Worker:
    """Takes incidents one step further."""

    def __init__(
        self,
        settings: AgentSettings,
        store: Store,
        cluster: Server,
        metrics: Metrics | None,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._cluster = cluster
        self._metrics = metrics
        self._now = now
        self._user = ""

    async def advance(self, incident: IncidentRow) -> None:
        """Does the incident's next step; what the cluster does not answer now is tried again later.

        Raises:
            StoreUnavailableError: nothing was decided.
        """
        try:
            if incident.state == "watching":
                await self._watch(incident)
            elif (intended := await self._intended(incident)) is not None:
                await self._create(incident, intended)
            else:
                await self._investigate(incident)
        except ClusterUnavailableError as failure:
            await to_thread(self._store.postpone, incident.id, self._in(self._settings.retry_after), str(failure)[:200])
        except AccessDeniedError as failure:
            await to_thread(self._store.enter, incident.id, "escalated", f"the agents lack a right: {failure}"[:300])

    async def escalate(self, incident: IncidentRow, why: str, *, with_runbook: bool = True) -> None:
        """Hands the incident to a person: by the runbook for it where there is one, else by its state alone."""
        look = await to_thread(self._store.last_look, incident)
        choice: Choice | Nothing = Nothing(why=why)
        if with_runbook and look is not None:
            runbooks = catalogue(await self._cluster.list("Runbook"))
            choice = hand_over(why, look[1], target_of(incident), runbooks)
        if look is None or isinstance(choice, Nothing):
            await to_thread(self._store.enter, incident.id, "escalated", choice.why)
            return
        await self._ask(incident, choice, *look)

    async def _investigate(self, incident: IncidentRow) -> None:
        evidence, diagnosis = await self._look(incident)
        unclear = diagnosis.verdict.startswith(("unknown.", "none."))
        if unclear and not self._patience_spent(incident):  # what crashes in a loop looks well now and then
            await to_thread(self._store.postpone, incident.id, self._in(self._settings.look_again_after))
            return
        if diagnosis.verdict.startswith("none."):
            until = self._in(self._settings.watch_for)
            await to_thread(self._store.enter, incident.id, "watching", _said(diagnosis), next_at=until)
            return
        if problem := await opt_in_problem(self._cluster, incident.target_namespace, self._settings.namespaces):
            await to_thread(self._store.enter, incident.id, "recorded", problem)
            return
        runbooks = catalogue(await self._cluster.list("Runbook"))
        choice = choose(diagnosis, evidence, runbooks, await self._tried(incident))
        if isinstance(choice, Nothing):
            await to_thread(self._store.enter, incident.id, "escalated", choice.why)
            return
        await self._ask(incident, choice, evidence, diagnosis)

    async def _look(self, incident: IncidentRow) -> tuple[Evidence, Diagnosis]:
        evidence = await collect(
            self._cluster,
            self._metrics,
            target_of(incident),
            await to_thread(self._store.alerts_of, incident.id),
            now=self._now,
            calls=self._settings.look_calls,
            seconds=self._settings.look_timeout,
        )
        diagnosis = diagnose(evidence, self._settings.min_confidence)
        namespace = evidence.target.namespace
        if namespace is not None and not explained(diagnosis.hypotheses):
            evidence, diagnosis = await self._look_around(evidence, namespace)
        await to_thread(self._store.keep_look, incident.id, evidence, diagnosis)
        return evidence, diagnosis

    async def _look_around(self, evidence: Evidence, namespace: str) -> tuple[Evidence, Diagnosis]:
        settings = self._settings
        found = await look_around(
            self._cluster, namespace, now=self._now(), calls=settings.look_calls, seconds=settings.look_timeout
        )
        land = Landscape(found)
        wide = await to_thread(beyond, land, evidence.target)
        evidence, cited = with_quotes(evidence, (f for f in wide if not f.cause.startswith("none.")))
        return evidence, diagnose(evidence, settings.min_confidence, cited)

    async def _watch(self, incident: IncidentRow) -> None:
        if await to_thread(self._store.firing, incident.id) == 0:
            await to_thread(self._store.enter, incident.id, "resolved", "all its alerts are resolved")
        elif incident.next_at is None:
            await to_thread(self._store.postpone, incident.id, self._in(self._settings.watch_for))
        else:
            await self.escalate(incident, "its alerts keep firing although nothing more is found to be wrong")

    async def _ask(self, incident: IncidentRow, choice: Choice, evidence: Evidence, diagnosis: Diagnosis) -> None:
        attempt = 1 + max((e.attempt for e in await to_thread(self._store.executions_of, incident.id)), default=0)
        self._user = self._user or await self._cluster.whoami()
        body = execution_body(
            choice,
            incident=incident.id,
            attempt=attempt,
            diagnosis=diagnosis,
            evidence=evidence,
            requested_by=self._user,
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
        await self._create(incident, await to_thread(self._store.intend, intended))

    async def _create(self, incident: IncidentRow, intended: ExecutionRow) -> None:
        try:
            await self._cluster.create("RunbookExecution", intended.namespace, load(intended.body))
        except AlreadyExistsError:
            if not await self._is_ours(intended):
                await self._not_created(incident, intended, f"the name {intended.name} is taken by something else")
                return
        except (RefusedError, AccessDeniedError) as failure:
            await self._not_created(incident, intended, f"{intended.runbook} could not be asked for: {failure}"[:500])
            return
        state: IncidentState = "escalated" if intended.handover else "proposed"
        what = f"{intended.runbook} as {intended.namespace}/{intended.name}: {intended.message}"
        await to_thread(self._store.enter, incident.id, state, what[:1000])
        await to_thread(self._store.update_execution, intended, created=True)

    async def _is_ours(self, intended: ExecutionRow) -> bool:
        found = await self._cluster.get("RunbookExecution", intended.name, intended.namespace)
        asked = load(intended.body)["spec"]
        return found is not None and all(found["spec"].get(k) == asked[k] for k in ("requestedBy", "runbook", "target"))

    async def _not_created(self, incident: IncidentRow, intended: ExecutionRow, why: str) -> None:
        await to_thread(self._store.enter, incident.id, "escalated", why)
        await to_thread(self._store.update_execution, intended, ended=True, phase="NotCreated", message=why)

    async def _intended(self, incident: IncidentRow) -> ExecutionRow | None:
        executions = await to_thread(self._store.executions_of, incident.id)
        return next((e for e in executions if not e.created and not e.ended), None)

    async def _tried(self, incident: IncidentRow) -> frozenset[tuple[str, tuple[tuple[str, str], ...]]]:
        executions = await to_thread(self._store.executions_of, incident.id)
        return frozenset((e.runbook.rpartition("-")[0], parameters_of(e.parameters)) for e in executions)

    def _patience_spent(self, incident: IncidentRow) -> bool:
        return self._now() - datetime.fromisoformat(incident.opened_at) >= timedelta(seconds=self._settings.patience)

    def _in(self, seconds: float) -> datetime:
        return self._now() + timedelta(seconds=seconds)


def _said(diagnosis: Diagnosis) -> str:
    return diagnosis.best.summary if diagnosis.best else diagnosis.verdict

"""What became of a request: reads the executions that have not ended, and takes their incidents along.

An incident changes before its execution is marked as ended, so that a kill in between repeats the step instead of
losing it; every step may be repeated.
"""

from asyncio import to_thread
from typing import Any

from interlock.agents.claims import held
from interlock.agents.cluster import Server
from interlock.agents.errors import AccessDeniedError, ClaimLostError, ClusterUnavailableError
from interlock.agents.model import IncidentState
from interlock.agents.payload import printable
from interlock.agents.store import Store
from interlock.agents.tables import ExecutionRow, IncidentRow
from interlock.agents.work import NOT_NEEDED, Worker
from interlock.crds.execution import STARTED, TERMINAL

CURED = "Succeeded"
GONE = "Gone"
DECIDED_BY_PERSON = frozenset({"Denied", "Cancelled", "HandedOver"})


class Follower:
    """Follows executions to their end."""

    def __init__(self, store: Store, cluster: Server, worker: Worker, renew_after: float = 5.0) -> None:
        self._store = store
        self._cluster = cluster
        self._worker = worker
        self._renew_after = renew_after

    async def round(self) -> None:
        """Looks once at every execution that has not ended.

        Raises:
            StoreUnavailableError: nothing was kept of the rest.
        """
        for execution in await to_thread(self._store.followed):
            try:
                await self._look(execution)
            except (ClusterUnavailableError, AccessDeniedError, ClaimLostError):
                continue  # the next round asks again

    async def _look(self, execution: ExecutionRow) -> None:
        body = await self._cluster.get("RunbookExecution", execution.name, execution.namespace)
        phase, message = _standing(body)
        if phase == execution.phase and phase not in TERMINAL:
            return
        async with held(self._store, execution.incident_id, self._renew_after) as ours:
            if ours:
                await self._follow(execution, phase, message)

    async def _follow(self, execution: ExecutionRow, phase: str, message: str) -> None:
        incident = await to_thread(self._store.incident, execution.incident_id)
        if phase != execution.phase:
            said = f"{execution.runbook} {phase}{': ' + message if message else ''}"
            await to_thread(self._store.note, incident.id, f"Execution{phase}", said)
        if not execution.handover:
            await self._take_along(incident, execution, phase, message)
        ended = phase in TERMINAL or phase == GONE
        await to_thread(self._store.update_execution, execution, phase=phase, message=message, ended=ended)

    async def _take_along(self, incident: IncidentRow, execution: ExecutionRow, phase: str, message: str) -> None:
        if incident.state not in {"proposed", "acting"}:
            return
        said = f"{execution.runbook} {phase}{': ' + message if message else ''}"
        if phase == CURED:
            await to_thread(self._store.enter, incident.id, "watching", said)
        elif phase == NOT_NEEDED:
            await self._worker.look_again(incident, said)
        elif phase in TERMINAL or phase == GONE:
            await self._worker.escalate(incident, said, with_runbook=phase not in DECIDED_BY_PERSON)
        else:
            state: IncidentState = "acting" if phase in STARTED else "proposed"
            if state != incident.state:
                await to_thread(self._store.enter, incident.id, state, said)


def _standing(body: dict[str, Any] | None) -> tuple[str, str]:
    if body is None:
        return GONE, "the execution is no longer there"
    status = body.get("status") or {}
    return str(status.get("phase") or "Pending"), printable(str(status.get("message") or ""), 500)

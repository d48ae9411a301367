"""Several incidents at a time, each held by this process while its step is done: a slow one keeps nobody waiting."""

import asyncio
import logging
from asyncio import to_thread
from functools import partial

from interlock.agents.claims import held
from interlock.agents.errors import AgentError, ClaimLostError
from interlock.agents.model import utc_now
from interlock.agents.store import Store
from interlock.agents.tables import IncidentRow
from interlock.agents.work import Worker

_log = logging.getLogger(__name__)


class Crew:
    """At most `parallel` steps at the same time."""

    def __init__(self, store: Store, worker: Worker, *, parallel: int, renew_after: float) -> None:
        self._store = store
        self._worker = worker
        self._parallel = parallel
        self._renew_after = renew_after
        self._steps: dict[str, asyncio.Task[None]] = {}
        self.bell = asyncio.Event()

    def wake(self) -> None:
        """There may be something to do."""
        self.bell.set()

    async def round(self) -> None:
        """Begins as many steps as there is room for; the bell rings when one ends.

        Raises:
            StoreUnavailableError: nothing was begun.
        """
        room = self._parallel - len(self._steps)
        if room == 0:
            return
        for incident in await to_thread(self._store.due, utc_now(), room, tuple(self._steps)):
            step = asyncio.create_task(self._step(incident))
            self._steps[incident.id] = step
            step.add_done_callback(partial(self._ended, incident.id))

    async def stop(self) -> None:
        """Breaks off what is under way; it is taken up again from the store."""
        under_way = tuple(self._steps.values())
        for step in under_way:
            step.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _step(self, incident: IncidentRow) -> None:
        try:
            async with held(self._store, incident.id, self._renew_after, claimed=True):
                await self._worker.advance(incident)
            self.wake()
        except ClaimLostError as lost:
            _log.info("%s: %s", incident.id, lost)
        except AgentError as failure:
            _log.warning("%s: %s", incident.id, failure)

    def _ended(self, incident_id: str, _: asyncio.Task[None]) -> None:
        del self._steps[incident_id]

"""Tells those who wait that nothing is done because what guards the cluster does not stand as it was shipped.

The queue holds all work until it does, so nobody else would: each unfinished execution gets the condition `Held` and an
Event, and the namespace of the installation one Event more. What the condition says is taken back by the next pass.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from interlock.crds.execution import RunbookExecution
from interlock.crds.types import API_VERSION
from interlock.operator.api import Api, Object
from interlock.operator.errors import ApiError, Conflict
from interlock.operator.events import Events
from interlock.operator.lease import Leadership, NotLeader
from interlock.operator.selfcheck import SelfCheck
from interlock.operator.session import UNGUARDED, Memory, Session, utc_now

log = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0
"""How often it is looked for executions that have not been told."""
MOST = 1000
"""Executions that are told of one trouble; whoever asks about the others finds the installation's Event."""


class Alarm:
    """Tells of trouble while it lasts: each execution once."""

    def __init__(
        self,
        api: Api,
        leadership: Leadership,
        guard: SelfCheck,
        events: Events,
        *,
        unfinished: Collection[str],
        owns: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._api = api
        self._leadership = leadership
        self._guard = guard
        self._events = events
        self._unfinished = unfinished
        self._owns = owns

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            await self._guard.until_trouble()
            await self._leadership.until_leading()
            await self._tell_all()

    async def _tell_all(self) -> None:
        trouble, told = self._guard.trouble, set[str]()
        while self._leadership.leads and not self._guard.well and self._guard.trouble == trouble:
            if not told:
                await self._events.unguarded(trouble)
            for key in [key for key in tuple(self._unfinished) if key not in told][: MOST - len(told)]:
                told.add(key)
                await self._tell(key, trouble)
            told.add("")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _tell(self, key: str, trouble: str) -> None:
        namespace, _, name = key.partition("/")
        try:
            if not await self._owns(namespace):
                return
            body = await self._api.find(API_VERSION, "RunbookExecution", namespace, name)
            if body is not None:
                await self._events.held(RunbookExecution.from_object(body), trouble)
                await self._show(body, trouble)
        except (ApiError, NotLeader) as error:
            log.warning("%s: that it is held cannot be told: %s", key, error)

    async def _show(self, body: Object, trouble: str) -> None:
        """The condition, where there is a status; a first one is the reconciler's to write."""
        session = Session(body, Memory(), utc_now)
        if not session.execution.journal or session.state.ended:
            return
        session.set_condition("Held", True, UNGUARDED, trouble)
        (patch,) = session.patches(self._leadership.fence())
        meta = body["metadata"]
        path = await self._api.path(API_VERSION, "RunbookExecution", meta["namespace"], meta["name"], "status")
        condition = {"resourceVersion": meta["resourceVersion"]}
        try:
            await self._api.merge_patch(path, {**patch, "metadata": condition})
        except Conflict:  # somebody decides just now
            log.info("%s changes while it is held", session.execution.key)

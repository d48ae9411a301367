"""What is over leaves the cluster: archived executions beyond the newest of each namespace, or after a time.

The API server lets the operator delete only what has ended and carries no audit finalizer any more, so a mistake here
loses nothing that is not in the archive.
"""

import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from interlock.crds.names import ARCHIVED_AT_ANNOTATION, AUDIT_FINALIZER
from interlock.crds.types import API_VERSION
from interlock.operator.api import Api, Object
from interlock.operator.errors import Conflict, NotFound
from interlock.operator.lease import Leadership
from interlock.operator.recurring import every
from interlock.operator.session import Clock, utc_now


@dataclass(frozen=True, order=True)
class Archived:
    """An execution that is in the archive and still on the cluster; the older is the smaller."""

    at: datetime
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class Keep:
    """What stays: so many of each namespace, none for longer."""

    newest: int
    age: timedelta

    def displaced(self, kept: list[Archived], item: Archived, now: datetime) -> Archived | None:
        """Which one goes when `item` comes to its namespace's; `kept` is a heap and never holds more than stay."""
        if now - item.at > self.age:
            return item
        heapq.heappush(kept, item)
        return heapq.heappop(kept) if len(kept) > self.newest else None


class Retention:
    """Deletes what is archived and no longer kept."""

    def __init__(self, api: Api, leadership: Leadership, keep: Keep, clock: Clock = utc_now) -> None:
        self._api = api
        self._leadership = leadership
        self._keep = keep
        self._clock = clock

    async def keep(self, seconds: float) -> None:
        """Sweeps every so many seconds while this process leads, until cancelled; failures are logged."""
        await every(seconds, self._leadership, self.sweep, "finished executions are not cleared away")

    async def sweep(self) -> int:
        """Looks at all executions once, without their content; returns how many were deleted.

        Raises:
            NotLeader: somebody else works on it.
            ApiError: the API server refuses, or does not answer.
        """
        self._leadership.fence()
        count, now = 0, self._clock()
        kept: list[Archived] = []
        async for item in self._all():
            if kept and kept[0].namespace != item.namespace:  # lists come in the order of their keys
                kept = []
            if goes := self._keep.displaced(kept, item, now):
                await self._delete(goes)
                count += 1
        return count

    async def _all(self) -> AsyncIterator[Archived]:
        async for item in self._api.metadata(API_VERSION, "RunbookExecution", None):
            meta = item["metadata"]
            if AUDIT_FINALIZER not in (meta.get("finalizers") or ()) and not meta.get("deletionTimestamp"):
                yield _archived(meta)

    async def _delete(self, item: Archived) -> None:
        self._leadership.fence()
        path = await self._api.path(API_VERSION, "RunbookExecution", item.namespace, item.name)
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": item.uid}}
        try:
            await self._api.request("DELETE", path, body=options)
        except (NotFound, Conflict):  # it is gone, and another may have its name
            return


def _archived(meta: Object) -> Archived:
    """When it was archived stands beside the finalizer that is gone; without it, when it was made."""
    at = (meta.get("annotations") or {}).get(ARCHIVED_AT_ANNOTATION) or meta["creationTimestamp"]
    return Archived(datetime.fromisoformat(at), meta["namespace"], meta["name"], meta["uid"])

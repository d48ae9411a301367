"""What stands between the queue and the reconciler: only the leader of a namespace's shard works on its executions."""

import logging
from collections.abc import Awaitable, Callable

from interlock.operator.lease import Leadership, NotLeader, StaleFence
from interlock.operator.selfcheck import Unguarded
from interlock.operator.shards import Shards

log = logging.getLogger(__name__)

_AT_ONCE = 0.0


class Work:
    """Works on one key. `forget` drops what is remembered between passes, which another leader may have outdated."""

    def __init__(
        self,
        reconcile: Callable[[str], Awaitable[float | None]],
        forget: Callable[[], None],
        leadership: Leadership,
        shards: Shards,
    ) -> None:
        self._reconcile = reconcile
        self._forget = forget
        self._leadership = leadership
        self._shards = shards
        self._epoch = 0

    async def __call__(self, key: str) -> float | None:
        """Takes an execution, `namespace/name`, forward if it is ours; the seconds until it wants to be looked at."""
        namespace = key.partition("/")[0]
        if not await self._shards.owns(namespace):
            return None
        if self._leadership.epoch != self._epoch:
            self._epoch = self._leadership.epoch
            self._forget()
        try:
            return await self._reconcile(key)
        except StaleFence as stale:
            return await self._overtaken(key, namespace, stale)
        except (NotLeader, Unguarded):
            return _AT_ONCE  # the queue's gate holds it until we lead, and until what guards the cluster stands

    async def _overtaken(self, key: str, namespace: str, stale: StaleFence) -> float | None:
        """A later epoch has written: the namespace has another shard now, or had one until a moment ago."""
        if not await self._shards.look(namespace):
            log.info("%s belongs to another shard now: %s", key, stale)
            return None
        log.info("%s: %s; taking the Lease anew", key, stale)
        await self._leadership.take_anew(stale.epoch)
        return _AT_ONCE

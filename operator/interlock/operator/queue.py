"""A level-triggered queue: many triggers of one key are one piece of work, and no key is worked on twice at once.

Triggers say only that something may have changed; the worker looks at the world itself. What fails is tried again,
later each time, and never dropped. An error that carries `retry_after` (the API server's own word) is left alone at
least that long; each wait is spread by chance, so that what failed together does not come back together.
"""

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable

from interlock.operator import metrics
from interlock.operator.errors import ApiError

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 60.0
SPREAD = 0.25

Worker = Callable[[str], Awaitable[float | None]]
"""Works on a key; returns the seconds after which to look again, or None to wait for a trigger."""
Gate = Callable[[], Awaitable[None]]
"""Returns when keys may be worked on."""


Stale = Callable[[], bool]
"""Whether a trigger tells nothing new after all."""


def _news() -> bool:
    """What every trigger is held for."""
    return False


async def _open() -> None:
    """A gate that is always open."""


def _spread() -> float:
    return random.uniform(1, 1 + SPREAD)  # noqa: S311 - spreads load, guards nothing


class Queue:
    """Feeds keys to a worker function."""

    def __init__(self, worker: Worker, *, gate: Gate = _open, spread: Callable[[], float] = _spread) -> None:
        self._worker = worker
        self._gate = gate
        self._spread = spread
        self._ready: asyncio.PriorityQueue[tuple[bool, int, str]] = asyncio.PriorityQueue()
        self._turns = itertools.count()
        self._queued: dict[str, float] = {}
        self._behind: set[str] = set()
        self._working: set[str] = set()
        self._again: dict[str, list[Stale]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, key: str, *, behind: bool = False, stale: Stale = _news) -> None:
        """Triggers a key now, unless it is `stale`; `behind` lets all go before it that are not.

        A trigger that comes while its key is worked on is judged afterwards: it may be the echo of that very work.
        """
        if key in self._working:
            self._again.setdefault(key, []).append(stale)
            return
        if stale():
            return
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key not in self._queued:
            self._queued[key] = time.monotonic()
        elif behind or key not in self._behind:
            return
        (self._behind.add if behind else self._behind.discard)(key)
        self._ready.put_nowait((behind, next(self._turns), key))

    def add_later(self, key: str, seconds: float) -> None:
        """Triggers a key after a while, unless something triggers it before."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    def __len__(self) -> int:
        return len(self._queued) + len(self._working)

    @property
    def waiting(self) -> int:
        """Keys that wait for a worker."""
        return len(self._queued)

    @property
    def in_work(self) -> int:
        """Keys that are worked on."""
        return len(self._working)

    @property
    def oldest(self) -> float:
        """Seconds for which the first waiting key has waited, 0 where none waits."""
        return time.monotonic() - next(iter(self._queued.values())) if self._queued else 0.0

    async def run(self, workers: int) -> None:
        """Works until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(workers):
                    group.create_task(self._work(), name=f"worker-{number}")
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    async def drain(self, seconds: float) -> bool:
        """Begins no more work and waits for what is under way; whether all of it came to its end in time."""
        self._draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            log.warning("still worked on after %.0f s: %s", seconds, ", ".join(sorted(self._working)))
        return not self._working

    async def _work(self) -> None:
        while True:
            await self._gate()
            _, _, key = await self._ready.get()
            await self._gate()  # it may have closed while there was nothing to do
            if self._draining or key not in self._queued:  # it had its turn already, having been brought forward
                continue
            del self._queued[key]
            self._behind.discard(key)
            self._working.add(key)
            self._idle.clear()
            try:
                delay = await self._pass(key)
            finally:
                self._working.discard(key)
                if not self._working:
                    self._idle.set()
            if not all(stale() for stale in self._again.pop(key, ())):
                self.add(key)
            elif delay is not None:
                self.add_later(key, delay)

    async def _pass(self, key: str) -> float | None:
        began = time.monotonic()
        try:
            delay = await self._worker(key)
        except ApiError as error:
            delay = self._backoff(key, error.retry_after or 0.0)
            log.warning("%s: %s: %s; will be tried again in %.1f s", key, type(error).__name__, error, delay)
        except Exception:
            delay = self._backoff(key, 0.0)
            log.exception("%s: will be tried again in %.1f s", key, delay)
        else:
            self._failures.pop(key, None)
        metrics.PASS_SECONDS.observe(time.monotonic() - began)
        return delay

    def _backoff(self, key: str, at_least: float) -> float:
        metrics.RETRIES.inc()
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        seconds: float = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(count, 16))
        return max(at_least, seconds) * self._spread()

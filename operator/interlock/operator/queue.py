"""A level-triggered queue: many triggers of one key are one piece of work, and no key is worked on twice at once.

Triggers say only that something may have changed; the worker looks at the world itself. What fails is tried again,
later each time, and never dropped.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 60.0

Worker = Callable[[str], Awaitable[float | None]]
"""Works on a key; returns the seconds after which to look again, or None to wait for a trigger."""


class Queue:
    """Feeds keys to a worker function."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._working: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}

    def add(self, key: str) -> None:
        """Triggers a key now."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._working:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)

    def add_later(self, key: str, seconds: float) -> None:
        """Triggers a key after a while, unless something triggers it before."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    def __len__(self) -> int:
        return len(self._queued) + len(self._working)

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

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            self._queued.discard(key)
            self._working.add(key)
            try:
                delay = await self._worker(key)
                self._failures.pop(key, None)
            except Exception:
                delay = self._backoff(key)
                log.exception("%s: will be tried again in %.1f s", key, delay)
            finally:
                self._working.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            elif delay is not None:
                self.add_later(key, delay)

    def _backoff(self, key: str) -> float:
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        return float(min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(count, 16)))

"""Deliveries on their way to the store: those that come together are one commit, and too much of them waits outside.

A commit costs the same for one alert as for a thousand, so while one is under way the next batch gathers. Nobody is
answered before the commit that holds its delivery; when there is no room, the sender is told to come again.
"""

import asyncio
from asyncio import to_thread
from collections.abc import Iterator
from contextlib import contextmanager

from interlock.agents.errors import AgentError, StoreUnavailableError
from interlock.agents.payload import Payload
from interlock.agents.store import Store

AT_ONCE = 2000
"""Alerts in one commit, unless one delivery alone has more."""


class InboxFullError(AgentError):
    """More deliveries wait than memory should hold; the sender must try again."""


class Inbox:
    """Takes deliveries for the store, on one event loop."""

    def __init__(self, store: Store, *, most_bytes: int) -> None:
        """`most_bytes` of deliveries may be under way at the same time."""
        self._store = store
        self._most_bytes = most_bytes
        self._bytes = 0
        self._waiting: list[tuple[Payload, asyncio.Future[int]]] = []
        self._writer: asyncio.Task[None] | None = None

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Keeps room for a delivery of so many bytes.

        Raises:
            InboxFullError: there is none.
        """
        if self._bytes + size > self._most_bytes:
            raise InboxFullError(f"{self._bytes} bytes of deliveries are under way")
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size

    async def take(self, payload: Payload) -> int:
        """Makes a delivery durable; how many of its alerts say something new.

        Raises:
            StoreUnavailableError: it was not kept.
        """
        kept: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((payload, kept))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await kept

    async def _write(self) -> None:
        while batch := self._next():
            try:
                news = await to_thread(self._store.receive_all, [payload for payload, _ in batch])
            except StoreUnavailableError as failure:
                for _, kept in batch:
                    if not kept.done():
                        kept.set_exception(failure)
                continue
            for (_, kept), count in zip(batch, news, strict=True):
                if not kept.done():  # a sender that went away is told nothing
                    kept.set_result(count)

    def _next(self) -> list[tuple[Payload, asyncio.Future[int]]]:
        count = alerts = 0
        for payload, _ in self._waiting:
            alerts += len(payload.alerts)
            if count and alerts > AT_ONCE:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

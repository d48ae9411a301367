"""Waiting for objects of a collection to become what they are waited for, by one watch for all of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, TypeVar

from tests.support.identity import Json

from bench.wire import Wire

T = TypeVar("T")
PATIENCE_SECONDS = 300.0


class Arrivals(Generic[T]):
    """Objects by name; `arrived` says what one has become, None while it is still on its way."""

    def __init__(self, arrived: Callable[[Json], T | None]) -> None:
        self._arrived = arrived
        self._expected: dict[str, asyncio.Future[T]] = {}

    def expect(self, name: str) -> None:
        """From now on it is heard of."""
        self._expected[name] = asyncio.get_running_loop().create_future()

    async def of(self, name: str) -> T:
        """What an expected object has become, once.

        Raises:
            TimeoutError: nothing for minutes.
        """
        try:
            return await asyncio.wait_for(self._expected[name], PATIENCE_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"nothing was heard of {name} for {PATIENCE_SECONDS:.0f} s") from None
        finally:
            del self._expected[name]

    def hear(self, event: Json) -> None:
        """An event of the watch; what is deleted may still carry its last state."""
        waiting = self._expected.get(event["object"]["metadata"]["name"])
        if waiting is not None and not waiting.done() and (became := self._arrived(event["object"])) is not None:
            waiting.set_result(became)


async def listen(wire: Wire, path: str, *arrivals: Arrivals[Any], query: str = "") -> None:
    """Hears of a collection until cancelled."""
    async for event in wire.watch(path, query):
        for each in arrivals:
            each.hear(event)


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Works beside the block; ends with it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

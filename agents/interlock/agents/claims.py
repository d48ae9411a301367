"""Holding on to an incident while a step of it is done, so that no other process takes it meanwhile."""

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from interlock.agents.errors import StoreUnavailableError
from interlock.agents.store import Store


@asynccontextmanager
async def held(store: Store, incident_id: str, every: float, *, claimed: bool = False) -> AsyncIterator[bool]:
    """Claims an incident for the block, unless it is `claimed`, says so again `every` so many seconds, and releases it.

    Yields whether the claim was granted. A claim that is lost meanwhile shows at the next write, not here.

    Raises:
        StoreUnavailableError: it cannot be claimed now.
    """
    if not claimed and not await to_thread(store.claim, incident_id):
        yield False
        return
    renewing = asyncio.create_task(_renew(store, incident_id, every))
    try:
        yield True
    finally:
        renewing.cancel()
        with suppress(StoreUnavailableError):  # the lease's end releases it as well
            await to_thread(store.release, incident_id)


async def _renew(store: Store, incident_id: str, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        with suppress(StoreUnavailableError):
            await to_thread(store.claim, incident_id)

"""What the leader does again and again, beside executions."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from interlock.operator.errors import ApiError
from interlock.operator.lease import Leadership, NotLeader

log = logging.getLogger(__name__)


async def every(seconds: float, leadership: Leadership, work: Callable[[], Awaitable[object]], failing: str) -> None:
    """Works every so many seconds while this process leads, until cancelled; `failing` is logged if it cannot."""
    await leadership.acquired.wait()
    while True:
        await asyncio.sleep(seconds)  # a new leader has more urgent work
        try:
            leadership.fence()
            await work()
        except NotLeader:
            continue
        except ApiError as error:
            log.warning("%s, will try again: %s", failing, error)

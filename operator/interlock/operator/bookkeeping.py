"""Keeps the Ledgers true: what has ended, or is gone, holds nothing for long, whoever died before giving it back."""

import asyncio
import logging

from interlock.operator.api import ApiError
from interlock.operator.lease import Leadership, NotLeader
from interlock.operator.ledgers import Ledgers

log = logging.getLogger(__name__)


class Bookkeeping:
    """Sweeps the Ledgers."""

    def __init__(self, leadership: Leadership, ledgers: Ledgers) -> None:
        self._leadership = leadership
        self._ledgers = ledgers

    async def keep(self, seconds: float) -> None:
        """Sweeps every so many seconds while this process leads, until cancelled; failures are logged."""
        await self._leadership.acquired.wait()
        while True:
            await asyncio.sleep(seconds)  # a new leader has more urgent work
            try:
                self._leadership.fence()
                await self._ledgers.sweep()
            except NotLeader:
                continue
            except ApiError as error:
                log.warning("the Ledgers are not swept, will try again: %s", error)

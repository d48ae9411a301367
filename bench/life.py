"""People who never hesitate: one asks and one approves as soon as a plan is offered, while somebody watches the end."""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from tests.support.identity import JSON_PATCH, Json

from bench.stand import Space
from bench.wire import Wire
from interlock.crds.execution import TERMINAL, TRANSITIONS

T = TypeVar("T")
PATIENCE_SECONDS = 240.0
_PASSED_THROUGH = "&fieldSelector=" + ",".join(
    f"status.phase!={phase}" for phase in TRANSITIONS if phase not in {"AwaitingApproval", "Planning"}
)
"""Only what somebody reacts to: what has no phase yet, is offered, or has ended."""


@dataclass(frozen=True)
class Life:
    """One execution, with seconds from request to offer and from approval to end."""

    name: str
    to_offer: float
    to_end: float


class People:
    """Asks and approves in one namespace."""

    def __init__(self, space: Space, requester: Wire, approver: Wire) -> None:
        self._space = space
        self._requester = requester
        self._approver = approver
        self._numbers = itertools.count()
        self._prefix = f"e{secrets.token_hex(3)}"
        self._offered: dict[str, asyncio.Future[Json]] = {}
        self._ended: dict[str, asyncio.Future[str]] = {}

    async def live(self, slot: int) -> Life:
        """Takes one execution from its request to its end.

        Raises:
            RuntimeError: it did not succeed.
        """
        name = f"{self._prefix}-{next(self._numbers)}"
        asked = time.monotonic()
        offered = await self.ask(name, slot)
        approved = time.monotonic()
        await self.approve(offered)
        phase = await asyncio.wait_for(self._ended[name], PATIENCE_SECONDS)
        if phase != "Succeeded":
            raise RuntimeError(f"{name} ended as {phase}")
        ended = time.monotonic()
        del self._offered[name], self._ended[name]
        return Life(name, approved - asked, ended - approved)

    async def ask(self, name: str, slot: int) -> Json:
        """Requests an execution and returns it once its plan is offered."""
        loop = asyncio.get_running_loop()
        self._offered[name], self._ended[name] = loop.create_future(), loop.create_future()
        await self._requester.request("POST", self._space.path, self._space.request(name, slot, name))
        try:
            return await asyncio.wait_for(self._offered[name], PATIENCE_SECONDS)
        except TimeoutError:
            raise RuntimeError(f"{name} was not offered; it {self._ended[name]}") from None

    async def approve(self, offered: Json) -> Json:
        """Approves the plan that is offered."""
        decision = {"by": self._approver.user, "subject": offered["status"]["plan"]["digest"], "verdict": "Approve"}
        patch = [{"op": "add", "path": "/spec/decisions", "value": [decision]}]
        path = f"{self._space.path}/{offered['metadata']['name']}"
        return await self._approver.request("PATCH", path, patch, JSON_PATCH)

    async def listen(self) -> None:
        """Hears what is offered and what has ended, until cancelled."""
        async for event in self._requester.watch(self._space.path, _PASSED_THROUGH):
            phase = event["object"].get("status", {}).get("phase")
            name = event["object"]["metadata"]["name"]
            if event["type"] != "DELETED" and phase == "AwaitingApproval":
                _settle(self._offered.get(name), event["object"])
            elif phase in TERMINAL:
                _settle(self._ended.get(name), phase)


def _settle(waiting: "asyncio.Future[T] | None", value: T) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(value)


@asynccontextmanager
async def people(space: Space) -> AsyncIterator[People]:
    """A requester and an approver of this namespace."""
    async with Wire(space.requester) as requester, Wire(space.approver) as approver:
        both = People(space, requester, approver)
        listening = asyncio.create_task(both.listen())
        try:
            yield both
        finally:
            listening.cancel()
            await asyncio.wait([listening])

"""People who never hesitate: one asks, and one approves as soon as a plan is offered."""

import itertools
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.identity import JSON_PATCH, Json

from bench.arrivals import Arrivals, listen, meanwhile
from bench.stand import Space
from bench.wire import Wire
from interlock.crds.execution import TERMINAL, TRANSITIONS

_PASSED_THROUGH = "&fieldSelector=" + ",".join(
    f"status.phase!={phase}" for phase in TRANSITIONS if phase != "AwaitingApproval"
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
        self._series = secrets.token_hex(3)
        self._offered = Arrivals(_offered)
        self._ended = Arrivals(_ended)

    async def live(self, slot: int) -> Life:
        """Takes one execution from its request to its end.

        Raises:
            RuntimeError: it did not succeed.
            TimeoutError: it came to no end.
        """
        name = f"e{self._series}-{next(self._numbers)}"
        asked = time.monotonic()
        offered = await self.ask(name, slot)
        self._ended.expect(name)
        approved = time.monotonic()
        await self.approve(offered)
        if (phase := await self._ended.of(name)) != "Succeeded":
            raise RuntimeError(f"{name} ended as {phase}")
        return Life(name, approved - asked, time.monotonic() - approved)

    async def ask(self, name: str, slot: int) -> Json:
        """Requests an execution and returns it once its plan is offered."""
        self._offered.expect(name)
        await self._requester.request("POST", self._space.path, self._space.request(name, slot, name))
        return await self._offered.of(name)

    async def approve(self, offered: Json) -> Json:
        """Approves the plan that is offered."""
        decision = {"by": self._approver.user, "subject": offered["status"]["plan"]["digest"], "verdict": "Approve"}
        patch = [{"op": "add", "path": "/spec/decisions", "value": [decision]}]
        path = f"{self._space.path}/{offered['metadata']['name']}"
        return await self._approver.request("PATCH", path, patch, JSON_PATCH)

    async def listen(self) -> None:
        """Hears what is offered and what has ended, until cancelled."""
        await listen(self._requester, self._space.path, self._offered, self._ended, query=_PASSED_THROUGH)


@asynccontextmanager
async def people(space: Space) -> AsyncIterator[People]:
    """A requester and an approver of this namespace."""
    async with Wire(space.requester) as requester, Wire(space.approver) as approver:
        both = People(space, requester, approver)
        async with meanwhile(both.listen()):
            yield both


def _offered(body: Json) -> Json | None:
    return body if (body.get("status") or {}).get("phase") == "AwaitingApproval" else None


def _ended(body: Json) -> str | None:
    phase = (body.get("status") or {}).get("phase")
    return phase if phase in TERMINAL else None

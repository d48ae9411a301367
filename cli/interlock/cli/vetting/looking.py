"""What a scenario's expressions see, which is what the runbook's see and the scenario's objects, and waiting for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from pydantic import JsonValue

from interlock.crds.cel import ExpressionError, variables_of
from interlock.crds.celprocess import Evaluator
from interlock.crds.execution import Target
from interlock.crds.parameters import Value
from interlock.crds.types import rfc3339
from interlock.operator import look
from interlock.operator.api import Api, Object
from interlock.operator.errors import ApiError, NotFound
from interlock.operator.session import utc_now

PATIENCE = 150.0
"""Seconds after which what is waited for will not come: what a crowded machine needs, many times over."""
_SHORTEST, _LONGEST = 0.15, 0.6

T = TypeVar("T")


class NotSeen(Exception):
    """What was waited for did not come; the message says what it was and how it stood."""


async def until(what: str, seen: Callable[[], Awaitable[T | None]], seconds: float = PATIENCE) -> T:
    """The first thing seen that is true.

    Raises:
        NotSeen: it did not come in so many seconds.
    """
    deadline, pause, last = time.monotonic() + seconds, _SHORTEST, ""
    while True:
        try:
            if found := await seen():
                return found
        except (ApiError, ExpressionError) as error:
            last = f" ({error})"
        if time.monotonic() > deadline:
            raise NotSeen(f"waited {seconds:.0f} s in vain for {what}{last}")
        await asyncio.sleep(pause)
        pause = min(_LONGEST, pause * 1.3)


class Eyes:
    """Evaluates expressions over the live objects of one trial."""

    def __init__(
        self,
        api: Api,
        evaluator: Evaluator,
        *,
        target: Target,
        parameters: Mapping[str, Value],
        objects: Mapping[str, tuple[str, str, str]],
        namespace: str,
    ) -> None:
        self._api = api
        self._evaluator = evaluator
        self._target = target
        self._parameters = dict(parameters)
        self._objects = objects
        self._namespace = namespace

    async def holds(self, expression: str) -> bool:
        """Whether it is true now; what is not there yet is not true.

        Raises:
            ExpressionError: it has no value on what is there.
        """
        names = variables_of(expression)
        given: dict[str, JsonValue] = {"parameters": dict(self._parameters), "now": rfc3339(utc_now())}
        view = look.View(look.Observer(self._api), self._target, None, given)
        try:
            variables = await view.variables(names & look.VARIABLES)
        except look.TargetGone:
            return False
        if "objects" in names:
            variables["objects"] = await self._living()
        return await self._evaluator.holds(expression, variables)

    async def wait(self, what: str, expression: str, seconds: float = PATIENCE) -> None:
        """Returns when it holds; raises NotSeen where it does not in so many seconds."""

        async def seen() -> bool:
            return await self.holds(expression)

        await until(f"{what}: {expression}", seen, seconds)

    async def _living(self) -> dict[str, JsonValue]:
        found = {key: await self.find(*place) for key, place in self._objects.items()}
        return {key: live for key, live in found.items() if live is not None}

    async def find(self, api_version: str, kind: str, name: str) -> Object | None:
        """An object of the trial as it is now, or None."""
        try:
            return await self._api.find(api_version, kind, self._namespace, name)
        except NotFound:
            return None

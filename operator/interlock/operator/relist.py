"""Lists beside the watch, so that a missed event costs minutes and never for ever.

A list holds names and versions only. What it shows is triggered like any other change; what the watch has still not
told of a while later, it has missed, and then it is the watch that is started anew.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interlock.crds.execution import TERMINAL
from interlock.crds.names import AUDIT_FINALIZER
from interlock.crds.types import API_VERSION
from interlock.operator import metrics
from interlock.operator.api import Api, Object
from interlock.operator.errors import ApiError
from interlock.operator.lease import Leadership

log = logging.getLogger(__name__)

UNFINISHED = ",".join(f"status.phase!={phase}" for phase in sorted(TERMINAL))
"""A field selector: what is finished never comes out of the API server's memory."""


@dataclass(frozen=True)
class Told:
    """What the watch has told: the latest version by key, and how to have it start anew."""

    versions: Mapping[str, int]
    restart: Callable[[str], None]


class Relist:
    """Triggers what unfinished executions there are, again and again, and compares with what the watch has told."""

    def __init__(
        self, api: Api, add: Callable[[str], None], told: Told, *, seconds: float, grace: float, leadership: Leadership
    ) -> None:
        self._api = api
        self._add = add
        self._told = told
        self._seconds = seconds
        self._grace = grace
        self._leadership = leadership
        self._swept = 0

    async def run(self) -> None:
        """Lists until cancelled, and looks for what a former leader has left behind whenever we have become leader."""
        while True:
            await self._leadership.until_leading()
            try:
                await self._once()
            except ApiError as error:
                log.warning("list: %s", error)
                await asyncio.sleep(error.retry_after or 5)
                continue
            await asyncio.sleep(self._seconds * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, guards nothing

    async def _once(self) -> None:
        if self._swept != (epoch := self._leadership.epoch):
            await self.sweep()
            self._swept = epoch
        untold = self._untold(await self.versions())
        for key in untold:
            self._add(key)
        if not untold:
            return
        await asyncio.sleep(self._grace)
        later = await self.versions()
        if missed := [key for key in self._untold(untold) if key in later]:
            metrics.WATCH_MISSED.inc(len(missed))
            self._told.restart(f"it missed {len(missed)} changes, one of them of {missed[0]}")

    def _untold(self, listed: Mapping[str, int]) -> dict[str, int]:
        return {key: version for key, version in listed.items() if self._told.versions.get(key, 0) < version}

    async def versions(self, namespace: str | None = None) -> dict[str, int]:
        """The unfinished executions, of one namespace or of all, and the version of each."""
        listed = self._api.metadata(API_VERSION, "RunbookExecution", namespace, fields=UNFINISHED)
        return {_key(item): int(item["metadata"]["resourceVersion"]) async for item in listed}

    async def gain(self, namespace: str) -> None:
        """Triggers the unfinished executions of a namespace that has become ours."""
        for key in await self.versions(namespace):
            self._add(key)

    async def sweep(self) -> None:
        """Triggers what is finished but still held by our finalizer: nothing tells of it any more."""
        async for item in self._api.metadata(API_VERSION, "RunbookExecution", None):
            if AUDIT_FINALIZER in (item["metadata"].get("finalizers") or ()):
                self._add(_key(item))


def _key(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"

"""An effect of many writes looks for stop switches before each of them, and goes on where it was stopped."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.operator.making import execution, runbook
from tests.unit.operator.world import NO_API

from interlock.crds.execution import PlannedStep
from interlock.operator.actions.base import Means
from interlock.operator.actions.pods import Eviction
from interlock.operator.api import Api
from interlock.operator.effects import SwitchedOff
from interlock.operator.prepared import Acted, Prepared
from interlock.operator.runner import Runners

EXECUTION = execution(runbook())
READY = Prepared(PlannedStep(name="drain", action="drain"), {"pods": {"shop/a": "1", "shop/b": "2", "shop/c": "3"}})


class Evicting(Api):
    """Takes every eviction, and remembers whose it was."""

    def __init__(self) -> None:
        self.evicted: list[str] = []

    async def path(
        self, api_version: str, kind: str, namespace: str | None, name: str = "", subresource: str = ""
    ) -> str:
        return f"{namespace}/{name}"

    async def create(self, path: str, body: Any, *, dry_run: bool = False) -> dict[str, Any]:
        self.evicted.append(path)
        return {}


class OneRunner:
    """Hands out one runner."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def runner(self, _: object) -> Any:
        return SimpleNamespace(api=self.api)


async def test_a_switch_is_seen_between_two_evictions_and_the_rest_comes_later() -> None:
    api, pulled = Evicting(), True

    async def demand_on() -> None:
        if pulled and len(api.evicted) == 1:
            raise SwitchedOff(0, "pulled")

    means = Means(NO_API, cast(Runners, OneRunner(api)), cast(Any, None), b"", lambda: None, demand_on)
    with pytest.raises(SwitchedOff):
        await Eviction().apply(means, EXECUTION, READY)
    assert api.evicted == ["shop/a"]
    pulled = False
    assert await Eviction().apply(means, EXECUTION, READY) == Acted({"evicted": 3})
    assert api.evicted == ["shop/a", "shop/a", "shop/b", "shop/c"], "by their uids, so the first is not evicted twice"

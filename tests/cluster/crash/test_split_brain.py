"""Two operators that both believe to lead: one was frozen in the middle, the other has taken over.

The frozen one has already sent its next write, as nothing can hold back what is on the wire; it arrives when the other
has finished. Nothing of it may come to pass.
"""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web
from tests.cluster.crash.scenarios import SUCCEEDS, UNDONE
from tests.cluster.crash.trials import rehearsed
from tests.support.disturbances import at
from tests.support.lane import Lane, Scenario, proxied
from tests.support.oracle import differences, violations
from tests.support.proxy import Exchange
from tests.support.waiting import eventually

STATUS = "operator PATCH runbookexecutions/status"
EFFECT = "runner PATCH cronjobs"


@dataclass
class Held:
    """A request that waits on the wire."""

    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    status: int = 0

    async def __call__(self, exchange: Exchange) -> web.StreamResponse:
        self.arrived.set()
        await asyncio.to_thread(self.released.wait)
        answer = await exchange.forward()
        self.status = answer.status
        self.answered.set()
        return answer


@contextmanager
def rival_of(lane: Lane) -> Iterator[Lane]:
    """Another operator for the same namespace, with credentials, a name and a wire of its own."""
    settings = lane.settings | {"INTERLOCK_OPERATOR_IDENTITY": "the-rival"}
    with proxied(lane.installation) as proxy:
        rival = replace(lane, proxy=proxy, settings=settings, process=None)
        try:
            yield rival
        finally:
            rival.stop()


@pytest.mark.parametrize(
    ("scenario", "point"),
    [
        (SUCCEEDS, f"{STATUS} #1"),
        (SUCCEEDS, f"{STATUS} #2"),
        (SUCCEEDS, f"{EFFECT} #1"),
        (SUCCEEDS, f"{STATUS} #3"),
        (SUCCEEDS, f"{EFFECT} #2"),
        (SUCCEEDS, f"{STATUS} #4"),
        (UNDONE, f"{EFFECT} #3"),
        (UNDONE, f"{EFFECT} #4"),
    ],
    ids=str,
)
def test_a_frozen_leader_that_thaws_does_nothing(own_lane: Lane, scenario: Scenario, point: str) -> None:
    expected, _, _ = rehearsed(own_lane, scenario)
    held = Held()
    run = own_lane.begin(scenario, at(point, held))
    eventually(f"{point} to be on its way", lambda: run.look() or held.arrived.is_set())
    assert own_lane.process is not None
    own_lane.process.signal(signal.SIGSTOP)
    with rival_of(own_lane) as rival:
        rival.start()
        outcome = run.finish()
        assert not [*violations(outcome), *differences(expected, outcome)]
        own_lane.audit.skip()

        looks = own_lane.proxy.lease_looks
        held.released.set()
        own_lane.process.signal(signal.SIGCONT)
        eventually("what was held to be answered", held.answered.is_set)
        eventually("the thawed one to look who leads", lambda: own_lane.proxy.lease_looks >= looks + 3)
        assert held.status >= 400
        assert own_lane.audit.written_with(own_lane.proxy.credentials) == []
        assert run.live() == outcome.objects
        assert rival.process is not None
        assert rival.process.terminate() == 0
    after = own_lane.carry_out(scenario)
    assert not [*violations(after), *differences(expected, after)]


@pytest.mark.parametrize("point", [f"{STATUS} #2", f"{EFFECT} #1", f"{STATUS} #3", f"{EFFECT} #2"])
def test_a_leader_that_is_asked_to_stop_hands_over_in_the_middle(own_lane: Lane, point: str) -> None:
    expected, _, _ = rehearsed(own_lane, SUCCEEDS)
    held = Held()
    with rival_of(own_lane) as rival:
        rival.start()
        run = own_lane.begin(SUCCEEDS, at(point, held))
        eventually(f"{point} to be on its way", lambda: run.look() or held.arrived.is_set())
        assert own_lane.process is not None
        own_lane.process.signal(signal.SIGTERM)
        held.released.set()
        assert own_lane.process.terminate() == 0
        own_lane.stop()
        own_lane.process, rival.process = rival.process, None
        outcome = run.finish()
        assert not [*violations(outcome), *differences(expected, outcome)]

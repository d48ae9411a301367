"""Killed at every request and every commit of a run: the next operator ends it as if nothing had happened.

What a run asks and commits is counted in an undisturbed one; then it is done again for each of these points, and the
operator is killed there. `make crash` walks every point of every scenario. `make test` walks one of them, without the
deaths after reads: an answer that nobody sees changes nothing, so to die after it is to die before the next request;
of the other scenarios it walks the deaths around their effects.
"""

from collections.abc import Callable, Iterator, Sequence

import pytest
from tests.cluster.crash.scenarios import ALL, SUCCEEDS, UNDONE
from tests.cluster.crash.trials import first_few, rehearsed, trial
from tests.support.disturbances import at, death
from tests.support.lane import Lane, Scenario
from tests.support.launcher import BOTH, CommitTrap, When
from tests.support.proxy import Call, undisturbed

TELLING = (SUCCEEDS,)
FULL = pytest.mark.crash


def everywhere(calls: Sequence[Call]) -> list[tuple[Call, When]]:
    """Before and after each request."""
    return [(call, when) for call in calls for when in BOTH]


def that_differ(calls: Sequence[Call]) -> list[tuple[Call, When]]:
    """Without those after reads."""
    return [(call, when) for call, when in everywhere(calls) if when == "before" or call.writes]


def effects_only(calls: Sequence[Call]) -> list[tuple[Call, When]]:
    """Around the effects: where intents and outcomes meet the cluster."""
    return [(call, when) for call in calls for when in BOTH if call.who == "runner" and call.writes]


def walk(lane: Lane, scenario: Scenario, choose: Callable[[Sequence[Call]], list[tuple[Call, When]]]) -> Iterator[str]:
    """Dies at each chosen point of the scenario, one run each; what went wrong."""
    expected, calls, _ = rehearsed(lane, scenario)
    for call, when in choose(calls):
        least = int(call.method != "GET")  # how often it looks while it waits differs from run to run
        found = trial(lane, scenario, expected, at(call.point, death(lane.kill, when)), deaths=least)
        yield from (f"killed {when} {call}: {what}" for what in found)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", TELLING, ids=str)
def test_killed_at_every_request_it_ends_the_same(own_lane: Lane, scenario: Scenario) -> None:
    assert not first_few(walk(own_lane, scenario, that_differ))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ALL[1:], ids=str)
def test_killed_around_every_effect_it_ends_the_same(own_lane: Lane, scenario: Scenario) -> None:
    assert not first_few(walk(own_lane, scenario, effects_only))


@FULL
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", ALL, ids=str)
def test_killed_before_and_after_every_request_it_ends_the_same(own_lane: Lane, scenario: Scenario) -> None:
    assert not first_few(walk(own_lane, scenario, everywhere))


def walk_commits(lane: Lane, scenario: Scenario) -> Iterator[str]:
    """Dies before and after each commit of a run and of the start before it; what went wrong."""
    expected, _, commits = rehearsed(lane, scenario)
    assert commits
    lane.kill()
    lane.start()
    assert lane.process is not None
    lane.carry_out(scenario)
    for number in range(1, lane.process.commits.value + 1):
        for when in BOTH:
            lane.kill()
            lane.trap = CommitTrap(number, when)
            found = trial(lane, scenario, expected, undisturbed, deaths=1)
            yield from (f"killed {when} commit {number}: {what}" for what in found)
            assert lane.trap is None


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", [SUCCEEDS, UNDONE], ids=str)
def test_killed_at_every_commit_it_ends_the_same(own_lane: Lane, scenario: Scenario) -> None:
    assert not first_few(walk_commits(own_lane, scenario))

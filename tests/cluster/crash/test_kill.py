"""Killed at every request and every commit of a run: the next operator ends it as if nothing had happened.

What a run asks and commits is counted in an undisturbed one; then it is done again for each of these points, and the
operator is killed there. `make crash` walks every point of every scenario. `make test` walks one of them, without the
deaths after reads: an answer that nobody sees changes nothing, so to die after it is to die before the next request;
of the other scenarios it walks the deaths around their effects.
"""

from collections.abc import Callable, Sequence

import pytest
from tests.cluster.crash.scenarios import ALL, SUCCEEDS, UNDONE
from tests.cluster.crash.trials import rehearsed, trial
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


def walk(lane: Lane, scenario: Scenario, choose: Callable[[Sequence[Call]], list[tuple[Call, When]]]) -> list[str]:
    """Dies at each chosen point of the scenario, one run each; what went wrong."""
    expected, calls, _ = rehearsed(lane, scenario)
    wrong = []
    for call, when in choose(calls):
        least = int(call.method != "GET")  # how often it looks while it waits differs from run to run
        found = trial(lane, scenario, expected, at(call.point, death(lane.kill, when)), deaths=least)
        wrong += [f"killed {when} {call}: {what}" for what in found]
    return wrong


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", TELLING, ids=str)
def test_killed_at_every_request_it_ends_the_same(own_lane: Lane, scenario: Scenario) -> None:
    wrong = walk(own_lane, scenario, that_differ)
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ALL[1:], ids=str)
def test_killed_around_every_effect_it_ends_the_same(own_lane: Lane, scenario: Scenario) -> None:
    wrong = walk(own_lane, scenario, effects_only)
    assert not wrong, "\n".join(wrong)


@FULL
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", ALL, ids=str)
def test_killed_before_and_after_every_request_it_ends_the_same(own_lane: Lane, scenario: Scenario) -> None:
    wrong = walk(own_lane, scenario, everywhere)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scenario", [SUCCEEDS, UNDONE], ids=str)
def test_killed_at_every_commit_it_ends_the_same(own_lane: Lane, scenario: Scenario) -> None:
    expected, _, commits = rehearsed(own_lane, scenario)
    assert commits
    own_lane.kill()
    own_lane.start()
    assert own_lane.process is not None
    own_lane.carry_out(scenario)
    since_start = own_lane.process.commits.value
    wrong = []
    for number in range(1, since_start + 1):
        for when in BOTH:
            own_lane.kill()
            own_lane.trap = CommitTrap(number, when)
            found = trial(own_lane, scenario, expected, undisturbed, deaths=1)
            wrong += [f"killed {when} commit {number}: {what}" for what in found]
            assert own_lane.trap is None
    assert not wrong, "\n".join(wrong)

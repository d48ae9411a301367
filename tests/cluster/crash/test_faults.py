"""An API server that is slow, refuses, breaks off or is away: the run ends as if it had answered."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from aiohttp import web
from tests.cluster.crash.scenarios import SUCCEEDS, UNDONE
from tests.cluster.crash.trials import first_few, rehearsed, trial
from tests.support.disturbances import at, refusal, reset, slow
from tests.support.lane import Lane, Scenario
from tests.support.launcher import BOTH, When
from tests.support.oracle import differences, end, violations
from tests.support.proxy import Call, Disturb, Exchange, Fault
from tests.support.waiting import eventually

FAULTS: Mapping[str, Fault] = {
    "reset before": reset("before"),
    "reset after": reset("after"),
    "429": refusal(429, "TooManyRequests", Retry_After="1"),
    "500": refusal(500, "InternalError"),
    "503": refusal(503, "ServiceUnavailable"),
    "409": refusal(409, "Conflict"),
    "410": refusal(410, "Expired"),
}
_PATIENCE, _LATE = 2.5, 4.0
"""Seconds. Longer than a crowded machine takes for any request by itself, of which a Secret's must not be late."""


def possible(call: Call, fault: str) -> bool:
    """Whether an API server ever answers so: 409 to a write, 410 to a list."""
    match fault:
        case "409":
            return call.method == "PATCH" or (call.what == "secrets" and call.method == "POST")
        case "410":
            return call.lists
    return True


def in_turn(calls: list[Call]) -> Iterator[tuple[Call, str]]:
    """Each call with one fault, another one each time."""
    for number, call in enumerate(calls):
        names = [name for name in FAULTS if possible(call, name)]
        yield call, names[number % len(names)]


def every(calls: list[Call]) -> Iterator[tuple[Call, str]]:
    """Each call with every fault."""
    yield from ((call, name) for call in calls for name in FAULTS if possible(call, name))


def walk(lane: Lane, scenario: Scenario, chosen: Callable[[list[Call]], Iterator[tuple[Call, str]]]) -> Iterator[str]:
    """One run for each fault at each call; what went wrong."""
    expected, calls, _ = rehearsed(lane, scenario)
    for call, name in chosen(calls):
        found = trial(lane, scenario, expected, at(call.point, FAULTS[name]), deaths=0)
        yield from (f"{name} at {call}: {what}" for what in found)


@pytest.mark.timeout(900)
def test_whatever_one_request_meets_the_run_ends_the_same(own_lane: Lane) -> None:
    assert not first_few(walk(own_lane, SUCCEEDS, in_turn))


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", [SUCCEEDS, UNDONE], ids=str)
def test_whatever_any_request_meets_the_run_ends_the_same(own_lane: Lane, scenario: Scenario) -> None:
    assert not first_few(walk(own_lane, scenario, every))


def walk_late(lane: Lane, whens: Callable[[int], Sequence[When]]) -> Iterator[str]:
    """One run for each write that takes too long; `whens` says by its number what of it does. What went wrong.

    A Secret whose creation arrives when the execution has ended stays, with no token bound to it: no condition can
    prevent that. So of creations of Secrets only the answer is late.
    """
    lane.settings["INTERLOCK_OPERATOR_REQUEST_TIMEOUT_SECONDS"] = str(_PATIENCE)
    expected, calls, _ = rehearsed(lane, SUCCEEDS)
    for number, call in enumerate(call for call in calls if call.writes):
        for when in ("after",) if call.what == "secrets" else whens(number):
            found = trial(lane, SUCCEEDS, expected, at(call.point, slow(_LATE, when)), deaths=0)
            yield from (f"late {when} {call}: {what}" for what in found)


@pytest.mark.timeout(900)
def test_a_write_that_takes_longer_than_anybody_waits_is_done_once(own_lane: Lane) -> None:
    """The operator has long given up when its request arrives, or the answer to it: the one or the other, in turn."""
    assert not first_few(walk_late(own_lane, lambda number: (BOTH[number % 2],)))


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_any_write_that_takes_longer_than_anybody_waits_is_done_once(own_lane: Lane) -> None:
    assert not first_few(walk_late(own_lane, lambda _: BOTH))


def test_an_intent_that_could_not_be_written_is_not_acted_on(own_lane: Lane) -> None:
    """The effect loses a race, so the operator looks again; what it intends now cannot be written at first."""
    rehearsed(own_lane, SUCCEEDS)
    targets: list[str] = []

    async def race(exchange: Exchange) -> web.StreamResponse:
        path = f"/apis/batch/v1/namespaces/{own_lane.namespace}/cronjobs/{targets[0]}"
        owner = own_lane.installation.admin
        assert (await asyncio.to_thread(owner.patch, path, {"metadata": {"labels": {"tier": "1"}}})).ok
        return await exchange.forward()

    faults = {
        "runner PATCH cronjobs #1": race,
        "operator PATCH runbookexecutions/status #3": FAULTS["500"],
        "operator PATCH runbookexecutions/status #4": FAULTS["500"],
    }
    run = own_lane.begin(SUCCEEDS, lambda call: faults.get(call.point))
    targets.append(run.target)
    outcome = run.finish()
    assert end(outcome) == SUCCEEDS.ends
    assert not list(violations(outcome))
    assert [entry.step for entry in outcome.execution.journal if entry.event == "StepStarted"].count("later") == 2


@contextmanager
def away(lane: Lane, seconds: float) -> Iterator[Disturb]:
    """Cuts the operator off for a while, at its first effect."""
    timer = threading.Timer(seconds, lane.proxy.mend)

    def disturb(call: Call) -> Fault | None:
        if call.point != "runner PATCH cronjobs #1":
            return None
        lane.proxy.sever()
        timer.start()
        return reset("after")

    yield disturb
    timer.cancel()
    timer.join()
    lane.proxy.mend()


@pytest.mark.parametrize("seconds", [1, 6], ids=["for less than its Lease", "for longer than its Lease"])
def test_cut_off_in_the_middle_it_goes_on_when_it_is_back(own_lane: Lane, seconds: float) -> None:
    expected, _, _ = rehearsed(own_lane, SUCCEEDS)
    with away(own_lane, seconds) as disturb:
        assert not trial(own_lane, SUCCEEDS, expected, disturb, deaths=0)


def test_the_api_server_restarts_in_the_middle(lane_on_own_lab: Lane) -> None:
    """It has done what it was asked, and is gone before it can say so."""
    expected, _, _ = rehearsed(lane_on_own_lab, SUCCEEDS)
    back = threading.Event()

    async def restarted(exchange: Exchange) -> web.StreamResponse:
        await exchange.forward()
        await asyncio.to_thread(lane_on_own_lab.installation.lab.restart, "kube-apiserver")
        back.set()
        return exchange.reset()

    run = lane_on_own_lab.begin(SUCCEEDS, at("runner PATCH cronjobs #1", restarted))
    eventually("the API server to be back", lambda: run.look() is not None and back.is_set())
    outcome = run.finish()
    assert not [*violations(outcome), *differences(expected, outcome)]

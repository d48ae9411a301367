"""Runs that are compared: one undisturbed, many disturbed."""

from collections.abc import Iterable
from itertools import islice

from tests.support.lane import Lane, Outcome, Scenario
from tests.support.oracle import differences, end, violations
from tests.support.proxy import Call, Disturb

_TRIES = 4
_ENOUGH = 3


def first_few(wrong: Iterable[str]) -> str:
    """What went wrong at first, a line each: a lane that is broken is not tried at a hundred more points."""
    return "\n".join(islice(wrong, _ENOUGH))


def rehearsed(lane: Lane, scenario: Scenario) -> tuple[Outcome, list[Call], int]:
    """An undisturbed run by an operator that is already at work: what it came to, asked, and committed.

    People are as fast as they like, so a run may lose a race with them and write once more. It is repeated until two
    in a row have written the same.
    """
    lane.revive()
    lane.carry_out(scenario)
    assert lane.process is not None
    written: list[str] = []
    for _ in range(_TRIES):
        commits = lane.process.commits.value
        outcome, before = lane.carry_out(scenario), written
        calls, commits = lane.proxy.calls, lane.process.commits.value - commits
        assert not list(violations(outcome))
        assert end(outcome) == scenario.ends
        written = [call.point for call in calls if call.method != "GET"]
        if written == before:
            return outcome, calls, commits
    raise AssertionError(f"{scenario} writes something else each time")


def trial(lane: Lane, scenario: Scenario, expected: Outcome, disturb: Disturb, *, deaths: int) -> list[str]:
    """What is wrong with a disturbed run, in words; tried again where it never came to the deaths that were to be."""
    for _ in range(_TRIES):
        try:
            outcome = lane.carry_out(scenario, disturb)
        except (AssertionError, TimeoutError) as failure:
            return [str(failure)]
        if wrong := [*violations(outcome), *differences(expected, outcome, ordered=scenario.ordered)]:
            return wrong
        if outcome.deaths >= deaths:
            return []
    return ["the operator was not killed"]

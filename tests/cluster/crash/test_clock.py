"""A wall clock that jumps: what a runbook says about time is kept by the clock as it is, and nothing is done twice.

Forwards, whatever was to happen in the meantime is late: a plan expires, a run that exceeds its time limit is undone.
Backwards, everything has more time. Neither changes what a step does.
"""

from collections.abc import Iterator

import pytest
from tests.cluster.crash.scenarios import PATIENT, SUCCEEDS
from tests.cluster.crash.trials import rehearsed, trial
from tests.support.lane import Lane, Run
from tests.support.oracle import end, told, violations
from tests.support.proxy import Call, Disturb, Fault

from interlock.crds.execution import RunbookExecution

DAY, HOUR = 86400.0, 3600.0


@pytest.fixture
def lane_with_clock(own_lane: Lane) -> Iterator[Lane]:
    """A lane whose clock is right again afterwards."""
    yield own_lane
    own_lane.clock.set(0)


def jumps(lane: Lane, point: str, seconds: float) -> Disturb:
    """The clock jumps when this request is on its way."""

    def disturb(call: Call) -> Fault | None:
        if call.point == point:
            lane.clock.set(seconds)
        return None

    return disturb


@pytest.mark.parametrize("point", ["runner PATCH cronjobs #1", "runner PATCH cronjobs (dry run) #3"])
@pytest.mark.parametrize("seconds", [DAY, -HOUR], ids=["a day forwards", "an hour back"])
def test_a_jump_between_steps_changes_nothing(lane_with_clock: Lane, point: str, seconds: float) -> None:
    """The runbook has a week."""
    expected, _, _ = rehearsed(lane_with_clock, PATIENT)
    assert not trial(lane_with_clock, PATIENT, expected, jumps(lane_with_clock, point, seconds), deaths=0)


def test_a_run_that_is_past_its_time_limit_is_undone(lane_with_clock: Lane) -> None:
    expected, _, _ = rehearsed(lane_with_clock, SUCCEEDS)
    outcome = lane_with_clock.carry_out(SUCCEEDS, jumps(lane_with_clock, "runner PATCH cronjobs #1", DAY))
    assert end(outcome) == ("Undone", "TimedOut")
    assert ("UndoSucceeded", "later") in told(outcome)
    assert not list(violations(outcome))
    assert outcome.written.effects.total() == expected.written.effects.total() == 2


def test_a_plan_is_expired_when_the_clock_says_so(lane_with_clock: Lane) -> None:
    """It was offered; then it is the next day, and whoever approves it now is too late."""
    approved: set[str] = set()

    def people(run: Run, seen: RunbookExecution) -> None:
        if seen.status is not None and seen.status.phase == "AwaitingApproval":
            lane_with_clock.clock.set(DAY)
            approved.add(run.name)
            run.approve()

    lane_with_clock.revive()
    outcome = lane_with_clock.begin(SUCCEEDS, people=people).finish()
    assert approved
    assert end(outcome) == ("Expired", "NoApprovalInTime")
    assert not list(violations(outcome))
    assert not outcome.written.effects


def test_a_plan_has_more_time_when_the_clock_goes_back(lane_with_clock: Lane) -> None:
    expected, _, _ = rehearsed(lane_with_clock, SUCCEEDS)
    back = jumps(lane_with_clock, "operator PATCH runbookexecutions/status #1", -HOUR)
    assert not trial(lane_with_clock, SUCCEEDS, expected, back, deaths=0)

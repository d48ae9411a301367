"""The graph of phases, and what a start needs."""

from collections.abc import Iterator
from typing import get_args

import pytest
from tests.support.executions import Execution, Place, allowed, digest, plan, refused

from interlock.crds.execution import FIRST_PHASES, STARTED, TERMINAL, TRANSITIONS, Phase
from interlock.crds.rules import APPROVED_ONLY

PHASES: tuple[str, ...] = get_args(Phase)


@pytest.mark.parametrize("old", PHASES)
def test_the_graph_is_exactly_that_of_the_model(shop: Place, old: str) -> None:
    """All pairs: nothing but the phase could be the reason, as every other field follows the rules."""
    execution = approved_in(shop, old)
    before = execution.status()
    for new in PHASES:
        answer = execution.move(new, dry_run=True)
        if old in TERMINAL:
            refused(answer, "a finished execution is final")
        elif new == old or new in TRANSITIONS[old]:
            allowed(answer)
        else:
            refused(answer, "no such transition")
    assert execution.status() == before


def approved_in(shop: Place, phase: str) -> Execution:
    """An execution in that phase whose plan was approved wherever that is possible."""
    if phase != "Planning":
        return shop.execution(phase)
    execution = shop.execution("AwaitingApproval")
    allowed(execution.move("Planning"))
    return execution


@pytest.mark.parametrize("phase", PHASES)
def test_the_first_phase(shop: Place, phase: str) -> None:
    execution = shop.execution()
    answer = execution.move(phase, dry_run=True)
    allowed(answer) if phase in FIRST_PHASES else refused(answer, "the first phase is one of")


def test_no_other_phase_exists(shop: Place) -> None:
    refused(shop.execution("Running").move("Paused"), 'Unsupported value: "Paused"')


class TestAStartNeedsApprovals:
    @pytest.mark.parametrize("phase", ["Approved", "Running", "HandedOver"])
    def test_none_given(self, shop: Place, phase: str) -> None:
        execution = shop.execution()
        allowed(execution.move("AwaitingApproval"))
        refused(execution.move(phase), "this phase needs status.plan.quorum approvals")

    def test_fewer_than_the_quorum(self, shop: Place) -> None:
        execution = shop.execution()
        allowed(execution.move("AwaitingApproval", plan=plan(quorum=2)))
        allowed(execution.decide("bob", "Approve"))
        refused(execution.move("Running"), "this phase needs status.plan.quorum approvals")
        allowed(execution.decide("carol", "Approve"))
        allowed(execution.move("Running"))

    def test_the_quorum_is_at_least_one(self, shop: Place) -> None:
        refused(shop.execution().move("AwaitingApproval", plan=plan(quorum=0)), "status.plan.quorum is at least 1")

    def test_a_track_record_counts_only_where_every_guardrail_lets_it(self, shop: Place) -> None:
        earned = plan(quorum=0, autonomy={"successes": 9, "withinDays": 30})
        execution = shop.execution()
        allowed(execution.move("AwaitingApproval", plan=earned))
        refused(execution.move("Running"), "guardrail default demands 1 approvals of this plan, it has 0")
        refused(execution.move("HandedOver"), "a hand-over is always taken by a person")

    @pytest.mark.parametrize("phase", ["AwaitingApproval", "Approved", "Running"])
    def test_the_quorum_is_not_lowered_afterwards(self, shop: Place, phase: str) -> None:
        execution = shop.execution()
        allowed(execution.move("AwaitingApproval", plan=plan(quorum=2)))
        allowed(execution.decide("bob", "Approve"))
        refused(execution.move(phase, plan=plan(quorum=1)), "the plan is frozen once it is offered")

    @pytest.mark.parametrize("phase", ["Approved", "Running", "HandedOver"])
    def test_a_dry_run_never_starts(self, shop: Place, phase: str) -> None:
        execution = shop.execution("AwaitingApproval", dryRun=True)
        refused(execution.move(phase), "a dry run ends as Planned")
        allowed(execution.move("Expired"))

    def test_no_phase_that_needs_them_is_a_first_one(self) -> None:
        assert not APPROVED_ONLY & FIRST_PHASES
        assert STARTED <= APPROVED_ONLY


class TestThePlan:
    @pytest.mark.parametrize("phase", ["AwaitingApproval", "Approved", "Running", "Verifying", "Undoing"])
    def test_is_frozen_once_offered(self, shop: Place, phase: str) -> None:
        execution = shop.execution(phase)
        refused(execution.move(phase, plan=plan(digest("e"))), "the plan is frozen once it is offered")
        refused(execution.move(phase, plan=plan(steps=[])), "the plan is frozen once it is offered")
        refused(execution.move(phase, plan=None), "the plan is frozen once it is offered")

    def test_is_needed_to_be_offered(self, shop: Place) -> None:
        execution = shop.execution()
        refused(execution.move("AwaitingApproval", plan=None), "AwaitingApproval offers a plan")

    def test_is_voided_at_most_three_times(self, shop: Place) -> None:
        execution = shop.execution()
        for letter in "abcd":
            allowed(execution.move("AwaitingApproval", plan=plan(digest(letter))))
            if letter != "d":
                allowed(execution.move("Planning"))
        refused(execution.move("Planning"), "status.replans")
        refused(execution.move("Planning", replans=3), "replans counts each way back")

    @pytest.mark.parametrize(("phase", "replans"), [("Planning", 0), ("Planning", 2), ("Approved", 1)])
    def test_voids_are_counted(self, shop: Place, phase: str, replans: int) -> None:
        execution = shop.execution("AwaitingApproval")
        refused(execution.move(phase, replans=replans), "replans counts each way back")

    @pytest.mark.parametrize("excess", [0, 1])
    def test_has_at_most_8192_bytes(self, shop: Place, excess: int) -> None:
        execution = shop.execution()
        answer = execution.move("AwaitingApproval", plan=plan(steps=list(steps_of(8192 + excess))), dry_run=True)
        refused(answer, "a plan has at most 8192 bytes") if excess else allowed(answer)

    def test_bytes_are_counted_not_characters(self, shop: Place) -> None:
        steps = [{"name": f"s{n}", "action": "patch", "note": "", "changes": changes()} for n in range(4)]
        refused(shop.execution().move("AwaitingApproval", plan=plan(steps=steps)), "a plan has at most 8192 bytes")

    def test_shows_no_hidden_characters(self, shop: Place) -> None:
        change = {"path": "/spec/x", "after": '"shop\u202egnp.'}
        steps = [{"name": "s", "action": "patch", "changes": [change]}]
        refused(shop.execution().move("AwaitingApproval", plan=plan(steps=steps)), "status.plan.steps[0].changes[0]")


def changes() -> list[dict[str, str]]:
    """1,800 characters of two bytes each."""
    return [{"path": "/" + "ä" * 200, "before": "ä" * 200, "after": "ä" * 200} for _ in range(3)]


def steps_of(size: int) -> Iterator[dict[str, object]]:
    """Steps whose names, paths and values have `size` bytes in all."""
    left = size
    number = 0
    while left > 0:
        name = f"step-{number:02}"
        left -= len(name)
        held: list[dict[str, str]] = []
        while left > 0 and len(held) < 3:
            path = "/" + "p" * min(left - 1, 299)
            left -= len(path)
            held.append({"path": path})
        number += 1
        yield {"name": name, "action": "patch", "changes": held}

"""Single ways through the core that a person would ask about, and what they cost in writes."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.operator.making import REQUESTER, runbook
from tests.unit.operator.shell import OFFERED_FOR, Shell

from interlock.crds.guardrail import Guardrail, GuardrailSpec
from interlock.operator.core.state import replay


class Script:
    """All goes well but for what is listed, each listed outcome once, when its turn comes."""

    def __init__(self, *otherwise: str) -> None:
        self.otherwise = list(otherwise)

    def __call__(self, what: str, outcomes: Sequence[str]) -> str:
        if self.otherwise and self.otherwise[0] in {f"{what} {outcome}" for outcome in outcomes}:
            return self.otherwise.pop(0).removeprefix(f"{what} ")
        return outcomes[0]


def shell(
    *otherwise: str,
    steps: Sequence[str | Mapping[str, Any]] = ("a", "b", "c"),
    quorum: int = 1,
    undo: str = "OnFailure",
) -> Shell:
    return Shell(runbook(steps, undo=undo), Script(*otherwise), quorum=quorum)


def started(
    *otherwise: str, steps: Sequence[str | Mapping[str, Any]] = ("a", "b", "c"), undo: str = "OnFailure"
) -> Shell:
    """An execution that was offered, approved by bob and carried on until it ends or waits."""
    made = shell(*otherwise, steps=steps, undo=undo)
    made.run_pass()
    made.decide("bob", "Approve")
    made.run_pass()
    return made


def events(of: Shell) -> list[str]:
    return [entry.event + (f" {entry.step}" if entry.step else "") for entry in of.journal]


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_n_steps_in_a_row_take_n_plus_three_writes(count: int) -> None:
    made = started(steps=[f"step-{number}" for number in range(count)])
    assert made.phases[-1] == "Succeeded"
    assert made.writes == count + 3


def test_waiting_and_holding_cost_no_writes() -> None:
    made = started("verification does not hold")
    writes = made.writes
    for _ in range(5):
        made.choose = Script("verification does not hold")
        made.run_pass()
    assert (made.writes, made.phases[-1]) == (writes, "Verifying")


def test_an_approval_is_written_once_while_it_is_held() -> None:
    made = started("start is held")
    assert (made.writes, made.phases) == (2, ["AwaitingApproval", "Approved"])
    made.choose = Script("start is held")
    made.run_pass()
    assert made.writes == 2


def test_the_outcome_of_a_step_and_the_intent_of_the_next_are_one_write() -> None:
    made = started(steps=("a", "b"))
    assert made.phases == ["AwaitingApproval", "Running", "Running", "Verifying", "Succeeded"]


def test_a_phase_that_the_graph_needs_is_written_on_the_way() -> None:
    made = started("act is refused", steps=("a",))
    assert made.phases == ["AwaitingApproval", "Running", "Failed"]
    made = started("act succeeds", "act is refused", steps=("a", "b"))
    assert made.phases == ["AwaitingApproval", "Running", "Running", "Undoing", "Undone"]


def test_the_requester_cannot_approve() -> None:
    made = shell()
    made.run_pass()
    made.decide(REQUESTER, "Approve")
    made.run_pass()
    assert made.phases == ["AwaitingApproval"]


def test_one_person_is_no_quorum_of_two() -> None:
    made = shell(quorum=2)
    made.run_pass()
    made.decide("bob", "Approve")
    made.run_pass()
    assert made.phases == ["AwaitingApproval"]
    made.decide("carol", "Approve")
    made.run_pass()
    assert made.phases[-1] == "Succeeded"


def test_one_denial_outweighs_all_approvals() -> None:
    made = shell()
    made.run_pass()
    made.decide("bob", "Approve")
    made.decide("carol", "Deny")
    made.run_pass()
    assert made.phases == ["AwaitingApproval", "Denied"]


def test_approvals_of_a_voided_plan_do_not_count_for_the_next() -> None:
    made = started("start is held")
    made.choose = Script("start finds drift")
    made.run_pass()
    assert made.phases == ["AwaitingApproval", "Approved", "Planning", "AwaitingApproval"]
    made.decide("carol", "Approve", stale=True)
    made.run_pass()
    assert made.phases[-1] == "AwaitingApproval"
    made.decide("carol", "Approve")
    made.run_pass()
    assert made.phases[-1] == "Succeeded"


def test_drift_costs_two_writes_more() -> None:
    made = started("start finds drift", steps=("a",))
    assert made.phases == ["AwaitingApproval", "Planning", "AwaitingApproval"]
    made.decide("bob", "Approve")
    made.run_pass()
    assert made.phases[-1] == "Succeeded"
    assert made.writes == 1 + 3 + 2


def test_a_step_that_only_looks_does_not_keep_a_cancellation_waiting() -> None:
    made = started("finding does not hold", steps=({"name": "a", "action": "wait"},))
    made.cancel()
    made.run_pass()
    assert events(made)[-2:] == ["CancelRequested", "Ended"]
    assert made.phases[-1] == "Cancelled"


def test_what_came_of_a_step_that_writes_is_found_out_before_it_is_cancelled() -> None:
    made = started("act has its answer lost", "probe fails", steps=("a",))
    made.cancel()
    made.run_pass()
    assert events(made)[-5:] == ["StepActed a", "CancelRequested", "UndoStarted a", "UndoSucceeded a", "Ended"]


def test_a_fourth_drift_ends_it() -> None:
    made = shell()
    for _ in range(4):
        made.choose = Script("start is held")
        made.run_pass()
        made.decide("bob", "Approve")
        made.run_pass()
        made.choose = Script("start finds drift")
        made.run_pass()
    assert made.phases[-1] == "Refused"
    assert made.journal[-1].details()["reason"] == "KeepsChanging"
    assert made.status is not None
    assert made.status.replans == 3


@pytest.mark.parametrize(("early", "phase"), [(timedelta(seconds=1), "AwaitingApproval"), (timedelta(), "Expired")])
def test_an_offer_expires_when_its_time_is_over(early: timedelta, phase: str) -> None:
    made = shell()
    made.run_pass()
    made.now += OFFERED_FOR - early
    made.run_pass()
    assert made.phases[-1] == phase


def test_an_approval_after_the_end_of_the_offer_starts_nothing() -> None:
    made = shell()
    made.run_pass()
    made.now += OFFERED_FOR
    made.decide("bob", "Approve")
    made.run_pass()
    assert made.phases == ["AwaitingApproval", "Expired"]


def test_a_handover_is_taken_by_approving_it() -> None:
    made = started(steps=())
    assert made.phases == ["AwaitingApproval", "HandedOver"]
    assert made.journal[-1].details()["message"] == "taken over by bob"


def test_a_dry_run_ends_with_its_plan() -> None:
    made = Shell(runbook(), Script(), dry_run=True)
    made.run_pass()
    assert (made.phases, made.writes) == (["Planned"], 1)


def test_where_a_guardrail_lets_only_observe_it_ends_with_its_plan() -> None:
    made = Shell(runbook(), Script(), guardrails=(Guardrail(name="observe", spec=GuardrailSpec(mode="Observe")),))
    made.run_pass()
    assert (made.phases, made.writes) == (["Observed"], 1)


def test_a_failed_step_undoes_the_ones_before_it_backwards() -> None:
    made = started("act succeeds", "act succeeds", "act is refused")
    assert events(made)[-6:] == [
        "StepFailed c",
        "UndoStarted b",
        "UndoSucceeded b",
        "UndoStarted a",
        "UndoSucceeded a",
        "Ended",
    ]
    assert made.phases[-1] == "Undone"


def test_a_runbook_that_never_undoes_fails_and_leaves_what_it_did() -> None:
    made = started("act succeeds", "act is refused", steps=("a", "b"), undo="Never")
    assert made.phases[-1] == "Failed"
    assert not [event for event in events(made) if event.startswith("Undo")]


@pytest.mark.parametrize(
    ("policy", "following", "reason"),
    [
        ("OnFailure", ["UndoStarted a", "UndoSucceeded a", "Ended"], "CancelledAndUndone"),
        ("Never", ["Ended"], "NothingUndone"),
    ],
)
def test_cancelling_undoes_as_the_runbook_says(policy: str, following: list[str], reason: str) -> None:
    made = started("verification does not hold", steps=("a",), undo=policy)
    made.cancel()
    made.run_pass()
    assert made.phases[-1] == "Cancelled"
    assert events(made)[-len(following) - 1 :] == ["CancelRequested", *following]
    assert made.journal[-1].details()["reason"] == reason


def test_what_cannot_be_undone_does_not_keep_the_rest_from_being_undone() -> None:
    made = started("act succeeds", "act is refused", "undo look meets another's change", steps=("a", "b"))
    assert made.phases[-1] == "Failed"
    assert made.journal[-1].details()["reason"] == "UndoFailed"
    made = started("act succeeds", "act succeeds", "act is refused", "undo look meets another's change")
    assert events(made)[-5:-1] == ["UndoStarted b", "UndoFailed b", "UndoStarted a", "UndoSucceeded a"]


def test_a_conflict_is_a_new_intent_with_the_next_attempt() -> None:
    made = started("act meets a conflict", steps=("a",))
    assert events(made)[3:6] == ["StepStarted a", "StepStarted a", "StepSucceeded a"]
    assert made.phases[-1] == "Succeeded"


@pytest.mark.parametrize(
    ("verdict", "following", "phase"),
    [
        ("Confirm", ["VerificationStarted", "VerificationPassed", "Ended"], "Succeeded"),
        (
            "Resume",
            ["StepStarted a", "StepSucceeded a", "VerificationStarted", "VerificationPassed", "Ended"],
            "Succeeded",
        ),
        ("Undo", ["UndoStarted a", "UndoSucceeded a", "Ended"], "Undone"),
    ],
)
def test_what_no_probe_can_tell_a_person_decides(verdict: str, following: list[str], phase: str) -> None:
    made = started("act is lost", "probe cannot tell", steps=("a",))
    assert made.phases[-1] == "AwaitingPerson"
    made.decide(REQUESTER, verdict)
    made.run_pass()
    assert made.phases[-1] == "AwaitingPerson", "the requester is no second person"
    made.decide("carol", verdict)
    made.run_pass()
    assert events(made)[-len(following) - 1 :] == ["PersonDecided a", *following]
    assert made.phases[-1] == phase


@pytest.mark.parametrize(
    ("verdict", "following"),
    [
        ("Confirm", ["PersonDecided a", "Ended"]),
        ("Resume", ["PersonDecided a", "UndoStarted a", "UndoSucceeded a", "Ended"]),
        ("Undo", ["PersonDecided a", "UndoStarted a", "UndoSucceeded a", "Ended"]),
    ],
)
def test_what_no_probe_can_tell_of_an_undo_a_person_decides(verdict: str, following: list[str]) -> None:
    made = started("act succeeds", "act is refused", "undo is lost", "probe cannot tell", steps=("a", "b"))
    assert made.phases[-1] == "AwaitingPerson"
    made.decide("carol", verdict)
    made.run_pass()
    assert events(made)[-len(following) :] == following
    assert made.phases[-1] == "Undone"


def test_a_resumed_step_goes_on_counting_its_attempts() -> None:
    made = started("act meets a conflict", "act is lost", "probe cannot tell", steps=("a",))
    made.decide("carol", "Resume")
    made.choose = Script("act takes its time")
    made.run_pass()
    assert [step.attempt for step in replay(made.journal).open_steps] == [3]


@pytest.mark.parametrize("answers", range(16))
def test_a_kill_at_any_answer_changes_nothing_but_repeats_an_intent(answers: int) -> None:
    unharmed = started(steps=("a", "b"))
    made = shell(*["process lives"] * answers, "process is killed", steps=("a", "b"))
    for _ in range(4):
        made.run_pass()
        made.decide("bob", "Approve")
    found = events(made)
    once = [event for event, before in zip(found, ["", *found], strict=False) if event != before]
    assert once == events(unharmed)
    assert made.phases[-1] == "Succeeded"
    assert [(deed.step, deed.undo) for deed in made.world.deeds] == [("a", False), ("b", False)]

"""What runs by itself: only what has earned it, where every guardrail allows it, and only as long as that is true."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.operator.making import CREATED, runbook
from tests.unit.operator.shell import Shell

from interlock.crds.execution import RunbookExecution
from interlock.crds.guardrail import Guardrail
from interlock.crds.ledger import LedgerSpec, Success
from interlock.crds.runbook import Runbook
from interlock.operator.core.autonomy import demanded, proves_fault

PROOF = {"name": "broken", "expression": "target.spec.replicas == 1", "message": "it is not broken"}
BLIND = {"name": "asked", "expression": "parameters.replicas == 1", "message": "nobody asked"}
EARNED = 3


def auto(name: str = "auto", *, successes: int = EARNED, **spec: Any) -> Guardrail:
    spec = {"mode": "Auto", "autonomy": {"successes": successes}, **spec}
    return Guardrail.model_validate({"name": name, "spec": spec})


PROPOSE = Guardrail.model_validate({"name": "propose", "spec": {}})


def proven(successes: int = EARNED, *guardrails: Guardrail, book: Runbook | None = None) -> Shell:
    """An execution of a runbook that has succeeded so often here."""
    book = book or runbook(preconditions=[PROOF])
    shell = Shell(book, lambda _, outcomes: outcomes[0], guardrails=guardrails or (auto(),))
    record = [Success(digest=shell.runbook.digest(), day="2025-12-31T00:00:00Z", times=successes)]
    shell.world.keep("ns.shop", LedgerSpec(record=record))
    return shell


def plans(shell: Shell) -> list[int]:
    """The approvals that the offered plan needs."""
    status = RunbookExecution.from_object(shell.body).status
    return [status.plan.quorum] if status and status.plan else []


def test_what_has_earned_it_runs_without_an_approval() -> None:
    shell = proven()
    shell.run_pass()
    assert shell.phases == ["AwaitingApproval", "Running", "Verifying", "Succeeded"]
    status = shell.status
    assert status is not None
    assert status.plan is not None
    assert status.plan.autonomy is not None
    assert (status.plan.autonomy.successes, status.approvals) == (EARNED, "auto")
    [approved] = [entry.details() for entry in shell.journal if entry.event == "Approved"]
    assert approved == {"by": [], "plan": status.plan.digest}


@pytest.mark.parametrize(
    ("successes", "guardrails", "preconditions"),
    [
        (EARNED - 1, [auto()], [PROOF]),
        (EARNED, [auto(), PROPOSE], [PROOF]),
        (EARNED, [PROPOSE], [PROOF]),
        (EARNED, [auto(), auto("stricter", successes=EARNED + 1)], [PROOF]),
        (EARNED, [auto()], [BLIND]),
        (EARNED, [auto()], []),
    ],
    ids=[
        "too few",
        "another says Propose",
        "Propose",
        "the strictest counts",
        "proves nothing live",
        "no precondition",
    ],
)
def test_all_else_waits_for_a_person(
    successes: int, guardrails: Sequence[Guardrail], preconditions: Sequence[Any]
) -> None:
    shell = proven(successes, *guardrails, book=runbook(preconditions=preconditions))
    shell.run_pass()
    assert shell.phases == ["AwaitingApproval"]
    assert plans(shell) == [1]


def test_a_track_record_that_is_lost_before_the_start_means_a_person_is_asked() -> None:
    shell = proven()
    shell.choose = lambda what, outcomes: "is killed" if what == "process" and plans(shell) else outcomes[0]
    shell.run_pass()
    assert plans(shell) == [0]
    shell.choose = lambda _, outcomes: outcomes[0]
    shell.world.keep("ns.shop", LedgerSpec())
    shell.run_pass()
    assert shell.phases[-1] == "AwaitingApproval"
    assert "Running" not in shell.phases
    assert plans(shell) == [1]
    assert shell.status is not None
    assert shell.status.replans == 1


def test_a_freeze_binds_what_runs_by_itself() -> None:
    shell = proven(EARNED, auto(freezes=[{"schedule": "* * * * *", "durationSeconds": 60}]))
    shell.run_pass()
    assert "Running" not in shell.phases
    assert shell.status is not None
    assert [c.reason for c in shell.status.conditions if c.type == "Held"] == ["Frozen"]


def test_a_hand_over_is_never_taken_by_itself() -> None:
    assert demanded(runbook(()), [auto()]) is None


def test_no_guardrail_is_no_permission() -> None:
    assert demanded(runbook(preconditions=[PROOF]), []) is None


def test_what_proves_a_fault_looks_at_live_objects() -> None:
    assert proves_fault(runbook(preconditions=[BLIND, PROOF]))
    assert not proves_fault(runbook(preconditions=[BLIND]))


def test_one_success_more_does_not_void_what_somebody_approves() -> None:
    shell = proven(EARNED - 1)
    shell.run_pass()
    record = [Success(digest=shell.runbook.digest(), day=CREATED, times=EARNED)]
    shell.world.keep("ns.shop", LedgerSpec(record=record))
    shell.decide("bob", "Approve")
    shell.run_pass()
    assert shell.phases == ["AwaitingApproval", "Running", "Verifying", "Succeeded"]

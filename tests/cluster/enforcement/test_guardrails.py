"""Guardrails keep what they select from starting, and keep nothing else from being written."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.executions import Execution, Place, allowed, plan, refused
from tests.support.installation import API
from tests.support.waiting import eventually

Guard = Callable[..., str]


@pytest.fixture
def guard(shop: Place) -> Iterator[Guard]:
    """Sets a guardrail for this namespace alone, as other tests share the cluster."""
    made = []

    def set_guardrail(selector: dict[str, Any] | None = None, **spec: Any) -> str:
        name = f"test-{secrets.token_hex(4)}"
        selector = {"namespaces": [shop.namespace], **(selector or {})}
        body = {"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", "metadata": {"name": name}}
        allowed(shop.installation.admin.post(f"{API}/guardrails", body | {"spec": {"selector": selector, **spec}}))
        made.append(name)
        return name

    yield set_guardrail
    for name in made:
        allowed(shop.installation.admin.delete(f"{API}/guardrails/{name}"))


def approved(shop: Place) -> Execution:
    return shop.execution("Approved")


def wait_until_refused(execution: Execution, words: str) -> None:
    """Parameters reach the policies a moment after they are written."""

    def refusal() -> bool:
        answer = execution.move("Running", dry_run=True)
        return not answer.ok and words in answer.message

    eventually(f"the refusal {words!r}", refusal)


def test_more_approvals_than_the_plan_asks_for(shop: Place, guard: Guard) -> None:
    execution = shop.execution("AwaitingApproval")
    name = guard(approvals=2)
    wait_until_refused(execution, f"guardrail {name} demands 2 approvals of this plan, it has 1")
    allowed(execution.decide("carol", "Approve"))
    allowed(execution.move("Running"))


def test_broken_glass_counts_as_one(shop: Place, guard: Guard) -> None:
    execution = shop.execution(by="dave")
    allowed(execution.move("AwaitingApproval", plan=plan(risk="Low")))
    allowed(execution.decide("dave", "BreakGlass", comment="nobody else is awake"))
    allowed(execution.move("Running", dry_run=True))
    name = guard(approvals=2)
    wait_until_refused(execution, f"guardrail {name} demands 2 approvals of this plan, it has 1")


def test_what_runs_already_is_not_held_up(shop: Place, guard: Guard) -> None:
    waiting, running = approved(shop), shop.execution("AwaitingPerson")
    guard(approvals=2)
    wait_until_refused(waiting, "demands 2 approvals")
    allowed(running.move("Running"))
    allowed(running.move("Verifying"))
    allowed(running.move("Undoing"))
    allowed(running.move("Undone"))


def test_stop_keeps_from_running(shop: Place, guard: Guard) -> None:
    execution, person = approved(shop), shop.execution("AwaitingPerson")
    name = guard(stop=True, message="change freeze")
    wait_until_refused(execution, f"stopped by guardrail {name}: change freeze")
    refused(person.move("Running"), "change freeze")


def test_no_other_write_is_ever_blocked(shop: Place, guard: Guard) -> None:
    execution, running = approved(shop), shop.execution("Running")
    guard(stop=True, approvals=8)
    wait_until_refused(execution, "guardrail")
    allowed(execution.move("Approved"))
    allowed(execution.move("Expired"))
    allowed(running.move("Running"))
    allowed(running.move("Verifying"))
    allowed(running.move("Succeeded"))
    allowed(shop.execution().move("AwaitingApproval"))


@pytest.mark.parametrize(
    "selector",
    [
        {"namespaces": ["elsewhere"]},
        {"families": ["scale-deployment"]},
        {"risks": ["High"]},
    ],
)
def test_what_is_not_selected_is_free(shop: Place, guard: Guard, selector: dict[str, Any]) -> None:
    """The last guardrail proves that the first has arrived too."""
    execution, control = approved(shop), approved(shop)
    guard(selector, stop=True)
    last = guard({"families": ["restart-deployment"]}, approvals=2)
    wait_until_refused(control, f"guardrail {last}")
    allowed(control.decide("carol", "Deny"))
    answer = execution.move("Running", dry_run=True)
    refused(answer, f"guardrail {last} demands 2 approvals")


def test_a_family_is_selected(shop: Place, guard: Guard) -> None:
    guard({"families": ["restart-deployment"]}, stop=True, message="by family")
    wait_until_refused(approved(shop), "by family")


@pytest.mark.parametrize("spec", [{"approvals": 0}, {"approvals": 9}, {"mode": "Auto"}, {"message": "x\u202e"}])
def test_a_guardrail_has_bounds(shop: Place, spec: dict[str, Any]) -> None:
    body = {"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", "metadata": {"name": "x"}, "spec": spec}
    assert shop.installation.admin.post(f"{API}/guardrails?dryRun=All", body).status == 422

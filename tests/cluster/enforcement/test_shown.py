"""What kubectl shows: columns for the on-call, selectors for the operator."""

import subprocess

import pytest
from tests.support.executions import Place, plan


def kubectl(shop: Place, *arguments: str) -> str:
    lab = shop.installation.lab
    command = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", f"--namespace={shop.namespace}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_columns_of_an_execution(shop: Place) -> None:
    execution = shop.execution(reason={"summary": "x", "cause": "workload.image.not-found"})
    execution.move("AwaitingApproval", step="scale", approvals="0/1", plan=plan())
    header, row = kubectl(shop, "get", "rbx", execution.name).splitlines()
    assert header.split() == ["NAME", "RUNBOOK", "TARGET", "PHASE", "STEP", "APPROVALS", "REASON", "AGE"]
    assert row.split()[1:6] == ["restart-deployment-1.0.0", "web", "AwaitingApproval", "scale", "0/1"]
    wide = kubectl(shop, "get", "rbx", execution.name, "-o", "wide").splitlines()
    assert wide[0].split()[8:] == ["REQUESTED-BY", "CAUSE", "PLAN"]
    assert "workload.image.not-found" in wide[1]


def test_they_are_listed_together(shop: Place) -> None:
    shop.execution("Pending")
    listed = kubectl(shop, "get", "interlock", "-o", "name")
    assert "runbookexecution.interlock.dev/" in listed
    assert "guardrail.interlock.dev/default" in listed


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("status.phase=Succeeded", {"done"}),
        ("status.phase!=Succeeded", {"waits"}),
        ("spec.runbook.name=restart-deployment-1.0.0,spec.target.name=web", {"done", "waits"}),
        ("spec.target.name=db", set()),
    ],
)
def test_fields_select(shop: Place, selector: str, found: set[str]) -> None:
    executions = {"done": shop.execution("Succeeded").name, "waits": shop.execution("AwaitingApproval").name}
    listed = set(kubectl(shop, "get", "rbx", "--field-selector", selector, "-o", "name").split())
    assert {key for key, name in executions.items() if f"runbookexecution.interlock.dev/{name}" in listed} == found


def test_every_field_is_explained(shop: Place) -> None:
    assert "The plan that is or was offered" in kubectl(shop, "explain", "rbx.status.plan")

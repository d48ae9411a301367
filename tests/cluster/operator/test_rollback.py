"""A rollback that would bring back another account, from the alert to the person who takes it."""

from pathlib import Path

import yaml
from tests.cluster.agents.test_service import CATALOGUE, Agents
from tests.support.scene import Scene, settled
from tests.support.waiting import eventually

from interlock.crds.runbook import Runbook
from interlock.lab.ports import free_port


def test_across_a_forbidden_field_it_is_refused_and_handed_over(scene: Scene, tmp_path: Path) -> None:
    books = [Runbook.model_validate(yaml.safe_load(path.read_text())) for path in CATALOGUE.glob("*/runbook.yaml")]
    scene.use(*(book for book in books if book.spec.family in {"rollback-deployment", "escalate"}))
    accounts = f"/api/v1/namespaces/{scene.namespace}/serviceaccounts"
    assert scene.admin.post(accounts, {"metadata": {"name": "other"}}).ok
    scene.change({"spec": {"template": {"spec": {"serviceAccountName": "other"}}}})
    eventually("the new account's pods", lambda: settled(scene.workload()))
    missing = {"name": "web", "image": "registry.example/shop/frontend:2.30"}
    changed = scene.change({"spec": {"template": {"spec": {"serviceAccountName": "default", "containers": [missing]}}}})
    agents = Agents(scene.installation, scene.namespace, tmp_path, free_port())
    with agents.running():
        agents.tell(agents.alert(deployment="web"))
        # An incident moves on before its execution is marked as ended, so that a kill in between loses nothing.
        eventually("the end to be marked", lambda: agents.incident("escalated").executions[0].phase != "Pending")
        found = agents.incident("escalated")
    rollback, handover = found.executions
    assert (rollback.runbook.rpartition("-")[0], rollback.phase) == ("rollback-deployment", "Refused")
    status = scene.ends("Refused", name=rollback.name)
    assert status.reason == "PlanRefused"
    assert "a runbook may not change the account that a workload runs as" in status.message
    assert status.plan is None
    assert handover.runbook.startswith("escalate-")
    assert scene.offered(handover.name).steps == []
    assert scene.workload()["spec"] == changed["spec"]

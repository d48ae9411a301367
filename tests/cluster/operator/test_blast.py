"""How much is touched at once, across executions: replicas of a namespace, nodes of the cluster; who is shown it."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.operator.test_limits import guard, held
from tests.support.identity import Identity
from tests.support.installation import API, Installation
from tests.support.scene import Scene, deployment, runbook, scaling, settled, signalled
from tests.support.waiting import eventually

from interlock.crds.execution import Reason, RunbookExecutionSpec, RunbookRef, Target, new_execution
from interlock.crds.names import OPERATOR_USER, RUNNERS_GROUP, RUNNERS_NAMESPACE, SYSTEM_NAMESPACE, runner_account
from interlock.crds.runbook import Runbook
from interlock.runbooks.rbac import grants_for_family

NODES = "/api/v1/nodes"
GO = {"name": "go", "expression": signalled("go")}


def limits_as(who: Identity, installation: Installation, namespace: str) -> str:
    """What `kubectl interlock limits` prints, through kubectl's own plugin mechanism."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(installation.lab.kubectl), "interlock", "limits", "-n", namespace]
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(who.kubeconfig), "COLUMNS": "200"}
    return subprocess.check_output(command, env=environment, text=True, timeout=300)


def test_so_many_replicas_are_touched_at_once_and_everybody_is_shown_why(scene: Scene) -> None:
    for name in ("one", "two"):
        scene.create(deployment(name))
    for name in ("one", "two"):
        eventually(f"{name} to settle", lambda name=name: settled(scene.workload(name)))  # type: ignore[misc]
    rail = guard(scene.admin, scene.namespace, blastRadius={"replicasPercent": 40})
    book = scaling(verification={"checks": [GO], "withinSeconds": 3600})
    scene.ask(book, {"replicas": "2"}, name="first", target="one")
    scene.approve("first")
    scene.reaches("Verifying", name="first")
    scene.ask(book, {"replicas": "2"}, name="second", target="two")
    scene.approve("second")
    said = "40 % of 4 replicas at once, of which this one touches 1; 1 of 1 used"
    assert f"guardrail {rail}: {said}" in held(scene, "BlastRadiusReached", "second")
    assert scene.workload("two")["spec"]["replicas"] == 1
    scene.installation.bind("olga", "interlock-on-call", None)
    olga = scene.installation.person("olga")

    def shown() -> list[str] | None:
        lines = limits_as(olga, scene.installation, scene.namespace).splitlines()
        return lines if any(rail in line and "40 %" in line for line in lines) else None

    lines = eventually("the limits to be shown", shown)
    assert any(line.split()[:2] == ["second", "BlastRadiusReached"] for line in lines), lines
    for name in ("one", "two"):
        scene.change({"metadata": {"labels": {"go": "yes"}}}, name)
    scene.ends("Succeeded", name="second")
    assert "nothing is held up" in limits_as(olga, scene.installation, scene.namespace)


@pytest.fixture
def nodes(operated: Installation) -> Iterator[list[str]]:
    """Two nodes that nothing runs on."""
    names = [f"blast-{secrets.token_hex(3)}" for _ in range(2)]
    for name in names:
        assert operated.admin.post(NODES, {"metadata": {"name": name}}).ok
    yield names
    for name in names:
        operated.admin.delete(f"{NODES}/{name}")


def cordoning() -> Runbook:
    """Cordons a node, and is done when somebody says so."""
    return runbook(
        f"test-cordon-{secrets.token_hex(3)}",
        [{"name": "cordon", "action": "cordon", "with": {}}],
        checks=[GO],
        scope="Cluster",
        targets=[{"apiVersion": "v1", "kind": "Node"}],
        permissions=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}],
        allowedPaths=["/spec/unschedulable"],
    )


def granted(installation: Installation, book: Runbook) -> None:
    """Publishes a runbook for cluster-scoped targets, and grants it."""
    installation.publish(book)
    installation.apply(grants_for_family([book], [None]))
    account = runner_account(book.spec.family, None)
    mint = "serviceaccounts/token"
    installation.wait_for_right(OPERATOR_USER, "create", mint, RUNNERS_NAMESPACE, name=account)
    runner = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{account}"
    installation.wait_for_right(runner, "patch", "nodes", None, groups=(RUNNERS_GROUP,))


def test_so_many_nodes_are_touched_at_once(scene: Scene, nodes: list[str]) -> None:
    """What touches nodes lies in the system namespace: one Ledger knows of all of it."""
    installation, admin, book = scene.installation, scene.admin, cordoning()
    granted(installation, book)
    for person, role in (("erin", "interlock-requester"), ("bob", "interlock-approver")):
        installation.bind(person, role, SYSTEM_NAMESPACE)
    stage = Scene(installation, SYSTEM_NAMESPACE, scene.archive, scene.requester, scene.approver)
    percent = 100 // len(admin.get(NODES).body["items"]) + 1
    selector = {"families": [book.spec.family]}
    body = {"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", "metadata": {"name": book.spec.family}}
    assert admin.apply({**body, "spec": {"selector": selector, "blastRadius": {"nodesPercent": percent}}}).ok
    for name in nodes:
        spec = RunbookExecutionSpec(
            runbook=RunbookRef(name=book.metadata.name, digest=book.digest()),
            target=Target(api_version="v1", kind="Node", namespace=None, name=name),
            reason=Reason(summary="a test"),
            requested_by=scene.requester.name,
        )
        asked = scene.requester.post(stage.path(), new_execution(name=name, namespace=SYSTEM_NAMESPACE, spec=spec))
        assert asked.ok, asked
        stage.approve(name)
        if name == nodes[0]:
            stage.reaches("Verifying", name=name)
    assert "nodes at once, of which this one touches 1; 1 of 1 used" in held(stage, "BlastRadiusReached", nodes[1])
    assert not admin.get(f"{NODES}/{nodes[1]}").body["spec"].get("unschedulable")
    for name in nodes:
        assert admin.patch(f"{NODES}/{name}", {"metadata": {"labels": {"go": "yes"}}}).ok
        stage.ends("Succeeded", name=name)
    admin.delete(f"{API}/guardrails/{book.spec.family}")

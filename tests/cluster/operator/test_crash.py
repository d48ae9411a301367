"""A killed operator: what was begun is finished by the next one, and nothing is done twice.

These tests kill the operator that leads, so they have a lab of their own.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.installation import Installation, install
from tests.support.scene import Scene, operator_environment, runbook
from tests.support.waiting import eventually

from interlock.crds.manifests import resources
from interlock.lab import lab_up


@pytest.fixture(scope="module")
def own_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The contract on a lab of this module's own."""
    lab = lab_up(tmp_path_factory.mktemp("crash") / "lab", nodes=1, monitoring=False, definitions=resources("crds"))
    yield install(lab)
    lab.stop()


@contextmanager
def operator(installation: Installation, data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An operator process, killed at the end without a warning."""
    environment = operator_environment(installation.operator_kubeconfig, data)
    process = subprocess.Popen([sys.executable, "-m", "interlock.operator"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def effects(installation: Installation, namespace: str) -> list[str]:
    """The markers of all writes to workloads that the API server's audit log knows, dry runs left out."""
    found = []
    for line in installation.lab.audit_log.read_text().splitlines():
        event = json.loads(line)
        reference = event.get("objectRef", {})
        if (
            event["stage"] == "ResponseComplete"
            and event["verb"] == "patch"
            and reference.get("resource") == "deployments"
            and reference.get("namespace") == namespace
            and event["user"]["username"].startswith("system:serviceaccount:interlock-runners:")
            and "dryRun" not in event["requestURI"]
            and event["responseStatus"]["code"] == 200
        ):
            found.append(event["auditID"])
    return found


def test_killed_between_all_steps_it_finishes_once(own_installation: Installation, tmp_path: Path) -> None:
    namespace = "crash"
    labels = {"interlock.dev/remediation": "enabled"}
    body = {"metadata": {"name": namespace, "labels": labels}}
    assert own_installation.admin.post("/api/v1/namespaces", body).ok
    scene = Scene.prepare(own_installation, namespace, tmp_path / "archive.db")
    gates = [
        {"name": f"gate{n}", "action": "wait", "with": {"until": f"target.metadata.labels.?go.orValue('') >= '{n}'"}}
        for n in (1, 2)
    ]
    book = runbook(
        "test-crash",
        [
            {"name": "first", "action": "scale", "with": {"replicas": "2"}},
            gates[0],
            {"name": "second", "action": "patch", "with": {"merge": "metadata: {labels: {team: sre}}"}},
            gates[1],
            {"name": "third", "action": "rolloutRestart"},
        ],
    )
    with operator(own_installation, tmp_path):
        scene.ask(book)
        scene.approve()
        eventually("the first gate", lambda: getattr(scene.execution().status, "step", "") == "gate1")
    scene.change({"metadata": {"labels": {"go": "1"}}})
    with operator(own_installation, tmp_path):
        eventually("the second gate", lambda: getattr(scene.execution().status, "step", "") == "gate2")
    scene.change({"metadata": {"labels": {"go": "2"}}})
    with operator(own_installation, tmp_path):
        done = scene.reaches("Succeeded")
        scene.archived(done.uid)
    started = [entry.step for entry in done.journal if entry.event == "StepStarted"]
    assert started == ["first", "gate1", "second", "gate2", "third"]
    assert len(effects(own_installation, namespace)) == 3
    assert done.status is not None
    assert done.status.fence.epoch == 3

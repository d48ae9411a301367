"""A killed operator: what was begun is finished by the next one, and nothing is done twice.

These tests kill the operator that leads, so they have a lab of their own.
"""

import json
from pathlib import Path

import pytest
from tests.support.installation import Installation
from tests.support.processes import operator, own_scene
from tests.support.scene import Scene, runbook, scaling
from tests.support.waiting import eventually

from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import Event, extend, genesis


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


def epoch_of(execution: RunbookExecution) -> int:
    """The epoch in which it was last written."""
    assert execution.status is not None
    return execution.status.fence.epoch


def test_killed_between_all_steps_it_finishes_once(own_installation: Installation, tmp_path: Path) -> None:
    namespace = "crash"
    scene = own_scene(own_installation, namespace, tmp_path)
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
    epochs = [epoch_of(scene.execution())]
    scene.change({"metadata": {"labels": {"go": "1"}}})
    with operator(own_installation, tmp_path):
        eventually("the second gate", lambda: getattr(scene.execution().status, "step", "") == "gate2")
    epochs.append(epoch_of(scene.execution()))
    scene.change({"metadata": {"labels": {"go": "2"}}})
    with operator(own_installation, tmp_path):
        done = scene.reaches("Succeeded")
        scene.archived(done.uid)
    started = [entry.step for entry in done.journal if entry.event == "StepStarted"]
    assert started == ["first", "gate1", "second", "gate2", "third"]
    assert len(effects(own_installation, namespace)) == 3
    epochs.append(epoch_of(done))
    assert epochs == sorted(set(epochs)), "each life has a later epoch"


def state_intent(scene: Scene, step: str) -> None:
    """Writes what an operator writes just before the effect of a step, as the operator, and does nothing more."""
    execution, live = scene.execution(), scene.workload()
    assert execution.status is not None
    assert execution.status.plan is not None
    meta = live["metadata"]
    intent = {
        "writes": True,
        "effect": "patch",
        "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": scene.namespace, "name": "web"},
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
        "generation": meta["generation"],
        "leaves": [{"path": "/spec/replicas", "before": 1, "after": 3}],
        "credential": "",
    }
    events = [
        Event(event="Approved", data={"by": ["bob"], "plan": execution.status.plan.digest}),
        Event(event="StepStarted", step=step, data=intent),
    ]
    start = genesis(execution.uid, execution.spec.request_digest())
    journal = extend(start, execution.journal, events, execution.journal[-1].at)
    status = {
        "phase": "Running",
        "fence": execution.status.fence.model_dump(),
        "journal": [entry.model_dump(mode="json", exclude_none=True) for entry in journal],
    }
    answer = scene.installation.operator.patch(f"{scene.path('fix')}/status", {"status": status})
    assert answer.ok, answer


@pytest.mark.parametrize(
    ("verdict", "replicas", "ending"), [("Confirm", 7, "Succeeded"), ("Resume", 7, "Failed"), ("Undo", 7, "Failed")]
)
def test_what_no_probe_can_tell_a_person_decides(
    own_installation: Installation, tmp_path: Path, verdict: str, replicas: int, ending: str
) -> None:
    """Killed between intent and effect, and somebody else changed the object: did the effect happen before that?"""
    scene = own_scene(own_installation, f"unknown-{verdict.lower()}", tmp_path)
    with operator(own_installation, tmp_path):
        scene.ask(scaling(), {"replicas": "3"})
        scene.offered()
    assert scene.decide().ok
    state_intent(scene, "scale")
    scene.change({"spec": {"replicas": replicas}})
    with operator(own_installation, tmp_path):
        waiting = scene.reaches("AwaitingPerson")
        decision = {"by": "bob", "subject": f"sha256:{waiting.journal[-1].hash}", "verdict": verdict}
        assert scene.append_decision(decision, scene.approver).ok
        done = scene.reaches(ending)
        scene.archived(done.uid)
    assert scene.workload()["spec"]["replicas"] == replicas
    assert [e.details()["verdict"] for e in done.journal if e.event == "PersonDecided"] == [verdict]
    assert effects(own_installation, scene.namespace) == []

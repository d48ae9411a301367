"""What is done when the cure is not proven, or somebody says stop."""

from tests.support.identity import Json
from tests.support.scene import Scene, runbook, scaling
from tests.support.waiting import eventually

from interlock.crds.names import LAST_STEP_ANNOTATION

NEVER = ({"name": "never", "expression": "target.spec.replicas > 100"},)


def what_matters(live: Json) -> Json:
    """Spec, labels and annotations without our marker and what the Deployment's controller counts."""
    counted = {LAST_STEP_ANNOTATION, "deployment.kubernetes.io/revision"}
    annotations = {k: v for k, v in live["metadata"].get("annotations", {}).items() if k not in counted}
    return {"spec": live["spec"], "labels": live["metadata"].get("labels"), "annotations": annotations}


def test_a_failed_verification_is_undone_exactly(scene: Scene) -> None:
    steps: list[Json] = [
        {"name": "scale", "action": "scale", "with": {"replicas": "3"}},
        {"name": "label", "action": "patch", "with": {"merge": "metadata: {labels: {team: null, by: interlock}}"}},
        {"name": "restart", "action": "rolloutRestart"},
    ]
    before = what_matters(scene.workload())
    scene.ask(
        runbook("test-undo", steps, verification={"checks": list(NEVER), "withinSeconds": 1}),
    )
    plan = scene.offered()
    assert plan.steps[1].deferred
    scene.approve()
    done = scene.reaches("Undone")
    assert done.status is not None
    assert done.status.reason == "VerificationFailed"
    undone = [e.step for e in done.journal if e.event == "UndoSucceeded"]
    assert undone == ["restart", "label", "scale"]
    assert what_matters(scene.workload()) == before


def test_a_failed_step_undoes_those_before(scene: Scene) -> None:
    steps = [
        {"name": "scale", "action": "scale", "with": {"replicas": "3"}},
        {"name": "check", "action": "assert", "with": {"expression": "target.spec.replicas == 1"}},
    ]
    scene.ask(runbook("test-step-fails", steps))
    scene.approve()
    assert scene.ends("Undone").reason == "StepFailed"
    assert scene.workload()["spec"]["replicas"] == 1


def test_undo_never_overwrites_what_somebody_changed_since(scene: Scene) -> None:
    scene.ask(
        scaling(verification={"checks": list(NEVER), "withinSeconds": 10}, family="test-conflict"),
        {"replicas": "3"},
    )
    scene.approve()
    scene.reaches("Verifying")
    scene.change({"spec": {"replicas": 4}})
    status = scene.ends("Failed")
    assert status.reason == "UndoFailed"
    assert scene.workload()["spec"]["replicas"] == 4


def test_cancelling_what_runs_undoes_it(scene: Scene) -> None:
    steps = [
        {"name": "scale", "action": "scale", "with": {"replicas": "3"}},
        {"name": "forever", "action": "wait", "with": {"until": "target.spec.replicas == 99"}},
    ]
    scene.ask(runbook("test-cancel", steps))
    scene.approve()
    eventually("the second step", lambda: getattr(scene.execution().status, "step", "") == "forever")
    cancelled = {"spec": {"cancelled": {"by": scene.approver.name, "reason": "enough"}}}
    assert scene.approver.patch(scene.path("fix"), cancelled).ok
    status = scene.ends("Cancelled")
    assert status.reason == "CancelledAndUndone"
    assert scene.workload()["spec"]["replicas"] == 1


def test_a_deleted_execution_is_undone_and_archived_before_it_goes(scene: Scene) -> None:
    scene.ask(
        scaling(verification={"checks": list(NEVER), "withinSeconds": 60}, family="test-delete"), {"replicas": "3"}
    )
    scene.approve()
    uid = scene.reaches("Verifying").uid
    assert scene.admin.delete(scene.path("fix")).ok
    eventually("the object to go", lambda: scene.admin.get(scene.path("fix")).status == 404)
    archived = scene.archived(uid)
    assert archived.phase == "Cancelled"
    assert scene.workload()["spec"]["replicas"] == 1


def test_a_secret_value_is_neither_shown_nor_lost(scene: Scene) -> None:
    """The former value of a secret variable is kept by the ReplicaSet alone, and comes back from there."""
    secret = "c0rrect-h0rse-battery"
    container = {"name": "web", "image": "app.example/web:2", "env": [{"name": "DB_PASSWORD", "value": secret}]}
    scene.change({"spec": {"template": {"spec": {"containers": [container]}}}})
    sets = f"/apis/apps/v1/namespaces/{scene.namespace}/replicasets"
    eventually("both revisions", lambda: len(scene.admin.get(sets).body["items"]) == 2)
    before = scene.workload()["spec"]["template"]
    steps = [{"name": "undo", "action": "rolloutUndo"}]
    scene.ask(runbook("test-secret", steps, verification={"checks": list(NEVER), "withinSeconds": 1}))
    scene.approve()
    scene.ends("Undone")
    assert scene.workload()["spec"]["template"] == before
    assert secret not in str(scene.admin.get(scene.path("fix")).body)

"""The way of an execution: asked, planned, approved, carried out, verified, archived."""

from tests.support.scene import Scene, scaling

from interlock.crds.journal import broken_at, genesis
from interlock.crds.names import AUDIT_FINALIZER


def test_an_approved_plan_is_carried_out_verified_and_archived(scene: Scene) -> None:
    book = scaling()
    scene.use(book)
    answer = scene.request(book, {"replicas": "3"})
    assert answer.ok, answer.message
    offered = scene.reaches("AwaitingApproval")
    assert offered.status and offered.status.plan
    change = offered.status.plan.steps[0].changes[0]
    assert (change.path, change.before, change.after) == ("/spec/replicas", "1", "3")
    assert scene.workload()["spec"]["replicas"] == 1

    assert scene.decide().ok
    done = scene.reaches("Succeeded")
    assert scene.workload()["spec"]["replicas"] == 3
    events = [entry.event for entry in done.journal]
    assert events == [
        "Requested",
        "Planned",
        "Approved",
        "StepStarted",
        "StepSucceeded",
        "VerificationStarted",
        "VerificationPassed",
        "Ended",
    ]
    assert broken_at(genesis(done.uid, done.spec.request_digest()), done.journal) is None
    archived = scene.archived(done.uid)
    assert archived.head == f"sha256:{done.journal[-1].hash}"
    assert AUDIT_FINALIZER not in scene.execution().finalizers

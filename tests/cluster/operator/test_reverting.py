"""A temporary measure: proven, kept, and put back; its target belongs to it until then."""

from tests.support.scene import Scene, happened, runbook, scaling
from tests.support.waiting import eventually

from interlock.operator.core.state import parse_time

LONG = 3600


def measure(scene: Scene, seconds: int) -> None:
    """A temporary measure that is proven and waits to be put back."""
    scene.ask(scaling("test-measure", revertAfterSeconds=seconds), {"replicas": "3"})
    assert scene.offered().revert_after_seconds == seconds
    scene.approve()


def test_a_measure_is_put_back_when_its_time_has_come(scene: Scene) -> None:
    measure(scene, 2)
    done = scene.reaches("Succeeded")
    assert done.status is not None
    assert done.status.reason == "Reverted"
    passed = next(e for e in done.journal if e.event == "VerificationPassed")
    back = next(e for e in done.journal if e.event == "UndoStarted")
    assert parse_time(back.at) >= parse_time(str(passed.details()["revertAt"]))
    assert scene.workload()["spec"]["replicas"] == 1


def test_its_target_is_locked_until_it_is_put_back_early_or_in_time(scene: Scene) -> None:
    measure(scene, LONG)
    scene.reaches("Reverting")
    assert scene.workload()["spec"]["replicas"] == 3
    look = {"name": "look", "action": "assert", "with": {"expression": "target.spec.replicas == 1"}}
    scene.ask(runbook("test-other", [look]), name="other")
    scene.approve("other")

    def held() -> bool:
        status = scene.execution("other").status
        return status is not None and any((c.type, c.reason) == ("Held", "TargetBusy") for c in status.conditions)

    eventually("the other to be held", held)
    scene.cancel()
    early = scene.ends("Succeeded")
    assert early.reason == "Reverted"
    assert "enough" in early.message
    assert scene.workload()["spec"]["replicas"] == 1
    scene.ends("Succeeded", name="other")


def test_what_somebody_changed_meanwhile_is_not_overwritten(scene: Scene) -> None:
    measure(scene, LONG)
    scene.reaches("Reverting")
    scene.change({"spec": {"replicas": 5}})
    scene.cancel()
    done = scene.reaches("Failed")
    assert done.status is not None
    assert done.status.reason == "RevertFailed"
    assert happened(done, "UndoStarted", "UndoFailed") == [("UndoStarted", "scale"), ("UndoFailed", "scale")]
    assert scene.workload()["spec"]["replicas"] == 5

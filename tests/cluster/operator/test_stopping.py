"""Cancelled or deleted, wherever it stands: it ends in a known state, and is archived before it goes."""

from collections.abc import Callable

import pytest
from tests.cluster.operator.test_before_start import guard
from tests.support.installation import API
from tests.support.scene import Scene, labelling, runbook, scaling, signalled, waiting
from tests.support.stops import emergency_stop
from tests.support.waiting import eventually

NEVER = {"name": "never", "expression": "false"}


def offered(scene: Scene) -> None:
    scene.ask(scaling("test-stop-offered"), {"replicas": "3"})
    scene.offered()


def held(scene: Scene) -> None:
    name = guard(scene.admin, scene.namespace)
    scene.ask(scaling("test-stop-approved"), {"replicas": "3"})
    scene.offered()
    assert scene.admin.patch(f"{API}/guardrails/{name}", {"spec": {"stop": True}}).ok
    assert scene.decide().ok
    scene.reaches("Approved")


def running(scene: Scene) -> None:
    scene.ask(runbook("test-stop-running", [labelling("label"), waiting("never")]))
    scene.approve()
    scene.happens("StepStarted", "never")


def settling(scene: Scene) -> None:
    scene.ask(runbook("test-stop-settling", [labelling("label", until=signalled("never"))]))
    scene.approve()
    scene.happens("StepActed", "label")


def trying_again(scene: Scene) -> None:
    retry = {"limit": 1, "backoffSeconds": 3600, "maxBackoffSeconds": 3600}
    check = {"name": "check", "action": "assert", "with": {"expression": "false"}, "timeoutSeconds": 86400}
    scene.ask(runbook("test-stop-trying", [labelling("label"), {**check, "retry": retry}], timeoutSeconds=86400))
    scene.approve()
    scene.happens("StepFailed", "check")


def verifying(scene: Scene) -> None:
    scene.ask(runbook("test-stop-verifying", [labelling("label")], checks=[NEVER]))
    scene.approve()
    scene.reaches("Verifying")


def asking(scene: Scene) -> None:
    check = {"name": "check", "action": "assert", "with": {"expression": "false"}, "onFailure": "Ask"}
    scene.ask(runbook("test-stop-asking", [labelling("label"), check]))
    scene.approve()
    scene.reaches("AwaitingPerson")


def reverting(scene: Scene) -> None:
    scene.ask(runbook("test-stop-reverting", [labelling("label")], revertAfterSeconds=3600))
    scene.approve()
    scene.reaches("Reverting")


def test_the_emergency_stop_holds_what_is_under_way(scene: Scene) -> None:
    """The API server refuses the effect; it is sent when the stop is lifted, and nothing has failed by then."""
    with emergency_stop(scene.installation, scene.namespace) as stop:
        stop.pull()
        stop.until_in_force()
        scene.ask(scaling("test-emergency"), {"replicas": "3"})
        scene.approve()

        def held() -> bool:
            status = scene.execution().status
            return status is not None and any(
                (c.type, c.reason) == ("Held", "EmergencyStop") for c in status.conditions
            )

        eventually("the stop to be shown", held)
        assert scene.workload()["spec"]["replicas"] == 1
        stop.lift()
        done = scene.reaches("Succeeded")
    assert scene.workload()["spec"]["replicas"] == 3
    assert [entry.event for entry in done.journal].count("StepStarted") == 1
    assert done.status is not None
    assert {(c.type, c.status) for c in done.status.conditions} >= {("Held", "False")}


WAYS = [
    (offered, "Cancelled", "CancelledBeforeStart"),
    (held, "Cancelled", "CancelledBeforeStart"),
    (running, "Cancelled", "CancelledAndUndone"),
    (settling, "Cancelled", "CancelledAndUndone"),
    (trying_again, "Cancelled", "CancelledAndUndone"),
    (verifying, "Cancelled", "CancelledAndUndone"),
    (asking, "Cancelled", "CancelledAndUndone"),
    (reverting, "Succeeded", "Reverted"),
]


@pytest.mark.parametrize(("stand", "ending", "reason"), WAYS)
def test_cancelled_it_ends_in_a_known_state(
    scene: Scene, stand: Callable[[Scene], None], ending: str, reason: str
) -> None:
    stand(scene)
    scene.cancel()
    status = scene.ends(ending)
    assert status.reason == reason
    assert "by bob: enough" in status.message
    live = scene.workload()
    assert live["spec"]["replicas"] == 1
    assert "by" not in live["metadata"]["labels"]


@pytest.mark.parametrize(("stand", "ending", "reason"), WAYS)
def test_deleted_it_stops_undoes_is_archived_and_goes(
    scene: Scene, stand: Callable[[Scene], None], ending: str, reason: str
) -> None:
    stand(scene)
    uid = scene.execution().uid
    assert scene.admin.delete(scene.path("fix")).ok
    eventually("the object to go", lambda: scene.admin.get(scene.path("fix")).status == 404)
    archived = scene.archived(uid)
    status = archived.body()["status"]
    assert (archived.phase, status["reason"]) == (ending, reason)
    assert "the execution was deleted" in status["message"]
    live = scene.workload()
    assert live["spec"]["replicas"] == 1
    assert "by" not in live["metadata"]["labels"]


@pytest.mark.parametrize("stand", [running, asking, offered])
def test_a_namespace_that_is_deleted_is_not_held_up(scene: Scene, stand: Callable[[Scene], None]) -> None:
    """The rights in it and what would be undone may go before the execution does."""
    stand(scene)
    uid = scene.execution().uid
    assert scene.admin.delete(f"/api/v1/namespaces/{scene.namespace}").ok
    eventually(
        "the namespace to go",
        lambda: scene.admin.get(f"/api/v1/namespaces/{scene.namespace}").status == 404,
    )
    # Refused: its target went before it, and its plan was to be made again.
    assert scene.archived(uid).phase in {"Cancelled", "Failed", "Refused"}


def test_what_undoes_already_is_not_stopped(scene: Scene) -> None:
    name = guard(scene.admin, scene.namespace)
    scene.ask(runbook("test-stop-undoing", [labelling("label"), waiting("go"), {**FALSE, "name": "fail"}]))
    scene.approve()
    scene.happens("StepStarted", "go")
    assert scene.admin.patch(f"{API}/guardrails/{name}", {"spec": {"stop": True}}).ok
    scene.signal("go")
    scene.reaches("Undoing")
    scene.cancel()
    assert scene.workload()["metadata"]["labels"]["by"] == "web"
    assert scene.admin.patch(f"{API}/guardrails/{name}", {"spec": {"stop": False}}).ok
    assert scene.ends("Undone").reason == "StepFailed"
    assert "by" not in scene.workload()["metadata"]["labels"]


FALSE = {"action": "assert", "with": {"expression": "false"}}

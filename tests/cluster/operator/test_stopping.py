"""Cancelled or deleted, wherever it stands: it ends in a known state, and is archived before it goes."""

from collections.abc import Callable
from functools import partial

import pytest
from tests.cluster.operator.test_before_start import guard
from tests.support.installation import API
from tests.support.scene import Scene, happened, labelling, runbook, scaling, signalled, waiting
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

        eventually("the stop to be shown", lambda: holds(scene, "fix", "EmergencyStop"))
        assert scene.workload()["spec"]["replicas"] == 1
        stop.lift()
        done = scene.reaches("Succeeded")
    assert scene.workload()["spec"]["replicas"] == 3
    assert [entry.event for entry in done.journal].count("StepStarted") == 1
    assert done.status is not None
    assert {(c.type, c.status) for c in done.status.conditions} >= {("Held", "False")}


def test_a_paused_namespace_holds_what_is_under_way_forth_and_back(scene: Scene) -> None:
    """By its owner's label: what is due is done when it goes on, and a plan may be made and approved meanwhile."""
    steps = [labelling("label"), waiting("go"), {"name": "more", "action": "patch", **MORE}, {**FALSE, "name": "fail"}]
    scene.ask(runbook("test-pause", steps))
    scene.approve()
    scene.happens("StepStarted", "go")
    pause(scene, "paused")
    scene.signal("go")
    scene.happens("StepStarted", "more")
    eventually("the pause to be shown", lambda: holds(scene, "fix", "NamespacePaused"))
    assert "more" not in scene.workload()["metadata"]["labels"]
    pause(scene, "enabled")
    scene.happens("UndoStarted")
    assert scene.ends("Undone").reason == "StepFailed"
    assert not {"by", "more"} & scene.workload()["metadata"]["labels"].keys()
    entries = [(entry.event, entry.step) for entry in scene.execution().journal]
    assert entries.count(("StepStarted", "more")) == entries.count(("StepSucceeded", "more")) == 1


def test_consent_that_is_withdrawn_holds_what_is_under_way(scene: Scene) -> None:
    """As a pause does, and dry runs are refused as well; whoever cancels is told what could not be undone."""
    steps = [labelling("label"), waiting("go"), {"name": "more", "action": "patch", **MORE}, {**FALSE, "name": "fail"}]
    for name in ("waits", "gives-up"):
        if name != "waits":
            scene.change({"metadata": {"labels": {"go": None}}})
        scene.ask(runbook("test-consent", steps), name=name)
        scene.approve(name)
        scene.happens("StepStarted", "go", name=name)
        pause(scene, None)
        scene.signal("go")
        eventually("the hold to be shown", partial(holds, scene, name, "NotOptedIn"))
        assert "more" not in scene.workload()["metadata"]["labels"]
        assert scene.workload()["metadata"]["labels"]["by"] == "web"
        if name == "gives-up":
            scene.cancel(name)
            status = scene.ends("Failed", name=name)
            assert status.reason == "UndoFailed"
            assert "could not be undone: label" in status.message
        pause(scene, "enabled")
        if name == "waits":
            assert scene.ends("Undone", name=name).reason == "StepFailed"
            assert happened(scene.execution(name), "StepStarted").count(("StepStarted", "more")) == 1
            assert not {"by", "more"} & scene.workload()["metadata"]["labels"].keys()


def pause(scene: Scene, value: str | None) -> None:
    path, labels = f"/api/v1/namespaces/{scene.namespace}", {"interlock.dev/remediation": value}
    assert scene.admin.patch(path, {"metadata": {"labels": labels}}).ok


def holds(scene: Scene, name: str, reason: str) -> bool:
    status = scene.execution(name).status
    return status is not None and any(
        (c.type, c.status, c.reason) == ("Held", "True", reason) for c in status.conditions
    )


def test_a_plan_that_is_approved_in_a_pause_starts_after_it(scene: Scene) -> None:
    scene.ask(scaling("test-pause-approved"), {"replicas": "3"})
    scene.offered()
    pause(scene, "paused")
    assert scene.decide().ok
    eventually("the pause to be shown", lambda: holds(scene, "fix", "NamespacePaused"))
    assert scene.execution().status.phase == "Approved"  # type: ignore[union-attr]
    pause(scene, "enabled")
    scene.reaches("Succeeded")


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
    eventually("the stop to be shown", lambda: holds(scene, "fix", "Stopped"))
    assert scene.admin.patch(f"{API}/guardrails/{name}", {"spec": {"stop": False}}).ok
    assert scene.ends("Undone").reason == "StepFailed"
    assert "by" not in scene.workload()["metadata"]["labels"]


MORE = {"with": {"merge": "metadata: {labels: {more: 'yes'}}"}}
FALSE = {"action": "assert", "with": {"expression": "false"}}

"""The way of an execution: asked, planned, approved, carried out, verified, archived."""

from tests.support.scene import Scene, runbook, scaling
from tests.support.waiting import eventually

from interlock.crds.journal import broken_at, genesis
from interlock.crds.names import AUDIT_FINALIZER, LAST_STEP_ANNOTATION


def test_an_approved_plan_is_carried_out_verified_and_archived(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "3"})
    change = scene.offered().steps[0].changes[0]
    assert (change.path, change.before, change.after) == ("/spec/replicas", "1", "3")
    assert scene.workload()["spec"]["replicas"] == 1

    scene.approve()
    done = scene.reaches("Succeeded")
    live = scene.workload()
    assert live["spec"]["replicas"] == 3
    assert live["metadata"]["annotations"][LAST_STEP_ANNOTATION].startswith(f"{done.uid}/scale/")
    assert [entry.event for entry in done.journal] == [
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
    eventually("the finalizer to go", lambda: AUDIT_FINALIZER not in scene.execution().finalizers)


def test_what_people_wait_for_is_told_by_events(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "2"})
    scene.approve()
    done = scene.reaches("Succeeded")

    def told() -> set[str]:
        found = scene.admin.get(f"/apis/events.k8s.io/v1/namespaces/{scene.namespace}/events").body["items"]
        return {e["reason"] for e in found if e["regarding"].get("uid") == done.uid}

    eventually("the offer and the end to be told", lambda: told() == {"AwaitingApproval", "Succeeded"})


def test_events_say_for_whom_it_waits_and_what_may_be_answered(scene: Scene) -> None:
    failing = {"name": "check", "action": "assert", "with": {"expression": "false"}, "onFailure": "Ask"}
    scene.ask(runbook("test-events", [failing]))
    plan = scene.offered().digest
    scene.approve()
    scene.reaches("AwaitingPerson")

    def notes() -> dict[str, str]:
        found = scene.admin.get(f"/apis/events.k8s.io/v1/namespaces/{scene.namespace}/events").body["items"]
        return {e["reason"]: e["note"] for e in found if e["regarding"]["kind"] == "RunbookExecution"}

    eventually("a person to be called", lambda: "AwaitingPerson" in notes())
    named = f"fix -n {scene.namespace}"
    assert notes()["AwaitingApproval"] == f"plan {plan} needs 1 approval: kubectl interlock approve {named}"
    called = f"a person decides: kubectl interlock confirm|resume|undo {named}; step check: "
    assert notes()["AwaitingPerson"].startswith(called)


def test_a_runbook_of_looks_and_waits_changes_nothing(scene: Scene) -> None:
    steps = [
        {"name": "there", "action": "assert", "with": {"expression": "target.spec.replicas == 1"}},
        {"name": "ready", "action": "wait", "with": {"until": "pods.exists(p, condition(p, 'Ready') == 'True')"}},
    ]
    scene.ask(runbook("test-look", steps))
    scene.approve()
    before = scene.workload()["metadata"]["generation"]
    scene.ends("Succeeded")
    assert scene.workload()["metadata"]["generation"] == before


def test_steps_may_be_skipped_and_arguments_computed(scene: Scene) -> None:
    steps = [
        {"name": "never", "action": "scale", "with": {"replicas": "0"}, "when": "target.spec.replicas > 100"},
        {"name": "more", "action": "scale", "with": {"replicas": "${target.spec.replicas + 1}"}},
    ]
    scene.ask(runbook("test-when", steps))
    scene.approve()
    done = scene.reaches("Succeeded")
    assert scene.workload()["spec"]["replicas"] == 2
    assert ("StepSkipped", "never") in [(e.event, e.step) for e in done.journal]


def test_a_dry_run_ends_as_planned(scene: Scene) -> None:
    scene.ask(scaling(), {"replicas": "3"}, dry_run=True)
    status = scene.ends("Planned")
    assert status.plan is not None
    assert status.plan.steps[0].changes
    assert scene.workload()["spec"]["replicas"] == 1


def test_a_hand_over_is_taken_by_approval(scene: Scene) -> None:
    scene.ask(runbook("test-handover", [], type="Handover", permissions=[], verification=None, allowedPaths=[]))
    scene.approve()
    assert "bob" in scene.ends("HandedOver").message


def test_a_rollout_is_undone_to_the_revision_before(scene: Scene) -> None:
    book = runbook("test-rollback", [{"name": "undo", "action": "rolloutUndo"}])
    container = {"name": "web", "image": "app.example/web:2", "env": [{"name": "MODE", "value": "off"}]}
    scene.change({"spec": {"template": {"spec": {"containers": [container]}}}})
    scene.use(book)
    sets = f"/apis/apps/v1/namespaces/{scene.namespace}/replicasets"
    eventually("both revisions", lambda: len(scene.admin.get(sets).body["items"]) == 2)
    assert scene.request(book).ok
    paths = {c.path: (c.before, c.after) for c in scene.offered().steps[0].changes}
    assert paths == {
        "/spec/template/spec/containers/[name=web]/image": ('"app.example/web:2"', '"app.example/web:1"'),
        "/spec/template/spec/containers/[name=web]/env/[name=MODE]/value": ('"off"', '"on"'),
    }
    scene.approve()
    scene.ends("Succeeded")
    assert scene.workload()["spec"]["template"]["spec"]["containers"][0]["image"] == "app.example/web:1"

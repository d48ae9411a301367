"""Steps that need each other: branches side by side, loops, and what one step tells a later one."""

import json

import pytest
from tests.support.scene import Scene, deployment, happened, labelling, runbook, settled, signalled, waiting
from tests.support.waiting import eventually

STARTED, DONE = "StepStarted", "StepSucceeded"


def at_step(scene: Scene) -> str:
    """What the column Step shows."""
    return getattr(scene.execution().status, "step", "")


def test_branches_wait_side_by_side_and_a_join_for_all_of_them(scene: Scene) -> None:
    join = {"name": "join", "action": "scale", "with": {"replicas": "3"}, "needs": ["left", "right"]}
    scene.ask(runbook("test-branches", [waiting("left"), waiting("right", needs=[]), join]))
    scene.approve()
    eventually("both branches", lambda: at_step(scene) == "left, right")
    scene.signal("right")
    scene.happens(DONE, "right")
    assert at_step(scene) == "left"
    assert happened(scene.execution(), STARTED) == [(STARTED, "left"), (STARTED, "right")]
    scene.signal("left")
    done = scene.reaches("Succeeded")
    assert happened(done, STARTED, DONE)[-4:] == [(DONE, "right"), (DONE, "left"), (STARTED, "join"), (DONE, "join")]
    assert scene.workload()["spec"]["replicas"] == 3


def test_effects_of_branches_are_made_side_by_side(scene: Scene) -> None:
    scene.create(deployment("api"))
    eventually("its controller to be done with it", lambda: settled(scene.workload("api")))
    web = labelling("one", until=signalled("go"))
    api = labelling("two", on="api", needs=[], until=signalled("go"))
    scene.ask(runbook("test-side-by-side", [web, api]))
    scene.approve()
    for step in ("one", "two"):
        scene.happens("StepActed", step)
    assert [scene.workload(name)["metadata"]["labels"]["by"] for name in ("web", "api")] == ["web", "api"]
    assert happened(scene.execution(), DONE) == []
    scene.signal("go")
    started = [entry for entry in scene.reaches("Succeeded").journal if entry.event == STARTED]
    assert [entry.step for entry in started] == ["one", "two"]
    assert started[0].at == started[1].at, "both intents are one write"


def test_a_failure_in_one_branch_undoes_what_the_other_has_done(scene: Scene) -> None:
    scene.create(deployment("api"))
    steps = [
        labelling("change", on="api", until=signalled("never")),
        waiting("go", needs=[]),
        {"name": "fail", "action": "assert", "with": {"expression": "false"}, "needs": ["go"]},
    ]
    scene.ask(runbook("test-branch-fails", steps))
    scene.approve()
    scene.happens("StepActed", "change")
    scene.signal("go")
    assert scene.ends("Undone").reason == "StepFailed"
    assert "by" not in scene.workload("api")["metadata"]["labels"]


def test_a_loop_shows_each_item_in_the_plan_and_does_one_after_the_other(scene: Scene) -> None:
    scene.create(deployment("api"))
    step = labelling("label", on="${item}", forEach="[parameters.first, parameters.second]")
    names = [{"name": name, "description": "n", "pattern": "[a-z]+"} for name in ("first", "second")]
    scene.ask(runbook("test-loop", [step], parameters=names), {"first": "web", "second": "api"})
    planned = scene.offered().steps
    assert [(s.name, s.item, s.object and s.object.name) for s in planned] == [
        ("label.0", '"web"', "web"),
        ("label.1", '"api"', "api"),
    ]
    assert [s.changes[0].after for s in planned] == ['"web"', '"api"']
    scene.approve()
    order = [(STARTED, "label.0"), (DONE, "label.0"), (STARTED, "label.1"), (DONE, "label.1")]
    assert happened(scene.reaches("Succeeded"), STARTED, DONE) == order
    assert scene.workload("api")["metadata"]["labels"]["by"] == "api"


def test_other_items_before_the_start_void_the_plan(scene: Scene) -> None:
    looks = {"expression": "pods.exists(p, p.metadata.name == item)"}
    step = {"name": "look", "action": "assert", "forEach": "pods.map(p, p.metadata.name)", "with": looks}
    scene.ask(runbook("test-loop-pods", [step]))
    plan = scene.offered()
    pods = f"/api/v1/namespaces/{scene.namespace}/pods"
    assert [s.item for s in plan.steps] == [
        json.dumps(pod["metadata"]["name"]) for pod in scene.admin.get(pods).body["items"]
    ]
    scene.change({"spec": {"replicas": 2}})
    eventually("two pods", lambda: len(scene.admin.get(pods).body["items"]) == 2)
    assert scene.decide().ok
    eventually("another offer", lambda: scene.offered().digest != plan.digest)
    assert happened(scene.execution(), "PlanVoided") == [("PlanVoided", None)]
    assert len(scene.offered().steps) == 2
    assert scene.decide().ok
    scene.ends("Succeeded")


def test_a_loop_over_more_than_it_may_is_refused(scene: Scene) -> None:
    scene.ask(runbook("test-loop-many", [labelling("label", forEach="['a', 'b', 'c']", maxItems=2)]))
    status = scene.ends("Refused")
    assert status.reason == "PlanRefused"
    assert "forEach gives 3 items; at most 2 are allowed" in status.message


def test_a_loop_over_nothing_is_skipped(scene: Scene) -> None:
    none = "target.spec.template.spec.containers.filter(c, c.name == 'none').map(c, c.name)"
    steps = [labelling("label", forEach=none), {"name": "scale", "action": "scale", "with": {"replicas": "2"}}]
    scene.ask(runbook("test-loop-empty", steps))
    assert scene.offered().steps[0].note == "nothing to do it for"
    scene.approve()
    assert ("StepSkipped", "label") in happened(scene.reaches("Succeeded"), "StepSkipped")
    assert scene.workload()["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("want", "ending", "replicas", "came"),
    [("4", "Succeeded", 4, DONE), ("2", "Succeeded", 1, "StepSkipped"), ("9", "Undone", 1, "StepFailed")],
)
def test_what_a_step_yields_decides_a_later_one_inside_its_bounds(
    scene: Scene, want: str, ending: str, replicas: int, came: str
) -> None:
    outputs = {"want": "int(target.metadata.labels.want)"}
    steps = [
        labelling("label"),
        {"name": "look", "action": "assert", "with": {"expression": "true"}, "outputs": outputs},
        {
            "name": "scale",
            "action": "scale",
            "with": {"replicas": "${steps.look.want}"},
            "when": "steps.look.want > 2",
            "bounds": "after.spec.replicas <= 5",
        },
    ]
    scene.change({"metadata": {"labels": {"want": want}}})
    scene.ask(runbook("test-outputs", steps))
    planned = scene.offered().steps[2]
    assert (planned.changes, planned.bounds) == ([], "after.spec.replicas <= 5")
    assert planned.deferred
    scene.approve()
    done = scene.reaches(ending)
    outcomes = [e for e in done.journal if e.step == "scale" and e.event in {DONE, "StepSkipped", "StepFailed"}]
    assert [e.event for e in outcomes] == [came]
    live = scene.workload()
    assert live["spec"]["replicas"] == replicas
    assert ("by" in live["metadata"]["labels"]) == (ending == "Succeeded")
    if came == "StepFailed":
        assert "would leave its bounds" in str(outcomes[0].details()["message"])

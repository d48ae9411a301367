"""Actions through the whole engine: what one step yields bounds the next, a person is asked, a gone pod stays gone."""

import json

from tests.support.identity import Json
from tests.support.scene import Scene, runbook
from tests.support.waiting import eventually

IMAGE = f"registry.example/tool@sha256:{'a' * 64}"
PERMISSIONS: list[Json] = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
    {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]


def pods(scene: Scene) -> list[Json]:
    found = scene.admin.get(f"/api/v1/namespaces/{scene.namespace}/pods?labelSelector=app%3Dweb")
    return [pod for pod in found.body["items"] if "deletionTimestamp" not in pod["metadata"]]


def test_what_a_job_says_decides_the_next_step_inside_its_bounds(scene: Scene) -> None:
    steps = [
        {
            "name": "count",
            "action": "createJob",
            "with": {"image": IMAGE, "command": json.dumps(["sh", "-c", "echo 3"])},
            "outputs": {"n": "int(result.logs)"},
        },
        {
            "name": "scale",
            "action": "scale",
            "with": {"replicas": "${steps.count.n}"},
            "bounds": "after.spec.replicas <= 3",
        },
    ]
    scene.ask(runbook("test-job", steps, permissions=PERMISSIONS))
    planned = scene.offered().steps
    assert planned[1].deferred is not None
    assert planned[1].bounds == "after.spec.replicas <= 3"
    scene.approve()
    done = scene.ends("Succeeded")
    assert scene.workload()["spec"]["replicas"] == 3
    [yielded] = [e.details()["outputs"] for e in done.journal if e.event == "StepSucceeded" and e.step == "count"]
    assert isinstance(yielded, dict)
    assert (yielded["logs"], yielded["n"]) == ("3", 3)


def test_a_person_is_asked_and_confirms(scene: Scene) -> None:
    asks = "Fail ${target.metadata.name} over, then confirm."
    steps = [
        {"name": "scale", "action": "scale", "with": {"replicas": "2"}},
        {"name": "fail-over", "action": "manual", "with": {"asks": asks}},
        {"name": "label", "action": "label", "with": {"labels": "{failed-over: 'true'}"}, "bounds": "true"},
    ]
    scene.ask(runbook("test-manual", steps))
    assert scene.offered().steps[1].note == "Fail web over, then confirm."
    scene.approve()
    waiting = scene.reaches("AwaitingPerson")
    assert waiting.status is not None
    assert "Fail web over, then confirm." in waiting.status.message
    assert "failed-over" not in scene.workload()["metadata"]["labels"]
    subject = f"sha256:{waiting.journal[-1].hash}"
    scene.append_decision({"by": scene.approver.name, "subject": subject, "verdict": "Confirm"}, scene.approver)
    scene.ends("Succeeded")
    assert scene.workload()["metadata"]["labels"]["failed-over"] == "true"


def test_a_pod_that_was_taken_away_is_left_out_of_the_undo(scene: Scene) -> None:
    before = {pod["metadata"]["uid"] for pod in pods(scene)}
    steps = [
        {"name": "label", "action": "label", "with": {"labels": "{team: sre}"}},
        {
            "name": "evict",
            "action": "evictPod",
            "forEach": "pods.map(p, p.metadata.name)",
            "with": {"name": "${item}"},
        },
    ]
    checks = [{"name": "never", "expression": "target.spec.replicas == 7"}]
    verification = {"checks": checks, "withinSeconds": 1}
    scene.ask(runbook("test-evict", steps, permissions=PERMISSIONS, verification=verification))
    scene.approve()
    done = scene.ends("Undone")
    assert scene.workload()["metadata"]["labels"]["team"] == "shop"
    assert [e.step for e in done.journal if e.event == "UndoSucceeded"] == ["label"]
    eventually("another pod", lambda: pods(scene) and not before & {pod["metadata"]["uid"] for pod in pods(scene)})

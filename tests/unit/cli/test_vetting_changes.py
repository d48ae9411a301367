"""What was changed is held against the plan path by path, and what was undone against what there was before."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from interlock.cli.vetting.audit import Request
from interlock.cli.vetting.changes import beyond_the_plan, not_restored, unlike_the_plan
from interlock.crds.execution import Change, Plan, PlannedObject, PlannedStep
from interlock.crds.names import LAST_STEP_ANNOTATION
from interlock.runbooks.vetting.permissions import Use

Object = dict[str, Any]
KEY = b"k" * 32
WEB = "Deployment/web"
PLURALS = {"Deployment": "deployments"}
STEPS = frozenset({"scale"})


def web(replicas: int = 1, **annotations: str) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "resourceVersion": str(replicas), "labels": {"a": "b"}, "annotations": annotations},
        "spec": {"replicas": replicas, "paused": False},
        "status": {"replicas": replicas},
    }


def plan(*steps: PlannedStep) -> Plan:
    return Plan(
        digest=f"sha256:{'0' * 64}",
        target_uid="u",
        made_at="2026-03-01T12:00:00Z",
        expires_at="2026-03-01T13:00:00Z",
        quorum=1,
        steps=list(steps),
    )


def step(
    name: str = "scale", action: str = "scale", *changes: tuple[str, str | None, str | None], **more: Any
) -> PlannedStep:
    place = PlannedObject(api_version="apps/v1", kind="Deployment", name="web", uid="u")
    listed = [Change(path=path, before=before, after=after) for path, before, after in changes]
    return PlannedStep(name=name, action=action, object=place, changes=listed, **more)


SCALE = plan(step("scale", "scale", ("/spec/replicas", "1", "3")))


def request(verb: str = "patch", resource: str = "deployments", name: str = "web", *, dry_run: bool = False) -> Request:
    return Request("a.ns", Use("apps", resource, verb, name, True), "ns", 200, dry_run)


def unlike(after: Object, of: Plan = SCALE, before: Object | None = None, steps: frozenset[str] = STEPS) -> list[str]:
    return list(unlike_the_plan(of, steps, {WEB: before or web()}, {WEB: after}, KEY))


def test_what_was_planned_and_nothing_else() -> None:
    marks = {LAST_STEP_ANNOTATION: "x", "deployment.kubernetes.io/revision": "4"}
    assert unlike(web(3, **marks)) == []


def paused(live: Object) -> None:
    live["spec"]["paused"] = True


def labelled(live: Object) -> None:
    live["metadata"]["labels"]["c"] = "d"


def annotated(live: Object) -> None:
    live["metadata"]["annotations"]["e"] = "f"


@pytest.mark.parametrize(
    ("change", "path"), [(paused, "/spec/paused"), (labelled, "/metadata/labels/c"), (annotated, "annotations/e")]
)
def test_what_the_plan_does_not_say_is_found(change: Callable[[Object], None], path: str) -> None:
    live = web(3)
    change(live)
    (found,) = unlike(live)
    assert path in found
    assert "of which the plan says nothing" in found


def test_what_was_planned_and_did_not_come_is_found() -> None:
    assert "did not change" in unlike(web(1))[0]
    assert "became 2 instead of 3" in unlike(web(2))[0]
    assert unlike_the_plan(SCALE, STEPS, {WEB: web()}, {WEB: None}, KEY).__next__() == f"plan: {WEB} is gone"


def test_a_step_that_was_not_done_is_not_expected() -> None:
    assert unlike(web(1), steps=frozenset()) == []


def test_steps_on_one_object_count_together() -> None:
    both = plan(
        step("scale", "scale", ("/spec/replicas", "1", "3")),
        step("pause", "rolloutPause", ("/spec/paused", "false", "true")),
    )
    live = web(3)
    paused(live)
    assert unlike(live, both, steps=frozenset({"scale", "pause"})) == []


def test_a_deferred_step_stays_inside_its_paths() -> None:
    deferred = plan(step("scale", "scale", deferred=["/spec/replicas"], bounds="true"))
    assert unlike(web(9), deferred) == []
    live = web(9)
    paused(live)
    (found,) = unlike(live, deferred)
    assert "/spec/paused" in found


def beyond(*requests: Request, of: Plan = SCALE) -> list[str]:
    return list(beyond_the_plan(of, STEPS, requests, PLURALS))


def test_the_runner_did_what_the_plan_names() -> None:
    assert beyond(request(), request("patch", "deployments", "other", dry_run=True), request("get", "pods", "p")) == []


def test_what_the_runner_did_beside_the_plan_is_found() -> None:
    (found,) = beyond(request(), request("delete", "pods", "web-1"))
    assert found == "plan: the runner did 'delete pods web-1', of which the plan says nothing"


def test_what_the_audit_log_does_not_bear_out_is_found() -> None:
    assert beyond() == ["plan: the audit log shows no 'patch deployments web' of the runner"]


def test_pods_that_a_plan_names_may_go() -> None:
    evict = plan(step("scale", "evictPod", ("/pods/ns/web-1", '"uid"', None)))
    assert beyond(request("create", "pods/eviction", "web-1"), of=evict) == []
    assert len(beyond(request("create", "pods/eviction", "web-2"), of=evict)) == 1


def test_restored_means_as_before_but_for_what_controllers_count() -> None:
    old, new = web(1), web(1, **{LAST_STEP_ANNOTATION: "x", "deployment.kubernetes.io/revision": "9"})
    assert list(not_restored({WEB: old}, {WEB: new}, [WEB])) == []
    changed = copy.deepcopy(new)
    paused(changed)
    assert list(not_restored({WEB: old}, {WEB: changed}, [WEB])) == [
        "undo: Deployment/web /spec/paused is true, and was false"
    ]
    assert list(not_restored({WEB: old}, {WEB: None}, [WEB])) == ["undo: Deployment/web is gone"]


def test_a_taint_of_the_node_controller_is_nobodys_change() -> None:
    node = {"kind": "Node", "metadata": {"name": "n"}, "spec": {"taints": [{"key": "mine", "effect": "NoExecute"}]}}
    tainted = copy.deepcopy(node)
    tainted["spec"]["taints"].append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})  # type: ignore[index]
    assert list(not_restored({"Node/n": node}, {"Node/n": tainted}, ["Node/n"])) == []
    assert len(list(not_restored({"Node/n": node}, {"Node/n": {**node, "spec": {}}}, ["Node/n"]))) == 1

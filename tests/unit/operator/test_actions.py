from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import JsonValue

from interlock.crds import actions as contract
from interlock.operator.actions import ACTIONS
from interlock.operator.actions.base import ActionRefused, Looking, Scene, Wanted, Writing
from interlock.operator.actions.patch import merged

MADE_AT = "2026-01-01T00:00:00.000Z"
REVISION = "deployment.kubernetes.io/revision"


def template(image: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "web", **labels}, "creationTimestamp": None},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }


def deployment(image: str = "web:3", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": "1b3c"},
        "spec": {"replicas": 2, "template": template(image), **spec},
    }


def replica_set(revision: int, image: str) -> dict[str, Any]:
    name = f"web-{revision}"
    return {
        "metadata": {"name": name, "uid": f"uid-{revision}", "annotations": {REVISION: str(revision)}},
        "spec": {"template": template(image, **{"pod-template-hash": name})},
    }


REVISIONS = [replica_set(3, "web:3"), replica_set(2, "web:2"), replica_set(1, "web:1")]


def wanted(
    action: str,
    live: Mapping[str, Any],
    arguments: Mapping[str, str] | None = None,
    revisions: Sequence[Mapping[str, Any]] = REVISIONS,
) -> Wanted:
    act = ACTIONS[action]
    assert isinstance(act, Writing)
    variables: dict[str, JsonValue] = {"revisions": [dict(revision) for revision in revisions]}
    return act.wanted(arguments or {}, Scene(live, variables, MADE_AT))


def image(of: Wanted) -> str:
    name: str = of.body["spec"]["template"]["spec"]["containers"][0]["image"]
    return name


def test_every_action_of_the_contract_is_carried_out() -> None:
    assert set(ACTIONS) == set(contract.ACTIONS)
    for name, action in ACTIONS.items():
        assert isinstance(action, Writing if contract.ACTIONS[name].writes else Looking)


def test_rollout_undo_goes_back_to_the_revision_before() -> None:
    found = wanted("rolloutUndo", deployment())
    assert image(found) == "web:2"
    assert found.note == "to revision 2"


@pytest.mark.parametrize(
    ("images", "chosen"),
    [
        (["web:3", "web:3", "web:1"], "to revision 1"),  # a revision with the same template is no way back
        (["web:2", "web:1", "web:0"], "to revision 3"),  # the current template has no ReplicaSet yet
        (["web:0", "web:3", "web:1"], "to revision 3"),  # somebody went back already: the last other one
    ],
)
def test_rollout_undo_takes_the_last_revision_that_differs(images: list[str], chosen: str) -> None:
    revisions = [replica_set(3 - age, name) for age, name in enumerate(images)]
    assert wanted("rolloutUndo", deployment(), revisions=revisions).note == chosen


def test_rollout_undo_goes_to_the_revision_that_is_named() -> None:
    found = wanted("rolloutUndo", deployment(), {"toRevision": "1"})
    assert (image(found), found.note) == ("web:1", "to revision 1")


def test_rollout_undo_changes_nothing_but_the_template() -> None:
    live = deployment()
    found = wanted("rolloutUndo", live)
    assert {**found.body, "spec": {**found.body["spec"], "template": None}} == {
        **live,
        "spec": {**live["spec"], "template": None},
    }
    assert live == deployment(), "the object as it was read is not written to"


def test_rollout_undo_strips_what_the_controller_added() -> None:
    meta = wanted("rolloutUndo", deployment()).body["spec"]["template"]["metadata"]
    assert meta == {"labels": {"app": "web"}}
    assert REVISIONS[1]["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] == "web-2"


def test_rollout_undo_names_what_keeps_the_present_template() -> None:
    origin = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-3", "uid": "uid-3"}
    assert wanted("rolloutUndo", deployment()).origin == origin
    assert wanted("rolloutUndo", deployment("web:4")).origin is None


@pytest.mark.parametrize(
    ("live", "arguments", "revisions", "words"),
    [
        ({**deployment(), "kind": "StatefulSet"}, {}, REVISIONS, "not for a StatefulSet"),
        (deployment(paused=True), {}, REVISIONS, "paused"),
        (deployment(), {"toRevision": "7"}, REVISIONS, "revision 7 does not exist; existing ones are 3, 2, 1"),
        (deployment(), {"toRevision": "3"}, REVISIONS, "runs already"),
        (deployment(), {}, REVISIONS[:1], "no other revision"),
        (deployment(), {}, [], "existing ones are none"),
        (deployment(), {"toRevision": "1"}, [], "existing ones are none"),
    ],
)
def test_rollout_undo_refuses(
    live: dict[str, Any], arguments: dict[str, str], revisions: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(ActionRefused, match=words):
        wanted("rolloutUndo", live, arguments, revisions)


def test_rollout_restart_stamps_the_time_of_the_plan_and_nothing_else() -> None:
    found = wanted("rolloutRestart", deployment()).body
    annotations = found["spec"]["template"]["metadata"].pop("annotations")
    assert annotations == {"kubectl.kubernetes.io/restartedAt": MADE_AT}
    assert found == deployment()


def test_rollout_restart_keeps_other_annotations() -> None:
    live = deployment()
    live["spec"]["template"]["metadata"]["annotations"] = {"a": "b", "kubectl.kubernetes.io/restartedAt": "earlier"}
    annotations = wanted("rolloutRestart", live).body["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"a": "b", "kubectl.kubernetes.io/restartedAt": MADE_AT}


@pytest.mark.parametrize(
    ("live", "words"),
    [(deployment(paused=True), "paused"), ({"kind": "ConfigMap"}, "ConfigMap has no pod template"), ({}, "no pod")],
)
def test_rollout_restart_refuses(live: dict[str, Any], words: str) -> None:
    with pytest.raises(ActionRefused, match=words):
        wanted("rolloutRestart", live)


def test_scale_sets_the_replicas() -> None:
    assert wanted("scale", deployment(), {"replicas": "5"}).body == deployment(replicas=5)


def test_scale_refuses_what_has_no_replicas() -> None:
    with pytest.raises(ActionRefused, match=r"DaemonSet has no spec\.replicas"):
        wanted("scale", {"kind": "DaemonSet", "spec": {}}, {"replicas": "5"})


@pytest.mark.parametrize("replicas", ["-1", "1001", "many", ""])
def test_scale_refuses_a_number_out_of_bounds(replicas: str) -> None:
    with pytest.raises(ValueError, match="argument replicas"):
        wanted("scale", deployment(), {"replicas": replicas})


def test_patch_merges() -> None:
    found = wanted("patch", deployment(), {"merge": "spec: {replicas: 4, paused: true, template: null}"}).body
    assert found["spec"] == {"replicas": 4, "paused": True}
    assert found["metadata"] == deployment()["metadata"]


@pytest.mark.parametrize("merge", ["[]", "{}", "status: {}", "kind: Pod", "a: ["])
def test_patch_refuses_what_is_no_patch(merge: str) -> None:
    with pytest.raises(ValueError, match="argument merge"):
        wanted("patch", deployment(), {"merge": merge})


# The examples of RFC 7386, appendix A.
@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merging_follows_the_standard(value: Any, patch: Any, result: Any) -> None:
    assert merged(value, patch) == result


def test_wait_and_assert_say_what_must_hold() -> None:
    wait, check = ACTIONS["wait"], ACTIONS["assert"]
    assert isinstance(wait, Looking)
    assert isinstance(check, Looking)
    assert (wait.patient, check.patient) == (True, False)
    assert wait.condition({"until": "a == b"}).expression == "a == b"
    condition = check.condition({"promql": "up", "satisfies": "value == 1.0"})
    assert (condition.expression, condition.promql, condition.satisfies) == (None, "up", "value == 1.0")
    with pytest.raises(ValueError, match="belong together"):
        check.condition({"promql": "up"})

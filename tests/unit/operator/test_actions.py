from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from pydantic import JsonValue
from tests.unit.operator import making

from interlock.crds import actions as contract
from interlock.crds.execution import Change, PlannedStep
from interlock.crds.runbook import Step
from interlock.operator.actions import ACTIONS, EFFECTS
from interlock.operator.actions.base import ActionRefused, Turn
from interlock.operator.actions.jobs import LOG_BYTES, job_name, tail
from interlock.operator.actions.patch import merged
from interlock.operator.actions.pods import MAX_PODS, demand_evictable, has_to_leave
from interlock.operator.actions.recreation import copied
from interlock.operator.actions.writing import Scene, Wanted, Write
from interlock.operator.core.nodes import Node
from interlock.operator.look import View
from interlock.operator.prepared import Prepared, Subject

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
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "uid": f"uid-{revision}", "annotations": {REVISION: str(revision)}},
        "spec": {"template": template(image, **{"pod-template-hash": name})},
    }


LABELS = {"app": "export", "controller-uid": "1b3c", "batch.kubernetes.io/job-name": "export"}
ENDED: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "export", "namespace": "shop", "uid": "1b3c", "labels": LABELS},
    "spec": {
        "backoffLimit": 2,
        "suspend": False,
        "selector": {"matchLabels": {"controller-uid": "1b3c"}},
        "template": {
            "metadata": {"labels": LABELS, "annotations": {"team": "shop"}},
            "spec": {"containers": [{"name": "export", "image": "export:1"}], "restartPolicy": "Never"},
        },
    },
}
REVISIONS = [replica_set(3, "web:3"), replica_set(2, "web:2"), replica_set(1, "web:1")]


def wanted(
    action: str,
    live: Mapping[str, Any],
    arguments: Mapping[str, str] | None = None,
    revisions: Sequence[Mapping[str, Any]] = REVISIONS,
) -> Wanted:
    act = ACTIONS[action]
    assert isinstance(act, Write)
    variables: dict[str, JsonValue] = {"revisions": [dict(revision) for revision in revisions]}
    return act.wanted(arguments or {}, Scene(live, variables, MADE_AT))


def image(of: Wanted) -> str:
    name: str = of.body["spec"]["template"]["spec"]["containers"][0]["image"]
    return name


def test_every_action_of_the_contract_is_carried_out() -> None:
    assert set(ACTIONS) == set(contract.ACTIONS)
    for name, action in ACTIONS.items():
        effect = contract.ACTIONS[name].effect
        assert isinstance(action, Write) == (effect == "patch")
        assert effect is None or effect in EFFECTS


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


def controller_revision(revision: int, image: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": f"db-{revision}", "uid": f"uid-{revision}"},
        "revision": revision,
        "data": {"spec": {"template": {**template(image), "$patch": "replace"}}},
    }


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_rollout_undo_reads_controller_revisions(kind: str) -> None:
    revisions = [controller_revision(3, "web:3"), controller_revision(2, "web:2"), controller_revision(1, "web:1")]
    live = {**deployment(), "kind": kind}
    assert image(wanted("rolloutUndo", live, revisions=revisions)) == "web:2"
    found = wanted("rolloutUndo", live, {"toRevision": "1"}, revisions)
    assert found.body["spec"]["template"] == {**template("web:1"), "metadata": {"labels": {"app": "web"}}}
    assert found.origin == {"apiVersion": "apps/v1", "kind": "ControllerRevision", "name": "db-3", "uid": "uid-3"}


def probed(image: str, **probes: Any) -> dict[str, Any]:
    made = template(image)
    made["spec"]["containers"][0] |= probes
    made["spec"]["containers"].append({"name": "side", "image": image})
    return made


def revision_with(number: int, made: dict[str, Any]) -> dict[str, Any]:
    found = replica_set(number, "")
    found["spec"]["template"] = made
    return found


def test_rollout_undo_puts_back_the_probes_of_one_container_and_nothing_else() -> None:
    good = {"livenessProbe": {"httpGet": {"port": 80}}, "readinessProbe": {"periodSeconds": 5}}
    bad = {"livenessProbe": {"httpGet": {"port": 90}}, "startupProbe": {"periodSeconds": 1}}
    older = [revision_with(2, probed("web:2", **bad)), revision_with(1, probed("web:1", **good))]
    live = deployment(template=probed("web:3", **bad))
    found = wanted("rolloutUndo", live, {"part": "probes", "container": "app"}, older)
    assert found.note == "to revision 1", "revision 2 has the same probes"
    assert found.body["spec"]["template"] == probed("web:3", **good)
    with pytest.raises(ActionRefused, match="no other revision"):
        wanted("rolloutUndo", live, {"part": "probes", "container": "side"}, older)
    with pytest.raises(ActionRefused, match="container other does not exist"):
        wanted("rolloutUndo", live, {"part": "probes", "container": "other"}, older)


def mounting(image: str, **claims: str) -> dict[str, Any]:
    made = template(image)
    made["spec"]["volumes"] = [
        {"name": "tmp", "emptyDir": {}},
        *({"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claims.items()),
    ]
    return made


def test_rollout_undo_puts_back_the_claims_of_volumes_and_nothing_else() -> None:
    live = deployment(template=mounting("web:3", data="wrong", more="kept"))
    older = [revision_with(2, mounting("web:2", data="right"))]
    found = wanted("rolloutUndo", live, {"part": "claims"}, older)
    assert found.body["spec"]["template"] == mounting("web:3", data="right", more="kept")
    with pytest.raises(ActionRefused, match="has what runs already"):
        wanted("rolloutUndo", found.body, {"part": "claims", "toRevision": "2"}, older)


def test_rollout_undo_names_what_keeps_the_present_template() -> None:
    origin = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-3", "uid": "uid-3"}
    assert wanted("rolloutUndo", deployment()).origin == origin
    assert wanted("rolloutUndo", deployment("web:4")).origin is None


@pytest.mark.parametrize(
    ("live", "arguments", "revisions", "words"),
    [
        ({**deployment(), "kind": "CronJob"}, {}, REVISIONS, "not for a CronJob"),
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


def container(of: Wanted, name: str = "app") -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in of.body["spec"]["template"]["spec"]["containers"] if c["name"] == name)
    return found


def test_set_image_changes_one_container() -> None:
    live = deployment()
    live["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1"})
    found = wanted("setImage", live, {"container": "side", "image": "side:2"})
    assert (container(found)["image"], container(found, "side")["image"]) == ("web:3", "side:2")
    assert live["spec"]["template"]["spec"]["containers"][1]["image"] == "side:1"


def test_set_image_knows_cron_jobs_and_init_containers() -> None:
    pod = {"containers": [{"name": "app", "image": "a:1"}], "initContainers": [{"name": "init", "image": "i:1"}]}
    live = {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}
    found = wanted("setImage", live, {"container": "init", "image": "i:2"}).body
    assert found["spec"]["jobTemplate"]["spec"]["template"]["spec"]["initContainers"][0]["image"] == "i:2"


@pytest.mark.parametrize("action", ["setImage", "setResources"])
def test_a_container_that_does_not_exist_is_refused(action: str) -> None:
    arguments = {"setImage": {"image": "a:1"}, "setResources": {"limits": "{cpu: '1'}"}}[action]
    with pytest.raises(ActionRefused, match="container nope does not exist; existing ones are app"):
        wanted(action, deployment(), {"container": "nope", **arguments})
    with pytest.raises(ActionRefused, match="ConfigMap has no pod template"):
        wanted(action, {"kind": "ConfigMap"}, {"container": "nope", **arguments})


def test_set_resources_leaves_what_it_does_not_name() -> None:
    live = deployment()
    app = live["spec"]["template"]["spec"]["containers"][0]
    app["resources"] = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2"}, "claims": [{"name": "gpu"}]}
    found = wanted(
        "setResources", live, {"container": "app", "requests": "{memory: 2Gi}", "limits": "{cpu: null, memory: 2Gi}"}
    )
    assert container(found)["resources"] == {
        "requests": {"cpu": "1", "memory": "2Gi"},
        "limits": {"memory": "2Gi"},
        "claims": [{"name": "gpu"}],
    }


def test_set_resources_leaves_no_empty_mappings() -> None:
    live = deployment()
    live["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2"}}
    assert container(wanted("setResources", live, {"container": "app", "limits": "{cpu: null}"}))["resources"] == {}


def test_labels_and_annotations_are_set_and_removed() -> None:
    live = {"kind": "Deployment", "metadata": {"labels": {"a": "b", "c": "d"}}}
    assert wanted("label", live, {"labels": "{a: null, e: f}"}).body["metadata"]["labels"] == {"c": "d", "e": "f"}
    found = wanted("annotate", live, {"annotations": "{e: f}"}).body["metadata"]
    assert found == {"labels": {"a": "b", "c": "d"}, "annotations": {"e": "f"}}


def test_pausing_and_resuming() -> None:
    assert wanted("rolloutPause", deployment()).body["spec"]["paused"] is True
    assert wanted("rolloutResume", deployment(paused=True)).body == deployment()
    for action in ("rolloutPause", "rolloutResume"):
        with pytest.raises(ActionRefused, match=f"{action} is for a Deployment, not for a StatefulSet"):
            wanted(action, {**deployment(), "kind": "StatefulSet"})


def test_cordoning() -> None:
    node = {"kind": "Node", "metadata": {"name": "n"}, "spec": {"taints": [{"key": "a"}]}}
    cordoned = wanted("cordon", node).body
    assert cordoned["spec"] == {"taints": [{"key": "a"}], "unschedulable": True}
    assert wanted("uncordon", cordoned).body == node


def pod(**meta: Any) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "controller": True}
    return {"metadata": {"namespace": "shop", "name": "web-1", "ownerReferences": [owner], **meta}, "spec": {}}


@pytest.mark.parametrize(
    ("candidate", "leaves"),
    [
        (pod(), True),
        (pod(ownerReferences=[]), True),  # and keeps the drain from being planned
        (pod(ownerReferences=[{"kind": "DaemonSet", "controller": True}]), False),
        (pod(annotations={"kubernetes.io/config.mirror": "x"}), False),
        (pod(deletionTimestamp=MADE_AT), False),
        ({**pod(), "status": {"phase": "Succeeded"}}, False),
        ({**pod(), "status": {"phase": "Failed"}}, False),
        ({**pod(), "status": {"phase": "Running"}}, True),
    ],
)
def test_which_pods_a_drain_takes_away(candidate: dict[str, Any], leaves: bool) -> None:
    assert has_to_leave(candidate) == leaves


def test_a_drain_of_too_many_is_refused() -> None:
    demand_evictable([pod()] * MAX_PODS, may_lose_data=False)
    with pytest.raises(ActionRefused, match="33 pods would have to leave, more than 32"):
        demand_evictable([pod()] * (MAX_PODS + 1), may_lose_data=False)


def test_the_end_of_a_log_is_short_and_redacted_before_it_is_cut() -> None:
    secret = "password=" + "x" * 2000
    assert tail(f"first\n{secret}\nlast") == "first\npassword=[redacted]\nlast"
    assert len(tail("ä" * 5000).encode()) <= LOG_BYTES
    assert tail("a\x1b[31mb") == "a?[31mb"


def test_a_name_of_a_job_is_the_same_whenever_it_is_tried() -> None:
    first = making.execution(making.runbook())
    other = making.execution(making.runbook(), uid="0f0c2a6e-0000-4000-8000-000000000002")
    assert job_name(first, "run") == job_name(first, "run") != job_name(other, "run")
    assert len({job_name(first, "run.1"), job_name(first, "run-1")}) == 2
    assert len(job_name(first, "x" * 40)) <= 63


def change(name: str) -> Change:
    return Change(path=f"/pods/shop/{name}", before='"uid"')


@pytest.mark.parametrize(
    ("planned", "now", "partial", "fits"),
    [
        (["a"], ["a"], False, True),
        (["a", "b"], ["a"], False, False),
        (["a", "b"], ["a"], True, True),
        (["a", "b"], [], True, True),
        (["a"], ["a", "b"], True, False),
        ([], ["a"], True, False),
    ],
)
def test_what_is_done_is_what_was_approved(planned: list[str], now: list[str], partial: bool, fits: bool) -> None:
    offered = PlannedStep(name="drain", action="drain", changes=[change(name) for name in planned])
    found = PlannedStep(name="drain", action="drain", changes=[change(name) for name in now])
    assert Prepared(found, {}, partial=partial).fits(offered) == fits


def test_a_taint_is_removed_by_its_key_alone() -> None:
    taints = [{"key": "old", "effect": "NoSchedule"}, {"key": "old", "effect": "PreferNoSchedule"}, {"key": "other"}]
    node = {"kind": "Node", "metadata": {"name": "node-1"}, "spec": {"taints": taints, "podCIDR": "10.0.0.0/24"}}
    assert wanted("removeTaint", node, {"key": "old"}).body["spec"] == {"taints": taints[2:], "podCIDR": "10.0.0.0/24"}
    assert wanted("removeTaint", node, {"key": "none"}).body == node
    only = {**node, "spec": {"taints": taints[:2]}}
    assert wanted("removeTaint", only, {"key": "old"}).body["spec"] == {}
    with pytest.raises(ActionRefused, match="is for a Node"):
        wanted("removeTaint", deployment(), {"key": "old"})


def test_a_copy_of_a_job_is_the_job_without_what_its_first_run_left() -> None:
    execution = making.execution(making.runbook())
    step = Step.model_validate({"name": "again", "action": "recreateJob", "timeoutSeconds": 900})
    subject = Subject(execution, making.runbook(), {}, "", MADE_AT, cast(View, None))
    job = copied(ENDED, Turn(subject, Node("again", step), {}, {}, 1))
    assert job["metadata"]["name"] == f"export-{job_name(execution, 'again').rpartition('-')[2]}"
    assert job["metadata"]["annotations"]["interlock.dev/copy-of"] == "1b3c"
    assert set(job["metadata"]["labels"]) == {"app", "interlock.dev/execution-uid"}
    assert "selector" not in job["spec"]
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["backoffLimit"]) == (900, 2)
    template = job["spec"]["template"]
    assert set(template["metadata"]["labels"]) == {"app", "interlock.dev/execution-uid"}
    assert template["metadata"]["annotations"] == {"team": "shop"}
    assert template["spec"] == {**ENDED["spec"]["template"]["spec"], "automountServiceAccountToken": False}
    long = {**ENDED, "metadata": {**ENDED["metadata"], "name": "e" * 63}}
    assert len(copied(long, Turn(subject, Node("again", step), {}, {}, 1))["metadata"]["name"]) == 63

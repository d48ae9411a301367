"""Writes on the real API server: planned by dry run, made once under their condition, probed, put back exactly."""

import pytest
from tests.cluster.actions.conftest import Stage
from tests.support.identity import Json

from interlock.operator.changes import UndoConflict
from interlock.operator.errors import Conflict, Forbidden
from interlock.operator.prepared import StepRefused

IMAGE = f"app.example/web@sha256:{'b' * 64}"
WRITES: dict[str, tuple[str, dict[str, str], dict[str, str | None]]] = {
    "scale": ("scale", {"replicas": "3"}, {"/spec/replicas": "3"}),
    "a merge patch": ("patch", {"merge": "spec: {minReadySeconds: 1}"}, {"/spec/minReadySeconds": "1"}),
    "a JSON patch": (
        "jsonPatch",
        {"ops": "[{op: replace, path: /spec/template/spec/containers/0/image, value: app.example/web:2}]"},
        {"/spec/template/spec/containers/[name=web]/image": '"app.example/web:2"'},
    ),
    "an image": (
        "setImage",
        {"container": "web", "image": IMAGE},
        {"/spec/template/spec/containers/[name=web]/image": f'"{IMAGE}"'},
    ),
    "resources": (
        "setResources",
        {"container": "web", "limits": "{memory: 64Mi}"},
        {"/spec/template/spec/containers/[name=web]/resources/limits": '{"memory": "64Mi"}'},
    ),
    "a pause": ("rolloutPause", {}, {"/spec/paused": "true"}),
    "a restart": (
        "rolloutRestart",
        {},
        {
            "/spec/template/metadata/annotations": '{"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00.000Z"}',
        },
    ),
    "labels": (
        "label",
        {"labels": "{team: null, example.com/tier: web}"},
        {"/metadata/labels/team": None, "/metadata/labels/example.com~1tier": '"web"'},
    ),
    "annotations": (
        "annotate",
        {"annotations": "{example.com/why: because of it}"},
        {"/metadata/annotations/example.com~1why": '"because of it"'},
    ),
}


def essence(live: Json) -> Json:
    """What undo has to bring back: spec, labels, annotations but our marker and the controller's revision."""
    meta = live["metadata"]
    ours = {"interlock.dev/last-step", "deployment.kubernetes.io/revision"}
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key not in ours}
    return {"spec": live["spec"], "labels": meta.get("labels"), "annotations": annotations}


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_is_shown_done_once_and_taken_back(stage: Stage, write: str) -> None:
    action, arguments, expected = WRITES[write]
    before = essence(stage.web())
    ready = await stage.plan(action, arguments)
    assert {change.path: change.after for change in ready.planned.changes} == expected
    assert essence(stage.web()) == before, "planning is a dry run"
    assert await stage.probe(ready) == "not"
    await stage.act(ready)
    assert await stage.probe(ready) == "happened"
    assert essence(stage.web()) != before
    with pytest.raises(Conflict):
        await stage.act(ready)
    assert await stage.undo(ready) is not None
    assert essence(stage.web()) == before
    assert await stage.undo(ready) is None, "nothing of it is there any more"


async def test_resuming_undoes_a_pause(stage: Stage) -> None:
    stage.change({"spec": {"paused": True}})
    ready = await stage.plan("rolloutResume")
    await stage.act(ready)
    assert "paused" not in stage.web()["spec"]
    await stage.undo(ready)
    assert stage.web()["spec"]["paused"] is True


async def test_a_status_update_between_look_and_effect_costs_no_attempt(stage: Stage) -> None:
    ready = await stage.plan("scale", {"replicas": "3"})
    seen = stage.web()["metadata"]["resourceVersion"]
    stage.change({"status": {"collisionCount": 7}}, "/status")
    assert stage.web()["metadata"]["resourceVersion"] != seen
    await stage.act(ready)
    assert stage.web()["spec"]["replicas"] == 3


async def test_a_status_update_leaves_no_doubt_that_nothing_happened(stage: Stage) -> None:
    ready = await stage.plan("label", {"labels": "{tier: gold}"})
    stage.change({"status": {"collisionCount": 7}}, "/status")
    assert await stage.probe(ready) == "not"


async def test_the_mark_of_the_write_before_proves_that_the_next_did_not_happen(stage: Stage) -> None:
    ready = await stage.plan("label", {"labels": "{tier: gold}"})
    await stage.act(ready)
    back = await stage.prepare_undo(ready)
    stage.change({"spec": {"minReadySeconds": 2}})
    assert await stage.probe_undo(back) == "not"
    stage.change({"metadata": {"annotations": {"interlock.dev/last-step": None}}})
    assert await stage.probe_undo(back) == "unknown", "somebody has taken the mark away"


@pytest.mark.parametrize("change", [{"spec": {"minReadySeconds": 2}}, {"spec": {"replicas": 3}}])
async def test_a_spec_change_between_look_and_effect_does(stage: Stage, change: Json) -> None:
    ready = await stage.plan("scale", {"replicas": "3"})
    stage.change(change)
    generation = stage.web()["metadata"]["generation"]
    with pytest.raises(Conflict):
        await stage.act(ready)
    assert stage.web()["metadata"]["generation"] == generation
    assert await stage.probe(ready) == "unknown", "the spec is another one, and no mark of ours is on it"


async def test_another_object_under_the_same_name_is_not_written(stage: Stage) -> None:
    ready = await stage.plan("scale", {"replicas": "3"})
    body = stage.web()
    stage.admin.delete(stage.path("apps/v1", "deployments", "web") + "?propagationPolicy=Background")
    spec = {key: body["spec"][key] for key in ("replicas", "selector", "template")}
    annotations = {"a.example/b": "c"}
    stage.deploy({"metadata": {"name": "web", "annotations": annotations}, "spec": spec})
    with pytest.raises(Conflict):
        await stage.act(ready)
    assert stage.web()["spec"]["replicas"] == 2
    assert await stage.probe(ready) == "unknown"
    with pytest.raises(UndoConflict, match="is gone"):
        await stage.undo(ready)


async def test_undo_reports_what_somebody_else_has_changed(stage: Stage) -> None:
    ready = await stage.plan("scale", {"replicas": "3"})
    await stage.act(ready)
    stage.change({"spec": {"replicas": 4}})
    with pytest.raises(UndoConflict, match="/spec/replicas no longer holds what was written"):
        await stage.undo(ready)
    assert stage.web()["spec"]["replicas"] == 4


@pytest.mark.parametrize(
    ("action", "arguments", "words"),
    [
        ("setImage", {"container": "nope", "image": IMAGE}, "container nope does not exist; existing ones are web"),
        ("jsonPatch", {"ops": "[{op: test, path: /spec/replicas, value: 9}]"}, "the value is another one"),
        ("jsonPatch", {"ops": "[{op: remove, path: /spec/nope}]"}, "there is no such path"),
        ("cordon", {}, "cordon is for a Node, not for a Deployment"),
        ("drain", {}, "drain is for a Node, not for a Deployment"),
        ("patch", {"merge": "metadata: {finalizers: [a.example/b]}"}, "outside the runbook's allowed paths"),
        ("scale", {"replicas": "1", "apiVersion": "apps/v1", "kind": "Deployment", "name": "no"}, "does not exist"),
    ],
)
async def test_what_cannot_be_done_is_refused_when_it_is_planned(
    stage: Stage, action: str, arguments: dict[str, str], words: str
) -> None:
    with pytest.raises(StepRefused, match=words):
        await stage.plan(action, arguments)


async def test_the_runner_may_no_more_than_it_was_granted(stage: Stage) -> None:
    body = {"metadata": {"name": "settings"}, "data": {"a": "b"}}
    assert stage.admin.post(stage.path("v1", "configmaps"), body).ok
    named = {"apiVersion": "v1", "kind": "ConfigMap", "name": "settings"}
    with pytest.raises(Forbidden, match="cannot patch resource"):
        await stage.plan("label", {"labels": "{a: b}", **named})


async def test_a_query_is_about_the_target(stage: Stage) -> None:
    query = {"promql": 'up{app="${target.metadata.name}"}', "satisfies": "value > 0.0"}
    ready = await stage.plan("assert", query)
    assert ready.condition is not None
    assert ready.condition.promql == 'up{app="web"}'
    assert ready.planned.note == 'asserts up{app="web"} satisfies value > 0.0'
    assert ready.intent == {"writes": False}

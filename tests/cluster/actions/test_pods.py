"""Pods are taken away by their uid, as budgets allow it, and only where somebody makes new ones."""

import pytest
from tests.cluster.actions.conftest import Stage
from tests.support.identity import Json
from tests.support.waiting import eventually

from interlock.operator.prepared import Acted, StepRefused, Waiting


def first(stage: Stage) -> tuple[str, str]:
    """Name and uid of a pod."""
    meta = stage.pods()[0]["metadata"]
    return meta["name"], meta["uid"]


def gone(stage: Stage, uid: str) -> bool:
    left = [p for p in stage.pods() if p["metadata"]["uid"] == uid]
    return not left or "deletionTimestamp" in left[0]["metadata"]


async def test_one_pod_is_deleted(stage: Stage) -> None:
    name, uid = first(stage)
    ready = await stage.plan("deletePod", {"name": name})
    [change] = ready.planned.changes
    assert (change.path, change.before, change.after) == (f"/pods/{stage.namespace}/{name}", f'"{uid}"', None)
    assert ready.intent["undoable"] is False
    assert not gone(stage, uid), "planning is a dry run"
    assert await stage.probe(ready) == "not"
    assert await stage.act(ready) == Acted()
    assert gone(stage, uid)
    assert await stage.probe(ready) == "happened"
    assert await stage.undo(ready) is None
    later = await stage.again("deletePod", {"name": name})
    assert later.skipped
    assert later.fits(ready.planned), "that it is gone by its turn is as good"


async def test_a_bare_pod_is_refused(stage: Stage) -> None:
    pod = {"metadata": {"name": "bare"}, "spec": {"containers": [{"name": "c", "image": "app.example/web:1"}]}}
    assert stage.admin.post(stage.path("v1", "pods"), pod).ok
    for action in ("deletePod", "evictPod"):
        with pytest.raises(StepRefused, match="has no controller"):
            await stage.plan(action, {"name": "bare"})
    with pytest.raises(StepRefused, match="pod nope does not exist"):
        await stage.plan("deletePod", {"name": "nope"})


async def test_an_eviction_waits_for_the_budget(stage: Stage) -> None:
    stage.budget(2)
    name, uid = first(stage)
    ready = await stage.plan("evictPod", {"name": name})
    assert [change.path for change in ready.planned.changes] == [f"/pods/{stage.namespace}/{name}"]
    waiting = await stage.act(ready)
    assert isinstance(waiting, Waiting)
    assert waiting.message.startswith(
        f"evicted 0 of 1; {stage.namespace}/{name} waits: The disruption budget web needs 2"
    )
    assert await stage.probe(ready) == "not"
    assert not gone(stage, uid)
    stage.budget(1)
    assert await stage.act(ready) == Acted({"evicted": 1})
    assert await stage.probe(ready) == "happened"
    await stage.settle(ready, "evictPod", {"name": name})
    assert uid not in {pod["metadata"]["uid"] for pod in stage.pods()}
    assert await stage.undo(ready) is None


async def test_a_repeated_eviction_never_meets_another_pod(stage: Stage) -> None:
    name, _ = first(stage)
    ready = await stage.plan("evictPod", {"name": name})
    await stage.act(ready)
    eventually(
        "two others", lambda: len(stage.pods()) == 2 and name not in {p["metadata"]["name"] for p in stage.pods()}
    )
    before = {pod["metadata"]["uid"] for pod in stage.pods()}
    assert await stage.act(ready) == Acted({"evicted": 1})
    assert {pod["metadata"]["uid"] for pod in stage.pods() if "deletionTimestamp" not in pod["metadata"]} == before


async def test_two_budgets_keep_a_pod_for_ever(stage: Stage) -> None:
    stage.budget(0)
    other: Json = {
        "metadata": {"name": "more"},
        "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "web"}}},
    }
    assert stage.admin.post(stage.path("policy/v1", "poddisruptionbudgets"), other).ok
    with pytest.raises(StepRefused, match="more than one PodDisruptionBudget"):
        await stage.plan("evictPod", {"name": first(stage)[0]})


async def test_which_pod_must_be_known_when_the_plan_is_made(stage: Stage) -> None:
    with pytest.raises(StepRefused, match="name must be known when the plan is made"):
        await stage.plan("deletePod", {"name": "${steps.before.pod}"})

"""A Job runs once, by a name of its own, and the end of its log is kept."""

import json

import pytest
from tests.cluster.actions.conftest import Stage
from tests.support.waiting import eventually

from interlock.operator.changes import UndoConflict
from interlock.operator.errors import Conflict, Forbidden
from interlock.operator.prepared import Settled, StepRefused

IMAGE = f"registry.example/tool@sha256:{'a' * 64}"


def program(script: str, **arguments: str) -> dict[str, str]:
    return {"image": IMAGE, "command": json.dumps(["sh", "-c", script]), **arguments}


async def test_a_job_is_shown_run_once_and_removed(stage: Stage) -> None:
    arguments = program("echo password=hunter2 done; sleep 1", env="{MODE: '${target.metadata.name}'}")
    ready = await stage.plan("createJob", arguments, timeoutSeconds=60)
    shown = {change.path: change.after for change in ready.planned.changes}
    name = json.loads(str(shown["/metadata/name"]))
    assert shown["/spec/template/spec/containers/[name=job]/image"] == f'"{IMAGE}"'
    assert shown["/spec/template/spec/containers/[name=job]/env"] == '[{"name": "MODE", "value": "web"}]'
    assert shown["/spec/activeDeadlineSeconds"] == "60"
    path = stage.path("batch/v1", "jobs", name)
    assert stage.admin.get(path).status == 404, "planning is a dry run"
    assert await stage.probe(ready) == "not"
    await stage.act(ready)
    assert await stage.probe(ready) == "happened"
    with pytest.raises(Conflict):
        await stage.act(ready)
    settled = await stage.settle(ready, "createJob", arguments, outputs={"said": "result.logs"}, timeoutSeconds=60)
    logs = "password=[redacted] done"
    assert settled == Settled({"job": name, "logs": logs, "said": logs})
    assert await stage.undo(ready) is not None
    assert stage.admin.get(path).status == 404 or "deletionTimestamp" in stage.admin.get(path).body["metadata"]
    assert await stage.undo(ready) is None


async def test_a_job_that_fails_says_so_with_its_log(stage: Stage) -> None:
    arguments = program("echo no such index; exit 3")
    ready = await stage.plan("createJob", arguments)
    await stage.act(ready)
    with pytest.raises(StepRefused, match=r"failed: BackoffLimitExceeded: .*; its log: no such index"):
        await stage.settle(ready, "createJob", arguments)


async def test_a_log_that_cannot_be_read_is_said(stage: Stage) -> None:
    arguments = program("echo hello")
    ready = await stage.plan("createJob", arguments)
    await stage.act(ready)
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{stage.namespace}/roles/interlock-runner.steps"
    rules = [r for r in stage.admin.get(role).body["rules"] if r["resources"] != ["pods/log"]]
    assert stage.admin.patch(role, {"rules": rules}).ok
    settled = await stage.settle(ready, "createJob", arguments)
    logs = str(settled.outputs["logs"])
    assert logs.startswith("(no log: ")
    assert "cannot get resource" in logs


async def test_a_job_of_somebody_else_under_that_name_is_left_alone(stage: Stage) -> None:
    ready = await stage.plan("createJob", program("echo hello"))
    foreign = {**ready.body, "metadata": {"name": ready.body["metadata"]["name"]}}
    assert stage.admin.post(ready.path, foreign).ok
    with pytest.raises(Conflict):
        await stage.act(ready)
    assert await stage.probe(ready) == "not"
    with pytest.raises(StepRefused, match="already exists"):
        await stage.again("createJob", program("echo hello"))
    with pytest.raises(UndoConflict, match="is not the one that was created"):
        await stage.undo(ready)


async def test_a_program_that_its_namespace_does_not_allow_is_refused_when_it_is_planned(stage: Stage) -> None:
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    assert stage.admin.post(stage.path("v1", "resourcequotas"), quota).ok
    used = stage.path("v1", "resourcequotas", "q")
    eventually("the quota to be counted", lambda: "used" in (stage.admin.get(used).body.get("status") or {}))
    with pytest.raises(Forbidden, match="exceeded quota: q"):
        await stage.plan("createJob", program("echo hello"))

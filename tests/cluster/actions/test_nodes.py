"""Nodes are cordoned and drained by the account for cluster-scoped targets, from namespaces that opted in only."""

import secrets
from collections.abc import AsyncIterator

import pytest
from tests.cluster.actions.conftest import Stage, grant, runbook, staged
from tests.support.identity import Json
from tests.support.installation import Installation
from tests.support.scene import deployment, open_namespace
from tests.support.waiting import eventually

from interlock.crds.execution import Target
from interlock.crds.names import OPERATOR_USER, RUNNERS_NAMESPACE, SYSTEM_NAMESPACE
from interlock.operator.changes import UndoConflict
from interlock.operator.errors import Forbidden
from interlock.operator.prepared import Acted, StepRefused, Waiting
from interlock.runbooks.rbac import grants

NODES = "/api/v1/nodes"


@pytest.fixture
async def node(installation: Installation) -> AsyncIterator[Stage]:
    """A node of the test's own with two pods of a Deployment of its own; nothing else is scheduled there."""
    name = f"test-{secrets.token_hex(4)}"
    book, admin = runbook("nodes", cluster=True), installation.admin
    open_namespace(installation, name)
    installation.opt_in(name)
    installation.publish(book)
    installation.apply(grants(book, [None]))
    grant(installation, "nodes.cluster", book.spec.permissions, None)
    account = "nodes.cluster"
    installation.wait_for_right(OPERATOR_USER, "create", "serviceaccounts/token", RUNNERS_NAMESPACE, name=account)
    join(installation, name)
    target = Target(api_version="v1", kind="Node", name=name)
    async with staged(installation, SYSTEM_NAMESPACE, book, target) as made:
        made.workloads = name
        made.deploy(pinned(deployment("web", replicas=2), name))
        eventually("two pods on the node", lambda: [p["spec"].get("nodeName") for p in made.pods()] == [name, name])
        yield made
    admin.delete(f"/api/v1/namespaces/{name}")
    admin.delete(f"{NODES}/{name}")


def join(installation: Installation, name: str) -> None:
    """A node like the lab's others, with a label of its own."""
    like = installation.admin.get(f"{NODES}/node-1").body
    labels = {**like["metadata"]["labels"], "kubernetes.io/hostname": name}
    annotations = like["metadata"].get("annotations") or {}
    body = {"metadata": {"name": name, "labels": labels, "annotations": annotations}, "spec": {}}
    assert installation.admin.post(NODES, body).ok
    status = {key: like["status"][key] for key in ("capacity", "allocatable")}
    assert installation.admin.patch(f"{NODES}/{name}/status", {"status": status}).ok


def pinned(body: Json, node: str) -> Json:
    """The Deployment with its pods on that node only."""
    body["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    return body


def unschedulable(stage: Stage) -> object:
    return stage.admin.get(f"{NODES}/{stage.target.name}").body["spec"].get("unschedulable")


async def test_a_node_is_cordoned_once_and_uncordoned_by_undo(node: Stage) -> None:
    ready = await node.plan("cordon")
    assert [(c.path, c.before, c.after) for c in ready.planned.changes] == [("/spec/unschedulable", None, "true")]
    assert unschedulable(node) is None, "planning is a dry run"
    assert await node.probe(ready) in ("not", "unknown"), "kwok may have written the node's status since"
    await node.act(await node.plan("cordon"))
    assert await node.probe(ready) == "happened"
    assert unschedulable(node) is True
    assert await node.undo(ready) is not None
    assert unschedulable(node) is None
    assert (await node.plan("uncordon")).skipped, "nothing to change"


async def test_undo_leaves_a_node_that_somebody_uncordoned(node: Stage) -> None:
    ready = await node.plan("cordon")
    await node.act(ready)
    node.admin.patch(f"{NODES}/{node.target.name}", {"spec": {"unschedulable": None}})
    assert await node.undo(ready) is None


async def test_a_node_is_drained_as_budgets_allow(node: Stage) -> None:
    await node.act(await node.plan("cordon"))
    node.budget(1)
    uids = {f"/pods/{node.workloads}/{p['metadata']['name']}": p["metadata"]["uid"] for p in node.pods()}
    ready = await node.plan("drain")
    assert {c.path: c.before for c in ready.planned.changes} == {path: f'"{uid}"' for path, uid in uids.items()}
    assert len(node.pods()) == 2, "planning is a dry run"
    assert await node.probe(ready) == "not"
    waiting = await node.act(ready)
    assert isinstance(waiting, Waiting)
    assert waiting.message.startswith("evicted 1 of 2; ")
    assert "waits: The disruption budget web needs 1 healthy pods" in waiting.message
    assert await node.probe(ready) == "not", "a new leader evicts the rest"
    later = await node.again("drain")
    assert later.fits(ready.planned)
    assert len(later.planned.changes) == 1
    node.budget(0)
    assert await node.act(later) == Acted({"evicted": 1})
    assert await node.probe(ready) == "happened"
    await node.settle(ready, "drain", {})
    assert not set(uids.values()) & {pod["metadata"]["uid"] for pod in node.pods()}
    assert (await node.again("drain")).skipped
    assert await node.undo(ready) is None


async def test_what_a_drain_refuses(node: Stage) -> None:
    pods = f"/api/v1/namespaces/{node.workloads}/pods"
    body = {"nodeName": node.target.name, "containers": [{"name": "c", "image": "app.example/web:1"}]}
    assert node.admin.post(pods, {"metadata": {"name": "bare"}, "spec": body}).ok
    with pytest.raises(StepRefused, match=f"pod {node.workloads}/bare has no controller"):
        await node.plan("drain")
    node.admin.delete(f"{pods}/bare?gracePeriodSeconds=0")
    eventually("the bare pod to be gone", lambda: node.admin.get(f"{pods}/bare").status == 404)
    keeping = pinned(deployment("keep"), node.target.name)
    keeping["spec"]["template"]["spec"]["volumes"] = [{"name": "cache", "emptyDir": {}}]
    node.deploy(keeping)
    with pytest.raises(StepRefused, match="keeps data in an emptyDir: allow its loss by deleteEmptyDirData"):
        await node.plan("drain")
    assert len((await node.plan("drain", {"deleteEmptyDirData": "true"})).planned.changes) == 3


async def test_pods_of_a_namespace_that_has_not_opted_in_keep_a_node_from_being_drained(node: Stage) -> None:
    space = f"/api/v1/namespaces/{node.workloads}"
    assert node.admin.patch(space, {"metadata": {"labels": {"interlock.dev/remediation": None}}}).ok
    with pytest.raises(Forbidden, match="this namespace has not opted in"):
        await node.plan("drain")


async def test_daemons_stay(node: Stage) -> None:
    daemons = {
        "metadata": {"name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": pinned(deployment("agent"), node.target.name)["spec"]["template"]["spec"],
            },
        },
    }
    assert node.admin.post(f"/apis/apps/v1/namespaces/{node.workloads}/daemonsets", daemons).ok
    eventually("the daemon", lambda: node.pods("agent"))
    ready = await node.plan("drain")
    assert {change.path for change in ready.planned.changes} == {
        f"/pods/{node.workloads}/{pod['metadata']['name']}" for pod in node.pods()
    }


async def test_a_job_needs_a_namespace(node: Stage) -> None:
    with pytest.raises(StepRefused, match="a Job needs a namespace"):
        await node.plan("createJob", {"image": f"tool@sha256:{'a' * 64}"})


async def test_a_node_that_is_gone_is_a_conflict(node: Stage) -> None:
    ready = await node.plan("cordon")
    await node.act(ready)
    node.admin.delete(f"{NODES}/{node.target.name}")
    eventually("the node to be gone", lambda: node.admin.get(f"{NODES}/{node.target.name}").status == 404)
    with pytest.raises(UndoConflict, match="is gone"):
        await node.undo(ready)

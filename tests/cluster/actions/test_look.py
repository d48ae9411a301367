"""What expressions see around a target, read with the operator's own account on a real API server."""

from typing import Any

import pytest
from tests.cluster.actions.conftest import MADE_AT, Stage
from tests.support.executions import allowed
from tests.support.identity import Json
from tests.support.waiting import eventually

from interlock.crds.execution import Target
from interlock.operator.look import AROUND, Observer, TargetGone, View

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "none"}


def view(stage: Stage, api_version: str, kind: str, name: str, uid: str | None = None) -> View:
    target = Target(api_version=api_version, kind=kind, namespace=stage.namespace, name=name)
    return View(Observer(stage.api), target, uid, {"parameters": {}, "now": MADE_AT})


def make(stage: Stage, group: str, plural: str, kind: str, name: str, **body: Any) -> None:
    manifest: Json = {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **body}
    allowed(stage.admin.post(stage.path(group, plural), manifest))


def names(objects: Any) -> list[str]:
    return [o["metadata"]["name"] for o in objects]


def mount(stage: Stage, config_map: str) -> None:
    """Rolls out a revision that refers to it, and to a claim that is missing."""
    volumes = [
        {"name": "settings", "configMap": {"name": config_map}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "more", "persistentVolumeClaim": {"claimName": "missing"}},
    ]
    stage.change({"spec": {"template": {"spec": {"volumes": volumes}}}})
    eventually("a pod of it", lambda: any(config_map in str(pod["spec"]) for pod in stage.pods()))


async def test_what_stands_around_a_target(stage: Stage) -> None:
    for version in ("settings-v1", "settings-v2", "other-v1"):
        make(stage, "v1", "configmaps", "ConfigMap", version, data={"key": version})
    make(stage, "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "data", spec=CLAIM)
    mount(stage, "settings-v1")
    mount(stage, "settings-v2")
    eventually(
        "a warning that a claim is missing",
        lambda: "missing" in str(stage.admin.get(stage.path("v1", "events?fieldSelector=type%3DWarning")).body),
    )

    seen = await view(stage, "apps/v1", "Deployment", "web").variables([*AROUND, "workloads", "target", "now"])
    assert names(seen["workloads"]) == ["web"]
    assert "managedFields" not in seen["workloads"][0]["metadata"]  # type: ignore[call-overload, index, operator]
    assert len(seen["revisions"]) == 3  # type: ignore[arg-type]
    assert names(seen["configMaps"]) == ["settings-v2", "settings-v1"]
    assert names(seen["claims"]) == ["data"]
    assert "missing" in str(seen["warnings"])
    assert seen["owner"] is None

    seen = await view(stage, "v1", "ConfigMap", "settings-v2").variables(AROUND)
    assert names(seen["configMaps"]) == ["settings-v1"], "another one is no version of it"
    assert seen["pods"]
    assert all("settings-v2" in str(pod) for pod in seen["pods"])  # type: ignore[union-attr]
    assert len(seen["revisions"]) == 3  # type: ignore[arg-type]

    name = stage.pods()[0]["metadata"]["name"]
    seen = await view(stage, "v1", "Pod", name).variables(AROUND)
    assert names([seen["owner"]]) == ["web"]
    assert name in names(seen["pods"])

    gone = view(stage, "v1", "Pod", "gone")
    assert names((await gone.variables(["workloads", "now"]))["workloads"]) == ["web"], "without its target"
    with pytest.raises(TargetGone):
        await gone.variables(["pods"])


async def test_revisions_of_a_statefulset(stage: Stage) -> None:
    template: Json = {
        "metadata": {"labels": {"app": "db"}},
        "spec": {"containers": [{"name": "db", "image": "db:1"}]},
    }
    spec = {"serviceName": "db", "replicas": 0, "selector": {"matchLabels": {"app": "db"}}, "template": template}
    make(stage, "apps/v1", "statefulsets", "StatefulSet", "db", spec=spec)
    path = stage.path("apps/v1", "statefulsets", "db")
    eventually("the first revision", lambda: stage.admin.get(path).body.get("status", {}).get("updateRevision"))
    first = stage.admin.get(path).body["status"]["updateRevision"]
    change = {"spec": {"template": {"spec": {"containers": [{"name": "db", "image": "db:2"}]}}}}
    allowed(stage.admin.patch(path, change))
    eventually("the second one", lambda: stage.admin.get(path).body["status"]["updateRevision"] != first)
    found = (await view(stage, "apps/v1", "StatefulSet", "db").variables(["revisions"]))["revisions"]
    assert [r["revision"] for r in found] == [2, 1]  # type: ignore[union-attr, index, call-overload]


async def test_what_stands_around_a_service_and_a_node(stage: Stage) -> None:
    for name, app in (("nobody", "none"), ("somebody", "web")):
        make(stage, "v1", "services", "Service", name, spec={"selector": {"app": app}, "ports": [{"port": 80}]})
    eventually(
        "both Services to have slices",
        lambda: len(stage.admin.get(stage.path("discovery.k8s.io/v1", "endpointslices")).body["items"]) == 2,
    )
    seen = await view(stage, "v1", "Service", "nobody").variables(["endpointSlices", "pods"])
    assert [piece["endpoints"] for piece in seen["endpointSlices"]] == [[]]  # type: ignore[index, union-attr, call-overload]
    assert seen["pods"] == []
    seen = await view(stage, "v1", "Service", "somebody").variables(["endpointSlices", "pods", "services"])
    found = {one["metadata"]["name"] for one in seen["services"]}  # type: ignore[index, union-attr, call-overload]
    assert found == {"nobody", "somebody"}
    assert len(seen["endpointSlices"][0]["endpoints"]) == len(seen["pods"]) == 2  # type: ignore[index, call-overload, arg-type]

    pod = stage.pods()[0]
    unseen = Observer(stage.api)
    node = await unseen.find_target(Target(api_version="v1", kind="Node", name=pod["spec"]["nodeName"]))
    assert node is not None
    assert pod["metadata"]["name"] in names(await unseen.pods(node, None))
    assert pod["spec"]["nodeName"] in names(await unseen.nodes(node, None))

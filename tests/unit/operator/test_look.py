from typing import Any

import pytest

from interlock.operator.around import (
    controller,
    is_unready,
    owned,
    referred,
    referring,
    revision_number,
    selector,
    versions,
)
from interlock.operator.look import mentioned


@pytest.mark.parametrize(
    ("spec", "query"),
    [
        ({"matchLabels": {"tier": "web", "app": "shop"}}, "app=shop,tier=web"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["b", "a"]}]}, "app in (a,b)"),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, "app notin (a)"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "app"),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, "!app"),
        ({"matchLabels": {"app": "shop"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}, "app=shop,x"),
        ({}, None),
    ],
)
def test_a_selector_is_what_the_api_server_takes(spec: dict[str, Any], query: str | None) -> None:
    assert selector({"spec": {"selector": spec}}) == query


@pytest.mark.parametrize("target", [{}, {"spec": None}, {"spec": {}}, {"spec": {"selector": None}}])
def test_what_selects_no_pods_has_no_selector(target: dict[str, Any]) -> None:
    assert selector(target) is None


@pytest.mark.parametrize(
    ("annotations", "number"),
    [({"deployment.kubernetes.io/revision": "12"}, 12), ({"deployment.kubernetes.io/revision": "x"}, 0), (None, 0)],
)
def test_a_revision_is_a_number_or_none_at_all(annotations: dict[str, str] | None, number: int) -> None:
    assert revision_number({"metadata": {"annotations": annotations}}) == number


def test_only_variables_are_mentioned() -> None:
    assert mentioned(["target.spec.replicas > 1 && pods.all(p, p.x)", "foo == now"]) == {"target", "pods", "now"}
    assert mentioned([]) == frozenset()


@pytest.mark.parametrize(
    ("name", "other", "is_one"),
    [
        ("settings-7f9k2m5t4h", "settings-bm4g9dt6k2", True),
        ("settings-v2", "settings-v1", True),
        ("settings-12", "settings-3", True),
        ("settings-3fa81c", "settings-90bb2d", True),
        ("settings-v2", "settings-v2", False),
        ("settings-v2", "other-v1", False),
        ("shop-settings", "shop-facade", False),
        ("settings", "settings-v1", False),
    ],
)
def test_versions_differ_in_a_hash_or_a_number_at_the_end(name: str, other: str, is_one: bool) -> None:
    assert versions(name, [other]) == ([other] if is_one else [])


def test_a_controller_revision_has_its_number_in_the_open() -> None:
    assert revision_number({"metadata": {}, "revision": 7}) == 7


def test_what_is_owned_and_what_is_referred_to() -> None:
    def made(name: str, owner: str, *config_maps: str) -> dict[str, Any]:
        volumes = [{"name": c, "configMap": {"name": c}} for c in config_maps]
        spec = {"template": {"spec": {"containers": [], "volumes": volumes}}}
        references = [{"uid": owner, "controller": True, "name": owner}]
        return {"metadata": {"name": name, "ownerReferences": references}, "spec": spec}

    objects = [made("a", "web", "one", "two"), made("b", "api", "two"), made("c", "web")]
    assert [o["metadata"]["name"] for o in owned(objects, ["web"])] == ["a", "c"]
    assert [o["metadata"]["name"] for o in referring(objects, "ConfigMap", "two")] == ["a", "b"]
    assert referred(objects, "ConfigMap") == ["one", "two"]
    assert [(controller(o) or {})["name"] for o in objects] == ["web", "api", "web"]
    assert controller({"metadata": {"ownerReferences": [{"uid": "x"}]}}) is None


@pytest.mark.parametrize(
    ("target", "query"),
    [
        ({"kind": "Service", "spec": {"selector": {"app": "web"}}}, "app=web"),
        ({"kind": "Service", "spec": {"externalName": "elsewhere"}}, None),
        ({"kind": "NetworkPolicy", "spec": {"podSelector": {"matchLabels": {"app": "web"}}}}, "app=web"),
        ({"kind": "NetworkPolicy", "spec": {"podSelector": {}}}, ""),
        ({"kind": "PodDisruptionBudget", "spec": {"selector": {"matchLabels": {"app": "web"}}}}, "app=web"),
        ({"kind": "ConfigMap", "data": {}}, None),
    ],
)
def test_each_kind_selects_pods_in_its_own_way(target: dict[str, Any], query: str | None) -> None:
    assert selector(target) == query


@pytest.mark.parametrize(
    ("pod", "is_so"),
    [
        ({"status": {"phase": "Pending"}}, True),
        ({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}}, True),
        ({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}, False),
        ({"status": {"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False"}]}}, False),
        ({"metadata": {"deletionTimestamp": "now"}, "status": {"phase": "Running"}}, False),
    ],
)
def test_a_pod_that_should_be_ready_and_is_not(pod: dict[str, Any], is_so: bool) -> None:
    assert is_unready({"metadata": {}, **pod}) is is_so

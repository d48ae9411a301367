from typing import Any

import pytest

from interlock.operator.look import mentioned, revision_number, selector


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

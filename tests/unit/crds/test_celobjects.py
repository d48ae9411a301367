"""What expressions ask of objects: the manifest that was applied, the pod spec, and what it refers to."""

import json
from typing import Any

import pytest

from interlock.crds.cel import ExpressionError, evaluate

SPEC: dict[str, Any] = {
    "initContainers": [{"name": "init", "envFrom": [{"configMapRef": {"name": "shared"}}]}],
    "containers": [
        {
            "name": "web",
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "B"}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "C"}}},
            ],
        }
    ],
    "volumes": [
        {"name": "files", "configMap": {"name": "files"}},
        {"name": "all", "projected": {"sources": [{"configMap": {"name": "part"}}, {"secret": {"name": "hidden"}}]}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}},
        {"name": "again", "persistentVolumeClaim": {"claimName": "data-0"}},
    ],
}
TEMPLATE = {"template": {"spec": SPEC}}
SHAPES: dict[str, dict[str, Any]] = {
    "pod": {"kind": "Pod", "spec": SPEC},
    "workload": {"kind": "Deployment", "spec": TEMPLATE},
    "cron": {"kind": "CronJob", "spec": {"jobTemplate": {"spec": TEMPLATE}}},
    "revision": {"kind": "ControllerRevision", "data": {"spec": TEMPLATE}, "revision": 3},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_pod_spec_is_found_in_every_shape(shape: dict[str, Any]) -> None:
    assert evaluate("podSpec(o)", {"o": shape}) == SPEC
    assert evaluate("references(o, 'ConfigMap')", {"o": shape}) == ["files", "part", "settings", "shared"]
    assert evaluate("references(o, 'PersistentVolumeClaim')", {"o": shape}) == ["data-0"]


@pytest.mark.parametrize(
    "shape", [{}, {"kind": "ConfigMap", "data": {"spec": "x"}}, {"spec": {"selector": {"a": "b"}}}]
)
def test_what_has_no_pods_has_no_pod_spec(shape: dict[str, Any]) -> None:
    assert evaluate("podSpec(o)", {"o": shape}) == {}
    assert evaluate("references(o, 'ConfigMap')", {"o": shape}) == []


def test_secrets_are_not_looked_for() -> None:
    with pytest.raises(ExpressionError, match="not 'Secret'"):
        evaluate("references(o, 'Secret')", {"o": SHAPES["pod"]})


def test_the_manifest_that_was_applied_last() -> None:
    applied: dict[str, Any] = {"data": {"mode": "safe"}}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied)}
    variables: dict[str, Any] = {"target": {"metadata": {"annotations": annotations}}}
    assert evaluate("lastApplied(target)", variables) == applied
    assert evaluate("lastApplied(target).?data.?mode.orValue('none')", variables) == "safe"


@pytest.mark.parametrize("annotations", [None, {}, {"kubectl.kubernetes.io/last-applied-configuration": "{"}])
def test_where_nothing_was_applied_the_manifest_is_empty(annotations: dict[str, str] | None) -> None:
    target: dict[str, Any] = {"metadata": {} if annotations is None else {"annotations": annotations}}
    assert evaluate("lastApplied(target).?data.hasValue()", {"target": target}) is False


def test_what_was_applied_is_an_object() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "[1]"}
    target: dict[str, Any] = {"metadata": {"annotations": annotations}}
    assert evaluate("lastApplied(target)", {"target": target}) == {}

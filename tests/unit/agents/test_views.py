"""A runbook's preconditions, asked of a snapshot: what is seen to be false rules it out, what was not seen does not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.cases.apps import APPS, deployed
from tests.cases.builder import Cluster

from interlock.agents.analyzers import Finding
from interlock.agents.analyzers.objects import PARTIAL
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evidence import Evidence
from interlock.agents.evidence.model import Item
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.facts import Facts
from interlock.agents.fitness import objection
from interlock.agents.model import ObjectRef
from interlock.agents.views import views
from interlock.crds.celobjects import LAST_APPLIED
from interlock.crds.redact import HIDDEN
from interlock.runbooks.loading import load_catalogue

APP = APPS["media"]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLLBACK = next(one.runbook for one in load_catalogue() if one.runbook.spec.family == "rollback-deployment")
RESTART = next(one.runbook for one in load_catalogue() if one.runbook.spec.family == "restart-deployment")
Judge = Callable[..., Facts]


@pytest.fixture
def facts(tmp_path: Path) -> Judge:
    def judged(cluster: Cluster, kind: str = "Deployment", name: str = APP.middle) -> Facts:
        cluster.settle()
        cluster.write(tmp_path / "case")
        land = Landscape(Snapshot(tmp_path / "case"))
        ref = ObjectRef(kind=kind, namespace=APP.namespace, name=name)
        finding = Finding(cause="workload.crash", object=ref, confidence=0.9, summary="x", quotes=())
        return Facts.about(finding, (), Evidence(target=ref, collected_at=land.now), land)

    return judged


def asked(expression: str) -> Any:
    first = RESTART.spec.preconditions[0]
    one = first.model_copy(update={"expression": expression, "message": "It does not hold."})
    return RESTART.model_copy(update={"spec": RESTART.spec.model_copy(update={"preconditions": [one]})})


@pytest.mark.parametrize(
    "expression",
    [
        "target.kind == 'Deployment'",
        "size(pods) == 2",
        "size(revisions) == 1",
        "size(workloads) == 4",
        "configMaps.exists(c, c.metadata.name == 'compose-config')",
        "size(claims) == 0",
        "size(warnings) == 0",
        "timestamp(now) > timestamp('2026-01-01T00:00:00Z')",
    ],
)
def test_expressions_see_what_was_collected(facts: Judge, expression: str) -> None:
    seen = facts(deployed(APP))
    assert objection(asked(expression), seen, {}) is None
    assert objection(asked(f"!({expression})"), seen, {}) == "It does not hold."


def test_what_was_not_collected_rules_nothing_out(facts: Judge) -> None:
    cluster = deployed(APP)
    cluster.lacks = frozenset({"replicasets"})
    assert objection(asked("size(revisions) > 5"), facts(cluster), {}) is None
    assert objection(asked("size(nothingOfTheKind) > 5"), facts(deployed(APP)), {}) is None


@pytest.mark.parametrize("source", ["lastApplied(target).?data.hasValue()", "size(intended(target, [])) > 0"])
def test_what_would_be_put_back_must_have_been_seen(facts: Judge, source: str) -> None:
    cluster = deployed(APP)
    cluster.lacks = frozenset({"replicasets"})
    assert objection(asked(f"{source} || size(revisions) > 5"), facts(cluster), {}) == "It does not hold."


@pytest.mark.parametrize(
    ("lacks", "known"),
    [({"statefulsets", "daemonsets"}, True), ({"deployments"}, False), ({"daemonsets", "pods"}, False)],
)
def test_a_kind_that_was_not_collected_has_no_objects_where_no_pod_belongs_to_one(
    facts: Judge, lacks: set[str], known: bool
) -> None:
    cluster = deployed(APP)
    cluster.lacks = frozenset(lacks)
    found = facts(cluster, "Service", APP.leaf)
    assert ("workloads" in views(found)) is known


def test_an_object_that_was_seen_in_part_is_not_judged(facts: Judge) -> None:
    cluster = deployed(APP)
    cluster.get("deployments", APP.middle)["metadata"]["annotations"] = {"snapshot/partial": "status"}
    assert views(facts(cluster)) == {}


def test_what_was_applied_last_is_found_beside_the_objects(facts: Judge) -> None:
    cluster = deployed(APP)
    cluster.get("deployments", APP.middle)["metadata"]["annotations"] = {LAST_APPLIED: HIDDEN}
    assert objection(asked("size(lastApplied(target)) > 0"), facts(cluster), {}) is None
    assert "workloads" not in views(facts(cluster))
    applied = {"kind": "Deployment", "metadata": {"name": APP.middle}, "spec": {"replicas": 7}}
    cluster.files["manifests/last-applied.yaml"] = [applied]
    assert objection(asked("lastApplied(target).spec.replicas == 8"), facts(cluster), {}) == "It does not hold."
    target = views(facts(cluster))["target"]
    assert isinstance(target, dict)
    assert json.loads(str(target["metadata"]["annotations"][LAST_APPLIED])) == applied  # type: ignore[call-overload, index]


def test_a_config_map_is_seen_with_its_readers_and_its_other_versions(facts: Judge) -> None:
    cluster = deployed(APP)
    for number in (1, 2):
        cluster.put(APP.namespace, "configmaps", {"metadata": {"name": f"flags-{number}"}, "data": {}})
    cluster.container(APP.leaf)["envFrom"] = [{"configMapRef": {"name": "flags-1"}}]
    cluster.rollout(APP.leaf)
    cluster.container(APP.leaf)["envFrom"] = [{"configMapRef": {"name": "flags-2"}}]
    seen = facts(cluster, "ConfigMap", "flags-2")
    assert objection(asked("configMaps.map(c, c.metadata.name) != ['flags-1']"), seen, {}) == "It does not hold."
    assert objection(asked("size(pods) == 0"), seen, {}) == "It does not hold."


def test_pods_are_those_that_an_object_selects_or_scales(facts: Judge) -> None:
    cluster = deployed(APP)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": APP.leaf}
    scaler = {"metadata": {"name": "scaler"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3}}
    cluster.put(APP.namespace, "horizontalpodautoscalers", scaler)
    budget = {"metadata": {"name": "keep"}, "spec": {"selector": {"matchLabels": {"app": APP.leaf}}}}
    cluster.put(APP.namespace, "poddisruptionbudgets", budget)
    policy = {"metadata": {"name": "all"}, "spec": {"podSelector": {}}}
    cluster.put(APP.namespace, "networkpolicies", policy)
    for kind, name, count in (
        ("HorizontalPodAutoscaler", "scaler", 2),
        ("PodDisruptionBudget", "keep", 2),
        ("Service", APP.leaf, 2),
        ("NetworkPolicy", "all", 6),
    ):
        assert objection(asked(f"size(pods) != {count}"), facts(cluster, kind, name), {}) == "It does not hold.", kind


def test_jobs_nodes_services_and_endpoint_slices_are_seen(facts: Judge) -> None:
    cluster = deployed(APP)
    cluster.put(APP.namespace, "jobs", {"metadata": {"name": "report"}, "spec": {}})
    labels = {"kubernetes.io/service-name": APP.leaf}
    for name, labelled, endpoints in (("a", labels, None), ("b", {}, [])):
        metadata: dict[str, Any] = {"name": name, "labels": labelled}
        body: dict[str, Any] = {"metadata": metadata, "endpoints": endpoints, "ports": []}
        cluster.put(APP.namespace, "endpointslices", body)
    seen = facts(cluster, "Service", APP.leaf)
    for expression in (
        "jobs.map(j, j.metadata.name) != ['report']",
        "size(nodes) != 3",
        f"!services.exists(s, s.metadata.name == '{APP.leaf}')",
        "endpointSlices.map(s, s.metadata.name) != ['a'] || size(endpointSlices[0].endpoints) != 0",
    ):
        assert objection(asked(expression), seen, {}) == "It does not hold."


def alone(annotations: dict[str, str]) -> Facts:
    """What is known of a Deployment where nobody has looked around."""
    ref = ObjectRef(kind="Deployment", namespace="shop", name="web")
    body: dict[str, Any] = {"metadata": {"name": "web", "annotations": annotations}, "spec": {}}
    item = Item(id="E1", kind="target", source="shop/web", collected_at=NOW, content=body)
    finding = Finding(cause="workload.image.not-found", object=ref, confidence=0.9, summary="x", quotes=())
    return Facts.about(finding, (), Evidence(target=ref, collected_at=NOW, items=(item,)), None)


BY_ARGO = {"argocd.argoproj.io/tracking-id": "x"}


@pytest.mark.parametrize(
    ("annotations", "owned"),
    [({}, False), (BY_ARGO, True), ({**BY_ARGO, LAST_APPLIED: HIDDEN}, True), ({**BY_ARGO, PARTIAL: ""}, False)],
)
def test_where_nobody_looked_around_the_target_speaks_for_itself(annotations: dict[str, str], owned: bool) -> None:
    said = objection(ROLLBACK, alone(annotations), {"toRevision": "0"}) or ""
    assert said.startswith("A GitOps controller owns this Deployment") is owned


def test_a_manifest_that_was_not_collected_is_not_judged() -> None:
    knows = asked("size(lastApplied(target)) > 0")
    assert objection(knows, alone({LAST_APPLIED: HIDDEN}), {}) is None
    assert objection(knows, alone({}), {}) == "It does not hold."

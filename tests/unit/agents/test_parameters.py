"""Values for a runbook's parameters: where they come from, and when the evidence speaks against any value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cases.apps import APPS, deployed
from tests.cases.builder import Cluster, at, ended, running, waiting

from interlock.agents.analyzers import Finding, Quote
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evidence import Evidence
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.facts import Facts
from interlock.agents.model import ObjectRef
from interlock.agents.parameters import Unfit, Value, fill, rises

APP = APPS["shop"]
LEAF = ("Deployment", APP.leaf)
Filled = Callable[..., Value]


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    def fill_in(cluster: Cluster, name: str, cause: str, about: tuple[str, str], *quotes: str) -> Value:
        cluster.settle()
        cluster.write(tmp_path / "case")
        land = Landscape(Snapshot(tmp_path / "case"))
        ref = ObjectRef(kind=about[0], namespace=None if about[0] == "Node" else "shop", name=about[1])
        told = tuple(Quote(id="x", excerpt=quote) for quote in quotes)
        finding = Finding(cause=cause, object=ref, confidence=0.9, summary="x", quotes=told)
        return fill(name, Facts.about(finding, (finding,), Evidence(target=ref, collected_at=land.now), land))

    return fill_in


def killed(*, restarts: int = 4, ran: float = 300) -> Cluster:
    cluster = deployed(APP)
    last = ended(137, "OOMKilled", ran=ran, ago=95)
    cluster.state(APP.leaf, lambda i: running(restarts=restarts, since=90, last=last))
    return cluster


def used(cluster: Cluster, values: list[float]) -> None:
    series = {"metric": {"pod": cluster.pod_name(APP.leaf)}, "values": [[n * 60, str(v)] for n, v in enumerate(values)]}
    cluster.files["metrics/memory.json"] = {"query": "container_memory_working_set_bytes", "data": {"result": [series]}}


def test_a_memory_limit_is_doubled(filled: Filled) -> None:
    assert filled(killed(), "memory", "workload.memory.oom-killed", LEAF) == "512Mi"


def test_a_memory_limit_follows_the_observed_peak(filled: Filled) -> None:
    cluster = killed()
    used(cluster, [500e6] * 10)
    assert filled(cluster, "memory", "workload.memory.oom-killed", LEAF) == "597Mi"


def test_a_memory_limit_goes_back_to_what_it_was_before_it_was_lowered(filled: Filled) -> None:
    cluster = deployed(APP)
    cluster.rollout(APP.leaf)
    cluster.container(APP.leaf)["resources"]["limits"]["memory"] = "96Mi"
    assert filled(cluster, "memory", "workload.memory.limit-too-low", LEAF) == "256Mi"


UNBOUNDED: dict[str, Callable[[], Cluster]] = {
    "killed every few hours": lambda: killed(ran=9000),
    "measured": lambda: _with_use([100e6 + 10e6 * n for n in range(16)]),
    "killed and grows again": lambda: _with_use([100e6 + 30e6 * (n % 6) for n in range(24)]),
}


def _with_use(values: list[float]) -> Cluster:
    cluster = killed()
    used(cluster, values)
    return cluster


@pytest.mark.parametrize("made", UNBOUNDED.values(), ids=UNBOUNDED)
def test_the_limit_of_what_grows_without_bound_is_not_raised(filled: Filled, made: Callable[[], Cluster]) -> None:
    value = filled(made(), "memory", "workload.memory.oom-killed", LEAF)
    assert isinstance(value, Unfit)
    assert "without bound" in value.why


def test_a_limit_is_not_raised_beyond_the_nodes_or_four_times(filled: Filled) -> None:
    huge = deployed(APP)
    huge.container(APP.leaf)["resources"]["limits"]["memory"] = "6Gi"
    assert isinstance(filled(huge, "memory", "workload.memory.oom-killed", LEAF), Unfit)
    lowered = deployed(APP)
    lowered.rollout(APP.leaf)
    lowered.container(APP.leaf)["resources"]["limits"]["memory"] = "16Mi"
    assert isinstance(filled(lowered, "memory", "workload.memory.limit-too-low", LEAF), Unfit)


def test_a_range_bounds_what_a_limit_is_raised_to(filled: Filled) -> None:
    cluster = killed()
    limits = [{"type": "Container", "max": {"memory": "300Mi"}}]
    cluster.put("shop", "limitranges", {"metadata": {"name": "bounds"}, "spec": {"limits": limits}})
    assert isinstance(filled(cluster, "memory", "workload.memory.oom-killed", LEAF), Unfit)


def test_a_processor_limit_is_doubled(filled: Filled) -> None:
    assert filled(deployed(APP), "cpu", "workload.cpu.throttled", LEAF) == "1000m"


def test_the_container_is_the_one_that_was_killed(filled: Filled) -> None:
    cluster = killed()
    cluster.spec(APP.leaf)["containers"].append({"name": "side", "image": "x"})
    assert filled(cluster, "container", "workload.memory.oom-killed", LEAF) == APP.leaf


def test_of_several_containers_none_is_guessed(filled: Filled) -> None:
    cluster = deployed(APP)
    cluster.spec(APP.leaf)["containers"].append({"name": "side", "image": "x"})
    assert isinstance(filled(cluster, "container", "workload.cpu.throttled", LEAF), Unfit)


def test_replicas_are_as_many_as_an_autoscaler_keeps_at_least(filled: Filled) -> None:
    cluster = deployed(APP)
    cluster.get("deployments", APP.leaf)["spec"]["replicas"] = 0
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": APP.leaf}, "minReplicas": 3, "maxReplicas": 9}
    cluster.put("shop", "horizontalpodautoscalers", {"metadata": {"name": "s"}, "spec": spec})
    assert filled(cluster, "replicas", "workload.replicas.zero", LEAF) == "3"


def test_replicas_of_which_nobody_knows_are_not_invented(filled: Filled) -> None:
    cluster = deployed(APP)
    cluster.get("deployments", APP.leaf)["spec"]["replicas"] = 0
    assert filled(cluster, "replicas", "workload.replicas.zero", LEAF) is None


def scaler(cluster: Cluster) -> Cluster:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": APP.leaf}, "minReplicas": 2, "maxReplicas": 5}
    cluster.put("shop", "horizontalpodautoscalers", {"metadata": {"name": "s"}, "spec": spec})
    return cluster


def test_an_autoscaler_gets_half_as_many_again(filled: Filled) -> None:
    about = ("HorizontalPodAutoscaler", "s")
    assert filled(scaler(deployed(APP)), "maxReplicas", "autoscaling.hpa.at-maximum", about) == "8"


def test_more_pods_are_no_cure_where_those_that_are_there_are_not_ready(filled: Filled) -> None:
    cluster = scaler(deployed(APP))
    cluster.state(APP.leaf, waiting("CrashLoopBackOff"))
    value = filled(cluster, "maxReplicas", "autoscaling.hpa.at-maximum", ("HorizontalPodAutoscaler", "s"))
    assert isinstance(value, Unfit)


REFUSED = "exceeded quota: budget, requested: pods=1, used: pods=6, limited: pods=6"
BUDGET = ("ResourceQuota", "budget")


def quota(**metadata: Any) -> Cluster:
    cluster = deployed(APP)
    cluster.no_pods.add(APP.leaf)
    status = {"hard": {"pods": "6"}, "used": {"pods": "6"}}
    body = {"metadata": {"name": "budget", **metadata}, "spec": {"hard": {"pods": "6"}}, "status": status}
    cluster.put("shop", "resourcequotas", body)
    return cluster


def test_a_quota_that_came_after_what_it_refuses_is_raised_to_what_is_asked_for(filled: Filled) -> None:
    cluster = quota(creationTimestamp=at(600))
    assert filled(cluster, "resource", "namespace.quota.pods-exceeded", BUDGET, REFUSED) == "pods"
    assert filled(cluster, "hard", "namespace.quota.pods-exceeded", BUDGET, REFUSED) == "8"


def test_a_quota_that_was_meant_is_not_raised(filled: Filled) -> None:
    value = filled(quota(), "hard", "namespace.quota.pods-exceeded", BUDGET, REFUSED)
    assert isinstance(value, Unfit)
    assert "meant" in value.why


def test_a_quota_that_was_lowered_gets_back_what_it_had(filled: Filled) -> None:
    cluster = quota()
    meant = {"kind": "ResourceQuota", "metadata": {"name": "budget"}, "spec": {"hard": {"pods": "10"}}}
    cluster.files["manifests/app.yaml"] = [meant]
    assert filled(cluster, "hard", "namespace.quota.pods-exceeded", BUDGET, REFUSED) == "10"


def test_a_quota_is_not_more_than_doubled(filled: Filled) -> None:
    asked = "exceeded quota: budget, requested: pods=9, used: pods=6, limited: pods=6"
    value = filled(quota(creationTimestamp=at(600)), "hard", "namespace.quota.pods-exceeded", BUDGET, asked)
    assert isinstance(value, Unfit)


def test_the_taint_is_the_one_that_is_named(filled: Filled) -> None:
    cluster = deployed(APP)
    taints = [{"key": key, "effect": "NoSchedule"} for key in ("maintenance", "dedicated")]
    cluster.get("nodes", "node-1", None)["spec"]["taints"] = taints
    said = "had untolerated taint {maintenance: disk}"
    assert filled(cluster, "key", "scheduling.taint.untolerated", ("Node", "node-1"), said) == "maintenance"
    assert isinstance(filled(cluster, "key", "scheduling.taint.untolerated", ("Node", "node-1")), Unfit)


def test_a_pull_secret_is_that_of_others_who_pull_from_the_same_registry(filled: Filled) -> None:
    cluster = deployed(APP)
    cluster.spec(APP.middle)["imagePullSecrets"] = [{"name": "ours"}]
    cluster.spec(APP.store)["imagePullSecrets"] = [{"name": "of-another-registry"}]
    assert filled(cluster, "secret", "workload.image.pull-secret-missing", LEAF) == "ours"


def test_a_parameter_of_an_unknown_name_is_left_to_its_default(filled: Filled) -> None:
    assert filled(deployed(APP), "flavour", "workload.cpu.throttled", LEAF) is None


@pytest.mark.parametrize("values", [[5.0] * 20, [100, 130, 90, 120, 100, 140, 95, 125, 101], [100, 200], [1] * 7 + [9]])
def test_noise_and_steps_are_no_growth(values: list[float]) -> None:
    assert not rises(values)

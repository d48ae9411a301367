"""What a plain dump of objects tells without alerts, and what is doubted where a part was not collected."""

from pathlib import Path
from typing import Any

import pytest
from tests.cases.apps import APPS, deployed
from tests.cases.builder import NOW, Cluster, at, crashing, ended, running
from tests.unit.agents.conftest import Look

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.examine import examine


@pytest.fixture
def shop() -> Cluster:
    """An application that is well."""
    return deployed(APPS["shop"])


def measured(cluster: Cluster, name: str, query: str, *series: tuple[str, float, float]) -> None:
    rows: list[dict[str, Any]] = []
    for service, before, after in series:
        points = [[NOW.timestamp() - 60 * (11 - n), str(before if n < 6 else after)] for n in range(12)]
        rows.append({"metric": {"service": service}, "values": points})
    cluster.files[f"metrics/{name}.json"] = {"query": query, "data": {"resultType": "matrix", "result": rows}}


@pytest.mark.parametrize(("ran", "restarts", "told"), [(60, 9, True), (3000, 9, False), (60, 1, False)])
def test_a_server_that_ends_in_order_when_its_probe_has_it_killed_is_in_a_loop(
    look: Look, shop: Cluster, ran: float, restarts: int, *, told: bool
) -> None:
    shop.container("payments")["livenessProbe"] = {"httpGet": {"path": "/", "port": 9999}}
    shop.state("payments", running(restarts=restarts, last=ended(0, "Completed", ran=ran)))
    words = 'Liveness probe failed: Get "http://10.1.1.1:9999/": dial tcp 10.1.1.1:9999: connect: connection refused'
    shop.event("Pod", shop.pod_name("payments"), "Unhealthy", words, count=30)
    assert (("workload.probe.liveness-port-wrong", "Deployment", "payments") in look(shop)) is told


def edited(shop: Cluster, manager: str, seconds: float) -> None:
    """A ConfigMap of payments of which one key was set by somebody after it was made."""
    key = "FeatureManagement__SegmentPricing"
    written = {"manager": manager, "operation": "Update", "time": at(seconds), "fieldsV1": {"f:data": {f"f:{key}": {}}}}
    meta = {"name": "rules", "creationTimestamp": at(90_000), "managedFields": [written]}
    shop.put("shop", "configmaps", {"metadata": meta, "data": {key: "true"}})
    shop.container("payments")["envFrom"] = [{"configMapRef": {"name": "rules"}}]


@pytest.mark.parametrize(
    ("manager", "seconds", "words", "blamed"),
    [
        ("kubectl-edit", 900, "ERROR SegmentPricing: no table for zone 14", True),
        ("kubectl-edit", 900, "ERROR mailbox of customer 4711 unavailable", False),
        ("kubectl-edit", 80_000, "ERROR SegmentPricing: no table for zone 14", False),
        ("some-operator", 900, "ERROR SegmentPricing: no table for zone 14", False),
    ],
)
def test_objects_remember_who_changed_them_where_nothing_else_does(
    look: Look, shop: Cluster, manager: str, seconds: float, words: str, *, blamed: bool
) -> None:
    edited(shop, manager, seconds)
    shop.log("payments", f"{words}\n" * 8)
    assert (("workload.config.changed-and-broken", "ConfigMap", "rules") in look(shop)) is blamed


def test_of_a_webhook_whose_configuration_was_not_seen_the_service_is_named(look: Look, shop: Cluster) -> None:
    asked = 'Post "https://images.guard.svc:443/v?timeout=10s": no endpoints available for service "images"'
    said = f'failed calling webhook "check.images.example": failed to call webhook: {asked}'
    shop.no_pods.add("payments")
    shop.event("ReplicaSet", "payments-x", "FailedCreate", f"Error creating: Internal error occurred: {said}")
    assert look(shop)[0] == ("control-plane.webhook.failing", "Service", "images")


@pytest.mark.parametrize("both", [True, False])
def test_names_that_several_cannot_resolve_are_the_name_services(look: Look, shop: Cluster, *, both: bool) -> None:
    for speaker, named in (("orders", "payments"), ("web", "orders"))[: 2 if both else 1]:
        shop.log(speaker, f"ERROR getaddrinfo EAI_AGAIN {named}\n" * 6)
    for plural in ("deployments", "replicasets", "pods", "endpoints", "services"):
        shop.objects.pop(("kube-system", plural), None)
    del shop.objects["shop", "networkpolicies"]
    shop.alert("HighErrorRate", service="orders")
    assert (("control-plane.coredns.down", "Deployment", "coredns") in look(shop)) is both


REQUESTS = "sum by (service) (rate(http_server_request_duration_seconds_count[5m]))"
PROCESSOR = "sum by (service) (rate(container_cpu_usage_seconds_total[5m]))"


@pytest.mark.parametrize(("requests", "first"), [(1200.0, "traffic.spike"), (110.0, "workload.cpu.saturated")])
def test_who_gets_many_times_the_requests_is_busy_for_them(
    look: Look, shop: Cluster, requests: float, first: str
) -> None:
    measured(shop, "rate", REQUESTS, ("web", 100, requests))
    measured(shop, "cpu", PROCESSOR, ("web", 0.1, 0.5))
    shop.alert("FrontSlow", service="web")
    assert look(shop)[0] == (first, "Deployment", "web")


@pytest.mark.parametrize(("risen", "told"), [(1, True), (3, False)])
def test_latency_that_begins_everywhere_at_once_begins_nowhere(
    look: Look, shop: Cluster, risen: int, *, told: bool
) -> None:
    names = ("payments", "orders-db", "ledger")
    shop.deploy("ledger", 9000)
    query = "histogram_quantile(0.99, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))"
    measured(shop, "p99", query, *((name, 0.2, 3.0) for name in names[:risen]))
    assert bool(look(shop)) is told


@pytest.mark.parametrize(
    ("line", "told"), [("Now listening on: http://[::]:5000", True), ("listening on :8080", False)]
)
def test_a_program_that_says_it_listens_elsewhere_than_it_is_probed(
    look: Look, shop: Cluster, line: str, *, told: bool
) -> None:
    shop.container("payments")["readinessProbe"] = {"httpGet": {"path": "/", "port": 8080}}
    shop.state("payments", running(ready=False))
    for index in range(2):
        shop.log("payments", f"info: starting\n{line}\n", index=index)
    assert (("workload.port.not-listening", "Deployment", "payments") in look(shop)) is told


def test_where_no_limit_range_was_seen_the_workload_is_named(look: Look, shop: Cluster) -> None:
    shop.no_pods.add("payments")
    words = (
        'Error creating: pods "payments-x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi'
    )
    shop.event("ReplicaSet", "payments-x", "FailedCreate", words)
    assert look(shop)[0] == ("namespace.limit-range.violated", "Deployment", "payments")


@pytest.mark.parametrize("odd", [5, "x", [None], [5, {"time": 7}], {"a": 1}])
def test_odd_managed_fields_are_no_error(look: Look, shop: Cluster, odd: object) -> None:
    edited(shop, "kubectl-edit", 900)
    shop.objects["shop", "configmaps"]["rules"]["metadata"]["managedFields"] = odd
    assert look(shop)


@pytest.mark.parametrize(("about", "blamed"), [("orders", False), ("payments", True)])
def test_a_release_of_one_that_is_well_and_silent_is_not_blamed(
    look: Look, shop: Cluster, about: str, *, blamed: bool
) -> None:
    shop.rollout("payments")
    shop.container("payments")["image"] = "registry.example/shop/payments:1.5.0"
    shop.alert("HighErrorRate", service=about)
    assert (("workload.errors.regressed-after-change", "Deployment", "payments") in look(shop)) is blamed


@pytest.mark.parametrize(
    ("words", "path"), [("connect: connection refused", False), ("HTTP probe failed with statuscode: 404", True)]
)
def test_a_wrong_path_gets_an_answer(look: Look, shop: Cluster, words: str, *, path: bool) -> None:
    probe = {"httpGet": {"path": "/health", "port": 8080}}
    shop.container("payments")["readinessProbe"] = probe
    shop.rollout("payments")
    shop.container("payments")["readinessProbe"] = {"httpGet": {"path": "/ready", "port": 8080}}
    shop.state("payments", running(ready=False))
    for index in range(2):
        shop.event("Pod", shop.pod_name("payments", index), "Unhealthy", f"Readiness probe failed: {words}")
    assert (("workload.probe.readiness-path-wrong", "Deployment", "payments") in look(shop)) is path


def test_what_a_level_of_the_namespace_asks_for_is_not_what_the_kubelet_refused(look: Look, shop: Cluster) -> None:
    shop.no_pods.add("payments")
    words = (
        'pods "payments-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true, seccompProfile'
    )
    shop.event("ReplicaSet", "payments-x", "FailedCreate", f"Error creating: {words}")
    found = look(shop)
    assert found[0][0] == "namespace.pod-security.rejected"
    assert not [cause for cause, *_ in found if cause.startswith("workload.security")]


def test_a_rollout_is_seen_to_be_paused_without_its_revisions(look: Look, shop: Cluster) -> None:
    shop.rollout("payments")
    shop.container("payments")["image"] = "registry.example/shop/payments:1.5.0"
    body = shop.get("deployments", "payments")
    body["spec"]["paused"] = True

    def held() -> None:
        body["status"]["updatedReplicas"] = 1
        del shop.objects["shop", "replicasets"]

    shop.after = held
    shop.alert("RolloutStuck", deployment="payments")
    assert ("workload.rollout.paused", "Deployment", "payments") in look(shop)


def test_a_cache_that_drops_what_it_was_given_is_too_small(look: Look, shop: Cluster) -> None:
    measured(shop, "drops", "rate(memcached_items_evicted_total[5m])", ("payments", 0, 900))
    assert ("workload.latency.saturation", "Deployment", "payments") in look(shop)


def test_a_queue_is_read_by_who_calls_the_broker(look: Look, shop: Cluster) -> None:
    shop.deploy("rabbit", 5672, container={"image": "rabbitmq:4"})
    shop.deploy("stock", 9000)
    shop.deploy("stock-sync", None, env={"AMQP_URL": "amqp://rabbit:5672"})
    points = [[NOW.timestamp() - 60 * (11 - n), "2" if n < 6 else "0"] for n in range(12)]
    rows = [{"metric": {"queue": "stock.updates"}, "values": points}]
    data = {"resultType": "matrix", "result": rows}
    shop.files["metrics/readers.json"] = {"query": "rabbitmq_queue_consumers", "data": data}
    assert look(shop)[0] == ("queue.consumer.stopped", "Deployment", "stock-sync")


def test_a_pool_that_is_used_up_is_a_databases_before_a_brokers(look: Look, shop: Cluster) -> None:
    shop.deploy("nats", 4222, kind="StatefulSet", container={"image": "nats:2"})
    shop.env("orders", "BUS", "nats://nats:4222")
    words = "fail: Timeout expired prior to obtaining a connection from the pool: max pool size was reached"
    for index in range(2):
        shop.log("orders", f"{words}\n" * 8, index=index)
    shop.alert("HighErrorRate", service="orders")
    assert look(shop)[0] == ("database.connections.exhausted", "Deployment", "orders-db")


@pytest.mark.parametrize(("host", "said"), [("payments.shop-staging", True), ("payments.example", False)])
def test_a_service_of_ours_in_a_namespace_that_is_not_there(
    look: Look, shop: Cluster, host: str, *, said: bool
) -> None:
    shop.env("orders", "LEAF_URL", f"http://{host}:8080")
    if not said:  # whatever lies outside has two labels too
        shop.objects.pop(("", "namespaces"))
    assert (("workload.env.address-wrong", "Deployment", "orders") in look(shop)) is said


def test_a_port_behind_a_comma_is_a_port(look: Look, shop: Cluster) -> None:
    shop.env("orders", "ConnectionStrings__Main", "Server=orders-db,5433;Database=main;User Id=app")
    assert look(shop)[0] == ("workload.env.address-wrong", "Deployment", "orders")


def test_where_a_probe_looks_is_not_wrong_while_all_pods_pass_it(look: Look, shop: Cluster) -> None:
    shop.container("payments")["readinessProbe"] = {"httpGet": {"path": "/", "port": "http"}}
    shop.rollout("payments")
    shop.container("payments")["readinessProbe"] = {"httpGet": {"path": "/", "port": "web"}}
    shop.alert("HighErrorRate", service="payments")
    assert not [cause for cause, *_ in look(shop) if cause.startswith("workload.probe")]


def test_of_several_things_that_changed_in_a_probe_none_is_sure(tmp_path: Path, shop: Cluster) -> None:
    shop.container("payments")["livenessProbe"] = {"httpGet": {"path": "/a", "port": 8080}, "periodSeconds": 10}
    shop.rollout("payments")
    shop.container("payments")["livenessProbe"] = {"httpGet": {"path": "/b", "port": 8080}, "periodSeconds": 2}
    shop.state("payments", crashing(143, ran=16))
    del shop.objects["shop", "events"]
    shop.settle()
    shop.write(tmp_path)
    diagnosis = examine(Landscape(Snapshot(tmp_path)), 0.5)
    probes = [h.confidence for h in diagnosis.hypotheses if h.cause.startswith("workload.probe")]
    assert probes
    assert max(probes) < 0.8


def test_a_claim_that_the_scheduler_does_not_find_is_misnamed(look: Look, shop: Cluster) -> None:
    del shop.objects["shop", "persistentvolumeclaims"]
    shop.spec("payments")["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-v2"}}]
    words = '0/3 nodes are available: persistentvolumeclaim "data-v2" not found.'
    waiting = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}

    def unplaced(pod: dict[str, Any], _: int) -> None:
        pod["spec"].pop("nodeName", None)
        pod["status"] = {"phase": "Pending", "conditions": [waiting]}

    shop.pod_edits["payments"] = unplaced
    assert look(shop)[0] == ("workload.volume.not-found", "Deployment", "payments")


@pytest.mark.parametrize(("seconds", "blamed"), [(3600, True), (40 * 86_400, False)])
def test_what_has_had_no_replicas_for_long_was_meant_to_have_none(
    look: Look, shop: Cluster, seconds: float, *, blamed: bool
) -> None:
    body = shop.get("deployments", "web")
    body["spec"]["replicas"] = 0
    body["metadata"]["managedFields"] = [{"manager": "helm", "operation": "Update", "time": at(seconds)}]
    assert (("workload.replicas.zero", "Deployment", "web") in look(shop)) is blamed


def test_without_anybody_who_would_complain_health_is_hardly_known(tmp_path: Path, shop: Cluster) -> None:
    def sure(folder: Path) -> float:
        shop.settle()
        shop.write(folder)
        return examine(Landscape(Snapshot(folder)), 0.5).hypotheses[0].confidence

    alone = sure(tmp_path / "objects")
    shop.files["alerts.json"] = {"alerts": []}
    assert alone < 0.6 < sure(tmp_path / "alerts")


@pytest.mark.parametrize(("service", "told"), [("payments", True), ("web", False)])
def test_folded_logs_tell_why_a_program_ends_where_no_others_were_collected(
    look: Look, shop: Cluster, service: str, *, told: bool
) -> None:
    shop.state("payments", crashing())
    said = [{"count": 40, "ratio": 0.9, "sample": "Error: unexpected end of merchant table at line 88"}]
    entry = {"namespace": "shop", "service": service, "pods": [], "total_log_count": 44, "patterns": said}
    shop.files["log-patterns.json"] = [entry]
    assert (("workload.crash.application-error", "Deployment", "payments") in look(shop)) is told

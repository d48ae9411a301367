"""What stands before and between services: routes, issuers, a mesh; who takes more than a share; what a kernel says."""

from typing import Any

import pytest
from tests.cases.apps import APPS, deployed
from tests.cases.builder import NOW, Cluster
from tests.unit.agents.conftest import Look

NGINX = "nginx.ingress.kubernetes.io"


def routed(annotations: dict[str, str], path: str = "/api") -> Cluster:
    cluster = deployed(APPS["shop"])
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rules = [{"host": "shop.example", "http": {"paths": [{"path": path, "backend": backend}]}}]
    notes = {f"{NGINX}/{key}": value for key, value in annotations.items()}
    cluster.put("shop", "ingresses", {"metadata": {"name": "shop", "annotations": notes}, "spec": {"rules": rules}})
    cluster.alert("Ingress4xx", ingress="shop")
    return cluster


def measured(cluster: Cluster, query: str, *series: tuple[dict[str, str], float, float]) -> Cluster:
    rows: list[dict[str, Any]] = []
    for labels, before, after in series:
        points = [[NOW.timestamp() - 60 * (11 - n), str(before if n < 6 else after)] for n in range(12)]
        rows.append({"metric": {"namespace": "shop"} | labels, "values": points})
    cluster.files["metrics/x.json"] = {"query": query, "data": {"resultType": "matrix", "result": rows}}
    return cluster


@pytest.mark.parametrize(("path", "wrong"), [("/api", True), ("/api(/|$)(.*)", False)])
def test_a_rewrite_needs_the_groups_that_it_names(look: Look, path: str, *, wrong: bool) -> None:
    found = look(routed({"rewrite-target": "/$2"}, path))
    assert (("gateway.route.wrong", "Ingress", "shop") in found) is wrong


@pytest.mark.parametrize(("wait", "code", "wrong"), [("1", "504", True), ("1", "502", False), ("60", "504", False)])
def test_a_wait_is_too_short_where_requests_are_given_up(look: Look, wait: str, code: str, *, wrong: bool) -> None:
    cluster = routed({"proxy-read-timeout": wait})
    measured(cluster, "sum by (status) (rate(nginx_ingress_controller_requests[5m]))", ({"status": code}, 0, 4))
    assert (("gateway.timeout.too-short", "Ingress", "shop") in look(cluster)) is wrong


def test_an_issuer_that_turns_orders_down_is_at_fault(look: Look) -> None:
    cluster = deployed(APPS["shop"])
    issuer = {"name": "public", "kind": "ClusterIssuer"}
    ready = {"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "Issuing certificate"}
    body = {"metadata": {"name": "web"}, "spec": {"issuerRef": issuer}, "status": {"conditions": [ready]}}
    cluster.put("shop", "certificates", body)
    told = "Failed to create Order: 400 urn:ietf:params:acme:error:rejectedIdentifier"
    cluster.event("CertificateRequest", "web-1", "OrderFailed", told)
    assert look(cluster)[0] == ("certificate.issuer.failing", "ClusterIssuer", "public")


@pytest.mark.parametrize(("mode", "proxied"), [("STRICT", False), ("STRICT", True), ("PERMISSIVE", False)])
def test_a_strict_mesh_shuts_out_who_has_no_proxy(look: Look, mode: str, *, proxied: bool) -> None:
    cluster = deployed(APPS["shop"])
    cluster.put("shop", "peerauthentications", {"metadata": {"name": "all"}, "spec": {"mtls": {"mode": mode}}})
    for name in ("payments", *(["orders"] if proxied else [])):
        cluster.spec(name)["containers"].append({"name": "istio-proxy", "image": "istio/proxyv2:1.24.2"})
    cluster.log("orders", "ERROR Post http://payments:8080/pay: read: connection reset by peer\n" * 5)
    expected = ("workload.dependency.protocol-mismatch", "PeerAuthentication", "all")
    assert (expected in look(cluster)) is (mode == "STRICT" and not proxied)


@pytest.mark.parametrize(("now", "wrong"), [(600, True), (40, False)])
def test_one_client_that_came_to_ask_for_nearly_all_is_named(look: Look, now: float, *, wrong: bool) -> None:
    cluster = deployed(APPS["shop"])
    query = 'sum by (api_key) (rate(http_requests_total{service="web"}[5m]))'
    measured(cluster, query, ({"api_key": "a"}, 30, 31), ({"api_key": "b"}, 2, now), ({"api_key": "c"}, 35, 34))
    assert (("traffic.abusive-client", "Deployment", "web") in look(cluster)) is wrong


@pytest.mark.parametrize(("affinity", "wrong"), [("ClientIP", True), ("None", False)])
def test_one_pod_that_gets_nearly_all_is_kept_by_its_service(look: Look, affinity: str, *, wrong: bool) -> None:
    cluster = deployed(APPS["shop"])
    cluster.get("services", "payments")["spec"]["sessionAffinity"] = affinity
    one, other = ({"pod": cluster.pod_name("payments", n)} for n in range(2))
    measured(cluster, "sum by (pod) (rate(http_requests_total[5m]))", (one, 50, 98), (other, 50, 1))
    assert (("service.session-affinity.skewed", "Service", "payments") in look(cluster)) is wrong


@pytest.mark.parametrize(("ago", "wrong"), [(60, True), (90_000, False)])
def test_what_a_kernel_said_a_moment_ago_is_the_nodes(look: Look, ago: float, *, wrong: bool) -> None:
    cluster = deployed(APPS["shop"])
    words = "kernel: nf_conntrack: nf_conntrack: table full, dropping packet"
    cluster.event("Node", "node-2", "ConntrackFull", words, namespace="default", ago=ago)
    assert (("node.network.packet-loss", "Node", "node-2") in look(cluster)) is wrong


def test_an_autoscaler_at_its_maximum_explains_why_its_pods_are_busy(look: Look) -> None:
    cluster = deployed(APPS["shop"])
    limited: dict[str, Any] = {
        "type": "ScalingLimited",
        "status": "True",
        "reason": "TooManyReplicas",
        "message": "max",
    }
    target = {"kind": "Deployment", "name": "payments"}
    spec = {"scaleTargetRef": target, "maxReplicas": 2}
    status = {"currentReplicas": 2, "desiredReplicas": 2, "conditions": [limited]}
    cluster.put("shop", "horizontalpodautoscalers", {"metadata": {"name": "busy"}, "spec": spec, "status": status})
    pods = [{"pod": cluster.pod_name("payments", n)} for n in range(2)]
    cpu = "sum by (pod) (rate(container_cpu_usage_seconds_total[5m]))"
    measured(cluster, cpu, *((pod, 0.2, 0.49) for pod in pods))
    cluster.alert("KubeHpaMaxedOut", horizontalpodautoscaler="busy")
    assert look(cluster)[0] == ("autoscaling.hpa.at-maximum", "HorizontalPodAutoscaler", "busy")

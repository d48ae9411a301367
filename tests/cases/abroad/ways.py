"""Faults of the ways between workloads: Services, policies, ingress, what is measured, chains of dependents."""

from collections.abc import Mapping

from tests.cases.abroad.library import strange
from tests.cases.abroad.places import PORTS, Place, Town
from tests.cases.builder import Json, at, crashing, running
from tests.cases.library import Expected

NOW = 1772366400


def _series(t: Town, name: str, query: str, values: Mapping[str, list[float]], label: str = "service") -> None:
    result = [
        {"metric": {label: who, "namespace": t.namespace}, "values": [[NOW - 60 * (len(v) - n), str(x)] for n, x in enumerate(v)]}
        for who, v in values.items()
    ]  # fmt: skip
    t.files[f"metrics/{name}.json"] = {
        "query": query,
        "status": "success",
        "data": {"resultType": "matrix", "result": result},
    }


def _step(low: float, high: float, at_minute: int = 18, length: int = 30) -> list[float]:
    return [(low if n < at_minute else high) * (1 + 0.03 * (n % 3)) for n in range(length)]


P95 = "histogram_quantile(0.95, sum by (service, le) (rate(grpc_server_handling_seconds_bucket[2m])))"
FAILED = (
    'sum by (service) (rate(http_requests_total{code=~"5.."}[2m])) / sum by (service) (rate(http_requests_total[2m]))'
)
RATE = "sum by (service) (rate(http_requests_total[2m]))"


def _flat(t: Town, p: Place, value: float) -> dict[str, list[float]]:
    return {name: _step(value, value) for name in p.others}


def _hidden(t: Town, p: Place) -> None:
    t.says(p.edge, "timeout", host=p.api, port=80)
    t.alert("HighErrorRate", service=p.edge)


@strange("restore-service-spec")
def service_looks_for_others(t: Town, p: Place) -> Expected:
    t.get("services", p.worker)["spec"]["selector"] = {p.label: p.worker, "track": "stable"}
    t.says(p.api, "refused", host=p.worker, port=PORTS["worker"])
    _hidden(t, p)
    return Expected("service.selector.mismatch", "Service", p.worker)


@strange("restore-service-spec")
def named_port_is_gone(t: Town, p: Place) -> Expected:
    t.get("services", p.worker)["spec"]["ports"][0]["targetPort"] = "grpc-main"
    t.says(p.api, "refused", host=p.worker, port=PORTS["worker"])
    _hidden(t, p)
    return Expected("service.port.target-mismatch", "Service", p.worker, ("workload.port.name-mismatch",))


@strange("restore-service-spec")
def service_leads_to_a_closed_port(t: Town, p: Place) -> Expected:
    t.get("services", p.worker)["spec"]["ports"][0]["targetPort"] = 9009
    t.says(p.api, "refused", host=p.worker, port=PORTS["worker"])
    _hidden(t, p)
    return Expected("service.port.target-mismatch", "Service", p.worker)


@strange("restore-service-spec")
def datagrams_only(t: Town, p: Place) -> Expected:
    t.get("services", p.worker)["spec"]["ports"][0]["protocol"] = "UDP"
    t.says(p.api, "timeout", host=p.worker, port=PORTS["worker"])
    _hidden(t, p)
    return Expected("service.port.protocol-mismatch", "Service", p.worker)


@strange()
def partner_moved(t: Town, p: Place) -> Expected:
    spec = {"type": "ExternalName", "externalName": "rates.partner.exmaple.invalid"}
    t.put(p.namespace, "services", {"metadata": {"name": "partner-rates"}, "spec": spec})
    t.env(p.api, "RATES_URL", "https://partner-rates/v3")
    t.says(p.api, "nohost", host="partner-rates", port=443)
    t.alert("HighErrorRate", service=p.api)
    return Expected("service.external-name.wrong", "Service", "partner-rates")


def _policy(
    t: Town, name: str, who: str, types: list[str], ingress: list[Json] | None, egress: list[Json] | None
) -> None:
    spec: Json = {"podSelector": {"matchLabels": {t.place.label: who}}, "policyTypes": types}
    if ingress is not None:
        spec["ingress"] = ingress
    if egress is not None:
        spec["egress"] = egress
    t.put(t.namespace, "networkpolicies", {"metadata": {"name": name}, "spec": spec})


# These policies are a day old, and nothing says what they were before: which rule is missing is for a person.
@strange()
def store_is_fenced(t: Town, p: Place) -> Expected:
    peers = [{"podSelector": {"matchLabels": {t.place.label: "backup"}}}]
    _policy(t, "db-fence", p.store, ["Ingress"], [{"from": peers, "ports": [{"port": p.store_port}]}], None)
    t.says(p.worker, "timeout", host=p.store, port=p.store_port)
    t.says(p.api, "timeout", host=p.worker, port=PORTS["worker"])
    _hidden(t, p)
    return Expected("network-policy.ingress.blocked", "NetworkPolicy", "db-fence")


@strange()
def api_is_fenced_by_port(t: Town, p: Place) -> Expected:
    peers: list[Json] = [{"podSelector": {}}]
    _policy(t, "workers-only-metrics", p.worker, ["Ingress"], [{"from": peers, "ports": [{"port": 9100}]}], None)
    t.says(p.api, "timeout", host=p.worker, port=PORTS["worker"])
    _hidden(t, p)
    return Expected("network-policy.ingress.blocked", "NetworkPolicy", "workers-only-metrics")


@strange()
def worker_may_not_ask_for_names(t: Town, p: Place) -> Expected:
    peers = [{"podSelector": {"matchLabels": {t.place.label: p.store}}}]
    _policy(t, "egress-to-db", p.worker, ["Egress"], None, [{"to": peers, "ports": [{"port": p.store_port}]}])
    t.says(p.worker, "nohost", host=p.store, port=p.store_port)
    _hidden(t, p)
    return Expected("network-policy.dns.blocked", "NetworkPolicy", "egress-to-db")


@strange()
def worker_may_not_leave(t: Town, p: Place) -> Expected:
    names = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}
    elsewhere = {"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}
    _policy(t, "restrict-worker", p.worker, ["Egress"], None, [names, elsewhere])
    t.says(p.worker, "timeout", host=p.store, port=p.store_port)
    _hidden(t, p)
    return Expected("network-policy.egress.blocked", "NetworkPolicy", "restrict-worker")


@strange("restore-service-spec")
def chain_to_a_cache_that_is_not_selected(t: Town, p: Place) -> Expected:
    t.get("services", p.cache)["spec"]["selector"] = {t.place.label: f"{p.cache}-v2"}
    t.says(p.api, "refused", host=p.cache, port=PORTS["cache"])
    _series(t, "p95", P95, {**_flat(t, p, 0.02), p.edge: _step(0.1, 4.1), p.api: _step(0.09, 4.0)})
    t.alert("HighLatency", service=p.edge)
    return Expected("service.selector.mismatch", "Service", p.cache)


@strange()
def slow_from_the_worker_on(t: Town, p: Place) -> Expected:
    slow = {p.edge: _step(0.2, 3.3), p.api: _step(0.15, 3.2), p.worker: _step(0.1, 3.1)}
    _series(t, "p95", P95, {**_flat(t, p, 0.05), **slow})
    t.alert("SLOLatency", service=p.edge)
    return Expected("workload.latency", "Deployment", p.worker)


@strange()
def errors_from_the_worker_on(t: Town, p: Place) -> Expected:
    wrong = {p.edge: _step(0.001, 0.31), p.api: _step(0.001, 0.32), p.worker: _step(0.0, 0.34)}
    _series(t, "errors", FAILED, {**_flat(t, p, 0.001), **wrong})
    t.alert("SLOErrorBudgetBurn", service=p.edge)
    return Expected("workload.errors", "Deployment", p.worker)


@strange(*("rollback-deployment",))
def errors_since_the_release(t: Town, p: Place) -> Expected:
    t.rollout(p.worker)
    t.container(p.worker)["image"] = "registry.example/worker:3.1.0"
    wrong = {p.edge: _step(0.001, 0.21, 20), p.api: _step(0.001, 0.22, 20), p.worker: _step(0.0, 0.24, 20)}
    _series(t, "errors", FAILED, {**_flat(t, p, 0.001), **wrong})
    t.alert("SLOErrorBudgetBurn", service=p.edge)
    return Expected("workload.errors.regressed-after-change", "Deployment", p.worker)


@strange()
def everybody_comes_at_once(t: Town, p: Place) -> Expected:
    much = {p.edge: _step(80, 900), p.api: _step(70, 860), p.worker: _step(60, 820)}
    _series(t, "rps", RATE, {**_flat(t, p, 12), **much})
    slow = {p.edge: _step(0.1, 1.4), p.api: _step(0.1, 1.3), p.worker: _step(0.08, 1.2)}
    _series(t, "p95", P95, {**_flat(t, p, 0.05), **slow})
    t.alert("SLOLatency", service=p.edge)
    return Expected("traffic.spike", "Deployment", p.edge, ("traffic",))


@strange()
def packets_are_lost_at_the_worker(t: Town, p: Place) -> Expected:
    lost = {t.pod_name(p.worker, n): _step(0.0, 38.0) for n in range(2)}
    fine = {t.pod_name(w): _step(0.0, 0.0) for w in (p.api, p.edge, p.others[0])}
    _series(t, "retransmits", 'sum by (pod) (rate(container_network_transmit_packets_dropped_total[2m]))', {**lost, **fine}, "pod")  # fmt: skip
    t.alert("HighLatency", service=p.edge)
    return Expected("workload.network.packet-loss", "Deployment", p.worker, ("workload.network",))


@strange()
def round_trips_take_long(t: Town, p: Place) -> Expected:
    slow = {p.worker: _step(0.002, 0.82), p.api: _step(0.002, 0.003), p.edge: _step(0.001, 0.002)}
    _series(t, "rtt", "avg by (destination_workload) (tcp_round_trip_seconds)", slow, "destination_workload")
    t.says(p.api, "timeout", host=p.worker, port=PORTS["worker"])
    t.alert("HighLatency", service=p.edge)
    return Expected("workload.network.delay", "Deployment", p.worker, ("workload.network",))


@strange()
def ingress_to_nowhere(t: Town, p: Place) -> Expected:
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": f"{p.edge}-blue", "port": {"number": 80}}},
    }
    spec = {"ingressClassName": "nginx", "rules": [{"host": "www.example", "http": {"paths": [path]}}]}
    t.put(p.namespace, "ingresses", {"metadata": {"name": "public"}, "spec": spec})
    t.put(None, "ingressclasses", {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
    t.alert("IngressErrors", ingress="public")
    return Expected("gateway.backend.not-found", "Ingress", "public")


@strange()
def nobody_serves_this_class(t: Town, p: Place) -> Expected:
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": p.edge, "port": {"number": PORTS["edge"]}}},
    }
    spec = {"ingressClassName": "traefik-internal", "rules": [{"host": "www.example", "http": {"paths": [path]}}]}
    t.put(p.namespace, "ingresses", {"metadata": {"name": "public"}, "spec": spec})
    t.put(None, "ingressclasses", {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
    t.alert("SyntheticCheckFailed", ingress="public")
    return Expected("gateway.class.not-found", "Ingress", "public")


@strange()
def queue_grows(t: Town, p: Place) -> Expected:
    lag = {p.worker: [10.0 + (0 if n < 10 else (n - 10) * 800) for n in range(30)], "audit": [4.0] * 30}
    _series(t, "lag", "max by (group) (kafka_consumergroup_lag_sum)", lag, "group")
    t.alert("KafkaConsumerLag", consumergroup=p.worker)
    return Expected("queue.backlog.growing", "Deployment", p.worker, ("queue",))


@strange()
def callee_crashes_at_the_end(t: Town, p: Place) -> Expected:
    t.state(p.cache, crashing(1, restarts=14, ran=2))
    t.log(p.cache, "*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nReading the configuration file, at line 3\n>>> 'maxmemory-policy allkeys-lro'\nargument(s) must be one of the following: volatile-lru", previous=True)  # fmt: skip
    t.state(p.api, running(ready=False))
    t.event("Pod", t.pod_name(p.api), "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
    t.container(p.api)["readinessProbe"] = {"httpGet": {"path": "/ready", "port": "main"}}
    t.says(p.api, "refused", host=p.cache, port=PORTS["cache"])
    _hidden(t, p)
    return Expected("workload.crash", p.cache_kind, p.cache, ("workload.config.value-invalid",))


@strange("restore-service-spec")
def connections_are_tried(t: Town, p: Place) -> Expected:
    t.get("services", p.worker)["spec"]["selector"] = {"tier": "backend-next"}
    checks = [
        {"namespace": p.namespace, "service": s, "port": 80, "succeeded": s != p.worker, "probes": [{"from": p.edge, "succeeded": s != p.worker}], "raw": "" if s != p.worker else "connection refused"}
        for s in (p.edge, p.api, p.worker, p.store)
    ]  # fmt: skip
    t.files["connectivity.json"] = checks
    t.lacks = frozenset({"endpoints", "events"})
    return Expected("service.selector.mismatch", "Service", p.worker)


@strange()
def who_calls_whom_is_only_traced(t: Town, p: Place) -> Expected:
    for who, key in ((p.edge, "API_URL"), (p.api, "WORKER_ENDPOINT")):
        t.tell(who, key, "from-vault")
    t.files["service-dependencies.json"] = [
        {"namespace": p.namespace, "service": p.edge, "calls": [p.api], "calledBy": []},
        {"namespace": p.namespace, "service": p.api, "calls": [p.worker, p.cache], "calledBy": [p.edge]},
        {"namespace": p.namespace, "service": p.worker, "calls": [p.store], "calledBy": [p.api]},
    ]
    _policy(t, "isolate", p.worker, ["Ingress"], [], None)
    t.says(p.api, "timeout", host=p.worker, port=PORTS["worker"])
    t.files["changes.json"] = [
        {"at": at(420), "who": "eve", "object": f"NetworkPolicy {p.namespace}/isolate", "summary": "created", "diff": ""},
        {"at": at(300), "who": "ci", "object": f"Deployment {p.namespace}/{p.others[2]}", "summary": "image", "diff": ""},
    ]  # fmt: skip
    return Expected("network-policy.ingress.blocked", "NetworkPolicy", "isolate")

"""Mechanisms of the way between workloads: delays, losses and failures, injected or only measured."""

from typing import Any

from tests.cases.apps import App
from tests.cases.builder import Cluster, Json
from tests.cases.library import Expected, decoy, mechanism


def _slow(c: Cluster, a: App, name: str) -> None:
    c.log(a.middle, "\n".join(f"2026-03-01T11:5{n}:00Z ERROR call to {name} failed: i/o timeout" for n in range(6)))


def _custom(c: Cluster, plural: str, kind: str, spec: Json, **status: Any) -> None:
    c.put(c.namespace, plural, {"kind": kind, "metadata": {"name": "trial"}, "spec": spec, "status": status})


@mechanism
def delay_asked_for_by_selector(c: Cluster, a: App) -> Expected:
    chosen = {"namespaces": [c.namespace], "labelSelectors": {"app": a.leaf}}
    _custom(
        c,
        "linktroubles",
        "LinkTrouble",
        {"action": "delay", "mode": "all", "selector": chosen, "delay": {"latency": "900ms"}},
    )
    _slow(c, a, a.leaf)
    return Expected("workload.network.delay", "Deployment", a.leaf)


@mechanism
def loss_asked_for_by_selector(c: Cluster, a: App) -> Expected:
    _custom(
        c,
        "linktroubles",
        "LinkTrouble",
        {"podSelector": {"matchLabels": {"app": a.middle}}, "loss": {"percentage": 40}},
    )
    c.alert("HighErrorRate", service=a.middle)
    return Expected("workload.network.packet-loss", "Deployment", a.middle)


@mechanism
def loss_asked_for_on_a_node(c: Cluster, a: App) -> Expected:
    _custom(c, "linktroubles", "LinkTrouble", {"nodes": ["node-2"], "action": "loss", "loss": {"loss": "30"}})
    c.alert("HighErrorRate", service=a.middle)
    return Expected("node.network.packet-loss", "Node", "node-2")


@mechanism
def route_with_a_fixed_delay(c: Cluster, a: App) -> Expected:
    fault = {"delay": {"fixedDelay": "5s", "percentage": {"value": 100}}}
    rule = {"fault": fault, "route": [{"destination": {"host": a.leaf}}]}
    _custom(c, "virtualservices", "VirtualService", {"hosts": [a.leaf], "http": [rule]})
    _slow(c, a, a.leaf)
    return Expected("workload.network.delay", "Deployment", a.leaf)


@mechanism
def route_that_aborts(c: Cluster, a: App) -> Expected:
    rule = {"fault": {"abort": {"httpStatus": 503, "percentage": {"value": 60}}}}
    _custom(
        c, "virtualservices", "VirtualService", {"hosts": [f"{a.leaf}.{c.namespace}.svc.cluster.local"], "http": [rule]}
    )
    c.log(a.middle, f"ERROR {a.leaf}: 503 Service Unavailable\n" * 5)
    return Expected("workload.errors", "Deployment", a.leaf)


@decoy
def route_that_is_patient(c: Cluster, a: App) -> None:
    """A mesh route with a time-out and retries, a fault of no percent, and a trial that is over."""
    rule = {"timeout": "10s", "retries": {"attempts": 3}, "route": [{"destination": {"host": a.leaf}}]}
    none = {"fault": {"delay": {"fixedDelay": "5s", "percentage": {"value": 0}}}}
    _custom(c, "virtualservices", "VirtualService", {"hosts": [a.leaf], "http": [rule, none]})
    done = {"type": "AllRecovered", "status": "True"}
    spec = {"action": "delay", "selector": {"labelSelectors": {"app": a.store}}, "delay": {"latency": "1s"}}
    _custom(c, "linktroubles", "LinkTrouble", spec, conditions=[done])


def _series(c: Cluster, name: str, query: str, rows: list[tuple[Json, float, float]]) -> None:
    result: list[Json] = [
        {
            "metric": {"namespace": c.namespace, **labels},
            "values": [[n * 60, str(a if n < 8 else b)] for n in range(16)],
        }
        for labels, a, b in rows
    ]
    c.files[f"metrics/{name}.json"] = {"query": query, "status": "success", "data": {"result": result}}


@mechanism
def retransmissions(c: Cluster, a: App) -> Expected:
    query = "sum by (pod) (rate(tcp_retransmit_segments_total[1m]))"
    rows = [({"pod": c.pod_name(name)}, 0.2, 14.0 if name == a.store else 0.25) for name in (a.store, a.leaf, a.front)]
    _series(c, "retransmits", query, rows)
    c.alert("HighLatency", service=a.middle)
    return Expected("workload.network.packet-loss", "Deployment", a.store)


@mechanism
def node_that_drops_packets(c: Cluster, a: App) -> Expected:
    query = "rate(node_network_receive_drop_total[1m])"
    _series(
        c, "drops", query, [({"node": f"node-{n}", "namespace": ""}, 0.0, 60.0 if n == 3 else 0.0) for n in (1, 2, 3)]
    )
    c.alert("HighErrorRate", service=a.middle)
    return Expected("node.network.packet-loss", "Node", "node-3")


@mechanism
def callers_wait_for_a_quick_callee(c: Cluster, a: App) -> Expected:
    query = "histogram_quantile(0.99, sum by (le) (rate(request_duration_seconds_bucket[1m])))"
    _series(c, "p99-caller", query, [({"source_workload": a.middle, "destination_workload": a.leaf}, 0.04, 1.3)])
    _series(c, "p99-server", query, [({"workload": a.leaf}, 0.01, 0.011), ({"workload": a.front}, 0.05, 1.4)])
    _slow(c, a, a.leaf)
    c.alert("HighLatency", service=a.front)
    return Expected("workload.network.delay", "Deployment", a.leaf, ("workload.network",))


@mechanism
def errors_begin_at_the_leaf(c: Cluster, a: App) -> Expected:
    query = 'sum by (service) (rate(requests_total{status=~"5.."}[1m])) / sum by (service) (rate(requests_total[1m]))'
    names = [{"service": name} for name in (a.front, a.middle, a.leaf)]
    _series(c, "error-ratio", query, [({**labels}, 0.001, 0.4) for labels in names])
    c.log(a.middle, f"ERROR {a.leaf}: 500 internal server error, request unavailable\n" * 5)
    return Expected("workload.errors", "Deployment", a.leaf, ("workload.dependency.unavailable",))


@decoy
def calm_measures(c: Cluster, a: App) -> None:
    """A network and latencies as on every day."""
    _series(c, "p99", "histogram_quantile(0.99, latency_bucket)", [({"service": a.leaf}, 0.2, 0.22)])
    _series(c, "retrans", "rate(tcp_retransmit_total[1m])", [({"service": a.leaf}, 0.9, 1.1)])
    _series(c, "drops", "container_network_receive_packets_dropped_total", [({"pod": c.pod_name(a.leaf)}, 40, 40)])

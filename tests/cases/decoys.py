"""What looks like a fault and is none: changes that did nothing, noise in logs, odd but working settings."""

from tests.cases.apps import App
from tests.cases.builder import Cluster, at, ended, running
from tests.cases.library import decoy


@decoy
def fresh_rollout(c: Cluster, a: App) -> None:
    """A rollout a moment ago that went well."""
    c.rollout(a.store)
    c.container(a.store)["image"] += "-patched"
    c.files["changes.json"] = [
        {"at": at(60), "who": "ci", "object": f"Deployment {c.namespace}/{a.store}", "summary": "image", "diff": ""}
    ]


@decoy
def noisy_log(c: Cluster, a: App) -> None:
    """Errors that everybody logs now and then."""
    c.log(a.store, "INFO ready\nERROR: client closed connection unexpectedly\nINFO checkpoint complete")


@decoy
def allowing_policy(c: Cluster, a: App) -> None:
    """A policy that lets through all that is needed."""
    peers = [{"podSelector": {"matchLabels": {"app": a.middle}}}]
    ports = [{"port": a.store_port, "protocol": "TCP"}]
    spec = {
        "podSelector": {"matchLabels": {"app": a.store}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": peers, "ports": ports}],
    }
    c.put(c.namespace, "networkpolicies", {"metadata": {"name": "store-from-middle"}, "spec": spec})


@decoy
def old_restart(c: Cluster, a: App) -> None:
    """A restart of yesterday."""
    c.state(a.store, running(restarts=1, since=80_000, last=ended(1, ago=80_010, ran=5000)))


@decoy
def nearly_full_quota(c: Cluster, a: App) -> None:
    """A quota that is nearly used up."""
    status = {"hard": {"pods": "10"}, "used": {"pods": "9"}}
    c.put(
        c.namespace,
        "resourcequotas",
        {"metadata": {"name": "fair-share"}, "spec": {"hard": {"pods": "10"}}, "status": status},
    )


@decoy
def old_warning(c: Cluster, a: App) -> None:
    """An event about a pod that is long gone."""
    c.event("Pod", f"{a.store}-gone-abcde", "Failed", 'Failed to pull image "old": not found', ago=3000)
    c.event(
        "Pod", f"{a.store}-gone-abcde", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", ago=3100
    )


@decoy
def outside_address(c: Cluster, a: App) -> None:
    """Addresses that lie outside of the cluster."""
    c.env(a.front, "MAIL_URL", "smtp://mail.example.com:587")
    c.env(a.front, "TELEMETRY_HOST", "collector.example.net")
    c.env(a.front, "LOG_LEVEL", "info")


@decoy
def watchdog(c: Cluster, a: App) -> None:
    """The alert that tells that alerting works."""
    c.alert("Watchdog", severity="none")


@decoy
def optional_dependency(c: Cluster, a: App) -> None:
    """A service without a selector, whose endpoints somebody else keeps."""
    spec = {"type": "ClusterIP", "ports": [{"port": 5000, "targetPort": 5000}]}
    c.put(c.namespace, "services", {"metadata": {"name": "legacy"}, "spec": spec})
    subsets = [{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 5000}]}]
    c.put(c.namespace, "endpoints", {"metadata": {"name": "legacy"}, "subsets": subsets})
    c.env(a.front, "LEGACY_URL", "http://legacy:5000")


@decoy
def manifests_that_agree(c: Cluster, a: App) -> None:
    """Manifests in other words than what is live."""
    c.manifests()
    for body in c.files["manifests/app.yaml"]:
        if body["kind"] == "Deployment":
            body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "0.1"}}


@decoy
def tolerable_budget(c: Cluster, a: App) -> None:
    """A disruption budget that lets nobody go, and nobody wants to."""
    spec = {"selector": {"matchLabels": {"app": a.store}}, "minAvailable": 1}
    status = {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}
    c.put(c.namespace, "poddisruptionbudgets", {"metadata": {"name": "keep-one"}, "spec": spec, "status": status})


@decoy
def headless_service(c: Cluster, a: App) -> None:
    """A second, headless Service before the store."""
    ports = [{"name": "main", "port": a.store_port, "targetPort": a.store_port, "protocol": "TCP"}]
    c.service(f"{a.store}-headless", {"app": a.store}, ports)["spec"]["clusterIP"] = "None"


@decoy
def lived_in(c: Cluster, a: App) -> None:
    """What years leave behind: telemetry that is nowhere, users who mistype, an autoscaler that never had metrics."""
    c.env(a.front, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel-collector.observability.svc:4317")
    c.env(a.front, "COLLECTOR_SERVICE_ADDR", "telemetry-collector:4317")
    c.env(a.front, "HOST", "0.0.0.0")
    c.env(a.front, "JAVA_OPTS", "-Xms64m -XX:+UseG1GC -Dcache.size=bar:12")
    words = [
        "login failed for user bob",
        "Failed to parse JSON body from client",
        "retry: connection refused, ok after 1",
    ]
    c.log(a.front, "\n".join(f"2026-03-01T11:00:00Z WARN {line}" for line in words))
    condition = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetResourceMetric",
        "message": "no metrics API",
    }
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": a.front}, "minReplicas": 1, "maxReplicas": 3}
    c.put(
        c.namespace,
        "horizontalpodautoscalers",
        {"metadata": {"name": "hopeful"}, "spec": spec, "status": {"conditions": [condition]}},
    )
    hard = {"services.nodeports": "0", "pods": "50"}
    used = {"services.nodeports": "0", "pods": "8"}
    c.put(
        c.namespace,
        "resourcequotas",
        {"metadata": {"name": "wide"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": used}},
    )
    for leader in ("kube-scheduler", "kube-controller-manager"):
        c.put("kube-system", "leases", {"metadata": {"name": leader}, "spec": {"renewTime": at(120)}})

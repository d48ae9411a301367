"""Mechanisms as a real cluster shows them: chains of consequences, half a view, words that hide the number that counts."""

import json

from tests.cases.apps import App
from tests.cases.builder import Cluster, Json, at, crashing, ended, running
from tests.cases.library import Expected, mechanism


def _everybody_fails(c: Cluster, a: App, leaf: str) -> None:
    """The middle cannot start without its callee, the front sees the middle fail."""
    c.state(a.middle, crashing(1))
    c.log(a.middle, f"fatal: cannot reach {leaf}: dial tcp 10.96.4.4:80: connect: connection refused", previous=True)
    c.state(a.front, running(ready=False, since=200))
    words = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    c.container(a.front)["readinessProbe"] = {"httpGet": {"path": "/", "port": 8000}}
    c.event("Pod", c.pod_name(a.front), "Unhealthy", words, path=f"spec.containers{{{a.front}}}")
    c.alert("HighErrorRate", service=a.front)


@mechanism
def chain_to_a_scaled_store(c: Cluster, a: App) -> Expected:
    c.get("deployments", a.store)["spec"]["replicas"] = 0
    _everybody_fails(c, a, a.store)
    return Expected("workload.replicas.zero", "Deployment", a.store)


@mechanism
def chain_to_a_service(c: Cluster, a: App) -> Expected:
    c.get("services", a.store)["spec"]["selector"] = {"app": "db"}
    _everybody_fails(c, a, a.store)
    return Expected("service.selector.mismatch", "Service", a.store)


@mechanism
def chain_to_an_image(c: Cluster, a: App) -> Expected:
    _everybody_fails(c, a, a.store)
    c.container(a.store)["image"] = "postgres:nosuch"
    c.state(
        a.store,
        {
            "ready": False,
            "restartCount": 0,
            "lastState": {},
            "state": {
                "waiting": {
                    "reason": "ImagePullBackOff",
                    "message": 'Back-off pulling image "postgres:nosuch": not found',
                }
            },
        },
    )
    return Expected("workload.image.not-found", "Deployment", a.store)


@mechanism
def chain_to_a_node(c: Cluster, a: App) -> Expected:
    _everybody_fails(c, a, a.store)
    node = c.get("nodes", "node-1", None)
    node["status"]["conditions"][0] = {
        "type": "Ready",
        "status": "False",
        "reason": "KubeletNotReady",
        "message": "container runtime is down",
    }
    c.state(a.store, running(ready=False))

    def on_one_node() -> None:
        for pod in c.objects[c.namespace, "pods"].values():
            if pod["metadata"]["labels"]["app"] == a.store:
                pod["spec"]["nodeName"] = "node-1"

    c.after = on_one_node
    return Expected("node.container-runtime.down", "Node", "node-1")


@mechanism
def chain_to_an_address(c: Cluster, a: App) -> Expected:
    c.container(a.front)["args"] = []
    c.rollout(a.front)
    c.env(a.front, "BACKEND_ADDR", f"{a.middle}:9999")
    c.state(a.front, crashing(1))
    c.log(a.front, f"cannot connect to {a.middle}:9999: i/o timeout", previous=True)
    return Expected("workload.env.address-wrong", "Deployment", a.front)


@mechanism
def full_nodes_beside_a_control_plane(c: Cluster, a: App) -> Expected:
    words = "0/4 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 3 Insufficient memory. preemption: 0/4 nodes are available: 4 Preemption is not helpful."
    c.state(a.leaf, lambda i: None)

    def edit(pod: Json, index: int) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    c.pod_edits[a.leaf] = edit
    return Expected("scheduling.capacity.memory-insufficient", "Deployment", a.leaf)


@mechanism
def liveness_loop_that_looks_well(c: Cluster, a: App) -> Expected:
    c.container(a.leaf)["livenessProbe"] = {"tcpSocket": {"port": a.leaf_port + 7}}
    c.state(a.leaf, running(restarts=7, since=25, last=ended(137, ran=35, ago=26)))
    words = f"Liveness probe failed: dial tcp 10.244.3.9:{a.leaf_port + 7}: connect: connection refused"
    c.event("Pod", c.pod_name(a.leaf), "Unhealthy", words, path=f"spec.containers{{{a.leaf}}}")
    return Expected("workload.probe.liveness-port-wrong", "Deployment", a.leaf)


@mechanism
def latency_after_a_smaller_limit(c: Cluster, a: App) -> Expected:
    c.rollout(a.leaf)
    c.container(a.leaf)["resources"]["limits"]["cpu"] = "10m"
    c.alert("HighLatency", service=a.leaf)
    c.alert("HighLatency", service=a.front)
    return Expected("workload.cpu.throttled", "Deployment", a.leaf)


@mechanism
def recorded_change_of_a_policy(c: Cluster, a: App) -> Expected:
    spec = {"podSelector": {"matchLabels": {"app": a.leaf}}, "policyTypes": ["Ingress"]}
    c.put(
        c.namespace, "networkpolicies", {"metadata": {"name": "lockdown", "creationTimestamp": at(400)}, "spec": spec}
    )
    c.files["changes.json"] = [
        {
            "at": at(400),
            "who": "dev",
            "object": f"NetworkPolicy {c.namespace}/lockdown",
            "summary": "created",
            "diff": "",
        }
    ]
    c.alert("HighErrorRate", service=a.middle)
    return Expected("network-policy.ingress.blocked", "NetworkPolicy", "lockdown")


@mechanism
def folded_logs_only(c: Cluster, a: App) -> Expected:
    sample = 'pq: password authentication failed for user "app"'
    pattern = {"count": 480, "ratio": 0.9, "sample": sample}
    c.files["log-patterns.json"] = [
        {
            "namespace": c.namespace,
            "service": a.middle,
            "pods": [],
            "total_log_count": 530,
            "total_errors": 480,
            "total_error_ratio": 0.9,
            "patterns": [pattern],
        }
    ]
    return Expected("workload.database.credentials-invalid", "Deployment", a.middle)


@mechanism
def connection_checks(c: Cluster, a: App) -> Expected:
    c.get("services", a.leaf)["spec"]["ports"][0]["targetPort"] = a.leaf_port + 1
    for port in c.container(a.leaf)["ports"]:
        port["name"] = "api"
    c.files["connectivity.json"] = [
        {
            "namespace": c.namespace,
            "service": s,
            "port": 80,
            "succeeded": s != a.leaf,
            "probes": [],
            "raw": "connection refused" if s == a.leaf else "",
        }
        for s in (a.front, a.middle, a.leaf, a.store)
    ]
    return Expected("service.port.target-mismatch", "Service", a.leaf)


@mechanism
def seen_in_part(c: Cluster, a: App) -> Expected:
    c.get("services", a.middle)["spec"]["selector"] = {"app": a.middle, "stage": "green"}

    def cut() -> None:
        for body in c.objects[c.namespace, "deployments"].values():
            body["metadata"]["annotations"] = {"snapshot/partial": "status"}
            body.pop("status", None)
        for body in c.objects[c.namespace, "pods"].values():
            body["metadata"]["annotations"] = {"snapshot/partial": "status, owners"}
            body["metadata"].pop("ownerReferences", None)
            body["status"] = {"phase": "Running"}

    c.after = cut
    c.lacks = frozenset({"replicasets", "endpoints"})
    return Expected("service.selector.mismatch", "Service", a.middle)


@mechanism
def packets_lost(c: Cluster, a: App) -> Expected:
    raw = "10 packets transmitted, 6 received, 40% packet loss, time 9012ms"
    c.files["connectivity.json"] = [
        {"namespace": c.namespace, "service": a.leaf, "port": 80, "succeeded": True, "probes": [], "raw": raw}
    ]
    c.alert("HighLatency", service=a.leaf)
    return Expected("workload.network.packet-loss", "Deployment", a.leaf, ("workload.network",))


@mechanism
def latency_begins_at_the_leaf(c: Cluster, a: App) -> Expected:
    slow = [[n * 60, str(0.04 if n < 8 else 1.9)] for n in range(16)]
    result = [{"metric": {"service": s, "namespace": c.namespace}, "values": slow} for s in (a.front, a.middle, a.leaf)]
    result.append(
        {"metric": {"service": a.store, "namespace": c.namespace}, "values": [[n * 60, "0.003"] for n in range(16)]}
    )
    query = "histogram_quantile(0.95, sum by (service, le) (rate(request_duration_seconds_bucket[1m])))"
    c.files["metrics/latency.json"] = {
        "query": query,
        "status": "success",
        "data": {"resultType": "matrix", "result": result},
    }
    c.alert("HighLatency", service=a.front)
    return Expected("workload.latency", "Deployment", a.leaf)


@mechanism
def secret_changed_in_the_manifests_only(c: Cluster, a: App) -> Expected:
    c.put(c.namespace, "secrets", {"metadata": {"name": "login"}, "data": {"user": ""}})
    reference = {"secretKeyRef": {"name": "login", "key": "password"}}
    c.container(a.middle)["env"].append({"name": "STORE_PASSWORD", "valueFrom": reference})
    words = f"couldn't find key password in Secret {c.namespace}/login"
    c.state(
        a.middle,
        {
            "ready": False,
            "restartCount": 0,
            "lastState": {},
            "state": {"waiting": {"reason": "CreateContainerConfigError", "message": words}},
        },
    )
    c.files["manifests/app.yaml"] = [
        json.loads(json.dumps({"kind": "Secret", "metadata": {"name": "login"}, "data": {"user": "", "password": ""}}))
    ]
    return Expected("workload.secret.key-missing", "Secret", "login")


@mechanism
def no_such_node(c: Cluster, a: App) -> Expected:
    c.state(a.leaf, lambda i: None)
    c.spec(a.leaf)["nodeName"] = "node-9"

    def edit(pod: Json, index: int) -> None:
        pod["status"] = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}]}

    c.pod_edits[a.leaf] = edit
    return Expected("scheduling.node-selector.mismatch", "Deployment", a.leaf)


@mechanism
def misspelt_config_map(c: Cluster, a: App) -> Expected:
    c.put(c.namespace, "configmaps", {"metadata": {"name": f"{a.leaf}-settings"}, "data": {"MODE": "fast"}})
    c.container(a.leaf)["envFrom"] = [{"configMapRef": {"name": f"{a.leaf}-setings"}}]
    message = f'configmap "{a.leaf}-setings" not found'
    waits = {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
    c.state(a.leaf, {"ready": False, "restartCount": 0, "lastState": {}, "state": waits})
    return Expected("workload.config.config-map-not-found", "Deployment", a.leaf)

"""Mechanisms of what stands under and around workloads: taints, cordons, ranges, certificates, deliveries."""

from tests.cases.apps import App
from tests.cases.builder import Cluster, Json, at
from tests.cases.library import Expected, decoy, mechanism


def _waits(c: Cluster, name: str, why: str) -> None:
    words = f"0/3 nodes are available: {why}. preemption: 0/3 nodes are available: 3 Preemption is not helpful."
    c.state(name, lambda i: None)

    def edit(pod: Json, index: int) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    c.pod_edits[name] = edit


TAINT = "1 node(s) had untolerated taint {maintenance: disk}, 2 node(s) didn't match Pod's node affinity/selector"


@mechanism
def taint_that_came_lately(c: Cluster, a: App) -> Expected:
    taint = {"key": "maintenance", "value": "disk", "effect": "NoExecute", "timeAdded": at(400)}
    c.get("nodes", "node-2", None)["spec"]["taints"] = [taint]
    _waits(c, a.leaf, TAINT)
    return Expected("scheduling.taint.untolerated", "Node", "node-2")


@mechanism
def taint_that_keeps_out_several(c: Cluster, a: App) -> Expected:
    c.get("nodes", "node-1", None)["spec"]["taints"] = [{"key": "maintenance", "value": "disk", "effect": "NoSchedule"}]
    for name in (a.leaf, a.middle, a.store):
        _waits(c, name, TAINT)
    return Expected("scheduling.taint.untolerated", "Node", "node-1")


def _range_says(c: Cluster, a: App, words: str) -> None:
    c.no_pods.add(a.leaf)
    message = f'pods "{a.leaf}-x" is forbidden: {words}'
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    c.get("deployments", a.leaf)["status"] = {"conditions": [condition]}


@mechanism
def range_in_conditions_only(c: Cluster, a: App) -> Expected:
    for name, most in (("bounds", "128Mi"), ("wide-bounds", "64Gi")):
        limits = [{"type": "Container", "max": {"memory": most}}]
        c.put(c.namespace, "limitranges", {"metadata": {"name": name}, "spec": {"limits": limits}})
    _range_says(c, a, "maximum memory usage per Container is 128Mi, but limit is 256Mi")
    return Expected("namespace.limit-range.violated", "LimitRange", "bounds")


@mechanism
def quota_in_conditions_only(c: Cluster, a: App) -> Expected:
    hard = {"limits.cpu": "1"}
    body = {"metadata": {"name": "budget"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": {}}}
    c.put(c.namespace, "resourcequotas", body)
    _range_says(
        c, a, "exceeded quota: budget, requested: limits.cpu=500m, used: limits.cpu=900m, limited: limits.cpu=1"
    )
    return Expected("namespace.quota.cpu-exceeded", "ResourceQuota", "budget")


@decoy
def taints_and_ranges_of_old(c: Cluster, a: App) -> None:
    """A tainted node that nobody needs, and a range that everybody keeps to."""
    c.get("nodes", "node-1", None)["spec"]["taints"] = [
        {"key": "dedicated", "value": "x", "effect": "PreferNoSchedule"}
    ]
    limits = [{"type": "Container", "max": {"memory": "16Gi"}}]
    c.put(c.namespace, "limitranges", {"metadata": {"name": "roomy"}, "spec": {"limits": limits}})


def _custom(c: Cluster, plural: str, kind: str, name: str, status: Json, **spec: object) -> None:
    c.put(c.namespace, plural, {"kind": kind, "metadata": {"name": name}, "spec": spec, "status": status})


def _failing(reason: str, message: str) -> Json:
    return {"conditions": [{"type": "Ready", "status": "False", "reason": reason, "message": message}]}


@mechanism
def certificate_object_ended(c: Cluster, a: App) -> Expected:
    _custom(c, "certificates", "Certificate", "leaf-tls", {"notAfter": at(3600)}, secretName="leaf-tls")
    c.log(a.middle, f"ERROR {a.leaf}: remote error: tls: expired certificate\n" * 5)
    return Expected("certificate.expired", "Certificate", "leaf-tls")


@mechanism
def certificate_in_a_secret(c: Cluster, a: App) -> Expected:
    c.put(
        c.namespace, "secrets", {"metadata": {"name": "leaf-tls"}, "type": "kubernetes.io/tls", "data": {"tls.crt": ""}}
    )
    c.spec(a.leaf)["volumes"] = [{"name": "tls", "secret": {"secretName": "leaf-tls"}}]
    words = f"GET https://{a.leaf}: x509: certificate has expired or is not yet valid: current time is after"
    c.log(a.middle, f"ERROR {words}\n" * 5)
    return Expected("certificate.expired", "Secret", "leaf-tls")


@mechanism
def certificate_issuer(c: Cluster, a: App) -> Expected:
    _custom(c, "issuers", "Issuer", "our-ca", _failing("ErrRegisterACMEAccount", "failed to register account"))
    _custom(c, "certificates", "Certificate", "leaf-tls", _failing("DoesNotExist", "Secret does not exist"))
    c.alert("HighErrorRate", service=a.middle)
    return Expected("certificate.issuer.failing", "Issuer", "our-ca")


@mechanism
def git_source(c: Cluster, a: App) -> Expected:
    words = "failed to checkout and determine revision: unable to clone: authentication required"
    _custom(c, "gitrepositories", "GitRepository", "app", _failing("GitOperationFailed", words))
    _custom(c, "kustomizations", "Kustomization", "app", _failing("ArtifactFailed", "Source is not ready"))
    c.alert("DeliveryFails")
    return Expected("gitops.source.unreachable", "GitRepository", "app")


@mechanism
def delivery_fails(c: Cluster, a: App) -> Expected:
    state = {"phase": "Failed", "message": "one or more objects failed to apply: admission webhook denied"}
    _custom(c, "applications", "Application", "app", {"sync": {"status": "OutOfSync"}, "operationState": state})
    c.alert("DeliveryFails")
    return Expected("gitops.sync.failed", "Application", "app")


@mechanism
def secret_rotated(c: Cluster, a: App) -> Expected:
    c.put(
        c.namespace,
        "secrets",
        {"metadata": {"name": "login", "creationTimestamp": at(900)}, "data": {"password": ""}},
    )
    c.container(a.middle)["env"].append(
        {"name": "STORE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}
    )
    c.log(a.middle, 'FATAL: password authentication failed for user "app"\n' * 6)
    c.alert("HighErrorRate", service=a.middle)
    return Expected("workload.secret.rotated-not-reloaded", "Deployment", a.middle)


@mechanism
def vertical_autoscaler_evicts(c: Cluster, a: App) -> Expected:
    target = {"kind": "Deployment", "name": a.leaf}
    _custom(c, "verticalpodautoscalers", "VerticalPodAutoscaler", "right-size", {}, targetRef=target)
    c.event("Pod", f"{a.leaf}-6d4cf56db6-xk2p9", "EvictedByVPA", "Pod was evicted by VPA Updater", type_="Normal")
    c.alert("HighErrorRate", service=a.leaf)
    return Expected("autoscaling.vpa.evicting", "VerticalPodAutoscaler", "right-size")


@mechanism
def queue_falls_behind(c: Cluster, a: App) -> Expected:
    values = [[n * 60, str(20 if n < 6 else n * 900)] for n in range(16)]
    result = [{"metric": {"consumergroup": a.leaf, "topic": "jobs"}, "values": values}]
    c.files["metrics/lag.json"] = {
        "query": "sum by (consumergroup) (kafka_consumergroup_lag)",
        "data": {"result": result},
    }
    return Expected("queue.backlog.growing", "Deployment", a.leaf)


@mechanism
def address_unlike_siblings(c: Cluster, a: App) -> Expected:
    for name in (a.front, a.leaf, a.store):
        c.env(name, "AUDIT_URL", f"http://{a.middle}:8080/audit")
    c.env(a.front, "AUDIT_URL", f"http://{a.store}.{c.namespace}.svc:{a.store_port}/audit")
    words = f"POST http://{a.store}.{c.namespace}.svc:{a.store_port}/audit: malformed reply, giving up: error"
    c.log(a.front, f"ERROR {words}\n" * 5)
    return Expected("workload.env.address-wrong", "Deployment", a.front)


@decoy
def everything_delivered(c: Cluster, a: App) -> None:
    """Certificates and deliveries that are well, one that is suspended, and a Secret that was renewed in time."""
    ready = {"conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "applied"}]}
    _custom(c, "certificates", "Certificate", "good-tls", {**ready, "notAfter": "2026-06-01T00:00:00Z"})
    _custom(c, "kustomizations", "Kustomization", "good", ready)
    _custom(c, "helmreleases", "HelmRelease", "asleep", _failing("UpgradeFailed", "timed out"), suspend=True)
    c.put(
        c.namespace, "secrets", {"metadata": {"name": "renewed", "creationTimestamp": at(500)}, "data": {"token": ""}}
    )
    reference = {"secretKeyRef": {"name": "renewed", "key": "token"}}
    c.container(a.store)["env"].append({"name": "TOKEN", "valueFrom": reference})

"""Mechanisms below the application: nodes, control plane, namespace limits, autoscaling, Jobs."""

from tests.cases.apps import App
from tests.cases.builder import Cluster, Json, at, waiting
from tests.cases.library import Expected, mechanism


def _units(c: Cluster, node: str, **down: str) -> None:
    for name in ("node-1", "node-2", "node-3"):
        units = [
            {"service": unit, "active": "active", "sub": "running", "raw": ""}
            for unit in ("kubelet", "containerd", "kube-proxy")
        ]
        for unit in units:
            if name == node and unit["service"].replace("-", "_") in down:
                unit.update(active="inactive", sub="dead")
        c.files[f"node-services/{name}.json"] = units


def _not_ready(c: Cluster, node: str, reason: str, message: str, status: str = "Unknown") -> None:
    body = c.get("nodes", node, None)
    body["status"]["conditions"][0] = {"type": "Ready", "status": status, "reason": reason, "message": message}
    body["spec"]["taints"] = [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]


@mechanism
def kubelet_down(c: Cluster, a: App) -> Expected:
    _units(c, "node-2", kubelet="x")
    _not_ready(c, "node-2", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    return Expected("node.kubelet.down", "Node", "node-2")


@mechanism
def kubelet_silent(c: Cluster, a: App) -> Expected:
    _not_ready(c, "node-1", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    return Expected("node.kubelet.down", "Node", "node-1", ("node.not-ready",))


@mechanism
def runtime_down(c: Cluster, a: App) -> Expected:
    _units(c, "node-3", containerd="x")
    _not_ready(c, "node-3", "KubeletNotReady", "container runtime is down", "False")
    return Expected("node.container-runtime.down", "Node", "node-3")


@mechanism
def proxy_down(c: Cluster, a: App) -> Expected:
    _units(c, "node-1", kube_proxy="x")
    c.log(a.middle, f"ERROR call to {a.leaf} failed: i/o timeout\n" * 4)
    return Expected("node.kube-proxy.down", "Node", "node-1")


@mechanism
def network_plugin(c: Cluster, a: App) -> Expected:
    words = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady cni plugin not initialized"
    _not_ready(c, "node-2", "KubeletNotReady", words, "False")
    return Expected("node.network.unavailable", "Node", "node-2", ("node.container-runtime.down",))


@mechanism
def disk_pressure(c: Cluster, a: App) -> Expected:
    conditions = c.get("nodes", "node-2", None)["status"]["conditions"]
    conditions[2] = {
        "type": "DiskPressure",
        "status": "True",
        "reason": "KubeletHasDiskPressure",
        "message": "kubelet has disk pressure",
    }
    c.alert("NodeFilesystemAlmostOutOfSpace", node="node-2")
    return Expected("node.disk.pressure", "Node", "node-2")


@mechanism
def memory_pressure(c: Cluster, a: App) -> Expected:
    conditions = c.get("nodes", "node-2", None)["status"]["conditions"]
    conditions[1] = {
        "type": "MemoryPressure",
        "status": "True",
        "reason": "KubeletHasInsufficientMemory",
        "message": "kubelet has insufficient memory available",
    }
    return Expected("node.memory.pressure", "Node", "node-2")


@mechanism
def scheduler_down(c: Cluster, a: App) -> Expected:
    c.state(a.leaf, lambda i: None)

    def edit(pod: Json, index: int) -> None:
        pod["status"] = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}]}

    c.pod_edits[a.leaf] = edit
    lease = {"metadata": {"name": "kube-scheduler"}, "spec": {"holderIdentity": "x", "renewTime": at(900)}}
    c.put("kube-system", "leases", lease)
    return Expected("control-plane.scheduler.down", "Pod", "kube-scheduler")


@mechanism
def scheduler_silent(c: Cluster, a: App) -> Expected:
    c.state(a.leaf, lambda i: None)

    def edit(pod: Json, index: int) -> None:
        pod["status"] = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}]}

    c.pod_edits[a.leaf] = edit
    return Expected("control-plane.scheduler.down", "Pod", "kube-scheduler")


@mechanism
def controllers_down(c: Cluster, a: App) -> Expected:
    lease = {"metadata": {"name": "kube-controller-manager"}, "spec": {"holderIdentity": "x", "renewTime": at(900)}}
    c.put("kube-system", "leases", lease)
    c.get("deployments", a.leaf)["metadata"]["generation"] = 3
    c.after = lambda: c.get("deployments", a.leaf)["status"].update(observedGeneration=2)
    return Expected("control-plane.controller-manager.down", "Pod", "kube-controller-manager")


def _refused(c: Cluster, a: App, words: str) -> None:
    c.no_pods.add(a.leaf)
    c.event("ReplicaSet", f"{a.leaf}-6d", "FailedCreate", f"Error creating: {words}")
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": words}
    c.get("deployments", a.leaf)["status"] = {"conditions": [condition]}


@mechanism
def webhook_failing(c: Cluster, a: App) -> Expected:
    _refused(
        c,
        a,
        'Internal error occurred: failed calling webhook "check.policy.example": Post "https://policy.tools.svc:443/": no endpoints available for service "policy"',
    )
    hooks = [{"name": "check.policy.example", "failurePolicy": "Fail"}]
    c.put(None, "validatingwebhookconfigurations", {"metadata": {"name": "policy"}, "webhooks": hooks})
    return Expected("control-plane.webhook.failing", "ValidatingWebhookConfiguration", "policy")


def _quota(c: Cluster, a: App, resource: str, asked: str, hard: str) -> None:
    status = {"hard": {resource: hard}, "used": {resource: hard}}
    c.put(
        c.namespace,
        "resourcequotas",
        {"metadata": {"name": "budget"}, "spec": {"hard": {resource: hard}}, "status": status},
    )
    words = f'pods "{a.leaf}-x" is forbidden: exceeded quota: budget, requested: {resource}={asked}, used: {resource}={hard}, limited: {resource}={hard}'
    _refused(c, a, words)


@mechanism
def quota_pods(c: Cluster, a: App) -> Expected:
    _quota(c, a, "pods", "1", "4")
    return Expected("namespace.quota.pods-exceeded", "ResourceQuota", "budget")


@mechanism
def quota_cpu(c: Cluster, a: App) -> Expected:
    _quota(c, a, "requests.cpu", "100m", "500m")
    return Expected("namespace.quota.cpu-exceeded", "ResourceQuota", "budget")


@mechanism
def quota_memory(c: Cluster, a: App) -> Expected:
    _quota(c, a, "limits.memory", "256Mi", "1Gi")
    return Expected("namespace.quota.memory-exceeded", "ResourceQuota", "budget")


@mechanism
def quota_services(c: Cluster, a: App) -> Expected:
    c.manifests()
    del c.objects[c.namespace, "services"][a.leaf]
    status = {"hard": {"services": "3"}, "used": {"services": "3"}}
    c.put(
        c.namespace,
        "resourcequotas",
        {"metadata": {"name": "few"}, "spec": {"hard": {"services": "3"}}, "status": status},
    )
    c.log(a.middle, f"lookup {a.leaf}: no such host\n" * 4)
    c.files["manifests/app.yaml"].append(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"services": "3"}}}
    )
    return Expected("namespace.quota.services-exceeded", "ResourceQuota", "few")


@mechanism
def limit_range(c: Cluster, a: App) -> Expected:
    limits = [{"type": "Container", "max": {"memory": "128Mi"}}]
    c.put(c.namespace, "limitranges", {"metadata": {"name": "bounds"}, "spec": {"limits": limits}})
    _refused(c, a, f'pods "{a.leaf}-x" is forbidden: maximum memory usage per Container is 128Mi, but limit is 256Mi')
    return Expected("namespace.limit-range.violated", "LimitRange", "bounds", ("namespace.limit-range.violated",))


@mechanism
def pod_security(c: Cluster, a: App) -> Expected:
    c.container(a.leaf)["securityContext"] = {"privileged": True}
    _refused(c, a, f'pods "{a.leaf}-x" is forbidden: violates PodSecurity "restricted:latest": privileged')
    return Expected("namespace.pod-security.rejected", "Deployment", a.leaf)


@mechanism
def namespace_ending(c: Cluster, a: App) -> Expected:
    message = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    conditions = [{"type": "NamespaceFinalizersRemaining", "status": "True", "message": message}]
    body = {"metadata": {"name": c.namespace}, "status": {"phase": "Terminating", "conditions": conditions}}
    c.put(None, "namespaces", body)
    c.alert("NamespaceStuck")
    return Expected("namespace.terminating.stuck", "Namespace", c.namespace)


def _autoscaler(c: Cluster, target: str, conditions: list[Json], **status: int) -> None:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": target}, "minReplicas": 2, "maxReplicas": 4, "metrics": []}
    body = {"metadata": {"name": "scaler"}, "spec": spec, "status": {"conditions": conditions, **status}}
    c.put(c.namespace, "horizontalpodautoscalers", body)


@mechanism
def autoscaler_without_metrics(c: Cluster, a: App) -> Expected:
    words = "the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu"
    _autoscaler(
        c, a.leaf, [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": words}]
    )
    c.alert("HPANotScaling", horizontalpodautoscaler="scaler", severity="warning")
    return Expected("autoscaling.hpa.metrics-missing", "HorizontalPodAutoscaler", "scaler")


@mechanism
def autoscaler_target(c: Cluster, a: App) -> Expected:
    words = f'deployments.apps "{a.leaf}-old" not found'
    _autoscaler(
        c, f"{a.leaf}-old", [{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "message": words}]
    )
    return Expected("autoscaling.hpa.target-wrong", "HorizontalPodAutoscaler", "scaler")


@mechanism
def autoscaler_at_maximum(c: Cluster, a: App) -> Expected:
    words = "the desired replica count is more than the maximum replica count"
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas", "message": words}
    _autoscaler(c, a.leaf, [limited], currentReplicas=4, desiredReplicas=4)
    c.alert("KubeHpaMaxedOut", horizontalpodautoscaler="scaler")
    return Expected("autoscaling.hpa.at-maximum", "HorizontalPodAutoscaler", "scaler")


@mechanism
def budget_blocks(c: Cluster, a: App) -> Expected:
    spec = {"selector": {"matchLabels": {"app": a.leaf}}, "minAvailable": 2}
    status = {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2, "expectedPods": 2}
    c.put(c.namespace, "poddisruptionbudgets", {"metadata": {"name": "keep"}, "spec": spec, "status": status})
    c.event(
        "Pod",
        c.pod_name(a.leaf),
        "EvictionBlocked",
        "Cannot evict pod as it would violate the pod's disruption budget.",
    )
    c.get("nodes", "node-1", None)["spec"]["unschedulable"] = True
    c.pod_edits[a.leaf] = lambda pod, _: pod["spec"].update(nodeName="node-1")
    c.alert("NodeDrainStuck", severity="warning")
    return Expected("disruption.budget.blocks-drain", "PodDisruptionBudget", "keep")


def _job(c: Cluster, reason: str, message: str) -> None:
    condition = {"type": "Failed", "status": "True", "reason": reason, "message": message}
    c.put(
        c.namespace,
        "jobs",
        {
            "metadata": {"name": "report"},
            "spec": {"backoffLimit": 2},
            "status": {"failed": 3, "conditions": [condition]},
        },
    )
    c.alert("KubeJobFailed", job_name="report", severity="warning")


@mechanism
def job_deadline(c: Cluster, a: App) -> Expected:
    _job(c, "DeadlineExceeded", "Job was active longer than specified deadline")
    return Expected("job.failed.deadline", "Job", "report")


@mechanism
def job_backoff(c: Cluster, a: App) -> Expected:
    _job(c, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    return Expected("job.failed.backoff", "Job", "report")


@mechanism
def cron_suspended(c: Cluster, a: App) -> Expected:
    body = {"metadata": {"name": "nightly"}, "spec": {"schedule": "0 2 * * *", "suspend": False}, "status": {}}
    c.put(c.namespace, "cronjobs", body)
    c.files["manifests/app.yaml"] = [{"kind": "CronJob", "metadata": {"name": "nightly"}, "spec": {"suspend": False}}]
    body["spec"] = {"schedule": "0 2 * * *", "suspend": True}
    c.alert("BackupMissing", severity="warning")
    return Expected("job.cron.suspended", "CronJob", "nightly")


@mechanism
def metrics_server_down(c: Cluster, a: App) -> Expected:
    condition = {
        "type": "Available",
        "status": "False",
        "reason": "MissingEndpoints",
        "message": "endpoints for service/metrics-server in kube-system have no addresses",
    }
    c.put(None, "apiservices", {"metadata": {"name": "v1beta1.metrics.k8s.io"}, "status": {"conditions": [condition]}})
    words = "unable to fetch metrics from resource metrics API: the server is currently unable to handle the request"
    _autoscaler(
        c, a.leaf, [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": words}]
    )
    return Expected("control-plane.metrics-server.down", "APIService", "v1beta1.metrics.k8s.io")


@mechanism
def sandbox_fails(c: Cluster, a: App) -> Expected:
    c.state(a.leaf, waiting("ContainerCreating"))
    words = 'Failed to create pod sandbox: rpc error: failed to setup network for sandbox "1f": plugin type="calico" failed (add): stat /var/lib/calico/nodename: no such file'
    for index in range(2):
        c.event("Pod", c.pod_name(a.leaf, index), "FailedCreatePodSandBox", words)
    c.after = lambda: _on_one_node(c, a)
    return Expected("node.network.unavailable", "Node", "node-2")


def _on_one_node(c: Cluster, a: App) -> None:
    for index in range(2):
        c.get("pods", c.pod_name(a.leaf, index))["spec"]["nodeName"] = "node-2"

"""Mechanisms that stop pods from running: images, commands, settings, memory, probes, security, scheduling."""

import json
from typing import Any

from tests.cases.apps import App
from tests.cases.builder import Cluster, Json, crashing, ended, running, waiting
from tests.cases.library import Expected, mechanism


def _pull(c: Cluster, name: str, words: str, image: str = "") -> None:
    c.rollout(name)
    c.container(name)["image"] = image or f"registry.example/{c.namespace}/{name}:9.9.9"
    c.state(name, waiting("ImagePullBackOff", f'Back-off pulling image "{c.container(name)["image"]}"'))
    said = f'Failed to pull image "{c.container(name)["image"]}": rpc error: {words}'
    c.event("Pod", c.pod_name(name), "Failed", said, path=f"spec.containers{{{name}}}")


@mechanism
def image_tag_missing(c: Cluster, a: App) -> Expected:
    _pull(c, a.leaf, "code = NotFound desc = failed to resolve reference: not found")
    return Expected("workload.image.not-found", "Deployment", a.leaf)


@mechanism
def image_reference_invalid(c: Cluster, a: App) -> Expected:
    c.rollout(a.middle)
    c.container(a.middle)["image"] = "registry.example/Shop//orders:1"
    c.state(a.middle, waiting("InvalidImageName", "Failed to apply default image tag: couldn't parse image name"))
    return Expected("workload.image.reference-invalid", "Deployment", a.middle)


@mechanism
def image_unauthorized(c: Cluster, a: App) -> Expected:
    _pull(c, a.leaf, "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized")
    return Expected("workload.image.unauthorized", "Deployment", a.leaf)


@mechanism
def image_pull_secret_missing(c: Cluster, a: App) -> Expected:
    _pull(c, a.leaf, "pull access denied: authorization failed")
    c.spec(a.leaf)["imagePullSecrets"] = [{"name": "registry-login"}]
    words = "Unable to retrieve some image pull secrets (registry-login); attempting to pull the image may not succeed."
    c.event("Pod", c.pod_name(a.leaf), "FailedToRetrieveImagePullSecret", words)
    return Expected("workload.image.pull-secret-missing", "Deployment", a.leaf)


@mechanism
def image_registry_unresolvable(c: Cluster, a: App) -> Expected:
    _pull(c, a.leaf, "dial tcp: lookup registry.exmaple: no such host", "registry.exmaple/x/y:1.0")
    return Expected("workload.image.registry-unresolvable", "Deployment", a.leaf)


@mechanism
def image_rate_limited(c: Cluster, a: App) -> Expected:
    _pull(c, a.front, "toomanyrequests: You have reached your unauthenticated pull rate limit")
    return Expected("workload.image.rate-limited", "Deployment", a.front)


@mechanism
def image_architecture(c: Cluster, a: App) -> Expected:
    c.rollout(a.leaf)
    c.container(a.leaf)["image"] += "-arm64"
    c.state(a.leaf, crashing(255))
    c.log(a.leaf, "exec /app/server: exec format error", previous=True)
    return Expected("workload.image.architecture-mismatch", "Deployment", a.leaf)


@mechanism
def image_never_pulled(c: Cluster, a: App) -> Expected:
    c.container(a.leaf)["imagePullPolicy"] = "Never"
    c.state(a.leaf, waiting("ErrImageNeverPull", "Container image is not present with pull policy of Never"))
    return Expected("workload.image.never-present", "Deployment", a.leaf)


@mechanism
def crash_after_change(c: Cluster, a: App) -> Expected:
    c.rollout(a.middle)
    c.container(a.middle)["image"] += ".1"
    c.state(a.middle, crashing(2))
    c.log(a.middle, "starting\npanic: runtime error: index out of range [3] with length 3", previous=True)
    return Expected("workload.crash.after-change", "Deployment", a.middle)


@mechanism
def command_not_found(c: Cluster, a: App) -> Expected:
    c.rollout(a.leaf)
    c.container(a.leaf)["command"] = ["/app/serve"]
    message = 'exec: "/app/serve": stat /app/serve: no such file or directory: unknown'
    c.state(a.leaf, crashing(128, "StartError", message=f"failed to create containerd task: {message}"))
    return Expected("workload.crash.command-not-found", "Deployment", a.leaf)


@mechanism
def entrypoint_denied(c: Cluster, a: App) -> Expected:
    c.rollout(a.leaf)
    c.container(a.leaf)["command"] = ["/app/run.sh"]
    c.state(a.leaf, crashing(126, "StartError", message='exec: "/app/run.sh": permission denied: unknown'))
    return Expected("workload.crash.entrypoint-denied", "Deployment", a.leaf)


@mechanism
def init_container_failed(c: Cluster, a: App) -> Expected:
    c.spec(a.leaf)["initContainers"] = [{"name": "migrate", "image": "registry.example/migrate:1"}]
    c.state(a.leaf, waiting("PodInitializing"))

    def edit(pod: Json, index: int) -> None:
        pod["status"]["phase"] = "Pending"
        pod["status"]["initContainerStatuses"] = [{"name": "migrate", "image": "x", **crashing(1)}]

    c.pod_edits[a.leaf] = edit
    c.log(a.leaf, "ERROR: migration 0042 failed: syntax error at line 3", previous=True, container="migrate")
    return Expected("workload.crash.init-container-failed", "Deployment", a.leaf)


@mechanism
def config_map_not_found(c: Cluster, a: App) -> Expected:
    c.container(a.leaf)["envFrom"] = [{"configMapRef": {"name": f"{a.leaf}-settings"}}]
    c.state(a.leaf, waiting("CreateContainerConfigError", f'configmap "{a.leaf}-settings" not found'))
    return Expected("workload.config.config-map-not-found", "ConfigMap", f"{a.leaf}-settings")


@mechanism
def config_key_missing(c: Cluster, a: App) -> Expected:
    c.put(c.namespace, "configmaps", {"metadata": {"name": "flags"}, "data": {"MODE": "fast"}})
    reference = {"configMapKeyRef": {"name": "flags", "key": "LEVEL"}}
    c.container(a.leaf)["env"].append({"name": "LEVEL", "valueFrom": reference})
    words = f"couldn't find key LEVEL in ConfigMap {c.namespace}/flags"
    c.state(a.leaf, waiting("CreateContainerConfigError", words))
    return Expected("workload.config.key-missing", "ConfigMap", "flags")


@mechanism
def secret_not_found(c: Cluster, a: App) -> Expected:
    c.rollout(a.middle)
    reference = {"secretKeyRef": {"name": "store-login", "key": "password"}}
    c.container(a.middle)["env"].append({"name": "STORE_PASSWORD", "valueFrom": reference})
    c.state(a.middle, waiting("CreateContainerConfigError", 'secret "store-login" not found'))
    return Expected("workload.secret.not-found", "Deployment", a.middle)


@mechanism
def secret_key_missing(c: Cluster, a: App) -> Expected:
    reference = {"secretKeyRef": {"name": "store-login", "key": "passwd"}}
    c.container(a.middle)["env"].append({"name": "STORE_PASSWORD", "valueFrom": reference})
    words = f"couldn't find key passwd in Secret {c.namespace}/store-login"
    c.state(a.middle, waiting("CreateContainerConfigError", words))
    return Expected("workload.secret.key-missing", "Secret", "store-login")


@mechanism
def memory_limit_lowered(c: Cluster, a: App) -> Expected:
    c.rollout(a.leaf)
    c.container(a.leaf)["resources"]["limits"]["memory"] = "16Mi"
    c.state(a.leaf, crashing(137, "OOMKilled"))
    return Expected("workload.memory.limit-too-low", "Deployment", a.leaf)


@mechanism
def memory_killed(c: Cluster, a: App) -> Expected:
    c.state(a.leaf, lambda i: running(restarts=4, since=90, last=ended(137, "OOMKilled", ran=900, ago=95)))
    return Expected("workload.memory.oom-killed", "Deployment", a.leaf, ("workload.memory",))


def _unschedulable(c: Cluster, name: str, message: str, reason: str = "Unschedulable") -> None:
    c.state(name, lambda i: None)

    def edit(pod: Json, index: int) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    c.pod_edits[name] = edit
    c.event("Pod", c.pod_name(name), "FailedScheduling", message)


def _scheduling(part: str, value: Any, why: str, cause: str, *, rollout: bool = False) -> Any:
    def breaks(c: Cluster, a: App) -> Expected:
        if rollout:
            c.rollout(a.leaf)
        if part == "resources":
            c.container(a.leaf)["resources"]["requests"].update(value)
        elif part:
            c.spec(a.leaf)[part] = value
        tail = "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
        _unschedulable(c, a.leaf, f"0/3 nodes are available: {why}. {tail}")
        return Expected(cause, "Deployment", a.leaf)

    return breaks


_ANTI = {
    "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]}
}
_AFFINITY: Json = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
for _name, _breaks in {
    "cpu_insufficient": _scheduling("", None, "3 Insufficient cpu", "scheduling.capacity.cpu-insufficient"),
    "memory_request_raised": _scheduling(
        "resources", {"memory": "64Gi"}, "3 Insufficient memory", "workload.memory.request-too-high", rollout=True
    ),
    "cpu_request_raised": _scheduling(
        "resources", {"cpu": "64"}, "3 Insufficient cpu", "workload.cpu.request-too-high", rollout=True
    ),
    "node_selector": _scheduling(
        "nodeSelector",
        {"disk": "nvme"},
        "3 node(s) didn't match Pod's node affinity/selector",
        "scheduling.node-selector.mismatch",
    ),
    "node_affinity": _scheduling(
        "affinity",
        _AFFINITY,
        "3 node(s) didn't match Pod's node affinity/selector",
        "scheduling.node-affinity.mismatch",
    ),
    "taint": _scheduling(
        "", None, "3 node(s) had untolerated taint {dedicated: batch}", "scheduling.taint.untolerated"
    ),
    "anti_affinity": _scheduling(
        "affinity", _ANTI, "3 node(s) didn't match pod anti-affinity rules", "scheduling.pod-anti-affinity.conflict"
    ),
    "topology": _scheduling(
        "", None, "3 node(s) didn't match pod topology spread constraints", "scheduling.topology-spread.unsatisfiable"
    ),
    "pods_exhausted": _scheduling("", None, "3 Too many pods", "scheduling.capacity.pods-exhausted"),
    "gpu": _scheduling("", None, "3 Insufficient nvidia.com/gpu", "scheduling.capacity.extended-resource"),
}.items():
    _breaks.__name__ = _name
    mechanism(_breaks)


@mechanism
def all_cordoned(c: Cluster, a: App) -> Expected:
    for name in ("node-1", "node-2", "node-3"):
        c.get("nodes", name, None)["spec"]["unschedulable"] = True
    _unschedulable(c, a.leaf, "0/3 nodes are available: 3 node(s) were unschedulable.")
    return Expected("scheduling.node.cordoned", "Node", "*")


@mechanism
def scheduling_gate(c: Cluster, a: App) -> Expected:
    c.spec(a.leaf)["schedulingGates"] = [{"name": "example.com/quota"}]
    _unschedulable(c, a.leaf, "Scheduling is blocked due to non-empty scheduling gates", "SchedulingGated")
    return Expected("scheduling.gate.not-removed", "Deployment", a.leaf)


def _probe(kind: str, probe: Json, words: str, cause: str, *, killed: bool) -> Any:
    def breaks(c: Cluster, a: App) -> Expected:
        field = f"{kind.lower()}Probe"
        c.container(a.leaf)[field] = {"httpGet": {"path": "/health", "port": a.leaf_port}}
        c.rollout(a.leaf)
        text = json.dumps(probe).replace("8080", str(a.leaf_port))
        c.container(a.leaf)[field] = json.loads(text)
        last = ended(137, ran=40, ago=30)
        c.state(
            a.leaf,
            running(
                ready=False, restarts=6 if killed else 0, since=20 if killed else 200, last=last if killed else None
            ),
        )
        said = f"{kind} probe failed: {words}"
        c.event("Pod", c.pod_name(a.leaf), "Unhealthy", said, path=f"spec.containers{{{a.leaf}}}")
        if killed:
            c.event(
                "Pod",
                c.pod_name(a.leaf),
                "Killing",
                f"Container {a.leaf} failed liveness probe, will be restarted",
                path=f"spec.containers{{{a.leaf}}}",
            )
        return Expected(cause, "Deployment", a.leaf)

    return breaks


_REFUSED = 'Get "http://10.244.1.7:8099/health": dial tcp 10.244.1.7:8099: connect: connection refused'
_TLS = 'Get "https://10.244.1.7:8080/health": http: server gave HTTP response to HTTPS client'
_LATE = (
    'Get "http://10.244.1.7:8080/health": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
)
for _name, _breaks in {
    "liveness_port": _probe(
        "Liveness",
        {"httpGet": {"path": "/health", "port": 8099}},
        _REFUSED,
        "workload.probe.liveness-port-wrong",
        killed=True,
    ),
    "readiness_port": _probe(
        "Readiness",
        {"httpGet": {"path": "/health", "port": 8099}},
        _REFUSED,
        "workload.probe.readiness-port-wrong",
        killed=False,
    ),
    "readiness_path": _probe(
        "Readiness",
        {"httpGet": {"path": "/nope", "port": 8080}},
        "HTTP probe failed with statuscode: 404",
        "workload.probe.readiness-path-wrong",
        killed=False,
    ),
    "liveness_protocol": _probe(
        "Liveness",
        {"httpGet": {"path": "/health", "port": 8080, "scheme": "HTTPS"}},
        _TLS,
        "workload.probe.liveness-protocol-wrong",
        killed=True,
    ),
    "liveness_timing": _probe(
        "Liveness",
        {"httpGet": {"path": "/health", "port": 8080}, "timeoutSeconds": 1, "periodSeconds": 1, "failureThreshold": 1},
        _LATE,
        "workload.probe.liveness-timing-wrong",
        killed=True,
    ),
}.items():
    _breaks.__name__ = _name
    mechanism(_breaks)


@mechanism
def non_root_denied(c: Cluster, a: App) -> Expected:
    c.container(a.leaf)["securityContext"] = {"runAsNonRoot": True}
    c.state(a.leaf, waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"))
    return Expected("workload.security.context-denied", "Deployment", a.leaf)


@mechanism
def read_only_root(c: Cluster, a: App) -> Expected:
    c.rollout(a.leaf)
    c.container(a.leaf)["securityContext"] = {"readOnlyRootFilesystem": True}
    c.state(a.leaf, crashing(1))
    c.log(a.leaf, "OSError: [Errno 30] Read-only file system: '/app/cache/index'", previous=True)
    return Expected("workload.security.read-only-root", "Deployment", a.leaf)


@mechanism
def service_account_not_found(c: Cluster, a: App) -> Expected:
    c.rollout(a.leaf)
    c.spec(a.leaf)["serviceAccountName"] = "leaf-runner"
    c.no_pods.add(a.leaf)
    words = f'pods "{a.leaf}-x" is forbidden: error looking up service account {c.namespace}/leaf-runner: serviceaccount "leaf-runner" not found'
    c.event("ReplicaSet", f"{a.leaf}-b", "FailedCreate", f"Error creating: {words}")
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": words}
    c.get("deployments", a.leaf)["status"] = {"conditions": [condition]}
    return Expected("workload.service-account.not-found", "Deployment", a.leaf)


@mechanism
def scaled_to_zero(c: Cluster, a: App) -> Expected:
    c.manifests()
    c.get("deployments", a.leaf)["spec"]["replicas"] = 0
    return Expected("workload.replicas.zero", "Deployment", a.leaf)


@mechanism
def scaled_to_zero_without_manifest(c: Cluster, a: App) -> Expected:
    c.get("deployments", a.leaf)["spec"]["replicas"] = 0
    c.log(a.middle, f"error: call {a.leaf}: connection refused\n" * 5)
    return Expected("workload.replicas.zero", "Deployment", a.leaf)


@mechanism
def rollout_paused(c: Cluster, a: App) -> Expected:
    c.manifests()
    c.rollout(a.leaf)
    c.get("deployments", a.leaf)["spec"]["paused"] = True
    c.container(a.leaf)["image"] += ".2"
    c.no_pods.add(a.leaf)
    return Expected("workload.rollout.paused", "Deployment", a.leaf)


@mechanism
def partition_held(c: Cluster, a: App) -> Expected:
    body = c.deploy("ledger", 7000, replicas=3, kind="StatefulSet")
    body["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}
    c.alert("StatefulSetUpdateNotRolledOut", statefulset="ledger")
    c.after = lambda: body["status"].update(updatedReplicas=0)
    return Expected("workload.rollout.partition-held", "StatefulSet", "ledger")


@mechanism
def sidecar_port(c: Cluster, a: App) -> Expected:
    side = {
        "name": "metrics",
        "image": "registry.example/exporter:2",
        "ports": [{"containerPort": a.leaf_port, "protocol": "TCP"}],
    }
    c.rollout(a.leaf)
    c.spec(a.leaf)["containers"].append(side)
    c.state(a.leaf, crashing(1))
    c.log(a.leaf, f"listen tcp :{a.leaf_port}: bind: address already in use", previous=True)
    return Expected("workload.port.sidecar-conflict", "Deployment", a.leaf)


@mechanism
def host_port(c: Cluster, a: App) -> Expected:
    for name in (a.front, a.leaf):
        c.container(name)["ports"][0]["hostPort"] = 9000
    why = "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports."
    _unschedulable(c, a.leaf, why)
    return Expected("workload.port.conflict", "Deployment", a.leaf)


@mechanism
def env_missing(c: Cluster, a: App) -> Expected:
    c.env(a.leaf, "REGION", "eu")
    c.rollout(a.leaf)
    c.env(a.leaf, "REGION", None)
    c.state(a.leaf, crashing(1))
    c.log(a.leaf, "Traceback (most recent call last):\nKeyError: 'REGION'", previous=True)
    return Expected("workload.env.missing", "Deployment", a.leaf)


@mechanism
def env_invalid(c: Cluster, a: App) -> Expected:
    c.env(a.leaf, "WORKERS", "4")
    c.rollout(a.leaf)
    c.env(a.leaf, "WORKERS", "many")
    c.state(a.leaf, crashing(1))
    c.log(a.leaf, 'invalid configuration: WORKERS: strconv.Atoi: parsing "many": invalid syntax', previous=True)
    return Expected("workload.env.invalid", "Deployment", a.leaf)


@mechanism
def config_value_invalid(c: Cluster, a: App) -> Expected:
    c.put(c.namespace, "configmaps", {"metadata": {"name": "tuning"}, "data": {"POOL_SIZE": "ten"}})
    c.container(a.leaf)["envFrom"] = [{"configMapRef": {"name": "tuning"}}]
    c.state(a.leaf, crashing(1))
    c.log(a.leaf, "invalid setting POOL_SIZE: 'ten' is not an integer", previous=True)
    return Expected("workload.config.value-invalid", "ConfigMap", "tuning")


@mechanism
def preempted(c: Cluster, a: App) -> Expected:
    c.event("Pod", c.pod_name(a.leaf, 0), "Preempted", "Preempted by pod 7f on node node-1", namespace=c.namespace)
    _unschedulable(c, a.leaf, "0/3 nodes are available: 3 Insufficient cpu.")
    return Expected("scheduling.priority.preempted", "Deployment", a.leaf)


@mechanism
def cpu_throttled(c: Cluster, a: App) -> Expected:
    values = [[n * 60, "0.72"] for n in range(12)]
    result = [{"metric": {"namespace": c.namespace, "pod": c.pod_name(a.leaf), "container": a.leaf}, "values": values}]
    query = "rate(container_cpu_cfs_throttled_periods_total[5m]) / rate(container_cpu_cfs_periods_total[5m])"
    c.files["metrics/throttled.json"] = {
        "status": "success",
        "query": query,
        "data": {"resultType": "matrix", "result": result},
    }
    c.alert("CPUThrottlingHigh", pod=c.pod_name(a.leaf), container=a.leaf)
    return Expected("workload.cpu.throttled", "Deployment", a.leaf)


@mechanism
def error_without_reason(c: Cluster, a: App) -> Expected:
    c.state(a.leaf, crashing(1, ran=4000))
    c.log(a.leaf, "fatal: assertion failed: queue.len() > 0", previous=True)
    return Expected("workload.crash.application-error", "Deployment", a.leaf, ("unknown",))

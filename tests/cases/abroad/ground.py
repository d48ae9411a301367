"""Faults of what workloads stand on: scheduling, storage, limits of the namespace, nodes, the control plane; and none."""

from tests.cases.abroad.library import strange
from tests.cases.abroad.places import PORTS, Place, Town
from tests.cases.abroad.ways import P95, _flat, _series, _step
from tests.cases.builder import Json, at, ended, running, waiting
from tests.cases.library import Expected

NODES = ("ip-10-0-1-11", "ip-10-0-2-22", "ip-10-0-3-33", "ip-10-0-4-44")


def _waits(t: Town, who: str, why: str) -> None:
    words = f"0/4 nodes are available: {why}. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    t.state(who, lambda i: None)

    def edit(pod: Json, index: int) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]
        pod["spec"].pop("nodeName", None)
        t.event("Pod", pod["metadata"]["name"], "FailedScheduling", words, count=20)

    t.pod_edits[who] = edit


@strange()
def zone_that_does_not_exist(t: Town, p: Place) -> Expected:
    term = {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-west-9z"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    t.spec_of(p.store)["affinity"] = {"nodeAffinity": required}
    _waits(t, p.store, "4 node(s) didn't match Pod's node affinity/selector")
    t.says(p.worker, "store-refused", host=p.store, port=p.store_port)
    return Expected("scheduling.node-affinity.mismatch", "StatefulSet", p.store)


@strange()
def label_that_no_node_has(t: Town, p: Place) -> Expected:
    t.spec_of(p.worker)["nodeSelector"] = {"disk": "nvme"}
    _waits(t, p.worker, "4 node(s) didn't match Pod's node affinity/selector")
    return Expected("scheduling.node-selector.mismatch", "Deployment", p.worker)


@strange()
def too_many_for_one_each(t: Town, p: Place) -> Expected:
    t.get("deployments", p.worker)["spec"]["replicas"] = 6
    rule = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {p.label: p.worker}}}
    t.spec_of(p.worker)["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [rule]}}
    words = "0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules. preemption: 0/4 nodes are available: 4 No preemption victims found for incoming pod."
    t.state(p.worker, lambda i: None if i > 3 else running())

    def edit(pod: Json, index: int) -> None:
        if index > 3:
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
            pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]
            t.event("Pod", pod["metadata"]["name"], "FailedScheduling", words, count=20)

    t.pod_edits[p.worker] = edit
    return Expected("scheduling.pod-anti-affinity.conflict", "Deployment", p.worker)


@strange()
def spread_over_what_is_not_there(t: Town, p: Place) -> Expected:
    rule = {
        "maxSkew": 1,
        "topologyKey": "rack",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {p.label: p.worker}},
    }
    t.spec_of(p.worker)["topologySpreadConstraints"] = [rule]
    _waits(t, p.worker, "4 node(s) didn't match pod topology spread constraints (missing required label)")
    return Expected("scheduling.topology-spread.unsatisfiable", "Deployment", p.worker)


@strange("rollback-deployment")
def asks_for_too_much_memory(t: Town, p: Place) -> Expected:
    t.rollout(p.worker)
    t.container(p.worker)["resources"] = {"requests": {"memory": "96Gi", "cpu": "100m"}, "limits": {"memory": "96Gi"}}
    _waits(t, p.worker, "4 Insufficient memory")
    return Expected(
        "workload.memory.request-too-high", "Deployment", p.worker, ("scheduling.capacity.memory-insufficient",)
    )


@strange("rollback-deployment")
def asks_for_too_many_cores(t: Town, p: Place) -> Expected:
    t.rollout(p.api)
    t.container(p.api)["resources"] = {"requests": {"cpu": "48", "memory": "64Mi"}}
    _waits(t, p.api, "4 Insufficient cpu")
    return Expected("workload.cpu.request-too-high", "Deployment", p.api, ("scheduling.capacity.cpu-insufficient",))


@strange()
def all_nodes_are_cordoned(t: Town, p: Place) -> Expected:
    for name in NODES:
        t.get("nodes", name, None)["spec"]["unschedulable"] = True
    _waits(t, p.worker, "4 node(s) were unschedulable")
    return Expected("scheduling.node.cordoned", "Node", "*")


@strange()
def only_gpu_nodes_would_do(t: Town, p: Place) -> Expected:
    t.container(p.worker)["resources"]["limits"]["nvidia.com/gpu"] = "1"
    _waits(t, p.worker, "4 Insufficient nvidia.com/gpu")
    return Expected("scheduling.capacity.extended-resource", "Deployment", p.worker)


@strange()
def disk_lies_in_another_zone(t: Town, p: Place) -> Expected:
    _waits(
        t,
        p.store,
        "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 3 node(s) had volume node affinity conflict",
    )
    t.get("nodes", NODES[3], None)["spec"]["taints"] = [
        {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    ]
    t.says(p.worker, "store-refused", host=p.store, port=p.store_port)
    return Expected("scheduling.volume-zone.mismatch", "StatefulSet", p.store, ("scheduling.volume-zone.mismatch",))


@strange()
def gate_was_left(t: Town, p: Place) -> Expected:
    t.state(p.worker, lambda i: None)
    t.spec_of(p.worker)["schedulingGates"] = [{"name": "acme.example/quota-check"}]

    def edit(pod: Json, index: int) -> None:
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    t.pod_edits[p.worker] = edit
    return Expected("scheduling.gate.not-removed", "Deployment", p.worker)


def _claim(t: Town, name: str, status: str = "Pending", **spec: object) -> None:
    body = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "gp3",
        "resources": {"requests": {"storage": "50Gi"}},
        **spec,
    }
    t.put(
        t.namespace, "persistentvolumeclaims", {"metadata": {"name": name}, "spec": body, "status": {"phase": status}}
    )
    t.spec_of(t.place.worker).setdefault("volumes", []).append(
        {"name": "scratch", "persistentVolumeClaim": {"claimName": name}}
    )
    _waits(t, t.place.worker, "pod has unbound immediate PersistentVolumeClaims")


@strange()
def class_is_unknown(t: Town, p: Place) -> Expected:
    _claim(t, "scratch", storageClassName="premium-ssd")
    t.event(
        "PersistentVolumeClaim", "scratch", "ProvisioningFailed", 'storageclass.storage.k8s.io "premium-ssd" not found'
    )
    return Expected("storage.class.not-found", "PersistentVolumeClaim", "scratch", ("storage.claim.class-mismatch",))


@strange()
def provisioner_cannot(t: Town, p: Place) -> Expected:
    _claim(t, "scratch")
    words = 'waiting for a volume to be created either by the external provisioner "ebs.csi.aws.com" or manually created by system administrator'
    t.event("PersistentVolumeClaim", "scratch", "ExternalProvisioning", words, type_="Normal", count=88)
    driver = {"name": "csi-plugin", "image": "ebs-csi:1.30"}
    body = t.put("kube-system", "deployments", {"metadata": {"name": "ebs-csi-controller"}, "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "ebs"}}, "template": {"metadata": {"labels": {"app": "ebs"}}, "spec": {"containers": [driver]}}}})  # fmt: skip
    assert body
    return Expected("storage.provisioner.down", "StorageClass", "gp3")


@strange()
def modes_do_not_fit(t: Town, p: Place) -> Expected:
    _claim(t, "scratch", accessModes=["ReadWriteMany"], storageClassName="manual")
    spec = {"capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual"}
    t.put(None, "persistentvolumes", {"metadata": {"name": "nfs-01"}, "spec": spec, "status": {"phase": "Available"}})
    t.event("PersistentVolumeClaim", "scratch", "FailedBinding", "no persistent volumes available for this claim and no storage class is set", type_="Normal")  # fmt: skip
    return Expected("storage.claim.access-mode-mismatch", "PersistentVolumeClaim", "scratch")


def _refused(t: Town, who: str, words: str) -> None:
    t.no_pods.add(who)
    kind = t.kind_of(who)
    about = f"{who}-6cf" if kind == "Deployment" else who
    t.event("ReplicaSet" if kind == "Deployment" else kind, about, "FailedCreate", f"Error creating: {words}", count=17)
    if kind == "Deployment":
        condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": words}
        t.get("deployments", who)["status"] = {"conditions": [condition]}


@strange()
def no_more_pods_allowed(t: Town, p: Place) -> Expected:
    hard = {"pods": "30", "requests.cpu": "40"}
    body = {
        "metadata": {"name": "team-quota"},
        "spec": {"hard": hard},
        "status": {"hard": hard, "used": {"pods": "30", "requests.cpu": "3"}},
    }
    t.put(p.namespace, "resourcequotas", body)
    _refused(t, p.store, f'create Pod {p.store}-0 in StatefulSet {p.store} failed error: pods "{p.store}-0" is forbidden: exceeded quota: team-quota, requested: pods=1, used: pods=30, limited: pods=30')  # fmt: skip
    return Expected("namespace.quota.pods-exceeded", "ResourceQuota", "team-quota")


@strange()
def range_forbids_it(t: Town, p: Place) -> Expected:
    limits = [{"type": "Container", "max": {"cpu": "250m"}, "min": {"memory": "32Mi"}}]
    t.put(p.namespace, "limitranges", {"metadata": {"name": "container-caps"}, "spec": {"limits": limits}})
    _refused(t, p.worker, 'pods "x" is forbidden: maximum cpu usage per Container is 250m, but limit is 500m')
    return Expected(
        "namespace.limit-range.violated", "LimitRange", "container-caps", ("namespace.limit-range.violated",)
    )


@strange()
def namespace_is_restricted(t: Town, p: Place) -> Expected:
    t.put(
        None,
        "namespaces",
        {
            "metadata": {"name": p.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
            "status": {"phase": "Active"},
        },
    )
    _refused(t, p.worker, 'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "x" must set securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true')  # fmt: skip
    return Expected("namespace.pod-security.rejected", "Deployment", p.worker)


@strange()
def webhook_has_nobody_behind(t: Town, p: Place) -> Expected:
    hooks = [
        {
            "name": "inject.mesh.example",
            "failurePolicy": "Fail",
            "clientConfig": {"service": {"name": "injector", "namespace": "mesh-system"}},
        }
    ]
    t.put(None, "mutatingwebhookconfigurations", {"metadata": {"name": "mesh-injector"}, "webhooks": hooks})
    _refused(t, p.worker, 'Internal error occurred: failed calling webhook "inject.mesh.example": failed to call webhook: Post "https://injector.mesh-system.svc:443/inject?timeout=10s": dial tcp 10.96.44.4:443: connect: connection refused')  # fmt: skip
    return Expected("control-plane.webhook.failing", "MutatingWebhookConfiguration", "mesh-injector")


@strange("raise-hpa-max")
def scaler_has_no_room(t: Town, p: Place) -> Expected:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": p.worker}, "minReplicas": 1, "maxReplicas": 2}
    conditions = [
        {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"},
        {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"},
        {
            "type": "ScalingLimited",
            "status": "True",
            "reason": "TooManyReplicas",
            "message": "the desired replica count is more than the maximum replica count",
        },
    ]
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 188}}}]
    wanted = [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
    ]
    status = {"currentReplicas": 2, "desiredReplicas": 2, "conditions": conditions, "currentMetrics": metrics}
    t.put(
        p.namespace,
        "horizontalpodautoscalers",
        {"metadata": {"name": f"{p.worker}-hpa"}, "spec": {**spec, "metrics": wanted}, "status": status},
    )
    _series(
        t, "p95", P95, {**_flat(t, p, 0.05), p.edge: _step(0.2, 1.9), p.api: _step(0.2, 1.8), p.worker: _step(0.1, 1.7)}
    )
    t.alert("SLOLatency", service=p.edge)
    return Expected("autoscaling.hpa.at-maximum", "HorizontalPodAutoscaler", f"{p.worker}-hpa")


@strange()
def scaler_scales_nobody(t: Town, p: Place) -> Expected:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": f"{p.worker}-old"}, "minReplicas": 1, "maxReplicas": 9}
    condition = {
        "type": "AbleToScale",
        "status": "False",
        "reason": "FailedGetScale",
        "message": f'the HPA controller was unable to get the target\'s current scale: deployments.apps "{p.worker}-old" not found',
    }
    t.put(
        p.namespace,
        "horizontalpodautoscalers",
        {"metadata": {"name": "burst"}, "spec": spec, "status": {"conditions": [condition]}},
    )
    t.alert("HPAFailing", horizontalpodautoscaler="burst", severity="warning")
    return Expected("autoscaling.hpa.target-wrong", "HorizontalPodAutoscaler", "burst")


@strange("relax-pdb-temporarily")
def nobody_may_be_moved(t: Town, p: Place) -> Expected:
    t.get("nodes", NODES[1], None)["spec"]["unschedulable"] = True
    spec = {"selector": {"matchLabels": {p.label: p.worker}}, "maxUnavailable": 0}
    status = {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2, "expectedPods": 2}
    t.put(
        p.namespace, "poddisruptionbudgets", {"metadata": {"name": f"{p.worker}-pdb"}, "spec": spec, "status": status}
    )
    words = "Cannot evict pod as it would violate the pod's disruption budget."
    t.event("Pod", t.pod_name(p.worker), "EvictionBlocked", words, count=60)
    t.alert("NodeDrainStuck", node=NODES[1], severity="warning")

    def edit(pod: Json, index: int) -> None:
        pod["spec"]["nodeName"] = NODES[1 + index]

    t.pod_edits[p.worker] = edit
    return Expected("disruption.budget.blocks-drain", "PodDisruptionBudget", f"{p.worker}-pdb")


def _units(t: Town, node: str, down: str) -> None:
    for name in NODES:
        units = [
            {"service": f"{unit}.service", "active": "active", "sub": "running", "raw": f"● {unit}.service"}
            for unit in ("kubelet", "containerd", "kube-proxy")
        ]
        for unit in units:
            if name == node and unit["service"] == f"{down}.service":
                unit.update(
                    active="failed", sub="failed", raw=f"× {down}.service - Main PID exited, code=exited, status=1"
                )
        t.files[f"node-services/{name}.json"] = units


def _lost(t: Town, node: str, status: str, reason: str, message: str) -> None:
    body = t.get("nodes", node, None)
    body["status"]["conditions"][0] = {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": at(500),
    }
    body["spec"]["taints"] = [{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]

    def cut() -> None:
        for pod in t.objects[t.namespace, "pods"].values():
            if pod["spec"].get("nodeName") == node:
                pod["status"]["conditions"][0]["status"] = "False"

    t.after = cut


@strange()
def kubelet_fell(t: Town, p: Place) -> Expected:
    _units(t, NODES[2], "kubelet")
    _lost(t, NODES[2], "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    return Expected("node.kubelet.down", "Node", NODES[2])


@strange()
def runtime_fell(t: Town, p: Place) -> Expected:
    _units(t, NODES[0], "containerd")
    _lost(
        t,
        NODES[0],
        "False",
        "KubeletNotReady",
        "[container runtime is down, PLEG is not healthy: pleg was last seen active 5m2s ago]",
    )
    return Expected("node.container-runtime.down", "Node", NODES[0])


@strange()
def rules_of_the_node_are_stale(t: Town, p: Place) -> Expected:
    _units(t, NODES[1], "kube-proxy")
    t.says(p.api, "timeout", host=p.worker, port=PORTS["worker"])
    t.alert("HighErrorRate", service=p.edge)
    return Expected("node.kube-proxy.down", "Node", NODES[1])


@strange("cordon-and-drain-node")
def node_has_no_disk_left(t: Town, p: Place) -> Expected:
    conditions = t.get("nodes", NODES[3], None)["status"]["conditions"]
    conditions[2] = {
        "type": "DiskPressure",
        "status": "True",
        "reason": "KubeletHasDiskPressure",
        "message": "kubelet has disk pressure",
    }
    t.get("nodes", NODES[3], None)["spec"]["taints"] = [
        {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
    ]
    t.event(
        "Pod",
        t.pod_name(p.others[1]),
        "Evicted",
        "The node was low on resource: ephemeral-storage. Threshold quantity: 2Gi, available: 800Mi.",
    )
    return Expected("node.disk.pressure", "Node", NODES[3])


@strange()
def names_are_not_known_to_the_name_service(t: Town, p: Place) -> Expected:
    text = t.get("configmaps", "coredns", "kube-system")["data"]["Corefile"]
    t.get("configmaps", "coredns", "kube-system")["data"]["Corefile"] = text.replace(
        "kubernetes cluster.local", "kubernetes cluster.lan"
    )
    for who, host in ((p.edge, p.api), (p.api, p.worker), (p.worker, p.store)):
        t.says(who, "nohost", host=f"{host}.{p.namespace}.svc.cluster.local", port=80)
    t.alert("HighErrorRate", service=p.edge)
    return Expected("control-plane.coredns.misconfigured", "ConfigMap", "coredns")


@strange()
def metrics_are_not_served(t: Town, p: Place) -> Expected:
    condition = {
        "type": "Available",
        "status": "False",
        "reason": "MissingEndpoints",
        "message": 'endpoints for service/metrics-server in "kube-system" have no addresses with port name "https"',
    }
    t.put(
        None,
        "apiservices",
        {
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {"service": {"name": "metrics-server", "namespace": "kube-system"}},
            "status": {"conditions": [condition]},
        },
    )
    words = "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server is currently unable to handle the request (get pods.metrics.k8s.io)"
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": p.worker}, "minReplicas": 2, "maxReplicas": 9}
    status = {
        "conditions": [
            {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": words}
        ]
    }
    t.put(p.namespace, "horizontalpodautoscalers", {"metadata": {"name": "w"}, "spec": spec, "status": status})
    return Expected(
        "control-plane.metrics-server.down",
        "APIService",
        "v1beta1.metrics.k8s.io",
        ("control-plane.api-service.unavailable",),
    )


@strange(flavour="control")
def all_is_well(t: Town, p: Place) -> Expected:
    return Expected("none.healthy", "Namespace", p.namespace, ("none",))


@strange(flavour="control")
def well_after_a_storm(t: Town, p: Place) -> Expected:
    for who in (p.api, p.worker):
        t.state(who, running(restarts=3, since=5400, last=ended(1, ran=30, ago=5410)))
        t.event("Pod", t.pod_name(who), "BackOff", "Back-off restarting failed container", ago=5500)
    t.alert("HighErrorRate", service=p.edge, status="resolved")
    return Expected("none.recovered", "Namespace", p.namespace, ("none",))


@strange(flavour="control")
def well_but_loud(t: Town, p: Place) -> Expected:
    for who in (p.edge, p.api, p.worker):
        tongue = t.place.tongue(who)
        words = [
            "context canceled by client",
            "payment declined: insufficient funds",
            "invalid token for session 91",
            "rate limit exceeded for tenant 7",
            "slow response 900 ms from partner",
        ]
        fine = [tongue.line("info", f"handled {n}", ago=2400 - n * 10) for n in range(200)]
        t.logs_of(who, "\n".join(fine + [tongue.line("error", w, ago=100 + n) for n, w in enumerate(words)]))
    _series(
        t,
        "p95",
        P95,
        {**_flat(t, p, 0.05), p.edge: _step(0.21, 0.22), p.api: _step(0.2, 0.2), p.worker: _step(0.1, 0.1)},
    )
    spec = {
        "podSelector": {"matchLabels": {p.label: p.store}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {p.label: p.worker}}}]}],
    }
    t.put(p.namespace, "networkpolicies", {"metadata": {"name": "db-only-worker"}, "spec": spec})
    return Expected("none.healthy", "Namespace", p.namespace, ("none",))


@strange(flavour="control")
def well_while_others_release(t: Town, p: Place) -> Expected:
    t.rollout(p.others[0])
    t.container(p.others[0])["image"] = "registry.example/fresh:2"
    t.get("nodes", NODES[3], None)["spec"]["unschedulable"] = True
    t.put(
        p.namespace,
        "resourcequotas",
        {
            "metadata": {"name": "q"},
            "spec": {"hard": {"pods": "60"}},
            "status": {"hard": {"pods": "60"}, "used": {"pods": "58"}},
        },
    )
    t.alert("KubeQuotaAlmostFull", severity="info")
    return Expected("none.healthy", "Namespace", p.namespace, ("none",))


@strange(flavour="thin")
def an_alert_and_little_else(t: Town, p: Place) -> Expected:
    """Nothing but an alert that names a service: nobody can know, and a right answer is none."""
    t.alert("HighErrorRate", service=p.edge)
    t.lacks = frozenset({"logs", "events", "configmaps", "networkpolicies", "nodes", "replicasets", "endpoints"})
    return Expected("unknown.insufficient-evidence", "Namespace", p.namespace)


@strange(flavour="thin")
def creating_for_reasons_unseen(t: Town, p: Place) -> Expected:
    t.state(p.worker, waiting("ContainerCreating"))
    t.lacks = frozenset({"logs", "events", "replicasets"})
    return Expected("unknown.insufficient-evidence", "Namespace", p.namespace)

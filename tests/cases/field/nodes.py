"""Nodes and the control plane."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.field.library import incident
from tests.cases.field.voices import direct, framed, spread, watch
from tests.cases.wild.objects import Obj, condition, make, stamp
from tests.cases.wild.world import World

FIRST = "ip-10-0-1-17.eu-west-1.compute.internal"
UNITS = ("kubelet", "containerd", "kube-proxy")


def units(w: World, **down: str) -> None:
    """systemd's view of all nodes; ``down``: a unit of the first node and what systemd says of it."""
    for name in w.nodes():
        found = []
        for unit in UNITS:
            said = down.get(unit.replace("-", "_")) if name == FIRST else None
            state = "inactive (dead)" if said else "active (running)"
            found.append({"service": unit, "active": "inactive" if said else "active", "sub": "dead" if said else "running", "raw": f"● {unit}.service\n   Active: {state} since Tue 2026-03-17 09:26:{'10' if said else '00'} UTC" + (f"\n{said}" if said else "")})
        w.units[name] = found


def set_condition(node: Obj, kind: str, ok: bool | None, reason: str, message: str, ago: float = 700) -> None:
    node["status"]["conditions"] = [c for c in node["status"]["conditions"] if c["type"] != kind]
    made = condition(kind, ok, ago, reason, message)
    made.pop("lastProbeTime")
    made["lastHeartbeatTime"] = stamp(ago + 40)
    node["status"]["conditions"].append(made)


def lost(w: World, ago: float = 700) -> None:
    """The pods of the first node are not ready any more, since nobody speaks for them."""
    for pod in w.all("Pod"):
        if pod["spec"].get("nodeName") == FIRST:
            for one in pod["status"]["conditions"]:
                if one["type"] == "Ready":
                    one |= {"status": "False", "lastTransitionTime": stamp(ago - 5)}
            w.event(pod, "NodeNotReady", "Node is not ready", 1, ago - 5, ago - 5, "node-controller")


@incident("campsites", "both", "node.kubelet.down node.not-ready", f"Node/{FIRST}")
def kubelet_was_stopped(w: World) -> None:
    node = w.get("Node", FIRST, None)
    for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready"):
        set_condition(node, kind, None, "NodeStatusUnknown", "Kubelet stopped posting node status.")
    node["spec"]["taints"] = [{"key": "node.kubernetes.io/unreachable", "effect": effect, "timeAdded": stamp(695)} for effect in ("NoSchedule", "NoExecute")]
    w.event(node, "NodeNotReady", f"Node {FIRST} status is now: NodeNotReady", 1, 700, 700, "node-controller", "Normal")
    lost(w)
    units(w, kubelet="Mar 17 09:26:10 systemd[1]: Stopped kubelet.service - kubelet: The Kubernetes Node Agent.")
    w.alert("KubeNodeNotReady", severity="critical", node=FIRST)
    watch(w)


@incident("teashop", "both", "node.container-runtime.down", f"Node/{FIRST}", "cordon-and-drain-node")
def runtime_hangs(w: World) -> None:
    node = w.get("Node", FIRST, None)
    said = "[container runtime is down, PLEG is not healthy: pleg was last seen active 9m12.4s ago; threshold is 3m0s]"
    set_condition(node, "Ready", False, "KubeletNotReady", said)
    node["spec"]["taints"] = [{"key": "node.kubernetes.io/not-ready", "effect": effect, "timeAdded": stamp(695)} for effect in ("NoSchedule", "NoExecute")]
    w.event(node, "NodeNotReady", f"Node {FIRST} status is now: NodeNotReady", 1, 700, 700, kind="Normal")
    lost(w)
    units(w, containerd="Mar 17 09:26:10 containerd[811]: failed to handle event: context deadline exceeded")
    w.alert("KubeNodeNotReady", severity="critical", node=FIRST)
    watch(w)


@incident("campsites", "all", "node.kube-proxy.down", f"Node/{FIRST} DaemonSet/kube-proxy")
def kube_proxy_is_gone_from_one_node(w: World) -> None:
    pod = next(p for p in w.all("Pod", "kube-system") if p["metadata"]["name"].startswith("kube-proxy") and p["spec"]["nodeName"] == FIRST)
    status = pod["status"]["containerStatuses"][0]
    status |= {"ready": False, "started": False, "restartCount": 11, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=kube-proxy"}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": stamp(92), "finishedAt": stamp(91)}}}
    w.conditions(pod, 900)
    w.event(pod, "BackOff", "Back-off restarting failed container kube-proxy", 60)
    w.log(pod, 'E0317 09:39:41.100201       1 server.go:556] "Error running ProxyServer" err="iptables is not available on this host"', container="kube-proxy")
    made = w.get("DaemonSet", "kube-proxy", "kube-system")
    made["status"] |= {"numberReady": 2, "numberAvailable": 2, "numberUnavailable": 1}
    units(w, kube_proxy="Mar 17 09:26:10 kube-proxy[1]: iptables is not available on this host")
    for s in w.svcs:
        for one in w.pods(s.name):
            if one["spec"]["nodeName"] == FIRST and s.lang in ("go", "java") and s.calls and s.name not in ("registry", "tracing"):
                w.log(one, *[direct(w, s.name, s.calls[0], "timeout")] * 6)
    watch(w, errors={"portal": 0.3, "finder": 0.3})


# Put right after the first look: the node whose unit is dead is named by what was collected, and is as good an answer.
@incident("teashop", "both", "control-plane.scheduler.down", f"Lease/kube-scheduler Node/{FIRST} Deployment/kube-scheduler Pod/kube-scheduler Deployment/shopfront Namespace/leafandlid Namespace/kube-system")
def nobody_places_pods(w: World) -> None:
    for name, ago in (("kube-scheduler", 1900), ("kube-controller-manager", 3)):
        w.add("Lease", name, 41 * 86400.0, "kube-system", spec={"holderIdentity": f"ip-10-0-0-9_{name}", "leaseDurationSeconds": 15, "renewTime": stamp(ago).replace("Z", ".000000Z"), "acquireTime": stamp(800000).replace("Z", ".000000Z")})
    made = w.work("shopfront")
    made["spec"]["replicas"] = 4
    w.edit(made, 1500, "kubectl", {"f:spec": {"f:replicas": {}}})
    for number in range(2):
        pod = w.pod(made, 4 + number, 1500)
        pod["spec"].pop("nodeName")
        pod["status"] = {"phase": "Pending", "qosClass": "Burstable"}
        w.alert("KubePodNotReady", pod=pod["metadata"]["name"])
    w.alert("KubeSchedulerDown", severity="critical", note="KubeScheduler has disappeared from Prometheus target discovery.")
    w.units[FIRST] = [{"service": "kube-scheduler", "active": "inactive", "sub": "dead", "raw": "● kube-scheduler.service\n   Active: inactive (dead) since Tue 2026-03-17 09:09:32 UTC"}, {"service": "kubelet", "active": "active", "sub": "running", "raw": "active (running)"}]
    watch(w)


@incident("campsites", "both", "node.disk.pressure", f"Node/{FIRST}", "cordon-and-drain-node")
def node_runs_out_of_disk(w: World) -> None:
    node = w.get("Node", FIRST, None)
    set_condition(node, "DiskPressure", True, "KubeletHasDiskPressure", "kubelet has disk pressure")
    node["spec"]["taints"] = [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule", "timeAdded": stamp(700)}]
    w.event(node, "EvictionThresholdMet", "Attempting to reclaim ephemeral-storage", 12)
    w.event(node, "FreeDiskSpaceFailed", "Failed to garbage collect required amount of images. Attempted to free 8210333696 bytes, but only found 0 bytes eligible to free.", 4)
    for pod in [p for p in w.all("Pod") if p["spec"].get("nodeName") == FIRST][:4]:
        said = "The node was low on resource: ephemeral-storage. Threshold quantity: 8589934592, available: 7105412Ki. "
        name = pod["metadata"]["labels"]["app"]
        pod["status"] |= {"phase": "Failed", "reason": "Evicted", "message": said}
        pod["status"].pop("containerStatuses")
        pod["status"]["conditions"] = [condition("Ready", False, 650, "PodFailed"), condition("DisruptionTarget", True, 650, "TerminationByKubelet", said)]
        w.event(pod, "Evicted", said, 1, 650, 650)
        if w.svc(name).kind == "Deployment":
            w.pod(w.work(name), 9, 640)["spec"]["nodeName"] = w.nodes()[1]
    w.alert("NodeFilesystemAlmostOutOfSpace", severity="critical", node=FIRST, note="Filesystem on /dev/nvme0n1p1 has only 2.1% available space left")
    units(w)
    watch(w)


@incident("teashop", "plain", "node.memory.pressure", f"Node/{FIRST}", "cordon-and-drain-node")
def node_runs_out_of_memory(w: World) -> None:
    node = w.get("Node", FIRST, None)
    set_condition(node, "MemoryPressure", True, "KubeletHasInsufficientMemory", "kubelet has insufficient memory available")
    node["spec"]["taints"] = [{"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule", "timeAdded": stamp(600)}]
    w.event(node, "EvictionThresholdMet", "Attempting to reclaim memory", 9)
    w.event(node, "SystemOOM", "System OOM encountered, victim process: java, pid: 211843", 2, 610, 400)


@incident("campsites", "all", "node.clock.skewed", f"Node/{FIRST}")
def clock_of_a_node_is_hours_behind(w: World) -> None:
    node = w.get("Node", FIRST, None)
    for pod in [p for p in w.pods("guests") if p["spec"]["nodeName"] == FIRST] or w.pods("guests")[:1]:
        pod["spec"]["nodeName"] = FIRST
        w.log(pod, *[framed(w, "guests", "jwt.exceptions.ImmatureSignatureError: The token is not yet valid (iat)")] * 8)
    for pod in w.pods("card-bridge")[:1]:
        pod["spec"]["nodeName"] = FIRST
        w.log(pod, *[framed(w, "card-bridge", "CERT_NOT_YET_VALID: certificate is not yet valid")] * 5)
    w.event(node, "NTPProblem", "chronyd: System clock wrong by 10824.113044 seconds, adjustment started", 3, 800, 100, "ntp-custom-plugin-monitor")
    w.alert("NodeClockSkewDetected", node=FIRST, note="Clock on the node is out of sync by more than 10824s. Ensure NTP is configured correctly on this host.")
    w.metric("clock_offset", "node_timex_offset_seconds", *(({"node": name}, [-10824.1 if name == FIRST else 0.0004] * 31) for name in w.nodes()))
    watch(w, errors={"guests": 0.5, "card-bridge": 0.5})


@incident("campsites", "both", "control-plane.coredns.misconfigured control-plane.coredns.down", "ConfigMap/coredns Deployment/coredns")
def dns_configuration_with_a_slip_of_the_pen(w: World) -> None:
    found = w.get("ConfigMap", "coredns", "kube-system")
    found["data"]["Corefile"] = found["data"]["Corefile"].replace("forward .", "forwrad .")
    w.edit(found, 900, "kubectl-edit", {"f:data": {"f:Corefile": {}}})
    w.changed(found, "edited by hand", "-    forward . /etc/resolv.conf\n+    forwrad . /etc/resolv.conf", 900, "kim@example.net")
    for pod in [p for p in w.all("Pod", "kube-system") if p["metadata"]["name"].startswith("coredns")]:
        status = pod["status"]["containerStatuses"][0]
        status |= {"ready": False, "started": False, "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=coredns"}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": stamp(80), "finishedAt": stamp(80)}}}
        w.conditions(pod, 850)
        w.event(pod, "BackOff", "Back-off restarting failed container coredns", 40)
        w.log(pod, "/etc/coredns/Corefile:9 - Error during parsing: Unknown directive 'forwrad'", container="coredns")
        w.log(pod, "/etc/coredns/Corefile:9 - Error during parsing: Unknown directive 'forwrad'", container="coredns", previous=True)
    made = w.get("Deployment", "coredns", "kube-system")
    made["status"] |= {"readyReplicas": 0, "availableReplicas": 0, "unavailableReplicas": 2}
    made["status"]["conditions"] = [condition("Available", False, 850, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")]
    for me, to in (("portal", "finder"), ("finder", "tariffs"), ("guests", "mongo-guests"), ("reviews", "mongo-reviews"), ("stays", "mongo-stays")):
        w.say(me, direct(w, me, to, "dns").replace("no such host", "server misbehaving"))
    w.alert("CoreDNSDown", severity="critical", note="CoreDNS has disappeared from Prometheus target discovery.")
    watch(w, errors={"portal": 0.9, "finder": 0.9, "guests": 0.9, "reviews": 0.9, "stays": 0.9})


@incident("teashop", "both", "control-plane.webhook.failing", "MutatingWebhookConfiguration/mesh-injector Service/mesh-injector Deployment/paygate Deployment/mesh-injector ReplicaSet/paygate")
def injector_refuses_every_pod(w: World) -> None:
    newest = w.current("paygate")
    for pod in w.pods("paygate")[:1]:
        w.remove(pod)
    said = 'Internal error occurred: failed calling webhook "inject.mesh.example.io": failed to call webhook: Post "https://mesh-injector.mesh-system.svc:443/inject?timeout=10s": dial tcp 172.20.9.14:443: connect: connection refused'
    newest["spec"]["replicas"] = 2
    newest["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said, "lastTransitionTime": stamp(800)}]}
    w.event(newest, "FailedCreate", f"Error creating: {said}", 17, source="replicaset-controller")
    w.alert("KubeDeploymentReplicasMismatch", deployment="paygate")
    watch(w)


@incident("campsites", "all", "rbac.binding.missing rbac.permission.revoked workload.service-account.permission-denied rbac.role.too-narrow", "Role/guests RoleBinding/guests ServiceAccount/guests Deployment/guests")
def guests_may_not_read_their_settings(w: World) -> None:
    w.add("Role", "guests", rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}])
    gone = make("RoleBinding", "guests", w.ns, 90 * 86400.0)
    w.changed(gone, "deleted", ago=1200, who="kim@example.net")
    w.say("guests", framed(w, "guests", 'kubernetes.client.exceptions.ApiException: (403) Reason: Forbidden HTTP response body: {"kind":"Status","status":"Failure","message":"configmaps is forbidden: User \\"system:serviceaccount:underacanvas:guests\\" cannot list resource \\"configmaps\\" in API group \\"\\" in the namespace \\"underacanvas\\"","reason":"Forbidden","code":403}'))
    spread(w, ["guests"], "Internal", "settings not loaded", 1)
    watch(w, errors={"guests": 0.7, "portal": 0.2})


@incident("teashop", "both", "workload.database.credentials-invalid rbac.permission.revoked", "StatefulSet/pg-shop Deployment/ledger")
def ledger_may_not_write_its_table(w: World) -> None:
    line = stamp(60).replace("T", " ").replace("Z", ".204 UTC")
    w.say("pg-shop", f"{line} [771] ERROR:  permission denied for table orders", f"{line} [771] STATEMENT:  INSERT INTO accounting.orders VALUES ($1, $2)")
    w.say("ledger", framed(w, "ledger", "Npgsql.PostgresException (0x80004005): 42501: permission denied for table orders"))
    w.metric("consumer_lag", 'sum by (consumergroup) (kafka_consumergroup_lag{namespace="leafandlid"})', ({"namespace": w.ns, "consumergroup": "ledger"}, [2.0] * 17 + [40.0 * i for i in range(14)]), ({"namespace": w.ns, "consumergroup": "fraud"}, [3.0] * 31))
    w.alert("KafkaConsumerLagGrows", consumergroup="ledger", service="ledger")
    watch(w)

"""Faults of the ground: nodes and what runs on them, the control plane, who may do what, namespaces, deployment from Git."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.foreign.library import Answer, incident
from tests.cases.foreign.world import Json, World, ago


def _node(w: World, index: int = 1) -> str:
    return list(w.objects["", "nodes"])[index]


def _on(w: World, node: str) -> list[Json]:
    w.settle()
    return [p for (_, plural), found in w.objects.items() if plural == "pods" for p in found.values() if p["spec"].get("nodeName") == node]


def _lost(w: World, node: str, reason: str, message: str, status: str = "Unknown") -> None:
    for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready") if status == "Unknown" else ("Ready",):
        w.condition(node, kind, status, reason, message)
    w.objects["", "nodes"][node]["spec"]["taints"] = [{"key": f"node.kubernetes.io/{'unreachable' if status == 'Unknown' else 'not-ready'}", "effect": e} for e in ("NoSchedule", "NoExecute")]
    for p in _on(w, node):
        w.unready(p, 850)
        w.event(p, "NodeNotReady", "Node is not ready", source="node-controller", count=1, since=850, last=850)
    w.event(("Node", node), "NodeNotReady", f"Node {node} status is now: NodeNotReady", kind="Normal", source="node-controller", count=1, since=860, last=860, place="default")
    w.alert("KubeNodeNotReady", severity="critical", node=node, nowhere="")


@incident("boxoffice", "cordon-and-drain-node")
def disk_of_a_node_fills(w: World) -> list[Answer]:
    node = _node(w, 2)
    w.condition(node, "DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure")
    w.objects["", "nodes"][node]["spec"]["taints"] = [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule", "timeAdded": ago(1500)}]
    w.event(("Node", node), "EvictionThresholdMet", "Attempting to reclaim ephemeral-storage", count=88, place="default")
    w.event(("Node", node), "FreeDiskSpaceFailed", "Failed to garbage collect required amount of images. Attempted to free 9120417792 bytes, but only found 0 bytes eligible to free.", count=21, place="default")
    for name in ("storefront", "seatmap"):
        p = w.pods(name)[0]
        why = "The node was low on resource: ephemeral-storage. Threshold quantity: 9447793730, available: 5120344Ki. Container x was using 41220Ki, request is 0, has larger consumption of ephemeral-storage. "
        dead = w.pod(w.namespace, p["metadata"]["name"][:-5] + "evct1", {"metadata": {"labels": p["metadata"]["labels"]}, "spec": p["spec"]}, p["metadata"]["ownerReferences"][0], node=node)
        dead["status"] = {"phase": "Failed", "reason": "Evicted", "message": why, "startTime": ago(20000)}
        w.event(dead, "Evicted", why, count=1)
    w.alert("KubePodNotReady", pod=w.pods("storefront")[0]["metadata"]["name"])
    return [("node.disk.pressure", "Node", node)]


@incident("hauler")
def node_agent_of_the_network_dies(w: World) -> list[Answer]:
    node = _node(w, 3)
    agent = next(p for p in _on(w, node) if p["metadata"]["name"].startswith("calico-node"))
    w.crash(agent, 1, restarts=25)
    w.log(agent, "2026-05-19 09:44:00.310 [ERROR][9] startup/startup.go 158: failed to query kubeadm's config map error=Get \"https://10.90.0.1:443/api/v1/namespaces/kube-system/configmaps/kubeadm-config\": dial tcp 10.90.0.1:443: i/o timeout\n2026-05-19 09:44:00.312 [WARNING][9] startup/utils.go 48: Terminating\nCalico node failed to start", previous=True)
    for name in ("decoder", "eta"):
        p = w.pods(name)[0]
        p["spec"]["nodeName"] = node
        w.pending(p, "FailedCreatePodSandBox", 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "9a7e": plugin type="calico" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the calico/node container is running and has mounted /var/lib/calico/', count=55)
    return [("node.network.unavailable", "Node", node), ("node.network.unavailable", "DaemonSet", "calico-node")]


@incident("hauler")
def containerd_hangs(w: World) -> list[Answer]:
    node = _node(w, 4)
    _lost(w, node, "KubeletNotReady", "[container runtime is down, PLEG is not healthy: pleg was last seen active 6m41.318s ago; threshold is 3m0s]", "False")
    w.files[f"node-services/{node}.json"] = [{"service": "kubelet", "active": "active", "sub": "running", "raw": ""}, {"service": "containerd", "active": "failed", "sub": "failed", "raw": "containerd.service: Failed with result 'watchdog'."}]
    w.alert("KubeletPlegDurationHigh", node=node, nowhere="")
    return [("node.container-runtime.down", "Node", node)]


@incident("boxoffice")
def kubelet_silent_and_its_disk_held(w: World) -> list[Answer]:
    node = _node(w, 1)
    w.pods("holds-redis")[0]["spec"]["nodeName"] = node
    _lost(w, node, "NodeStatusUnknown", "Kubelet stopped posting node status.")
    for p in w.pods("cart"):
        w.log(p, '{"level":50,"time":1779183912001,"pid":1,"err":{"type":"Error","message":"connect EHOSTUNREACH 172.20.44.9:6379","code":"EHOSTUNREACH"},"msg":"redis connection error"}')
    w.alert("CartErrorRateHigh", severity="critical", service="cart")
    return [(c, "Node", node) for c in ("node.not-ready", "node.kubelet.down")]


@incident("hauler")
def proxy_dead_on_one_node(w: World) -> list[Answer]:
    node = _node(w, 0)
    agent = next(p for p in _on(w, node) if p["metadata"]["name"].startswith("kube-proxy"))
    w.crash(agent, 1, restarts=120, ran=1)
    w.log(agent, 'E0519 09:44:02.114002       1 server.go:687] "Failed to load kernel module with modprobe" moduleName="ip_tables"\nE0519 09:44:02.200110       1 server.go:556] "Error running ProxyServer" err="iptables is not available on this host"', previous=True)
    p = w.pods("driver-api")[1]
    p["spec"]["nodeName"] = node
    w.log(p, '{"level":50,"time":1779183912001,"pid":1,"err":{"message":"connect ETIMEDOUT 10.90.71.9:5432","code":"ETIMEDOUT"},"msg":"query failed"}')
    w.alert("KubeProxyDown", severity="critical", nowhere="", node=node)
    return [("node.kube-proxy.down", "Node", node), ("node.kube-proxy.down", "DaemonSet", "kube-proxy")]


@incident("boxoffice")
def corefile_with_a_typo(w: World) -> list[Answer]:
    config = w.objects["kube-system", "configmaps"]["coredns"]
    config["data"]["Corefile"] = config["data"]["Corefile"].replace("forward . /etc/resolv.conf", "foward . /etc/resolv.conf")
    for p in w.pods("coredns"):
        w.crash(p, 1, restarts=11, ran=0)
        for previous in (True, False):
            w.log(p, "/etc/coredns/Corefile:8 - Error during parsing: Unknown directive 'foward'", previous=previous)
    for name, text in (("cart", '{"level":50,"time":1779183912001,"pid":1,"err":{"message":"getaddrinfo EAI_AGAIN holds-redis","code":"EAI_AGAIN"},"msg":"redis connection error"}'), ("waitlist", 'time=2026-05-19T09:44:10.040Z level=ERROR msg="dial failed" err="dial tcp: lookup bunny on 172.20.0.10:53: read udp 10.61.4.4:53110->172.20.0.10:53: i/o timeout"')):
        for p in w.pods(name):
            w.log(p, text)
    w.alert("CoreDNSDown", severity="critical", nowhere="")
    return [("control-plane.coredns.misconfigured", k, "coredns") for k in ("ConfigMap", "Deployment")]


@incident("hauler")
def lease_that_may_not_be_read(w: World) -> list[Answer]:
    w.put(w.namespace, "roles", "dispatcher-leader", rules=[{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}])
    for p in w.pods("dispatcher"):
        w.crash(p, 1, restarts=9, ran=31)
        w.log(p, 'E0519 09:44:10.040114       1 leaderelection.go:441] error retrieving resource lock hauler-prod/dispatcher-leader: leases.coordination.k8s.io "dispatcher-leader" is forbidden: User "system:serviceaccount:hauler-prod:dispatcher" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "hauler-prod"\nF0519 09:44:40.112001       1 main.go:88] leader election lost', previous=True)
    w.change("RoleBinding", "dispatcher-leader", "deleted", "-  kind: RoleBinding\n-  name: dispatcher-leader", since=2600, who="olga@hauler.example")
    return [("rbac.binding.missing", k, n) for k, n in (("ServiceAccount", "dispatcher"), ("RoleBinding", "dispatcher-leader"), ("Deployment", "dispatcher"))] + [("workload.service-account.permission-denied", "ServiceAccount", "dispatcher"), ("rbac.permission.revoked", "ServiceAccount", "dispatcher"), ("workload.service-account.permission-denied", "Deployment", "dispatcher")]


@incident("boxoffice")
def role_without_the_new_verb(w: World) -> list[Answer]:
    w.put(w.namespace, "roles", "waitlist", rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}])
    w.put(w.namespace, "rolebindings", "waitlist", roleRef={"kind": "Role", "name": "waitlist"}, subjects=[{"kind": "ServiceAccount", "name": "waitlist", "namespace": w.namespace}])
    for p in w.pods("waitlist"):
        w.log(p, 'time=2026-05-19T09:44:10.040Z level=INFO msg="watching" resource=configmaps\nW0519 09:44:12.001201       1 reflector.go:569] k8s.io/client-go@v0.32.1/tools/cache/reflector.go:251: failed to list *v1.ConfigMap: configmaps is forbidden: User "system:serviceaccount:boxoffice:waitlist" cannot list resource "configmaps" in API group "" in the namespace "boxoffice"')
        w.state(p, {"running": {"startedAt": ago(7000)}})
        w.event(p, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", container="waitlist", count=700)
    w.alert("KubeDeploymentReplicasMismatch", deployment="waitlist")
    return [("rbac.role.too-narrow", "Role", "waitlist"), ("workload.service-account.permission-denied", "ServiceAccount", "waitlist"), ("workload.service-account.permission-denied", "Deployment", "waitlist"), ("rbac.role.too-narrow", "ServiceAccount", "waitlist"), ("rbac.permission.revoked", "Role", "waitlist"), ("rbac.role.too-narrow", "Deployment", "waitlist")]


@incident("boxoffice")
def policy_engine_without_pods(w: World) -> list[Answer]:
    w.put("kyverno", "deployments", "kyverno-admission-controller", spec={"replicas": 0, "selector": {"matchLabels": {"app.kubernetes.io/component": "admission-controller"}}, "template": {"metadata": {"labels": {"app.kubernetes.io/component": "admission-controller"}}, "spec": {"containers": [{"name": "kyverno", "image": "ghcr.io/kyverno/kyverno:v1.13.4"}]}}}, status={"replicas": 0})
    w.put("kyverno", "services", "kyverno-svc", spec={"selector": {"app.kubernetes.io/component": "admission-controller"}, "ports": [{"port": 443, "targetPort": "https", "protocol": "TCP"}]})
    w.put("kyverno", "endpoints", "kyverno-svc", subsets=[])
    w.put("", "mutatingwebhookconfigurations", "kyverno-resource-mutating-webhook-cfg", webhooks=[{"name": "mutate.kyverno.svc-fail", "failurePolicy": "Fail", "clientConfig": {"service": {"namespace": "kyverno", "name": "kyverno-svc", "path": "/mutate/fail"}}, "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]}])
    for name in ("pricing", "cart"):
        w.refused(name, 'Internal error occurred: failed calling webhook "mutate.kyverno.svc-fail": failed to call webhook: Post "https://kyverno-svc.kyverno.svc:443/mutate/fail?timeout=10s": no endpoints available for service "kyverno-svc"')
        w.alert("KubeDeploymentReplicasMismatch", deployment=name)
    hook = ("control-plane.webhook.failing", "MutatingWebhookConfiguration", "kyverno-resource-mutating-webhook-cfg")
    return [hook, ("workload.replicas.zero", "Deployment", "kyverno-admission-controller"), ("control-plane.webhook.failing", "Deployment", "kyverno-admission-controller"), ("control-plane.webhook.failing", "Service", "kyverno-svc")]


@incident("hauler")
def policy_says_no(w: World) -> list[Answer]:
    w.rollout("alarms", 2000)["image"] = "docker.io/fleetlabs/alarms:v1.1.0"
    w.refused("alarms", 'admission webhook "validation.gatekeeper.sh" denied the request: [allowed-repos] container <alarms> has an invalid image repo <docker.io/fleetlabs/alarms:v1.1.0>, allowed repos are ["europe-north1-docker.pkg.dev/"]')
    return [("workload.security.admission-rejected", "Deployment", "alarms")]


@incident("boxoffice")
def restricted_by_a_new_label(w: World) -> list[Answer]:
    w.objects["", "namespaces"][w.namespace]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    w.refused("notifier", 'pods "POD" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "notifier" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "notifier" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "notifier" must set securityContext.runAsNonRoot=true)', short=2)
    return [("namespace.pod-security.rejected", k, n) for k, n in (("Namespace", "boxoffice"), ("Deployment", "notifier"))] + [("workload.security.admission-rejected", "Deployment", "notifier")]


@incident("hauler")
def namespace_will_not_go(w: World) -> list[Answer]:
    body = w.objects["", "namespaces"][w.namespace]
    body["metadata"]["deletionTimestamp"] = ago(9000)
    body["spec"] = {"finalizers": ["kubernetes"]}
    said = (("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"), ("NamespaceContentRemaining", "True", "SomeResourcesRemain", "Some resources are remaining: kafkatopics.kafka.strimzi.io has 4 resource instances"), ("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: strimzi.io/topic-operator in 4 resource instances"))
    body["status"] = {"phase": "Terminating", "conditions": [{"type": t, "status": s, "reason": r, "message": m, "lastTransitionTime": ago(8900)} for t, s, r, m in said]}
    w.settle()
    for plural in ("pods", "deployments", "statefulsets", "daemonsets", "replicasets", "services", "events", "configmaps", "horizontalpodautoscalers", "persistentvolumeclaims"):
        w.objects[w.namespace, plural].clear()
    return [("namespace.terminating.stuck", "Namespace", "hauler-prod")]


@incident("boxoffice")
def git_wins_over_the_hand(w: World) -> list[Answer]:
    body = w.mine("deployments", "payments-bridge")
    body["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "boxoffice:apps/Deployment:boxoffice/payments-bridge"}
    for i in range(4):
        w.change("Deployment", "payments-bridge", "replicas", "-  replicas: 2\n+  replicas: 6" if i % 2 else "-  replicas: 6\n+  replicas: 2", since=600 + i * 180, who="maria@boxoffice.example" if i % 2 else "argocd-application-controller")
        w.event(("Deployment", "payments-bridge"), "ScalingReplicaSet", f"Scaled {'up' if i % 2 else 'down'} replica set payments-bridge-6d to {'6 from 2' if i % 2 else '2 from 6'}", kind="Normal", source="deployment-controller", count=1, since=600 + i * 180, last=600 + i * 180)
    w.alert("PaymentsQueueWaitHigh", service="payments-bridge")
    return [("gitops.drift.reverted", "Deployment", "payments-bridge")]


@incident("hauler")
def kubelet_certificate_ran_out(w: World) -> list[Answer]:
    node = _node(w, 2)
    _lost(w, node, "NodeStatusUnknown", "Kubelet stopped posting node status.")
    w.files[f"node-services/{node}.json"] = [{"service": "containerd", "active": "active", "sub": "running", "raw": ""}, {"service": "kubelet", "active": "activating", "sub": "auto-restart", "raw": 'kubelet[913]: E0519 09:44:11.110034     913 run.go:72] "command failed" err="failed to run Kubelet: unable to load bootstrap kubeconfig: part of the existing bootstrap client certificate in /etc/kubernetes/kubelet.conf is expired: 2026-05-18 22:10:31 +0000 UTC"'}]
    return [(c, "Node", node) for c in ("node.certificate.expired", "node.kubelet.down")]

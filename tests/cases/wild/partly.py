"""Incidents of which only a part was collected."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.wild.library import incident
from tests.cases.wild.objects import Obj, node, probe
from tests.cases.wild.world import World


@incident("harbour", "no-events", "workload.env.missing workload.crash.after-change", "Deployment/notify-relay", "rollback-deployment")
def variable_forgotten(w: World) -> None:
    for pod in w.rollout("notify-relay", lambda c, _: c.update(env=[e for e in c["env"] if e["name"] != "SMTP_HOST"], image=c["image"].replace("3.3.1", "3.4.0")), 1500):
        w.crash(pod, 1)
        w.log(pod, "/app/dist/env.js:14", "    throw new Error(`Missing required environment variable: ${name}`);", "Error: Missing required environment variable: SMTP_HOST", "    at required (/app/dist/env.js:14:11)", "Node.js v22.14.0")


@incident("harbour", "no-events", "workload.database.name-wrong workload.env.address-wrong workload.env.invalid", "Deployment/manifest-api", "rollback-deployment")
def no_such_database(w: World) -> None:
    for pod in w.rollout("manifest-api", lambda c, _: next(e for e in c["env"] if e["name"] == "DB_NAME").update(value="manifests_v2"), 1500):
        w.crash(pod, 1)
        w.log(pod, '{"level":"fatal","ts":"2026-03-17T09:39:58Z","msg":"cannot open store","err":"failed to connect to `host=pg-cargo user=manifests database=manifests_v2`: server error (FATAL: database \\"manifests_v2\\" does not exist (SQLSTATE 3D000))"}')


@incident("orchard", "no-events", "rbac.permission.revoked rbac.binding.missing rbac.role.too-narrow workload.service-account.permission-denied", "Deployment/pay-adapter ServiceAccount/pay-adapter Role/pay-adapter RoleBinding/pay-adapter")
def may_not_read_leases(w: World) -> None:
    w.add("Role", "pay-adapter", rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}])
    w.add("RoleBinding", "pay-adapter", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pay-adapter"}, subjects=[{"kind": "ServiceAccount", "name": "pay-adapter", "namespace": w.ns}])
    for pod in w.pods("pay-adapter"):
        w.crash(pod, 1, restarts=22)
        w.log(pod, f'{{"level":60,"time":"2026-03-17T09:40:00Z","name":"pay-adapter","msg":"leases.coordination.k8s.io \\"pay-adapter-leader\\" is forbidden: User \\"system:serviceaccount:{w.ns}:pay-adapter\\" cannot get resource \\"leases\\" in API group \\"coordination.k8s.io\\" in the namespace \\"{w.ns}\\""}}')


@incident("harbour", "no-logs", "workload.probe.startup-too-short workload.probe.liveness-timing-wrong", "Deployment/keyring", "fix-probe rollback-deployment")
def killed_while_starting(w: World) -> None:
    (pod,) = w.rollout("keyring", lambda c, _: c.update(livenessProbe=probe("http", "/health/live", initialDelaySeconds=5, periodSeconds=5, failureThreshold=2)), 1800, whole=True)
    w.crash(pod, 143, "Error", 11, life=16)
    ip = pod["status"]["podIP"]
    w.event(pod, "Unhealthy", f'Liveness probe failed: Get "http://{ip}:8180/health/live": dial tcp {ip}:8180: connect: connection refused', 24, 1790, 70)
    w.event(pod, "Killing", "Container keyring failed liveness probe, will be restarted", 11, 1780, 75, kind="Normal")


@incident("meridian", "no-sets", "workload.rollout.paused", "Deployment/frame-decoder")
def paused_and_left(w: World) -> None:
    w.rollout("frame-decoder", lambda c, _: c.update(image=c["image"].replace("0.41.0", "0.42.0")), 9000)
    made = w.work("frame-decoder")
    made["spec"]["paused"] = True
    w.edit(made, 8900, "kubectl-rollout", {"f:spec": {"f:paused": {}}})
    made["status"] = {"conditions": [{"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused", "message": "Deployment is paused", "lastTransitionTime": "2026-03-17T07:12:00Z"}]}


@incident("orchard", "no-events", "service.port.target-mismatch", "Service/basket", "restore-service-spec", signals=("manifests",))
def live_port_drifted(w: World) -> None:
    service = w.get("Service", "basket")
    meant = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "basket", "namespace": w.ns}, "spec": {"selector": {"app": "basket"}, "ports": [{"name": "http", "port": 3001, "targetPort": "http"}]}}
    w.intended["basket"] = [meant]
    service["spec"]["ports"][0]["targetPort"] = 3011
    w.edit(service, 2000, "kubectl-edit", {"f:spec": {"f:ports": {}}})
    w.say("storefront", "[2026-03-17T09:40:03] production.ERROR: cURL error 7: Failed to connect to basket port 3001 after 1 ms: Couldn't connect to server for http://basket:3001/v1/me")


@incident("meridian", "no-logs", "workload.replicas.zero", "Deployment/rate-cards", "restore-replicas scale-deployment", signals=("manifests", "alerts"), drop="Event")
def meant_two_is_none(w: World) -> None:
    made = w.work("rate-cards")
    w.intended["rate-cards"] = [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "rate-cards", "namespace": w.ns}, "spec": {"replicas": 2, "selector": made["spec"]["selector"], "template": made["spec"]["template"]}}]
    made["spec"]["replicas"] = 0
    w.edit(made, 3000, "kubectl", {"f:spec": {"f:replicas": {}}})
    for pod in w.pods("rate-cards"):
        w.remove(pod)
    w.alert("HighErrorRate", 2900, "critical", "fleet-bff fails", service="fleet-bff")
    w.alert("TargetDown", 2800, "warning", "100% of the rate-cards targets are down", job="rate-cards", service="rate-cards")


@incident("harbour", "no-events", "workload.config.key-missing workload.config.changed-and-broken", "ConfigMap/quay-gateway-config Deployment/quay-gateway", "restore-config", signals=("changes",))
def key_taken_away(w: World) -> None:
    settings = w.get("ConfigMap", "quay-gateway-config")
    settings["data"] = {"LOG_LEVEL": "info"}
    w.edit(settings, 1900, "kubectl-edit", {"f:data": {}})
    w.changed(settings, "data.REQUEST_TIMEOUT removed", "-  REQUEST_TIMEOUT: 5s", 1900, "j.alvarez")
    for pod in w.pods("quay-gateway"):
        w.remove(pod)
    for number in range(3):
        pod = w.pod(w.work("quay-gateway"), number, 1700 - number)
        w.crash(pod, 2, restarts=8)
        w.log(pod, "panic: config: required key REQUEST_TIMEOUT missing value", "", "goroutine 1 [running]:", "main.mustLoad(...)", "\t/src/cmd/gateway/main.go:58")


@incident("meridian", "no-events", "node.container-runtime.down", "Node/ip-10-0-3-140.eu-west-1.compute.internal")
def containerd_dead(w: World) -> None:
    name = w.nodes()[2]
    found = w.get("Node", name, None)
    found["status"]["conditions"][3] |= {"status": "False", "reason": "KubeletNotReady", "message": "container runtime is down, PLEG is not healthy: pleg was last seen active 9m12s ago; threshold is 3m0s", "lastTransitionTime": "2026-03-17T09:33:00Z"}
    found["spec"]["taints"] = [{"key": "node.kubernetes.io/not-ready", "effect": e, "timeAdded": "2026-03-17T09:33:00Z"} for e in ("NoSchedule", "NoExecute")]
    w.units[name] = [{"service": "kubelet", "active": True, "sub": "running", "raw": "active (running)"}, {"service": "containerd", "active": False, "sub": "failed", "raw": "failed (Result: signal) since 9min ago"}]
    for s in w.svcs:
        for pod in w.pods(s.name):
            if pod["spec"].get("nodeName") == name:
                w.unready(pod, 480)


@incident("orchard", "no-logs", "node.kubelet.down node.not-ready", "Node/ip-10-0-2-81.eu-west-1.compute.internal", drop="ReplicaSet")
def kubelet_stopped(w: World) -> None:
    name = w.nodes()[1]
    found = w.get("Node", name, None)
    for entry in found["status"]["conditions"]:
        entry |= {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status.", "lastTransitionTime": "2026-03-17T09:30:00Z"}
    found["spec"]["taints"] = [{"key": "node.kubernetes.io/unreachable", "effect": e, "timeAdded": "2026-03-17T09:30:00Z"} for e in ("NoSchedule", "NoExecute")]
    for other in w.nodes():
        ok = other != name
        w.units[other] = [{"service": "kubelet", "active": ok, "sub": "running" if ok else "dead", "raw": "active (running)" if ok else "inactive (dead)"}, {"service": "containerd", "active": True, "sub": "running", "raw": "active (running)"}]


@incident("meridian", "no-logs", "control-plane.scheduler.down", "Pod/kube-scheduler-cp-1 Node/cp-1 Deployment/ops-console", drop="Event")
def nobody_places_pods(w: World) -> None:
    w.objs.append(node("cp-1", "eu-west-1a", labels={"node-role.kubernetes.io/control-plane": ""}))
    w.units["cp-1"] = [{"service": "kubelet", "active": True, "sub": "running", "raw": "active"}, {"service": "kube-scheduler", "active": False, "sub": "failed", "raw": "failed (Result: exit-code)"}, {"service": "kube-controller-manager", "active": True, "sub": "running", "raw": "active"}]
    for name in ("ops-console", "dispute-desk"):
        (pod,) = w.rollout(name, lambda c, _: c.update(image=c["image"] + "-hotfix"), 1500)
        pod["spec"].pop("nodeName")
        pod["status"] = {"phase": "Pending", "qosClass": "Burstable"}


@incident("meridian", "no-events", "workload.secret.rotated-not-reloaded workload.database.credentials-invalid", "Deployment/account-api Secret/account-api-credentials", "restart-deployment", signals=("changes",))
def password_rotated(w: World) -> None:
    found = w.get("Secret", "account-api-credentials")
    w.edit(found, 2400, "vault-agent", {"f:data": {"f:password": {}}})
    found["metadata"].pop("generation", None)
    w.changed(found, "data.password changed", "", 2400, "vault-agent")
    w.say("account-api", "fail: Accounts.Data[0] Microsoft.Data.SqlClient.SqlException (0x80131904): Login failed for user 'billing_app'.", times=20)
    w.say("billing-sql", "2026-03-17 09:40:20.10 Logon       Login failed for user 'billing_app'. Reason: Password did not match that for the login provided. [CLIENT: 10.42.0.61]", times=20)


@incident("orchard", "no-events", "workload.volume.permission-denied", "Deployment/media", "rollback-deployment")
def uid_changed(w: World) -> None:
    (pod,) = w.rollout("media", lambda _, s: s.update(securityContext={"runAsUser": 10001, "runAsNonRoot": True}), 1800, whole=True)
    w.crash(pod, 1, restarts=9)
    w.log(pod, "nginx: [emerg] mkdir() \"/var/lib/data/cache\" failed (13: Permission denied)")


@incident("harbour", "no-events", "workload.port.sidecar-conflict workload.port.conflict", "Deployment/tariff-engine", "rollback-deployment")
def sidecar_takes_the_port(w: World) -> None:
    def change(_: Obj, spec: Obj) -> None:
        spec["containers"].append({"name": "rules-proxy", "image": "ghcr.io/nordhaven/rules-proxy:0.3.0", "args": ["--listen=:8090"], "ports": [{"name": "proxy", "containerPort": 8090}], "resources": {}})

    (pod,) = w.rollout("tariff-engine", change, 1600, whole=True)
    w.crash(pod, 1, restarts=8)
    w.log(pod, "2026-03-17T09:38:02Z ERROR 1 --- [tariff-engine] [main] o.s.b.d.LoggingFailureAnalysisReporter : APPLICATION FAILED TO START. Description: Web server failed to start. Port 8090 was already in use.")
    w.log(pod, "2026/03/17 09:15:00 rules-proxy: listening on :8090", container="rules-proxy")


@incident("orchard", "no-events", "workload.security.read-only-root workload.volume.read-only", "Deployment/grower-portal", "rollback-deployment")
def hardening(w: World) -> None:
    for pod in w.rollout("grower-portal", lambda c, _: c.update(securityContext={"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}), 1700):
        w.crash(pod, 1, restarts=8)
        w.log(pod, "PHP Fatal error:  Uncaught UnexpectedValueException: The stream or file \"/var/www/storage/logs/laravel.log\" could not be opened in append mode: Failed to open stream: Read-only file system")


@incident("meridian", "no-events", "workload.port.not-listening service.port.target-mismatch workload.port", "Deployment/dispute-desk Service/dispute-desk", "rollback-deployment")
def base_image_moved_port(w: World) -> None:
    for pod in w.rollout("dispute-desk", lambda c, _: c.update(image=c["image"].replace("3.2.0", "3.3.0")), 1700):
        w.unready(pod, 1690)
        w.log(pod, "info: Microsoft.Hosting.Lifetime[14] Now listening on: http://[::]:5000", "info: Microsoft.Hosting.Lifetime[0] Application started. Press Ctrl+C to shut down.")


@incident("harbour", "no-events", "network-policy.dns.blocked network-policy.egress.blocked", "NetworkPolicy/vessel-tracker-egress", "revert-network-policy")
def dns_forgotten(w: World) -> None:
    to = [{"podSelector": {"matchLabels": {w.label: name}}} for name in ("redis-slots", "stream")]
    w.add("NetworkPolicy", "vessel-tracker-egress", 2500, spec={"podSelector": {"matchLabels": {w.label: "vessel-tracker"}}, "policyTypes": ["Egress"], "egress": [{"to": to}]})
    w.say("vessel-tracker", '{"level":"error","ts":"2026-03-17T09:40:41Z","msg":"redis","err":"dial tcp: lookup redis-slots on 172.20.0.10:53: read udp 10.42.0.40:51771->172.20.0.10:53: i/o timeout"}', times=20)
    for pod in w.pods("vessel-tracker"):
        w.unready(pod, 2400)


@incident("meridian", "no-events", "workload.dns.misconfigured", "Deployment/trip-builder", "rollback-deployment")
def resolver_of_the_host(w: World) -> None:
    for pod in w.rollout("trip-builder", lambda _, s: s.update(dnsPolicy="Default"), 1700, whole=True):
        w.crash(pod, 1, restarts=8)
        w.log(pod, "2026-03-17T09:39:44Z ERROR trip_builder: cannot connect to nats: failed to lookup address information: Name or service not known (nats://nats:4222)")


@incident("orchard", "no-logs", "namespace.limit-range.violated", "LimitRange/bounds Deployment/imgproxy", "rollback-deployment")
def above_the_bound(w: World) -> None:
    w.add("LimitRange", "bounds", spec={"limits": [{"type": "Container", "max": {"memory": "1Gi", "cpu": "2"}}]})
    (pod,) = w.rollout("imgproxy", lambda c, _: c["resources"].update(limits={"cpu": "1", "memory": "2Gi"}), 1500)
    w.remove(pod)
    found = w.current("imgproxy")
    found["spec"]["replicas"] = 1
    said = f'pods "{found["metadata"]["name"]}-9xk2d" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi'
    found["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said, "lastTransitionTime": "2026-03-17T09:16:40Z"}]}
    w.event(found, "FailedCreate", f"Error creating: {said}", 15, 1490, 60, source="replicaset-controller")


@incident("harbour", "no-logs", "storage.class.not-found storage.claim.pending", "PersistentVolumeClaim/tide-models StorageClass/fast-nvme Deployment/tide-forecast", "")
def class_unknown(w: World) -> None:
    claim = w.claim("tide-models", "50Gi", "Pending")
    claim["spec"]["storageClassName"] = "fast-nvme"
    w.event(claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast-nvme" not found', 120, 1800, 11, source="persistentvolume-controller")

    def change(_: Obj, spec: Obj) -> None:
        spec["volumes"] = [{"name": "models", "persistentVolumeClaim": {"claimName": "tide-models"}}]

    (pod,) = w.rollout("tide-forecast", change, 1800)
    w.unplaced(pod, "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.", 1790)


@incident("meridian", "no-logs", "scheduling.pod-anti-affinity.conflict", "StatefulSet/nats Deployment/edge-ingest", "rollback-deployment scale-deployment")
def one_per_node(w: World) -> None:
    term = {"labelSelector": {"matchLabels": {w.label: "edge-ingest"}}, "topologyKey": "kubernetes.io/hostname"}
    pods = w.rollout("edge-ingest", lambda _, s: s.update(affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}), 2000, whole=True)
    for number, pod in enumerate(pods[:3]):
        pod["spec"]["nodeName"] = w.nodes()[number]
    w.unplaced(pods[3], "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.", 1990)


@incident("meridian", "no-logs", "scheduling.capacity.memory-insufficient workload.memory.request-too-high", "StatefulSet/tracks", "rollback-statefulset", signals=("changes",))
def too_big_for_any(w: World) -> None:
    (pod,) = w.rollout("tracks", lambda c, _: c.update(resources={"limits": {"memory": "48Gi", "cpu": "2"}, "requests": {"memory": "48Gi", "cpu": "2"}}), 1800)
    w.changed(w.work("tracks"), "resources.requests.memory 3Gi -> 48Gi", ago=1800)
    w.unplaced(pod, "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.", 1790)


@incident("harbour", "no-sets", "workload.config.dependency-address-wrong workload.config.changed-and-broken", "ConfigMap/cargo-ledger-config", "restore-config")
def address_in_config(w: World) -> None:
    settings = w.get("ConfigMap", "cargo-ledger-config")
    settings["data"] |= {"LEDGER_STREAM": "streams.harbour-ops.svc:9092"}
    w.edit(settings, 1600, fields={"f:data": {"f:LEDGER_STREAM": {}}})
    for pod in w.pods("cargo-ledger"):
        w.crash(pod, 1, restarts=10)
        w.log(pod, "2026-03-17T09:39:02Z  WARN 1 --- [cargo-ledger] org.apache.kafka.clients.ClientUtils : Couldn't resolve server streams.harbour-ops.svc:9092 from bootstrap.servers as DNS resolution failed for streams.harbour-ops.svc", "org.apache.kafka.common.config.ConfigException: No resolvable bootstrap urls given in bootstrap.servers")


@incident("orchard", "no-events", "workload.dependency.unavailable workload.crash.application-error workload.crash workload.replicas.zero", "Deployment/sessions", "")
def partial_objects(w: World) -> None:
    (pod,) = w.pods("sessions")
    w.crash(pod, 1, restarts=12)
    w.log(pod, "Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup of your AOF file, then use ./valkey-check-aof --fix <filename>")
    w.work("sessions")["metadata"]["annotations"]["snapshot/partial"] = "status"
    w.say("basket", '{"level":50,"time":"2026-03-17T09:40:00Z","name":"basket","msg":"[ioredis] Unhandled error event: connect ECONNREFUSED 172.20.0.21:6379"}')
    w.say("storefront", "[2026-03-17T09:40:03] production.ERROR: php_network_getaddresses: connection refused [tcp://sessions:6379]")

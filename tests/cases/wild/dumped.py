"""Incidents of which there is what `kubectl cluster-info dump` writes, and nothing else."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.wild.library import incident
from tests.cases.wild.objects import Obj, probe
from tests.cases.wild.world import World


@incident("harbour", "strict", "workload.image.not-found", "Deployment/vessel-tracker", "rollback-deployment")
def tag_gone(w: World) -> None:
    image = "ghcr.io/nordhaven/vessel-tracker:2.3.0-rc"
    (pod,) = w.rollout("vessel-tracker", lambda c, _: c.update(image=image), 1900)
    why = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
    w.wait(pod, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: rpc error: code = NotFound desc = {why}')
    w.event(pod, "Failed", f'Failed to pull image "{image}": rpc error: code = NotFound desc = {why}', 8, 1890, 120, field_path="spec.containers{vessel-tracker}")
    w.event(pod, "BackOff", f'Back-off pulling image "{image}"', 120, 1880, 15, kind="Normal")


@incident("meridian", "dump", "workload.image.registry-unresolvable", "Deployment/geo-fence", "rollback-deployment", named=False)
def registry_typo(w: World) -> None:
    image = "meridianarc.azurecr.io/geo-fence:0.18.3"
    (pod,) = w.rollout("geo-fence", lambda c, _: c.update(image=image), 700)
    why = 'failed to do request: Head "https://meridianarc.azurecr.io/v2/geo-fence/manifests/0.18.3": dial tcp: lookup meridianarc.azurecr.io on 169.254.169.253:53: no such host'
    w.wait(pod, "ErrImagePull", f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {why}')
    w.event(pod, "Failed", f'Failed to pull image "{image}": failed to resolve reference "{image}": {why}', 5, 690, 60)


@incident("orchard", "dump", "workload.image.unauthorized workload.image.pull-secret-missing", "Deployment/pricing", "attach-pull-secret rollback-deployment")
def registry_says_no(w: World) -> None:
    image = "registry.gitlab.com/greenstem/pricing:1.8.2"
    (pod,) = w.rollout("pricing", lambda c, _: c.update(image=image), 1300)
    why = "failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://gitlab.com/jwt/auth?scope=repository%3Agreenstem%2Fpricing%3Apull&service=container_registry: 403 Forbidden"
    w.wait(pod, "ImagePullBackOff", f'Back-off pulling image "{image}"')
    w.event(pod, "Failed", f'Failed to pull image "{image}": failed to pull and unpack image "{image}": failed to resolve reference "{image}": {why}', 7, 1290, 200)


@incident("meridian", "strict", "workload.image.rate-limited", "Deployment/rates-cache")
def too_many_pulls(w: World) -> None:
    image = "docker.io/library/redis:7.4.3"
    (pod,) = w.rollout("rates-cache", lambda c, _: c.update(image=image, imagePullPolicy="Always"), 900, whole=True)
    why = "failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/redis/manifests/sha256:1b1f: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
    w.wait(pod, "ImagePullBackOff", f'Back-off pulling image "{image}"')
    w.event(pod, "Failed", f'Failed to pull image "{image}": failed to pull and unpack image "{image}": {why}', 6, 880, 70)
    w.say("rate-cards", "warn: StackExchange.Redis.ConnectionMultiplexer[0] It was not possible to connect to the redis server(s) rates-cache:6379, serving uncached")


@incident("orchard", "strict", "workload.crash.command-not-found", "Deployment/stock", "rollback-deployment")
def binary_moved(w: World) -> None:
    (pod,) = w.rollout("stock", lambda c, _: c.update(command=["/srv/bin/stock-server"], image=c["image"].replace("2.7.3", "2.8.0")), 1100)
    why = 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/srv/bin/stock-server": stat /srv/bin/stock-server: no such file or directory'
    w.crash(pod, 128, "StartError", 6, message=why, life=0)
    w.event(pod, "Failed", f"Error: {why}: unknown", 6, 1090, 150, field_path="spec.containers{stock}")


@incident("meridian", "dump", "workload.image.architecture-mismatch", "Deployment/plate-reader", "rollback-deployment")
def built_on_a_laptop(w: World) -> None:
    for pod in w.rollout("plate-reader", lambda c, _: c.update(image=c["image"].replace("1.9.0", "1.10.0-dev")), 1500):
        w.crash(pod, 255, "Error", 8, life=0)
        w.log(pod, "exec /usr/local/bin/plate-reader: exec format error")


@incident("harbour", "strict", "workload.config.config-map-not-found", "Deployment/tariff-engine", "rollback-deployment")
def config_map_renamed(w: World) -> None:
    def change(c: Obj, spec: Obj) -> None:
        c["envFrom"] = [{"configMapRef": {"name": "tariff-engine-config-v2"}}]

    (pod,) = w.rollout("tariff-engine", change, 1000)
    w.wait(pod, "CreateContainerConfigError", 'configmap "tariff-engine-config-v2" not found')
    w.event(pod, "Failed", 'Error: configmap "tariff-engine-config-v2" not found', 61, 990, 10, field_path="spec.containers{tariff-engine}")


@incident("orchard", "dump", "workload.secret.key-missing", "Deployment/checkout Secret/checkout-credentials", "rollback-deployment")
def key_of_secret(w: World) -> None:
    def change(c: Obj, spec: Obj) -> None:
        c["env"].append({"name": "PSP_KEY", "valueFrom": {"secretKeyRef": {"name": "checkout-credentials", "key": "psp-signing-key"}}})

    (pod,) = w.rollout("checkout", change, 1700)
    why = f"couldn't find key psp-signing-key in Secret {w.ns}/checkout-credentials"
    w.wait(pod, "CreateContainerConfigError", why)
    w.event(pod, "Failed", f"Error: {why}", 90, 1690, 12)


@incident("harbour", "strict", "workload.service-account.not-found", "Deployment/customs-bridge ServiceAccount/customs-bridge", "rollback-deployment")
def account_forgotten(w: World) -> None:
    pods = w.rollout("customs-bridge", lambda _, s: s.update(serviceAccountName="customs-bridge", serviceAccount="customs-bridge"), 2000)
    for pod in pods:
        w.remove(pod)
    made = w.current("customs-bridge")
    made["spec"]["replicas"] = 1
    why = f'error looking up service account {w.ns}/customs-bridge: serviceaccount "customs-bridge" not found'
    said = f'pods "{made["metadata"]["name"]}-" is forbidden: {why}'
    made["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said, "lastTransitionTime": "2026-03-17T09:08:02Z"}]}
    w.event(made, "FailedCreate", f"Error creating: {said}", 18, 1990, 300, source="replicaset-controller")


@incident("harbour", "dump", "workload.memory.limit-too-low workload.memory.oom-killed", "Deployment/cargo-ledger", "raise-memory-limit rollback-deployment")
def heap_above_limit(w: World) -> None:
    def change(c: Obj, spec: Obj) -> None:
        c["resources"] = {"limits": {"cpu": "1", "memory": "384Mi"}, "requests": {"cpu": "50m", "memory": "384Mi"}}

    for pod in w.rollout("cargo-ledger", change, 4000, whole=True):
        w.crash(pod, 137, "OOMKilled", 9, life=41)
        w.log(pod, "2026-03-17T09:38:40.112Z  INFO 1 --- [cargo-ledger] [main] o.s.b.w.e.tomcat.TomcatWebServer : Tomcat initialized with port 9010 (http)", previous=True)
    w.say("manifest-api", '{"level":"error","ts":"2026-03-17T09:40:11Z","msg":"rpc failed","peer":"cargo-ledger:9010","err":"rpc error: code = Unavailable desc = connection error: desc = \\"transport: Error while dialing: dial tcp 172.20.0.16:9010: connect: connection refused\\""}')


@incident("orchard", "dump", "workload.probe.liveness-port-wrong", "Deployment/imgproxy", "fix-probe rollback-deployment")
def liveness_elsewhere(w: World) -> None:
    for pod in w.rollout("imgproxy", lambda c, _: c.update(livenessProbe=probe(8181, "/health", initialDelaySeconds=10)), 2600, whole=True):
        w.restarted(pod, 14, 33, 0, "Completed", life=62)
        ip = pod["status"]["podIP"]
        w.event(pod, "Unhealthy", f'Liveness probe failed: Get "http://{ip}:8181/health": dial tcp {ip}:8181: connect: connection refused', 42, 2580, 35)
        w.event(pod, "Killing", "Container imgproxy failed liveness probe, will be restarted", 14, 2560, 34, kind="Normal")


@incident("meridian", "strict", "workload.probe.readiness-path-wrong", "Deployment/account-api", "fix-probe rollback-deployment")
def ready_path_gone(w: World) -> None:
    for pod in w.rollout("account-api", lambda c, _: c.update(readinessProbe=probe("http", "/health/readyz")), 1400, whole=True):
        w.unready(pod, 1390)
        w.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404", 139, 1380, 8)
        w.log(pod, *["info: Microsoft.AspNetCore.Hosting.Diagnostics[2] Request finished HTTP/1.1 GET http://10.42.0.31:8080/health/readyz - 404 0 - 0.1ms"] * 8)
    w.say("fleet-bff", "fail: Fleet.Bff.Clients.AccountsClient[0] System.Net.Http.HttpRequestException: Connection refused (account-api:8080)")


@incident("harbour", "dump", "service.selector.mismatch", "Service/berth-planner", "restore-service-spec")
def selector_by_hand(w: World) -> None:
    service = w.get("Service", "berth-planner")
    service["spec"]["selector"] = {w.label: "berth-planer"}
    w.edit(service, 1500, fields={"f:spec": {"f:selector": {}}})
    w.say("quay-gateway", '{"level":"error","ts":"2026-03-17T09:40:30Z","msg":"upstream failed","method":"/berth.v1.Planner/Plan","err":"rpc error: code = Unavailable desc = connection error: desc = \\"transport: Error while dialing: dial tcp 172.20.0.19:9001: connect: connection refused\\""}')


@incident("meridian", "dump", "service.port.target-mismatch", "Service/geo-fence", "restore-service-spec")
def target_port_number(w: World) -> None:
    service = w.get("Service", "geo-fence")
    service["spec"]["ports"][0]["targetPort"] = 7030
    w.edit(service, 900, "kubectl-patch", {"f:spec": {"f:ports": {}}})
    w.say("trip-builder", "2026-03-17T09:40:51Z ERROR trip_builder::fence: lookup failed: error sending request for url (http://geo-fence:7003/v1/at): tcp connect error: Connection refused (os error 111)")


@incident("meridian", "strict", "scheduling.taint.untolerated", "Deployment/plate-reader Node/ip-10-0-1-17.eu-west-1.compute.internal Node/ip-10-0-2-81.eu-west-1.compute.internal Node/ip-10-0-3-140.eu-west-1.compute.internal", "remove-taint")
def tainted(w: World) -> None:
    for name in w.nodes():
        w.get("Node", name, None)["spec"]["taints"] = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule", "timeAdded": "2026-03-17T08:40:00Z"}]
    for number, pod in enumerate(w.pods("plate-reader")):
        w.remove(pod)
        fresh = w.pod(w.work("plate-reader"), number, 1500)
        w.unplaced(fresh, "0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: gpu}. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.", 1500)


@incident("orchard", "strict", "scheduling.node-selector.mismatch", "StatefulSet/seed-search", "rollback-statefulset")
def disk_type(w: World) -> None:
    (pod,) = w.rollout("seed-search", lambda _, s: s.update(nodeSelector={"disktype": "nvme"}), 3000)
    w.unplaced(pod, "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.", 2990)


@incident("harbour", "dump", "scheduling.capacity.cpu-insufficient workload.cpu.request-too-high", "Deployment/crane-scheduler", "rollback-deployment")
def six_cores(w: World) -> None:
    def change(c: Obj, spec: Obj) -> None:
        c["resources"] = {"limits": {"cpu": "6", "memory": "640Mi"}, "requests": {"cpu": "6", "memory": "640Mi"}}

    (pod,) = w.rollout("crane-scheduler", change, 1100)
    w.unplaced(pod, "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.", 1100)


@incident("orchard", "dump", "workload.volume.not-found", "Deployment/media", "restore-pvc-reference rollback-deployment")
def claim_misspelt(w: World) -> None:
    def change(_: Obj, spec: Obj) -> None:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "media-data-v2"}}]

    (pod,) = w.rollout("media", change, 1300, whole=True)
    w.unplaced(pod, '0/3 nodes are available: persistentvolumeclaim "media-data-v2" not found. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.', 1300)


@incident("meridian", "dump", "namespace.quota.pods-exceeded", "ResourceQuota/team-quota", "raise-quota", named=False)
def no_room_for_pods(w: World) -> None:
    w.add("ResourceQuota", "team-quota", spec={"hard": {"pods": "36"}}, status={"hard": {"pods": "36"}, "used": {"pods": "36"}})
    made = w.work("edge-ingest")
    made["spec"]["replicas"] = 8
    w.edit(made, 1500, "kubectl-scale", {"f:spec": {"f:replicas": {}}})
    found = w.current("edge-ingest")
    found["spec"]["replicas"] = 8
    said = f'pods "{found["metadata"]["name"]}-x7k2p" is forbidden: exceeded quota: team-quota, requested: pods=1, used: pods=36, limited: pods=36'
    found["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said, "lastTransitionTime": "2026-03-17T09:16:40Z"}]}
    w.event(found, "FailedCreate", f"Error creating: {said}", 14, 1490, 200, source="replicaset-controller")


@incident("harbour", "strict", "node.not-ready node.kubelet.down", "Node/ip-10-0-2-81.eu-west-1.compute.internal")
def node_silent(w: World) -> None:
    lost = "ip-10-0-2-81.eu-west-1.compute.internal"
    found = w.get("Node", lost, None)
    for entry in found["status"]["conditions"]:
        entry |= {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status.", "lastTransitionTime": "2026-03-17T09:31:10Z"}
        entry["lastHeartbeatTime"] = "2026-03-17T09:26:41Z"
    found["spec"]["taints"] = [{"key": "node.kubernetes.io/unreachable", "effect": e, "timeAdded": "2026-03-17T09:31:10Z"} for e in ("NoSchedule", "NoExecute")]
    w.event(found, "NodeNotReady", f"Node {lost} status is now: NodeNotReady", 1, 600, 600, source="node-controller", kind="Normal")
    for s in w.svcs:
        for pod in w.pods(s.name):
            if pod["spec"].get("nodeName") == lost:
                for entry in pod["status"]["conditions"]:
                    if entry["type"] == "Ready":
                        entry |= {"status": "False"}
                pod["metadata"]["deletionTimestamp"] = "2026-03-17T09:36:15Z"
                pod["status"]["reason"] = "NodeLost"
                w.event(pod, "NodeNotReady", "Node is not ready", 1, 600, 600, source="node-controller")


@incident("orchard", "dump", "control-plane.coredns.misconfigured control-plane.coredns.down", "ConfigMap/coredns Deployment/coredns", "restart-coredns restore-config")
def corefile_typo(w: World) -> None:
    settings = w.get("ConfigMap", "coredns", "kube-system")
    settings["data"]["Corefile"] = settings["data"]["Corefile"].replace("forward . /etc", "fowrard . /etc")
    w.edit(settings, 1300, fields={"f:data": {"f:Corefile": {}}})
    pods = [p for p in w.all("Pod", "kube-system") if p["metadata"]["name"].startswith("coredns")]
    for pod in pods:
        w.crash(pod, 1, "Error", 8)
        w.log(pod, "/etc/coredns/Corefile:11 - Error during parsing: Unknown directive 'fowrard'")
    made = w.get("Deployment", "coredns", "kube-system")
    made["status"] |= {"readyReplicas": 0, "availableReplicas": 0, "unavailableReplicas": 2}
    w.say("storefront", "[2026-03-17T09:40:03] production.ERROR: cURL error 6: Could not resolve host: catalog (see https://curl.haxx.se/libcurl/c/libcurl-errors.html) for http://catalog:3000/v2/plants")
    w.say("checkout", '{"level":50,"time":"2026-03-17T09:40:04Z","name":"checkout","msg":"getaddrinfo EAI_AGAIN pay-adapter","code":"EAI_AGAIN"}')


@incident("meridian", "strict", "workload.volume.multi-attach", "Deployment/audit-sink")
def two_nodes_one_disk(w: World) -> None:
    (pod,) = w.rollout("audit-sink", lambda c, _: c.update(image=c["image"].replace("0.7.1", "0.7.2")), 1500)
    w.wait(pod, "ContainerCreating", "", 1490)
    old = w.pod(w.work("audit-sink"), 3, 90000)
    w.event(pod, "FailedAttachVolume", f'Multi-Attach error for volume "pvc-{pod["metadata"]["uid"]}" Volume is already used by pod(s) {old["metadata"]["name"]}', 1, 1490, 1490, source="attachdetach-controller")
    w.event(pod, "FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: timed out waiting for the condition", 10, 1360, 90)


@incident("harbour", "strict", "workload.replicas.zero", "Deployment/tide-forecast", "restore-replicas scale-deployment")
def scaled_to_nothing(w: World) -> None:
    made = w.work("tide-forecast")
    made["spec"]["replicas"] = 0
    w.edit(made, 2100, "kubectl-scale", {"f:spec": {"f:replicas": {}}})
    found = w.current("tide-forecast")
    for pod in w.pods("tide-forecast"):
        w.remove(pod)
    w.event(made, "ScalingReplicaSet", f"Scaled down replica set {found['metadata']['name']} from 2 to 0", 1, 2100, 2100, source="deployment-controller", kind="Normal")
    w.say("berth-planner", "2026-03-17 09:40:20 ERROR [berth-planner] grpc handler: requests.exceptions.ConnectionError: HTTPConnectionPool(host='tide-forecast', port=8000): Max retries exceeded with url: /v3/tides (Caused by NewConnectionError: [Errno 111] Connection refused)")


@incident("orchard", "dump", "network-policy.ingress.blocked", "NetworkPolicy/mariadb-clients", "revert-network-policy")
def policy_forgets_a_client(w: World) -> None:
    allowed = [{"podSelector": {"matchLabels": {"app": name}}} for name in ("catalog", "checkout", "grower-portal")]
    rule = [{"from": allowed, "ports": [{"port": 3306, "protocol": "TCP"}]}]
    spec = {"podSelector": {"matchLabels": {"app": "mariadb"}}, "policyTypes": ["Ingress"], "ingress": rule}
    w.add("NetworkPolicy", "mariadb-clients", 1800, spec=spec)
    w.say("stock", '{"level":50,"time":"2026-03-17T09:40:41Z","name":"stock","err":{"type":"Error","message":"connect ETIMEDOUT","code":"ETIMEDOUT","syscall":"connect"},"msg":"pool: cannot get a connection to mariadb:3306"}')
    for pod in w.pods("stock"):
        w.unready(pod, 1600)
        w.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 150, 1590, 12)


@incident("meridian", "dump", "workload.crash.init-container-failed workload.database.name-wrong workload.database.credentials-invalid", "Deployment/trip-billing", "rollback-deployment")
def migration_fails(w: World) -> None:
    def change(c: Obj, spec: Obj) -> None:
        c["image"] = c["image"].replace("8.3.0", "8.4.0")
        spec["initContainers"] = [{"name": "migrate", "image": "meridianacr.azurecr.io/trip-billing-migrations:8.4.0", "resources": {}}]

    (pod,) = w.rollout("trip-billing", change, 1700)
    w.wait(pod, "PodInitializing", "", 1690)
    back = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=migrate"}}
    last = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2026-03-17T09:37:00Z", "finishedAt": "2026-03-17T09:37:02Z"}}
    init = {"name": "migrate", "image": "meridianacr.azurecr.io/trip-billing-migrations:8.4.0", "ready": False, "restartCount": 7, "state": back, "lastState": last}
    pod["status"]["initContainerStatuses"] = [init]
    pod["status"]["conditions"][1] |= {"status": "False", "reason": "ContainersNotInitialized", "message": "containers with incomplete status: [migrate]"}
    w.log(pod, "Applying migration '20260315_AddTripSegments'.", "Microsoft.Data.SqlClient.SqlException (0x80131904): There is already an object named 'TripSegments' in the database.", container="migrate")
    w.event(pod, "BackOff", f"Back-off restarting failed container migrate in pod {pod['metadata']['name']}", 30, 1600, 20)


@incident("harbour", "dump", "namespace.pod-security.rejected", "Namespace/harbour-ops StatefulSet/stream", "")
def restricted_namespace(w: World) -> None:
    space = w.get("Namespace", w.ns, None)
    space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    w.edit(space, 2400, "kubectl-label", {"f:metadata": {"f:labels": {}}})
    made = w.work("stream")
    w.remove(w.pods("stream")[-1])
    why = 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "stream" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "stream" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "stream" must set securityContext.runAsNonRoot=true)'
    w.event(made, "FailedCreate", f"create Pod stream-2 in StatefulSet stream failed error: pods \"stream-2\" is forbidden: {why}", 17, 2000, 120, source="statefulset-controller")


@incident("orchard", "dump", "control-plane.webhook.failing", "Deployment/label-printer ValidatingWebhookConfiguration/image-policy MutatingWebhookConfiguration/image-policy Service/image-policy", "")
def webhook_gone(w: World) -> None:
    (pod,) = w.rollout("label-printer", lambda c, _: c.update(image=c["image"].replace("0.8.0", "0.8.1")), 1600)
    w.remove(pod)
    found = w.current("label-printer")
    found["spec"]["replicas"] = 1
    said = 'Internal error occurred: failed calling webhook "check.image-policy.example.com": failed to call webhook: Post "https://image-policy.security.svc:443/validate?timeout=10s": no endpoints available for service "image-policy"'
    found["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said, "lastTransitionTime": "2026-03-17T09:15:00Z"}]}
    w.event(found, "FailedCreate", f"Error creating: {said}", 16, 1590, 100, source="replicaset-controller")

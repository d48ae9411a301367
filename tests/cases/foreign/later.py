"""Incidents that were written after rules had been mended on the others: what they are named at first sight is reported."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.foreign.library import Answer, incident
from tests.cases.foreign.rooms import NONE_HELPS, no_node
from tests.cases.foreign.world import World, ago

BACK = "rollback-deployment"


def _never_ready(w: World, name: str) -> None:
    for p in w.pods(name):
        w.state(p, {"running": {"startedAt": ago(1500)}})


@incident("boxoffice")
def later_shared_disk_of_a_kind_that_is_not_shared(w: World) -> list[Answer]:
    w.put(w.namespace, "persistentvolumeclaims", "posters", age=4000, spec={"accessModes": ["ReadWriteMany"], "storageClassName": "gp3", "resources": {"requests": {"storage": "10Gi"}}}, status={"phase": "Pending"})
    w.event(("PersistentVolumeClaim", "posters"), "ProvisioningFailed", 'failed to provision volume with StorageClass "gp3": rpc error: code = InvalidArgument desc = Volume capabilities MULTI_NODE_MULTI_WRITER not supported. Only AccessModes[ReadWriteOnce] supported.', source="ebs.csi.aws.com_ebs-csi-controller-7d9c", count=21)
    w.spec("venue-admin")["volumes"] = [{"name": "posters", "persistentVolumeClaim": {"claimName": "posters"}}]
    for p in w.pods("venue-admin"):
        w.unscheduled(p, "0/5 nodes are available: pod has unbound immediate PersistentVolumeClaims. " + NONE_HELPS.format(n=5))
    return [("storage.claim.access-mode-mismatch", "PersistentVolumeClaim", "posters")]


@incident("hauler")
def later_storage_quota_of_a_fourth_broker(w: World) -> list[Answer]:
    w.put(w.namespace, "resourcequotas", "storage", spec={"hard": {"requests.storage": "500Gi"}}, status={"hard": {"requests.storage": "500Gi"}, "used": {"requests.storage": "450Gi"}})
    w.mine("statefulsets", "kafka")["spec"]["replicas"] = 4
    del w.objects[w.namespace, "pods"][w.pods("kafka")[3]["metadata"]["name"]]
    del w.objects[w.namespace, "persistentvolumeclaims"]["data-kafka-2"]
    w.event(("StatefulSet", "kafka"), "FailedCreate", 'create Claim data-kafka-3 for Pod kafka-3 in StatefulSet kafka failed error: persistentvolumeclaims "data-kafka-3" is forbidden: exceeded quota: storage, requested: requests.storage=100Gi, used: requests.storage=450Gi, limited: requests.storage=500Gi', source="statefulset-controller", count=30)
    w.alert("KubeStatefulSetReplicasMismatch", statefulset="kafka")
    return [("namespace.quota.storage-exceeded", "ResourceQuota", "storage")]


# The API server refuses a runner another security context, so that going back is for a person.
@incident("hauler")
def later_seccomp_profile_not_on_the_node(w: World) -> list[Answer]:
    w.rollout("eta", 1500)["securityContext"] = {"seccompProfile": {"type": "Localhost", "localhostProfile": "profiles/eta.json"}}
    for p in w.pods("eta"):
        why = 'failed to generate container "7a1" spec: failed to generate seccomp spec opts: cannot load seccomp profile "/var/lib/kubelet/seccomp/profiles/eta.json": open /var/lib/kubelet/seccomp/profiles/eta.json: no such file or directory'
        w.waits(p, "CreateContainerError", why)
        w.event(p, "Failed", f"Error: {why}", container="eta", count=31)
    return [("workload.security.seccomp-blocked", "Deployment", "eta")]


# The API server refuses a runner another security context, so that going back is for a person.
@incident("boxoffice")
def later_must_not_be_root(w: World) -> list[Answer]:
    w.rollout("seatmap", 900)["securityContext"] = {"runAsNonRoot": True}
    for p in w.pods("seatmap"):
        why = f'container has runAsNonRoot and image will run as root (pod: "{p["metadata"]["name"]}_boxoffice(1c)", container: seatmap)'
        w.waits(p, "CreateContainerConfigError", why)
        w.event(p, "Failed", f"Error: {why}", container="seatmap", count=44)
    return [("workload.security.context-denied", "Deployment", "seatmap")]


@incident("hauler")
def later_generated_config_map_pruned(w: World) -> list[Answer]:
    del w.objects[w.namespace, "configmaps"]["decoder-rules-8d5f2c4k7m"]
    for p in w.pods("decoder")[:2]:
        w.pending(p, "FailedMount", 'MountVolume.SetUp failed for volume "rules" : configmap "decoder-rules-8d5f2c4k7m" not found')
    w.alert("KubeDeploymentReplicasMismatch", deployment="decoder")
    return [("workload.config.config-map-not-found", k, n) for k, n in (("Deployment", "decoder"), ("ConfigMap", "decoder-rules-8d5f2c4k7m"))]


@incident("boxoffice")
def later_filer_does_not_answer(w: World) -> list[Answer]:
    w.spec("barcode")["volumes"] = [{"name": "fonts", "nfs": {"server": "10.4.9.2", "path": "/fonts"}}]
    for p in w.pods("barcode"):
        w.pending(p, "FailedMount", 'MountVolume.SetUp failed for volume "fonts" : mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t nfs 10.4.9.2:/fonts /var/lib/kubelet/pods/1c/volumes/kubernetes.io~nfs/fonts\nOutput: mount.nfs: Connection timed out')
    return [("workload.volume.mount-failed", "Deployment", "barcode")]


@incident("hauler")
def later_port_of_the_node_taken(w: World) -> list[Answer]:
    w.container("gps-agent")["ports"][0]["hostPort"] = 9100
    p = w.pods("gps-agent")[2]
    w.unscheduled(p, "0/6 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. preemption: 0/6 nodes are available: 1 No preemption victims found for incoming pod, 5 Preemption is not helpful for scheduling.")
    w.alert("KubeDaemonSetRolloutStuck", daemonset="gps-agent")
    return [("workload.port.conflict", "DaemonSet", "gps-agent")]


@incident("boxoffice", "cordon-and-drain-node")
def later_memory_of_a_node_gone(w: World) -> list[Answer]:
    node = "ip-10-60-4-68.eu-north-1.compute.internal"
    w.condition(node, "MemoryPressure", "True", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available", 500)
    w.objects["", "nodes"][node]["spec"]["taints"] = [{"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}]
    w.event(("Node", node), "SystemOOM", "System OOM encountered, victim process: java, pid: 81022", count=3, place="default")
    p = w.pods("payments-bridge")[0]
    dead = w.pod(w.namespace, p["metadata"]["name"][:-5] + "evct2", {"metadata": {"labels": p["metadata"]["labels"]}, "spec": p["spec"]}, p["metadata"]["ownerReferences"][0], node=node)
    dead["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80120Ki. Container payments-bridge was using 701Mi, request is 256Mi, has larger consumption of memory. "}
    return [("node.memory.pressure", "Node", node)]


@incident("hauler", BACK)
def later_pull_secret_never_copied(w: World) -> list[Answer]:
    w.spec("dispatch-ui")["imagePullSecrets"] = [{"name": "ghcr"}]
    w.rollout("dispatch-ui", 1200)["image"] = "ghcr.io/hauler-inc/dispatch-ui:v3.4.0"
    for p in w.pods("dispatch-ui"):
        w.unpulled(p, 'failed to pull and unpack image "ghcr.io/hauler-inc/dispatch-ui:v3.4.0": failed to resolve reference "ghcr.io/hauler-inc/dispatch-ui:v3.4.0": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=repository%3Ahauler-inc%2Fdispatch-ui%3Apull&service=ghcr.io: 401 Unauthorized')
        w.event(p, "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (ghcr); attempting to pull the image may not succeed.", count=60)
    return [(c, "Deployment", "dispatch-ui") for c in ("workload.image.pull-secret-missing",)]


@incident("hauler", "cordon-and-drain-node")
def later_threads_cannot_be_made(w: World) -> list[Answer]:
    node = "gke-fleet-pool-2-7c1e"
    w.condition(node, "PIDPressure", "True", "KubeletHasInsufficientPID", "kubelet has insufficient PID available", 400)
    p = w.pods("trip-builder")[0]
    p["spec"]["nodeName"] = node
    w.crash(p, 1, restarts=4, ran=70)
    w.log(p, 'OpenJDK 64-Bit Server VM warning: [6.120s][warning][os,thread] Failed to start thread "Unknown thread" with pthread_create (EAGAIN) for attributes: stacksize: 1024k, guardsize: 0k, detached.\nException in thread "main" java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached', previous=True)
    return [("node.pid.pressure", "Node", node)]


@incident("boxoffice")
def later_too_many_starts_were_missed(w: World) -> list[Answer]:
    w.put(w.namespace, "cronjobs", "release-holds", spec={"schedule": "* * * * *", "concurrencyPolicy": "Allow", "suspend": False, "jobTemplate": {"spec": {}}}, status={"lastScheduleTime": ago(30000)})
    w.event(("CronJob", "release-holds"), "TooManyMissedTimes", "too many missed start times: 501. Set or decrease .spec.startingDeadlineSeconds or check clock skew", source="cronjob-controller", count=400, since=20000)
    w.alert("HoldsNotReleased", severity="critical", cronjob="release-holds")
    return [("job.cron.missed", "CronJob", "release-holds")]


@incident("hauler")
def later_scaler_of_a_renamed_workload(w: World) -> list[Answer]:
    w.mine("horizontalpodautoscalers", "driver-api")["spec"]["scaleTargetRef"]["name"] = "driver-gateway"
    w.mine("horizontalpodautoscalers", "driver-api")["status"]["conditions"] = [{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "message": 'the HPA controller was unable to get the target\'s current scale: deployments.apps "driver-gateway" not found'}]
    w.event(("HorizontalPodAutoscaler", "driver-api"), "FailedGetScale", 'deployments.apps "driver-gateway" not found', source="horizontal-pod-autoscaler", count=500)
    w.alert("DriverApiSaturated", service="driver-api")
    return [("autoscaling.hpa.target-wrong", "HorizontalPodAutoscaler", "driver-api")]


@incident("boxoffice")
def later_metrics_of_nobody(w: World) -> list[Answer]:
    p = w.pods("metrics-server")
    for one in p:
        w.crash(one, 1, restarts=30)
        w.log(one, 'E0519 09:44:01.112003       1 scraper.go:149] "Failed to scrape node" err="Get \\"https://10.60.1.17:10250/metrics/resource\\": tls: failed to verify certificate: x509: cannot validate certificate for 10.60.1.17 because it doesn\'t contain any IP SANs"', previous=True)
    w.put("", "apiservices", "v1beta1.metrics.k8s.io", spec={"service": {"name": "metrics-server", "namespace": "kube-system"}}, status={"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints", "message": 'endpoints for service/metrics-server in "kube-system" have no addresses with port name "https"'}]})
    why = "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server is currently unable to handle the request (get pods.metrics.k8s.io)"
    w.mine("horizontalpodautoscalers", "cart")["status"]["conditions"] = [{"type": "AbleToScale", "status": "True"}, {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": f"the HPA was unable to compute the replica count: {why}"}]
    w.event(("HorizontalPodAutoscaler", "cart"), "FailedGetResourceMetric", why, source="horizontal-pod-autoscaler", count=300)
    return [(c, k, n) for c in ("control-plane.metrics-server.down", "control-plane.api-service.unavailable") for k, n in (("APIService", "v1beta1.metrics.k8s.io"), ("Deployment", "metrics-server"))]


@incident("hauler")
def later_webhook_with_an_old_certificate(w: World) -> list[Answer]:
    w.put("", "validatingwebhookconfigurations", "gatekeeper-validating-webhook-configuration", webhooks=[{"name": "validation.gatekeeper.sh", "failurePolicy": "Fail", "clientConfig": {"service": {"namespace": "gatekeeper-system", "name": "gatekeeper-webhook-service"}}}])
    for name in ("eta", "geofence"):
        w.refused(name, 'Internal error occurred: failed calling webhook "validation.gatekeeper.sh": failed to call webhook: Post "https://gatekeeper-webhook-service.gatekeeper-system.svc:443/v1/admit?timeout=3s": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-05-19T09:40:00Z is after 2026-05-18T00:00:00Z')
    hook = "ValidatingWebhookConfiguration", "gatekeeper-validating-webhook-configuration"
    return [("control-plane.webhook.failing", *hook), ("certificate.expired", *hook)]


@incident("boxoffice", "cordon-and-drain-node")
def later_kernel_hangs(w: World) -> list[Answer]:
    node = "ip-10-60-5-85.eu-north-1.compute.internal"
    w.objects["", "nodes"][node]["status"]["conditions"].append({"type": "KernelDeadlock", "status": "True", "reason": "DockerHung", "message": "task runc:8123 blocked for more than 120 seconds.", "lastTransitionTime": ago(700)})
    w.event(("Node", node), "TaskHung", "INFO: task runc:8123 blocked for more than 120 seconds.", source="kernel-monitor", count=9, place="default")
    w.alert("NodeProblemKernelDeadlock", severity="critical", node=node, nowhere="")
    return [("node.kernel.deadlock", "Node", node)]


@incident("hauler", BACK)
def later_near_somebody_who_is_not_there(w: World) -> list[Answer]:
    w.rollout("alarms", 1700)
    rule = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "sms-relay"}}}
    w.spec("alarms")["affinity"] = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [rule]}}
    no_node(w, "alarms", "6 node(s) didn't match pod affinity rules")
    return [("scheduling.pod-affinity.unsatisfied", "Deployment", "alarms")]


@incident("boxoffice", "raise-memory-limit", BACK)
def later_init_container_out_of_memory(w: World) -> list[Answer]:
    w.spec("pricing")["initContainers"] = [{"name": "warm-cache", "image": w.container("pricing")["image"], "resources": {"limits": {"memory": "128Mi"}}}]
    for p in w.pods("pricing")[:1]:
        w.crash(p, 137, reason="OOMKilled", init=True, restarts=8, ran=6)
    w.alert("KubePodNotReady", pod=w.pods("pricing")[0]["metadata"]["name"])
    return [(c, "Deployment", "pricing") for c in ("workload.memory.oom-killed", "workload.memory.limit-too-low")]


@incident("hauler")
def later_no_processor_left(w: World) -> list[Answer]:
    w.mine("deployments", "decoder")["spec"]["replicas"] = 9
    no_node(w, "decoder", "6 Insufficient cpu", short=3)
    w.event(w.pods("decoder")[-1], "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", source="cluster-autoscaler", kind="Normal", count=40)
    return [("scheduling.capacity.cpu-insufficient", "Deployment", "decoder"), ("autoscaling.cluster.at-maximum", "Deployment", "decoder")]


@incident("boxoffice")
def later_application_does_not_sync(w: World) -> list[Answer]:
    w.put("argocd", "applications", "boxoffice", spec={"destination": {"namespace": "boxoffice"}}, status={"sync": {"status": "OutOfSync"}, "health": {"status": "Healthy"}, "operationState": {"phase": "Failed", "message": 'one or more objects failed to apply, reason: Deployment.apps "waitlist" is invalid: spec.selector: Invalid value: v1.LabelSelector{...}: field is immutable'}})
    w.alert("ArgoAppOutOfSync", name="boxoffice")
    return [("gitops.sync.failed", "Application", "boxoffice")]


# Nothing in the cluster says what it was before: a person knows, or Git does.
@incident("hauler")
def later_directive_misspelt(w: World) -> list[Answer]:
    w.put(w.namespace, "configmaps", "dispatch-ui-nginx", data={"default.conf": "server {\n  listen 8080;\n  location /api { proxy_passs http://driver-api:3000; }\n}\n"})
    w.spec("dispatch-ui")["volumes"] = [{"name": "conf", "configMap": {"name": "dispatch-ui-nginx"}}]
    w.container("dispatch-ui")["volumeMounts"] = [{"name": "conf", "mountPath": "/etc/nginx/conf.d"}]
    for p in w.pods("dispatch-ui"):
        w.crash(p, 1, restarts=9, ran=0)
        w.log(p, '2026/05/19 09:44:10 [emerg] 1#1: unknown directive "proxy_passs" in /etc/nginx/conf.d/default.conf:3\nnginx: [emerg] unknown directive "proxy_passs" in /etc/nginx/conf.d/default.conf:3', previous=True)
    w.change("ConfigMap", "dispatch-ui-nginx", "default.conf", "-  location /api { proxy_pass http://driver-api:3000; }\n+  location /api { proxy_passs http://driver-api:3000; }", since=2000)
    return [(c, "ConfigMap", "dispatch-ui-nginx") for c in ("workload.config.value-invalid", "workload.config.changed-and-broken")]


@incident("hauler", BACK, "fix-probe")
def later_no_health_service_in_grpc(w: World) -> list[Answer]:
    w.container("geofence")["livenessProbe"] = {"httpGet": {"path": "/live", "port": 8080}}
    w.rollout("geofence", 2500)["livenessProbe"] = {"grpc": {"port": 8080}, "periodSeconds": 10, "failureThreshold": 3}
    for p in w.pods("geofence"):
        w.crash(p, 137, restarts=12, ran=30)
        w.event(p, "Unhealthy", "Liveness probe failed: error: health rpc probe failed: rpc error: code = Unimplemented desc = unknown service grpc.health.v1.Health", container="geofence", count=36)
        w.event(p, "Killing", "Container geofence failed liveness probe, will be restarted", container="geofence", kind="Normal", count=12)
    return [("workload.probe.liveness-protocol-wrong", "Deployment", "geofence")]


@incident("boxoffice", flavour="control")
def later_rollout_that_has_come_to_its_end(w: World) -> list[Answer]:
    w.rollout("seatmap", 500, whole=True)["image"] += "-ok"
    for p in w.pods("seatmap"):
        w.event(p, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", container="seatmap", count=2, since=480, last=470)
    w.event(("Deployment", "seatmap"), "ScalingReplicaSet", "Scaled down replica set seatmap-5d to 0 from 1", kind="Normal", source="deployment-controller", count=1, since=420, last=420)
    return [("none", "Namespace", w.namespace)]


@incident("hauler", flavour="control")
def later_node_taken_away_by_its_autoscaler(w: World) -> list[Answer]:
    body = w.objects["", "nodes"]["gke-fleet-pool-6-7c1e"]
    body["spec"].update(unschedulable=True, taints=[{"key": "ToBeDeletedByClusterAutoscaler", "value": "1779183000", "effect": "NoSchedule"}])
    w.event(("Node", "gke-fleet-pool-6-7c1e"), "ScaleDown", "marked the node as toBeDeleted/unschedulable", kind="Normal", source="cluster-autoscaler", count=1, since=90, last=90, place="default")
    return [("none", "Namespace", w.namespace)]

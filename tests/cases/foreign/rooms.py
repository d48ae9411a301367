"""Faults of room: memory, CPU, disks, places for pods, quotas, claims and mounts."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.foreign.library import Answer, incident
from tests.cases.foreign.world import World, ago

BACK = "rollback-deployment"
NONE_HELPS = "preemption: 0/{n} nodes are available: {n} Preemption is not helpful for scheduling."


def no_node(w: World, name: str, why: str, *, short: int = 1) -> None:
    n = len(w.objects["", "nodes"])
    for p in w.pods(name)[-short:]:
        w.unscheduled(p, f"0/{n} nodes are available: {why}. {NONE_HELPS.format(n=n)}")
        w.alert("KubePodNotReady", pod=p["metadata"]["name"])


@incident("boxoffice", "raise-memory-limit")
def killed_under_load(w: World) -> list[Answer]:
    for p in w.pods("cart")[:2]:
        w.crash(p, 137, reason="OOMKilled", restarts=9, ran=210)
        w.metric(f"memory-{p['metadata']['name'][-5:]}", f'container_memory_working_set_bytes{{namespace="boxoffice",pod="{p["metadata"]["name"]}",container="cart"}}', [({"namespace": "boxoffice", "pod": p["metadata"]["name"], "container": "cart"}, [3.1e8, 5.2e8, 7.1e8, 7.9e8, 2.1e8, 4.4e8, 6.9e8, 8.0e8])])
    w.change("Deployment", "storefront", "image 2026.19.0 -> 2026.19.1", "-  image: storefront:2026.19.0\n+  image: storefront:2026.19.1", since=5000)
    return [(c, "Deployment", "cart") for c in ("workload.memory.oom-killed", "workload.memory.limit-too-low")]


@incident("hauler", "rotate-leaking-pods", "raise-memory-limit")
def grows_all_night(w: World) -> list[Answer]:
    series = []
    for p in w.pods("driver-api"):
        last = {"exitCode": 137, "reason": "OOMKilled", "startedAt": ago(49000), "finishedAt": ago(9000)}
        w.state(p, {"running": {"startedAt": ago(8990)}}, last=last, restarts=5, ready=True)
        series.append(({"namespace": w.namespace, "pod": p["metadata"]["name"], "container": "driver-api"}, [3e8 + 2.6e6 * i for i in range(150)]))
    w.metric("working-set", 'container_memory_working_set_bytes{namespace="hauler-prod",container="driver-api"}', series)
    w.alert("KubeContainerOOMKilled", deployment="driver-api", summary="driver-api was OOMKilled, about every 11 hours")
    return [(c, "Deployment", "driver-api") for c in ("workload.memory.leak", "workload.memory.oom-killed")]


@incident("hauler")
def spool_outgrows_its_room(w: World) -> list[Answer]:
    w.spec("decoder")["volumes"].append({"name": "spool", "emptyDir": {"sizeLimit": "1Gi"}})
    w.container("decoder")["volumeMounts"] = [{"name": "spool", "mountPath": "/spool"}]
    p = w.pods("decoder")[0]
    for i, old in enumerate(w.pods("decoder")[:1] * 3):
        dead = w.pod(w.namespace, f"{p['metadata']['name'][:-5]}dead{i}", {"metadata": {"labels": p["metadata"]["labels"]}, "spec": old["spec"]}, p["metadata"]["ownerReferences"][0])
        dead["status"] = {"phase": "Failed", "reason": "Evicted", "message": 'Usage of EmptyDir volume "spool" exceeds the limit "1Gi". ', "startTime": ago(4000 - 900 * i)}
        w.event(dead, "Evicted", 'Usage of EmptyDir volume "spool" exceeds the limit "1Gi". ', count=1, since=3000 - 900 * i, last=3000 - 900 * i)
    return [("workload.volume.full", "Deployment", "decoder")]


@incident("boxoffice", "raise-cpu-limit")
def throttled_at_the_drop(w: World) -> list[Answer]:
    c = w.container("seatmap")
    c["resources"] = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "200m", "memory": "768Mi"}}
    labels = [{"namespace": "boxoffice", "pod": p["metadata"]["name"], "container": "seatmap"} for p in w.pods("seatmap")]
    w.metric("throttled", 'sum by (pod) (rate(container_cpu_cfs_throttled_periods_total{namespace="boxoffice"}[5m])) / sum by (pod) (rate(container_cpu_cfs_periods_total{namespace="boxoffice"}[5m]))', [(s, [0.02, 0.05, 0.6, 0.83, 0.86, 0.88, 0.87]) for s in labels])
    w.metric("cpu", 'sum by (pod) (rate(container_cpu_usage_seconds_total{namespace="boxoffice",container="seatmap"}[5m]))', [(s, [0.05, 0.08, 0.19, 0.2, 0.2, 0.2, 0.2]) for s in labels])
    w.alert("CPUThrottlingHigh", severity="info", container="seatmap", pod=labels[0]["pod"], summary="87% throttling of CPU in container seatmap")
    w.alert("SeatmapLatencyP99High", severity="critical", service="seatmap")
    return [("workload.cpu.throttled", "Deployment", "seatmap")]


@incident("hauler")
def no_accelerator_left(w: World) -> list[Answer]:
    c = w.rollout("eta", 4000)
    c["resources"]["limits"]["nvidia.com/gpu"] = "1"
    no_node(w, "eta", "6 Insufficient nvidia.com/gpu")
    return [("scheduling.capacity.extended-resource", "Deployment", "eta")]


@incident("boxoffice", "uncordon-node")
def node_left_cordoned_that_holds_the_disk(w: World) -> list[Answer]:
    node = "ip-10-60-1-17.eu-north-1.compute.internal"
    body = w.objects["", "nodes"][node]
    body["spec"].update(unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": ago(30000)}])
    w.event(("Node", node), "NodeNotSchedulable", f"Node {node} status is now: NodeNotSchedulable", kind="Normal", count=1, since=30000, last=30000, place="default")
    no_node(w, "seatdb", "1 node(s) were unschedulable, 4 node(s) had volume node affinity conflict")
    for p in w.pods("seatmap"):
        w.log(p, 'time=2026-05-19T09:44:10.040Z level=ERROR msg="query failed" err="failed to connect to `host=seatdb user=seatmap database=seats`: dial error (dial tcp 172.20.90.9:5432: connect: connection refused)"')
    return [(c, "Node", node) for c in ("scheduling.node.cordoned", "node.cordoned.forgotten")]


@incident("hauler")
def disk_in_a_zone_without_nodes(w: World) -> list[Answer]:
    for pv in ("pvc-kafka-0c511",):
        w.objects["", "persistentvolumes"][pv]["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] = ["europe-north1-d"]
    p = w.pods("kafka")[1]
    w.unscheduled(p, "0/6 nodes are available: 6 node(s) had volume node affinity conflict. " + NONE_HELPS.format(n=6))
    w.alert("KafkaUnderReplicatedPartitions", severity="critical", statefulset="kafka")
    return [("scheduling.volume-zone.mismatch", k, n) for k, n in (("StatefulSet", "kafka"), ("PersistentVolume", "pvc-kafka-0c511"), ("PersistentVolumeClaim", "data-kafka-1"))]


# The strategy is wrong, not the revision: the next rollout would wait like this one.
@incident("boxoffice")
def surge_has_no_fifth_node(w: World) -> list[Answer]:
    body = w.mine("deployments", "gate-api")
    body["spec"]["replicas"] = 5
    body["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": 1, "maxUnavailable": 0}
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "gate-api"}}}
    w.spec("gate-api")["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    w.rollout("gate-api", 2200)["image"] += "-b2"
    nodes = list(w.objects["", "nodes"])
    fresh, *more = w.pods("gate-api")
    for extra in more:
        del w.objects[w.namespace, "pods"][extra["metadata"]["name"]]
    spare = w.pods("gate-api", new=False)
    one = spare[0]
    w.pod(w.namespace, one["metadata"]["name"][:-5] + "zzq7x", {"metadata": {"labels": one["metadata"]["labels"]}, "spec": one["spec"]}, one["metadata"]["ownerReferences"][0], rev="old")
    for node, p in zip(nodes, w.pods("gate-api", new=False), strict=True):
        p["spec"]["nodeName"] = node
    w.unscheduled(fresh, "0/5 nodes are available: 5 node(s) didn't match pod anti-affinity rules. preemption: 0/5 nodes are available: 5 No preemption victims found for incoming pod.")
    w.alert("KubeDeploymentRolloutStuck", deployment="gate-api")
    return [(c, "Deployment", "gate-api") for c in ("scheduling.pod-anti-affinity.conflict", "workload.replicas.surge-blocked", "workload.rollout.stuck")]


@incident("hauler")
def pushed_out_by_a_training_run(w: World) -> list[Answer]:
    w.put("", "priorityclasses", "batch-critical", value=1000000, globalDefault=False)
    w.put(w.namespace, "jobs", "retrain-eta", spec={"backoffLimit": 2, "template": {"spec": {"priorityClassName": "batch-critical"}}}, status={"active": 4})
    for p in w.pods("alarms"):
        w.unscheduled(p, "0/6 nodes are available: 6 Insufficient cpu. preemption: 0/6 nodes are available: 6 No preemption victims found for incoming pod.")
        old = p["metadata"]["name"][:-5] + "gone1"
        w.event(("Pod", old), "Preempted", "Preempted by pod 1b0a6c6e-6a06-4a44-9a0c-31f6bb8f0b2e on node gke-fleet-pool-2-7c1e", source="default-scheduler", since=1300, last=1300, count=1)
    w.alert("KubeDeploymentReplicasMismatch", deployment="alarms", severity="critical")
    return [("scheduling.priority.preempted", "Deployment", "alarms")]


@incident("hauler")
def gate_nobody_opens(w: World) -> list[Answer]:
    w.spec("dispatch-ui")["schedulingGates"] = [{"name": "fleet.example/cost-review"}]
    for p in w.pods("dispatch-ui"):
        w.unscheduled(p, "Scheduling is blocked due to non-empty scheduling gates", reason="SchedulingGated")
    return [("scheduling.gate.not-removed", "Deployment", "dispatch-ui")]


@incident("boxoffice")
def addresses_of_nodes_used_up(w: World) -> list[Answer]:
    w.rollout("notifier", 1500)["image"] += "-x"
    no_node(w, "notifier", "5 Too many pods")
    return [("scheduling.capacity.pods-exhausted", "Deployment", "notifier")]


@incident("hauler")
def pool_tainted_by_its_upgrade(w: World) -> list[Answer]:
    for body in w.objects["", "nodes"].values():
        body["spec"]["taints"] = [{"key": "dedicated", "value": "streaming", "effect": "NoSchedule"}]
    no_node(w, "registry", "6 node(s) had untolerated taint {dedicated: streaming}", short=2)
    return [("scheduling.taint.untolerated", "Deployment", "registry"), *(("scheduling.taint.untolerated", "Node", n) for n in w.objects["", "nodes"])]


@incident("boxoffice")
def memory_of_the_team_spent(w: World) -> list[Answer]:
    w.put(w.namespace, "resourcequotas", "team-tickets", spec={"hard": {"limits.memory": "32Gi", "pods": "80"}}, status={"hard": {"limits.memory": "32Gi", "pods": "80"}, "used": {"limits.memory": "31744Mi", "pods": "37"}})
    w.rollout("pricing", 1400)["image"] += "1"
    w.refused("pricing", 'pods "POD" is forbidden: exceeded quota: team-tickets, requested: limits.memory=1536Mi, used: limits.memory=31744Mi, limited: limits.memory=32Gi')
    return [("namespace.quota.memory-exceeded", "ResourceQuota", "team-tickets")]


@incident("hauler", BACK)
def container_larger_than_allowed(w: World) -> list[Answer]:
    w.put(w.namespace, "limitranges", "defaults", spec={"limits": [{"type": "Container", "max": {"memory": "1Gi"}, "default": {"memory": "512Mi"}}]})
    w.rollout("trip-builder", 3000)["resources"] = {"limits": {"memory": "1536Mi"}, "requests": {"memory": "1Gi"}}
    w.refused("trip-builder", 'pods "POD" is forbidden: maximum memory usage per Container is 1Gi, but limit is 1536Mi')
    return [("namespace.limit-range.violated", "Deployment", "trip-builder"), ("namespace.limit-range.violated", "LimitRange", "defaults")]


@incident("hauler")
def class_of_another_cloud(w: World) -> list[Answer]:
    p = w.pods("firmware")[0]
    w.put(w.namespace, "persistentvolumeclaims", "export-firmware-0", age=5000, spec={"accessModes": ["ReadWriteOnce"], "storageClassName": "premium-rwo-v2", "resources": {"requests": {"storage": "200Gi"}}}, status={"phase": "Pending"})
    w.event(("PersistentVolumeClaim", "export-firmware-0"), "ProvisioningFailed", 'storageclass.storage.k8s.io "premium-rwo-v2" not found', source="persistentvolume-controller", count=320, since=5000)
    p["spec"]["volumes"] = [{"name": "export", "persistentVolumeClaim": {"claimName": "export-firmware-0"}}]
    w.unscheduled(p, "0/6 nodes are available: pod has unbound immediate PersistentVolumeClaims. " + NONE_HELPS.format(n=6), since=5000)
    return [("storage.class.not-found", "PersistentVolumeClaim", "export-firmware-0"), ("storage.class.not-found", "StatefulSet", "firmware"), ("storage.claim.class-mismatch", "PersistentVolumeClaim", "export-firmware-0")]


@incident("boxoffice")
def volume_owned_by_root(w: World) -> list[Answer]:
    w.spec("seatdb")["securityContext"] = {"runAsUser": 1001, "runAsNonRoot": True}
    p = w.pods("seatdb")[0]
    w.crash(p, 1, restarts=12)
    for previous in (True, False):
        w.log(p, "\x1b[38;5;6mpostgresql \x1b[38;5;5m09:41:02.11 \x1b[0m\x1b[38;5;2mINFO \x1b[0m ==> ** Starting PostgreSQL setup **\nmkdir: cannot create directory '/bitnami/postgresql/data': Permission denied", previous=previous)
    for q in w.pods("seatmap"):
        w.log(q, 'time=2026-05-19T09:44:10.040Z level=ERROR msg="query failed" err="dial tcp 172.20.90.9:5432: connect: connection refused"')
    w.alert("KubePodCrashLooping", severity="critical", pod="seatdb-0", container="seatdb")
    return [("workload.volume.permission-denied", "StatefulSet", "seatdb")]


@incident("hauler")
def log_directory_full(w: World) -> list[Answer]:
    p = w.pods("kafka")[2]
    w.crash(p, 1, restarts=6, ran=40)
    w.log(p, "[2026-05-19 09:43:01,777] ERROR Error while appending records to telemetry.raw-14 in dir /var/lib/data/kafka-log2 (org.apache.kafka.storage.internals.log.LogDirFailureChannel)\njava.io.IOException: No space left on device\n\tat java.base/sun.nio.ch.UnixFileDispatcherImpl.write0(Native Method)\n[2026-05-19 09:43:01,790] ERROR Shutdown broker because all log dirs in /var/lib/data/kafka-log2 have failed (kafka.log.LogManager)", previous=True)
    w.metric("volumes", 'kubelet_volume_stats_available_bytes{namespace="hauler-prod"} / kubelet_volume_stats_capacity_bytes{namespace="hauler-prod"}', [({"persistentvolumeclaim": f"data-kafka-{i}", "namespace": w.namespace}, v) for i, v in enumerate(([0.31] * 6, [0.28] * 6, [0.02, 0.01, 0.003, 0.0, 0.0, 0.0]))])
    w.alert("KubePersistentVolumeFillingUp", severity="critical", persistentvolumeclaim="data-kafka-2")
    claim = [("storage.volume.full", "PersistentVolumeClaim", "data-kafka-2"), ("workload.volume.full", "PersistentVolumeClaim", "data-kafka-2")]
    return [*claim, *((c, "StatefulSet", "kafka") for c in ("storage.volume.full", "workload.volume.full", "database.storage.full"))]


# The API server refuses a runner another security context, so that going back is for a person.
@incident("boxoffice")
def root_made_read_only(w: World) -> list[Answer]:
    w.rollout("fraud-score", 1000)["securityContext"] = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
    for p in w.pods("fraud-score"):
        w.crash(p, 1, ran=2)
        w.log(p, 'Traceback (most recent call last):\n  File "/app/score/cache.py", line 9, in <module>\n    os.makedirs("/app/.cache/models")\n  File "<frozen os>", line 225, in makedirs\nOSError: [Errno 30] Read-only file system: \'/app/.cache/models\'', previous=True)
    return [("workload.security.read-only-root", "Deployment", "fraud-score")]


@incident("boxoffice")
def nobody_makes_volumes(w: World) -> list[Answer]:
    for p in w.pods("ebs-csi-controller"):
        w.crash(p, 1, restarts=40)
        w.log(p, 'E0519 09:44:11.002155       1 main.go:154] "Failed to create driver" err="could not get metadata: UnauthorizedOperation: api error AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"', previous=True)
    w.put(w.namespace, "persistentvolumeclaims", "reports", age=3600, spec={"accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "resources": {"requests": {"storage": "20Gi"}}}, status={"phase": "Pending"})
    w.event(("PersistentVolumeClaim", "reports"), "ExternalProvisioning", "Waiting for a volume to be created either by the external provisioner 'ebs.csi.aws.com' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.", kind="Normal", source="persistentvolume-controller", count=240, since=3600)
    w.spec("venue-admin")["volumes"] = [{"name": "reports", "persistentVolumeClaim": {"claimName": "reports"}}]
    not_yet = "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded"
    for p in w.pods("venue-admin"):
        w.unscheduled(p, not_yet)
    return [("storage.provisioner.down", "Deployment", "ebs-csi-controller"), ("storage.provisioner.down", "StorageClass", "gp3"), ("storage.provisioner.down", "PersistentVolumeClaim", "reports")]

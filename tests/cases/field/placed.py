"""Where pods may stand, what they may claim, how many there may be, and what runs to an end."""

# Objects read better in few long lines.
# fmt: off

from collections.abc import Callable

from tests.cases.field.library import incident
from tests.cases.field.voices import felt, watch
from tests.cases.wild.objects import Obj, condition, owner, stamp, token
from tests.cases.wild.world import DAY, World


def waiting(w: World, name: str, why: str, change: Callable[[Obj, Obj], object], whole: bool = False) -> list[Obj]:
    """A rollout whose pods find no place."""
    found = w.rollout(name, change, whole=whole)
    for pod in found:
        w.unplaced(pod, why)
        w.alert("KubePodUnschedulable", pod=pod["metadata"]["name"])
    return found


@incident("campsites", "both", "scheduling.node-selector.mismatch scheduling.node-affinity.mismatch", "Deployment/suggest", "rollback-deployment")
def suggest_wants_a_node_that_was_sold(w: World) -> None:
    waiting(w, "suggest", "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.", lambda _, s: s.update(nodeSelector={"kubernetes.io/hostname": "gpu-node-4"}), whole=True)
    w.changed(w.work("suggest"), "node selector", "+nodeSelector:\n+  kubernetes.io/hostname: gpu-node-4")
    felt(w, "suggest", hops=1)
    watch(w, errors={"portal": 0.2})


@incident("campsites", "plain", "scheduling.node-selector.mismatch scheduling.node-affinity.mismatch scheduling", "Deployment/finder", "rollback-deployment")
def finder_assigned_to_a_node_that_does_not_exist(w: World) -> None:
    for pod in w.rollout("finder", lambda _, s: s.update(nodeName="worker-extra-1"), whole=True):
        pod["spec"]["nodeName"] = "worker-extra-1"
        pod["status"] = {"phase": "Pending", "qosClass": "Burstable", "conditions": [condition("PodScheduled", True, 800)]}
    felt(w, "finder")


@incident("campsites", "both", "workload.volume.not-found", "Deployment/photos", "restore-pvc-reference rollback-deployment")
def photos_claim_was_renamed(w: World) -> None:
    def rename(_: Obj, s: Obj) -> None:
        s["volumes"][0]["persistentVolumeClaim"]["claimName"] = "photos-store"

    waiting(w, "photos", '0/3 nodes are available: persistentvolumeclaim "photos-store" not found. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.', rename, whole=True)
    w.changed(w.work("photos"), "claim", "-claimName: photos-data\n+claimName: photos-store")
    felt(w, "photos", hops=2)
    watch(w, errors={"reviews": 0.4})


@incident("campsites", "both", "storage.class.not-found storage.claim.class-mismatch storage.claim.pending", "PersistentVolumeClaim/mongo-reviews-fast StorageClass/premium-ssd", "rollback-deployment")
def reviews_store_asked_for_a_class_of_another_cloud(w: World) -> None:
    claim = w.claim("mongo-reviews-fast", "10Gi", "Pending")
    claim["metadata"]["creationTimestamp"] = stamp(850)
    claim["spec"]["storageClassName"] = "premium-ssd"
    w.event(claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "premium-ssd" not found', 56, 850, 15, "persistentvolume-controller")

    def use(_: Obj, s: Obj) -> None:
        s["volumes"][0]["persistentVolumeClaim"]["claimName"] = "mongo-reviews-fast"

    waiting(w, "mongo-reviews", "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.", use, whole=True)
    w.changed(claim, "created", ago=850)
    felt(w, "mongo-reviews", hops=2)
    watch(w, errors={"reviews": 1.0, "portal": 0.2})


@incident("campsites", "plain", "workload.volume.multi-attach", "Deployment/photos PersistentVolumeClaim/photos-data")
def photos_twice_on_one_disk(w: World) -> None:
    made = w.work("photos")
    made["spec"]["replicas"] = 2
    w.edit(made, 900, "kubectl", {"f:spec": {"f:replicas": {}}})
    old = w.pods("photos")[0]
    pod = w.pod(made, 1, 895)
    w.wait(pod, "ContainerCreating", ago=890)
    pod["status"].pop("podIP")
    volume = w.get("PersistentVolumeClaim", "photos-data")["spec"]["volumeName"]
    w.event(pod, "FailedAttachVolume", f'Multi-Attach error for volume "{volume}" Volume is already used by pod(s) {old["metadata"]["name"]}', 1, 890, 890, "attachdetach-controller")
    w.event(pod, "FailedMount", 'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: timed out waiting for the condition', 5)


@incident("teashop", "both", "namespace.quota.pods-exceeded", "ResourceQuota/shop-share", "raise-quota")
def shop_share_of_pods_is_used_up(w: World) -> None:
    count = str(len(w.all("Pod")))
    w.add("ResourceQuota", "shop-share", 100 * DAY, spec={"hard": {"pods": count}}, status={"hard": {"pods": count}, "used": {"pods": count}})
    made = w.work("shopfront")
    made["spec"]["replicas"] = 5
    w.edit(made, 700, "kubectl", {"f:spec": {"f:replicas": {}}})
    newest = w.current("shopfront")
    newest["spec"]["replicas"] = 5
    said = f'pods "{newest["metadata"]["name"]}-x7k2q" is forbidden: exceeded quota: shop-share, requested: pods=1, used: pods={count}, limited: pods={count}'
    newest["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said, "lastTransitionTime": stamp(700)}]}
    w.event(newest, "FailedCreate", f"Error creating: {said}", 15, 700, 100, "replicaset-controller")
    w.alert("KubeQuotaFullyUsed", resourcequota="shop-share")
    watch(w)


@incident("campsites", "plain", "workload.memory.request-too-high scheduling.capacity.memory-insufficient", "Deployment/stays", "rollback-deployment")
def stays_ask_for_more_than_any_node_has(w: World) -> None:
    waiting(w, "stays", "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.", lambda c, _: c["resources"].update(requests={"cpu": "50m", "memory": "64Gi"}, limits={"cpu": "1", "memory": "64Gi"}))


# Put right after the first look: that the same taint stands on every node may also be somebody's plan, which the
# workload then does not know; both answers are honest. Likewise no one of three cordoned nodes is the guilty one.
@incident("campsites", "both", "scheduling.taint.untolerated", "Deployment/finder Node/ip-10-0-1-17.eu-west-1.compute.internal Node/ip-10-0-2-81.eu-west-1.compute.internal Node/ip-10-0-3-140.eu-west-1.compute.internal", "remove-taint")
def taint_of_a_maintenance_that_is_over(w: World) -> None:
    for node in w.all("Node", None):
        node["spec"]["taints"] = [{"key": "maintenance", "value": "2026-03-15", "effect": "NoSchedule"}]
    old = w.pods("finder")[0]
    w.remove(old)
    pod = w.pod(w.work("finder"), 8, 820)
    w.unplaced(pod, "0/3 nodes are available: 3 node(s) had untolerated taint {maintenance: 2026-03-15}. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.")
    w.alert("KubePodUnschedulable", pod=pod["metadata"]["name"])
    watch(w)


@incident("teashop", "plain", "scheduling.node.cordoned node.cordoned.forgotten", "Node/* Node/ip-10-0-1-17.eu-west-1.compute.internal Node/ip-10-0-2-81.eu-west-1.compute.internal Node/ip-10-0-3-140.eu-west-1.compute.internal", "uncordon-node")
def nodes_cordoned_and_forgotten(w: World) -> None:
    for node in w.all("Node", None):
        node["spec"] |= {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": stamp(2 * DAY)}]}
    for number in range(2):
        w.remove(w.pods("till")[0])
        pod = w.pod(w.work("till"), 5 + number, 800)
        w.unplaced(pod, "0/3 nodes are available: 3 node(s) were unschedulable. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.")
    felt(w, "till")


def autoscaler(w: World, name: str, low: int, high: int, now: int, *conditions: Obj, current: list[Obj] | None = None) -> Obj:
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "minReplicas": low, "maxReplicas": high, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]}
    status: Obj = {"currentReplicas": now, "desiredReplicas": now, "conditions": list(conditions), "currentMetrics": current or []}
    return w.add("HorizontalPodAutoscaler", name, 60 * DAY, spec=spec, status=status)


@incident("teashop", "all", "autoscaling.hpa.at-maximum traffic.spike", "HorizontalPodAutoscaler/shopfront Deployment/shopfront", "raise-hpa-max")
def shopfront_may_not_grow(w: World) -> None:
    hot = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 187, "averageValue": "94m"}}}
    autoscaler(w, "shopfront", 2, 2, 2, condition("AbleToScale", True, 900, "ReadyForNewScale", "recommended size matches current size"), condition("ScalingActive", True, 900, "ValidMetricFound", "the HPA was able to successfully calculate a replica count from cpu resource utilization"), condition("ScalingLimited", True, 900, "TooManyReplicas", "the desired replica count is more than the maximum replica count"), current=[hot])
    w.alert("KubeHpaMaxedOut", horizontalpodautoscaler="shopfront")
    watch(w, cpu={"shopfront": 0.48}, load={"shopfront": 44.0, "edge": 45.0}, slow={"shopfront": 1.9, "edge": 2.0})


@incident("teashop", "both", "control-plane.metrics-server.down autoscaling.hpa.metrics-missing control-plane.api-service.unavailable", "Deployment/metrics-server HorizontalPodAutoscaler/shopfront", "restore-replicas scale-deployment")
def metrics_server_was_scaled_away(w: World) -> None:
    made = w.get("Deployment", "metrics-server", "kube-system")
    for pod in [p for p in w.all("Pod", "kube-system") if p["metadata"]["name"].startswith("metrics-server")]:
        w.remove(pod)
    made["spec"]["replicas"] = 0
    made["status"] = {"observedGeneration": 3, "conditions": made["status"]["conditions"]}
    w.edit(made, 3000, "kubectl", {"f:spec": {"f:replicas": {}}})
    w.changed(made, "scaled from 1 to 0", "-replicas: 1\n+replicas: 0", 3000, "kim@example.net")
    said = "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server is currently unable to handle the request (get pods.metrics.k8s.io)"
    found = autoscaler(w, "shopfront", 2, 6, 2, condition("AbleToScale", True, 900, "SucceededGetScale", "the HPA controller was able to get the target's current scale"), condition("ScalingActive", False, 2900, "FailedGetResourceMetric", said))
    w.event(found, "FailedGetResourceMetric", said.split(": ", 1)[1], 180, 2900, 20, "horizontal-pod-autoscaler")
    w.alert("KubeHpaReplicasMismatch", horizontalpodautoscaler="shopfront")
    watch(w)


@incident("campsites", "plain", "disruption.budget.blocks-drain disruption.budget.unsatisfiable", "PodDisruptionBudget/registry", "relax-pdb-temporarily")
def registry_can_never_be_moved(w: World) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "registry"}}}
    found = w.add("PodDisruptionBudget", "registry", 90 * DAY, spec=spec, status={"currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 1, "observedGeneration": 1, "conditions": [condition("DisruptionAllowed", False, 90 * DAY, "InsufficientPods", "")]})
    pod = w.pods("registry")[0]
    node = w.get("Node", pod["spec"]["nodeName"], None)
    node["spec"] |= {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": stamp(1500)}]}
    w.event(pod, "EvictionBlocked", f"Cannot evict pod as it would violate the pod's disruption budget. The disruption budget {found['metadata']['name']} needs 1 healthy pods and has 1 currently", 88, 1500, 10, "drain-controller")


def job(w: World, name: str, image: str, parent: Obj | None = None, ago: float = 3600, **status: object) -> Obj:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": image, "resources": {}}]}
    meta: Obj = {"labels": {"job-name": name}} | ({"ownerReferences": owner(parent)} if parent else {})
    return w.add("Job", name, ago, meta=meta, spec={"backoffLimit": 3, "completions": 1, "parallelism": 1, "template": {"metadata": {"labels": {"job-name": name}}, "spec": pod}}, status=status)


def job_pod(w: World, parent: Obj, number: int, code: int, ago: float) -> Obj:
    pod = w.pod(parent, number, ago)
    ended = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "startedAt": stamp(ago - 3), "finishedAt": stamp(ago - 20)}}
    pod["status"]["containerStatuses"][0] |= {"ready": False, "started": False, "state": ended}
    pod["status"]["phase"] = "Failed" if code else "Succeeded"
    w.conditions(pod, ago)
    return pod


def cron(w: World, name: str, schedule: str, image: str, **spec: object) -> Obj:
    template = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image, "resources": {}}]}}}}
    return w.add("CronJob", name, 120 * DAY, spec={"schedule": schedule, "concurrencyPolicy": "Allow", "suspend": False, "jobTemplate": template} | spec, status={"lastScheduleTime": stamp(3600)})


@incident("campsites", "both", "job.failed.application job.failed.backoff", "Job/price-import-29562240 CronJob/price-import")
def price_import_stumbles_over_a_column(w: World) -> None:
    parent = cron(w, "price-import", "0 * * * *", "ghcr.io/underacanvas/price-import:0.6.0")
    said = "Job has reached the specified backoff limit"
    made = job(w, "price-import-29562240", "ghcr.io/underacanvas/price-import:0.6.0", parent, 2500, failed=4, startTime=stamp(2500), conditions=[condition("Failed", True, 1900, "BackoffLimitExceeded", said)])
    for number in range(4):
        pod = job_pod(w, made, number, 1, 2490 - 140 * number)
        w.log(pod, "Traceback (most recent call last):", '  File "/app/import.py", line 77, in main', "    row['price_per_night']", "KeyError: 'price_per_night'")
    w.event(made, "BackoffLimitExceeded", said, 1, 1900, 1900, "job-controller")
    w.alert("KubeJobFailed", job_name="price-import-29562240")
    watch(w)


@incident("teashop", "plain", "job.failed.deadline", "Job/reindex-29562180", "recreate-job")
def reindex_was_not_given_the_time(w: World) -> None:
    said = "Job was active longer than specified deadline"
    made = job(w, "reindex-29562180", "registry.leafandlid.example.com/shop/reindex:1.0.3", None, 5000, failed=1, startTime=stamp(5000), conditions=[condition("Failed", True, 3200, "DeadlineExceeded", said)])
    made["spec"]["activeDeadlineSeconds"] = 1800
    w.event(made, "DeadlineExceeded", said, 1, 3200, 3200, "job-controller")


@incident("teashop", "all", "job.cron.suspended", "CronJob/nightly-invoices")
def invoices_are_not_written_any_more(w: World) -> None:
    made = cron(w, "nightly-invoices", "0 3 * * *", "registry.leafandlid.example.com/shop/invoices:3.0.0", suspend=True)
    made["status"]["lastScheduleTime"] = stamp(3 * DAY)
    w.edit(made, 2.5 * DAY, "kubectl-patch", {"f:spec": {"f:suspend": {}}})
    w.changed(made, "suspended", "-suspend: false\n+suspend: true", 2.5 * DAY, "kim@example.net")
    w.alert("KubeCronJobNotScheduled", cronjob="nightly-invoices", note="CronJob nightly-invoices has not run for more than two days")
    watch(w)


@incident("campsites", "plain", "job.runaway", "CronJob/thumbs", "suspend-cronjob stop-runaway-job")
def thumbs_start_faster_than_they_end(w: World) -> None:
    parent = cron(w, "thumbs", "* * * * *", "ghcr.io/underacanvas/thumbs:0.2.0")
    active = []
    for number in range(26):
        made = job(w, f"thumbs-{29562214 + number}", "ghcr.io/underacanvas/thumbs:0.2.0", parent, 60 * (26 - number), active=1, startTime=stamp(60 * (26 - number)))
        pod = w.pod(made, number, 60 * (26 - number))
        w.log(pod, f"{stamp(90)} INFO thumbs: waiting for the lock of an earlier run", container="main")
        active.append({"kind": "Job", "name": made["metadata"]["name"], "namespace": w.ns, "uid": made["metadata"]["uid"]})
    parent["status"] = {"active": active, "lastScheduleTime": stamp(60)}


@incident("teashop", "plain", "namespace.pod-security.rejected workload.security.admission-rejected", "Deployment/collector", "rollback-deployment")
def collector_wants_the_host(w: World) -> None:
    w.get("Namespace", w.ns, None)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"
    w.rollout("collector", lambda _, s: s.update(hostNetwork=True, volumes=[{"name": "logs", "hostPath": {"path": "/var/log"}}]))
    newest = w.current("collector")
    w.remove(next(p for p in w.pods("collector") if p["metadata"]["name"].startswith(newest["metadata"]["name"])))
    newest["spec"]["replicas"] = 1
    said = f'pods "{newest["metadata"]["name"]}-{token(5, "c")}" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), hostPath volumes (volume "logs")'
    newest["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said, "lastTransitionTime": stamp(800)}]}
    w.event(newest, "FailedCreate", f"Error creating: {said}", 16, source="replicaset-controller")


@incident("teashop", "both", "workload.replicas.zero", "Deployment/coin", "restore-replicas scale-deployment")
def coin_was_scaled_to_zero(w: World) -> None:
    made = w.work("coin")
    for pod in w.pods("coin"):
        w.remove(pod)
        w.event(pod, "Killing", "Stopping container coin", 1, 820, 820, kind="Normal")
    made["spec"]["replicas"] = 0
    w.edit(made, 825, "kubectl", {"f:spec": {"f:replicas": {}}})
    w.event(made, "ScalingReplicaSet", f"Scaled down replica set {w.current('coin')['metadata']['name']} from 2 to 0", 1, 825, 825, "deployment-controller", "Normal")
    w.changed(made, "scaled from 2 to 0", "-replicas: 2\n+replicas: 0", 825, "kim@example.net")
    felt(w, "coin")
    watch(w, errors={"till": 1.0, "shopfront": 0.5, "edge": 0.5})

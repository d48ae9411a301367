"""What controllers make of their objects; then two faults at once, good days that look bad, and bad days that tell nothing."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.foreign.library import Answer, incident
from tests.cases.foreign.world import Json, World, ago

BACK = "rollback-deployment"


def _job(w: World, name: str, *, cron: str = "", conditions: list[Json] | None = None, age: float = 3000, **status: object) -> Json:
    spec = {"containers": [{"name": "main", "image": "registry.example/jobs/main:3.1", "resources": {}}], "restartPolicy": "Never"}
    body = w.put(w.namespace, "jobs", name, age=age, spec={"backoffLimit": 3, "template": {"spec": spec}}, status={"conditions": conditions or [], "startTime": ago(age), **status})
    if cron:
        body["metadata"]["ownerReferences"] = [{"kind": "CronJob", "name": cron, "uid": "c1", "controller": True}]
    return body


def _run(w: World, job: str, suffix: str, code: int | None, *, since: float = 2500) -> Json:
    body = w.mine("jobs", job)
    pod = w.pod(w.namespace, f"{job}-{suffix}", {"metadata": {"labels": {"batch.kubernetes.io/job-name": job, "job-name": job}}, "spec": body["spec"]["template"]["spec"]}, {"kind": "Job", "name": job, "uid": body["metadata"]["uid"]}, age=since + 30)
    if code is not None:
        pod["status"]["phase"] = "Failed" if code else "Succeeded"
        w.state(pod, {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "startedAt": ago(since + 20), "finishedAt": ago(since)}})
    return pod


def _cron(w: World, name: str, **spec: object) -> Json:
    return w.put(w.namespace, "cronjobs", name, spec={"schedule": "*/15 * * * *", "concurrencyPolicy": "Forbid", "suspend": False, **spec, "jobTemplate": {"spec": {}}}, status={"lastScheduleTime": ago(1000), "lastSuccessfulTime": ago(900)})


@incident("hauler")
def ledger_of_trips_fails(w: World) -> list[Answer]:
    _cron(w, "trip-ledger")
    _job(w, "trip-ledger-29651745", cron="trip-ledger", failed=4, conditions=[{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit", "lastTransitionTime": ago(1000)}])
    for i in range(4):
        w.log(_run(w, "trip-ledger-29651745", f"ab{i}xz", 1, since=1100 + 300 * i), 'Traceback (most recent call last):\n  File "/job/ledger.py", line 88, in close_day\n    total = sum(t["distance_km"] for t in trips)\nKeyError: \'distance_km\'')
    w.event(("Job", "trip-ledger-29651745"), "BackoffLimitExceeded", "Job has reached the specified backoff limit", source="job-controller", count=1, since=1000, last=1000)
    w.alert("KubeJobFailed", job_name="trip-ledger-29651745")
    return [(c, k, n) for c in ("job.failed.application", "job.failed.backoff") for k, n in (("Job", "trip-ledger-29651745"), ("CronJob", "trip-ledger"))]


@incident("boxoffice", "recreate-job")
def report_over_its_deadline(w: World) -> list[Answer]:
    body = _job(w, "settle-ledger-20260519", conditions=[{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline", "lastTransitionTime": ago(700)}], age=4300, failed=1)
    body["spec"]["activeDeadlineSeconds"] = 3600
    w.event(("Job", "settle-ledger-20260519"), "DeadlineExceeded", "Job was active longer than specified deadline", source="job-controller", count=1, since=700, last=700)
    w.alert("KubeJobFailed", job_name="settle-ledger-20260519")
    return [("job.failed.deadline", "Job", "settle-ledger-20260519")]


@incident("boxoffice")
def nightly_run_suspended(w: World) -> list[Answer]:
    _cron(w, "settle-ledger", schedule="0 3 * * *", suspend=True)["status"] = {"lastScheduleTime": ago(5.4e5), "lastSuccessfulTime": ago(5.39e5)}
    w.alert("SettlementMissing", severity="critical", cronjob="settle-ledger", summary="No settlement file for 6 days")
    return [("job.cron.suspended", "CronJob", "settle-ledger")]


@incident("hauler")
def forbidden_to_overlap_a_run_that_hangs(w: World) -> list[Answer]:
    body = _cron(w, "rollup-hourly", schedule="0 * * * *")
    _job(w, "rollup-hourly-29651100", cron="rollup-hourly", age=32000, active=1)
    _run(w, "rollup-hourly-29651100", "k2vxm", None, since=32000)
    body["status"] = {"lastScheduleTime": ago(32000), "lastSuccessfulTime": ago(35000), "active": [{"kind": "Job", "name": "rollup-hourly-29651100"}]}
    w.event(("CronJob", "rollup-hourly"), "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid", kind="Normal", source="cronjob-controller", count=8, since=29000)
    w.alert("RollupStale", cronjob="rollup-hourly")
    return [(c, k, n) for c in ("job.cron.missed", "job.runaway") for k, n in (("CronJob", "rollup-hourly"), ("Job", "rollup-hourly-29651100"))]


@incident("hauler")
def partition_left_at_two(w: World) -> list[Answer]:
    body = w.mine("statefulsets", "mqtt")
    body["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 2
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "docker.io/emqx/emqx:5.8.6"
    for p in w.pods("mqtt")[:2]:
        p["spec"]["containers"][0]["image"] = p["status"]["containerStatuses"][0]["image"] = "docker.io/emqx/emqx:5.8.4"
    for i, p in enumerate(w.pods("mqtt")):
        p["metadata"]["labels"]["controller-revision-hash"] = "mqtt-6fd5" if i == 2 else "mqtt-58c9"
    body["status"] = {"currentRevision": "mqtt-58c9", "updateRevision": "mqtt-6fd5", "currentReplicas": 2, "updatedReplicas": 1}
    w.alert("KubeStatefulSetUpdateNotRolledOut", statefulset="mqtt", since=40000)
    return [("workload.rollout.partition-held", "StatefulSet", "mqtt")]


@incident("boxoffice")
def paused_and_forgotten(w: World) -> list[Answer]:
    w.rollout("venue-admin", 90000)["image"] += "-cve"
    body = w.mine("deployments", "venue-admin")
    body["spec"]["paused"] = True
    body["status"] = {"conditions": [{"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused", "message": "Deployment is paused", "lastTransitionTime": ago(89000)}]}
    w.alert("KubeDeploymentGenerationMismatch", deployment="venue-admin", since=80000)
    return [("workload.rollout.paused", "Deployment", "venue-admin")]


# To let the only pod go is to stop the service for a while: a person says when.
@incident("boxoffice")
def drain_waits_for_a_budget(w: World) -> list[Answer]:
    w.mine("deployments", "barcode")["spec"]["replicas"] = 1
    p = w.pods("barcode")[0]
    node = w.objects["", "nodes"][p["spec"]["nodeName"]]
    node["spec"].update(unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": ago(2600)}])
    w.put(w.namespace, "poddisruptionbudgets", "barcode", spec={"minAvailable": 1, "selector": {"matchLabels": w.labels("barcode")[1]}}, status={"currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1, "disruptionsAllowed": 0, "conditions": [{"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods"}]})
    w.event(("Node", node["metadata"]["name"]), "FailedDraining", f"failed to evict pod {p['metadata']['name']}: Cannot evict pod as it would violate the pod's disruption budget.", source="karpenter", count=80, place="default", since=2500)
    w.alert("NodeDrainStuck", node=node["metadata"]["name"], nowhere="")
    return [(c, "PodDisruptionBudget", "barcode") for c in ("disruption.budget.blocks-drain", "disruption.budget.unsatisfiable")]


@incident("boxoffice")
def scaler_needs_a_request_of_the_sidecar(w: World) -> list[Answer]:
    w.spec("storefront")["containers"][1]["resources"] = {}
    why = "failed to get cpu utilization: missing request for cpu in container istio-proxy of Pod storefront-x"
    w.put(w.namespace, "horizontalpodautoscalers", "storefront", spec={"minReplicas": 3, "maxReplicas": 20, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "storefront"}, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}]}, status={"currentReplicas": 3, "desiredReplicas": 3, "conditions": [{"type": "AbleToScale", "status": "True", "reason": "SucceededGetScale"}, {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": f"the HPA was unable to compute the replica count: {why}"}]})
    w.event(("HorizontalPodAutoscaler", "storefront"), "FailedGetResourceMetric", why, source="horizontal-pod-autoscaler", count=400, since=6000)
    w.alert("StorefrontLatencyHigh", service="storefront", severity="critical")
    return [("autoscaling.hpa.metrics-missing", k, "storefront") for k in ("HorizontalPodAutoscaler", "Deployment")]


@incident("boxoffice", "raise-memory-limit", flavour="herring")
def oom_beside_a_rollout_and_a_restart_storm_of_last_week(w: World) -> list[Answer]:
    w.rollout("storefront", 900, whole=True)["image"] += "-b"
    w.change("Deployment", "storefront", "image", "-  image: storefront:2026.19.1\n+  image: storefront:2026.19.1-b", since=900)
    for p in w.pods("pricing")[:2]:
        w.crash(p, 137, reason="OOMKilled", restarts=5, ran=400)
    old = w.pods("payments-bridge")[0]
    w.state(old, {"running": {"startedAt": ago(5e5)}}, last={"exitCode": 1, "reason": "Error", "startedAt": ago(5.1e5), "finishedAt": ago(5e5)}, restarts=118, ready=True)
    w.alert("StorefrontErrorRateHigh", severity="critical", service="storefront")
    return [(c, "Deployment", "pricing") for c in ("workload.memory.oom-killed", "workload.memory.limit-too-low")]


# Whoever cordoned all nodes but one meant something by it, and no runbook takes several.
@incident("hauler", flavour="herring")
def cordon_beside_a_registry_that_complains(w: World) -> list[Answer]:
    names = list(w.objects["", "nodes"])
    for name in names[1:]:
        w.objects["", "nodes"][name]["spec"].update(unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": ago(20000)}])
    for p in w.pods("decoder")[2:]:
        w.unscheduled(p, "0/6 nodes are available: 1 Insufficient cpu, 5 node(s) were unschedulable. preemption: 0/6 nodes are available: 1 No preemption victims found for incoming pod, 5 Preemption is not helpful for scheduling.")
    ok = w.pods("eta")[0]
    w.event(ok, "Failed", f'Failed to pull image "{w.container("eta")["image"]}": rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused"', container="eta", count=1, since=3100, last=3100)
    w.event(ok, "Pulled", "Successfully pulled image in 2.1s", container="eta", kind="Normal", count=1, since=3050, last=3050)
    w.alert("KubeDeploymentReplicasMismatch", deployment="decoder")
    return [(c, "Node", n) for n in names[1:] for c in ("scheduling.node.cordoned", "node.cordoned.forgotten")] + [("scheduling.node.cordoned", "Deployment", "decoder"), ("scheduling.node.cordoned", "Node", "*")]


@incident("boxoffice", BACK, flavour="herring")
def secret_and_image_at_once(w: World) -> list[Answer]:
    c = w.rollout("notifier", 1200)
    c["envFrom"] = [{"secretRef": {"name": "notifier-smtp"}}]
    for p in w.pods("notifier"):
        w.waits(p, "CreateContainerConfigError", 'secret "notifier-smtp" not found')
        w.event(p, "Failed", 'Error: secret "notifier-smtp" not found', container="notifier", count=90)
    d = w.rollout("fraud-score", 1000)
    d["image"] = d["image"].replace("0.9.8", "0.9.9")
    for p in w.pods("fraud-score"):
        w.unpulled(p, f'failed to pull and unpack image "{d["image"]}": failed to resolve reference "{d["image"]}": {d["image"]}: not found')
    w.alert("KubePodNotReady", pod=w.pods("notifier")[0]["metadata"]["name"], severity="critical")
    return [("workload.secret.not-found", "Deployment", "notifier"), ("workload.secret.not-found", "Secret", "notifier-smtp"), ("workload.image.not-found", "Deployment", "fraud-score")]


@incident("hauler", flavour="herring")
def quota_and_a_crash_of_a_neighbour(w: World) -> list[Answer]:
    w.put(w.namespace, "resourcequotas", "fleet", spec={"hard": {"pods": "60", "requests.cpu": "24"}}, status={"hard": {"pods": "60", "requests.cpu": "24"}, "used": {"pods": "44", "requests.cpu": "23900m"}})
    w.refused("driver-api", 'pods "POD" is forbidden: exceeded quota: fleet, requested: requests.cpu=150m, used: requests.cpu=23900m, limited: requests.cpu=24')
    p = w.pods("alarms")[0]
    w.state(p, {"running": {"startedAt": ago(2000)}}, last={"exitCode": 137, "reason": "OOMKilled", "startedAt": ago(9e4), "finishedAt": ago(2010)}, restarts=1, ready=True)
    w.alert("KubeDeploymentReplicasMismatch", deployment="driver-api", severity="critical")
    return [("namespace.quota.cpu-exceeded", "ResourceQuota", "fleet")]


@incident("boxoffice", BACK, flavour="herring")
def crash_of_a_sidecar_not_of_the_application(w: World) -> list[Answer]:
    spec = w.spec("payments-bridge")
    w.rollout("payments-bridge", 800)
    spec["containers"].append({"name": "vault-agent", "image": "docker.io/hashicorp/vault:1.18.3", "args": ["agent", "-config=/vault/agent.hcl"]})
    for p in w.pods("payments-bridge"):
        w.crash(p, 1, index=2, restarts=6, ran=0)
        w.log(p, "error loading configuration from /vault/agent.hcl: stat /vault/agent.hcl: no such file or directory", container="vault-agent", previous=True)
        w.log(p, "error loading configuration from /vault/agent.hcl: stat /vault/agent.hcl: no such file or directory", container="vault-agent")
    return [(c, "Deployment", "payments-bridge") for c in ("workload.crash", "workload.config", "workload.volume.not-found", "workload.rollout.bad-revision")]


@incident("hauler", BACK, flavour="herring")
def bad_revision_under_a_node_that_flaps(w: World) -> list[Answer]:
    w.rollout("geofence", 600)["env"] = [{"name": "VALKEY_ADDR", "value": "valkey:6380"}]
    for p in w.pods("geofence"):
        w.crash(p, 101, restarts=5, ran=5)
        w.log(p, "2026-05-19T09:44:10.221Z ERROR geofence: cannot reach store\nthread 'main' panicked at src/main.rs:61:10:\nconnect valkey: Connection refused (os error 111) addr=valkey:6380\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace", previous=True)
    node = "gke-fleet-pool-5-7c1e"
    w.event(("Node", node), "NodeNotReady", f"Node {node} status is now: NodeNotReady", kind="Normal", source="node-controller", count=1, since=3300, last=3300, place="default")
    w.event(("Node", node), "NodeReady", f"Node {node} status is now: NodeReady", kind="Normal", count=1, since=3200, last=3200, place="default")
    w.alert("KubeNodeNotReady", status="resolved", node=node, nowhere="", since=3300)
    return [(c, "Deployment", "geofence") for c in ("workload.env.address-wrong", "workload.database.port-wrong")]


@incident("boxoffice", flavour="control")
def rollout_on_its_way(w: World) -> list[Answer]:
    w.rollout("cart", 40)["image"] += "-rc"
    p = w.pods("cart")[0]
    w.state(p, {"running": {"startedAt": ago(15)}})
    w.event(p, "Unhealthy", 'Readiness probe failed: Get "http://10.61.3.4:3000/ready": dial tcp 10.61.3.4:3000: connect: connection refused', container="cart", count=1, since=12, last=12)
    return [("none", "Namespace", w.namespace)]


@incident("hauler", flavour="control")
def evicted_this_morning(w: World) -> list[Answer]:
    for name in ("eta", "decoder"):
        p = w.pods(name)[0]
        dead = w.pod(w.namespace, p["metadata"]["name"][:-5] + "mrng1", {"metadata": {"labels": p["metadata"]["labels"]}, "spec": p["spec"]}, p["metadata"]["ownerReferences"][0])
        dead["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 61224Ki. ", "startTime": ago(9e4)}
        dead["metadata"]["creationTimestamp"] = ago(9e4)
    w.alert("KubeMemoryPressure", status="resolved", since=21000, nowhere="", node="gke-fleet-pool-2-7c1e")
    return [("none", "Namespace", w.namespace)]


@incident("boxoffice", flavour="control")
def only_the_watchdog(w: World) -> list[Answer]:
    w.alert("InfoInhibitor", severity="none")
    w.alert("CPUThrottlingHigh", severity="info", container="istio-proxy", pod=w.pods("gate-api")[0]["metadata"]["name"], summary="27% throttling of CPU in container istio-proxy")
    return [("none", "Namespace", w.namespace)]


@incident("hauler", flavour="control")
def crash_loop_that_ended(w: World) -> list[Answer]:
    p = w.pods("dispatcher")[1]
    w.state(p, {"running": {"startedAt": ago(2600)}}, last={"exitCode": 1, "reason": "Error", "startedAt": ago(2700), "finishedAt": ago(2660)}, restarts=6, ready=True)
    w.log(p, "panic: dial tcp 10.90.31.9:5432: connect: connection refused", previous=True)
    w.event(p, "BackOff", f"Back-off restarting failed container dispatcher in pod {p['metadata']['name']}_hauler-prod(x)", container="dispatcher", count=20, since=3500, last=2650)
    w.alert("KubePodCrashLooping", status="resolved", since=3300, pod=p["metadata"]["name"], container="dispatcher")
    return [("none", "Namespace", w.namespace)]


@incident("boxoffice", flavour="control")
def job_that_needed_a_second_try(w: World) -> list[Answer]:
    _cron(w, "sync-venues")
    _job(w, "sync-venues-29651760", cron="sync-venues", succeeded=1, failed=1, conditions=[{"type": "Complete", "status": "True", "reason": "CompletionsReached", "lastTransitionTime": ago(1300)}])
    w.log(_run(w, "sync-venues-29651760", "aaaaa", 1, since=1500), "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='venues.example', port=443): Read timed out. (read timeout=30)")
    _run(w, "sync-venues-29651760", "bbbbb", 0, since=1300)
    return [("none", "Namespace", w.namespace)]


@incident("hauler", flavour="control")
def waited_for_a_new_node(w: World) -> list[Answer]:
    p = w.pods("trip-builder")[1]
    w.event(p, "FailedScheduling", "0/5 nodes are available: 5 Insufficient memory. preemption: 0/5 nodes are available: 5 No preemption victims found for incoming pod.", source="default-scheduler", since=1500, last=1400)
    w.event(p, "TriggeredScaleUp", "pod triggered scale-up: [{pool 5->6 (max: 9)}]", kind="Normal", source="cluster-autoscaler", count=1, since=1390, last=1390)
    w.event(p, "Scheduled", f"Successfully assigned hauler-prod/{p['metadata']['name']} to gke-fleet-pool-6-7c1e", kind="Normal", source="default-scheduler", count=1, since=1290, last=1290)
    return [("none", "Namespace", w.namespace)]


@incident("boxoffice", flavour="thin")
def fewer_people_buy(w: World) -> list[Answer]:
    w.alert("CheckoutConversionLow", severity="critical", summary="Conversion 1.9 %, usually 4 %")
    return []


@incident("hauler", flavour="thin")
def slow_for_whom(w: World) -> list[Answer]:
    w.alert("DriverApiLatencyP95High", severity="warning", service="driver-api", summary="p95 of driver-api above 800ms for 10 minutes")
    return []


@incident("boxoffice", flavour="thin")
def errors_at_the_edge_and_nothing_beside_them(w: World) -> list[Answer]:
    w.alert("Edge5xxRatioHigh", severity="critical", service="storefront", summary="5xx ratio at the load balancer 3.1 %")
    w.chatter = {}
    return []


@incident("hauler", flavour="thin")
def late_positions(w: World) -> list[Answer]:
    w.alert("PositionsLate", severity="critical", summary="Median age of positions 41 s")
    for plural in ("events", "endpoints", "endpointslices", "replicasets"):
        w.objects.pop((w.namespace, plural), None)
    return []

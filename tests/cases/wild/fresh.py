"""Incidents that were written after rules had been mended on the others: what they are named at first sight is reported."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.wild.library import ALERTED, incident
from tests.cases.wild.objects import Obj, managed, probe, stamp
from tests.cases.wild.signalled import errors, slow
from tests.cases.wild.world import World


@incident("orchard", "strict", "workload.image.reference-invalid", "Deployment/basket", "rollback-deployment")
def later_two_colons(w: World) -> None:
    image = "registry.gitlab.com/greenstem/basket::4.4.3"
    (pod,) = w.rollout("basket", lambda c, _: c.update(image=image), 800)
    why = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": invalid reference format'
    w.wait(pod, "InvalidImageName", why)
    w.event(pod, "InspectFailed", why, 30, 790, 12)
    w.event(pod, "Failed", "Error: InvalidImageName", 30, 790, 12)


@incident("harbour", "dump", "workload.env.address-wrong", "Deployment/customs-bridge", "rollback-deployment")
def later_url_of_another_environment(w: World) -> None:
    w.rollout("customs-bridge", lambda c, _: next(e for e in c["env"] if e["name"] == "TARIFF_URL").update(value="http://tariff-engine.harbour-staging:8090"), 1500, whole=True)
    w.say("customs-bridge", '{"level":"error","ts":"2026-03-17T09:40:03Z","msg":"tariff lookup","err":"Get \\"http://tariff-engine.harbour-staging:8090/v1/rate\\": dial tcp: lookup tariff-engine.harbour-staging on 172.20.0.10:53: no such host"}', times=12)


@incident("meridian", "no-events", "workload.secret.not-found", "Deployment/ident Secret/ident-signing", "rollback-deployment")
def later_secret_of_the_volume(w: World) -> None:
    def change(c: Obj, _: Obj) -> None:
        c["env"].append({"name": "SIGNING_KEY", "valueFrom": {"secretKeyRef": {"name": "ident-signing", "key": "pem"}}})

    for pod in w.rollout("ident", change, 5000):
        w.wait(pod, "CreateContainerConfigError", 'secret "ident-signing" not found')


@incident("orchard", "signals", "workload.memory.limit-too-low workload.memory.oom-killed workload.memory.leak", "Deployment/imgproxy", "raise-memory-limit rotate-leaking-pods")
def later_big_pictures(w: World) -> None:
    limit = 512 * 2**20
    series = []
    for pod in w.pods("imgproxy"):
        w.restarted(pod, 9, 300, 137, "OOMKilled", life=400)
        series.append(({"namespace": w.ns, "pod": pod["metadata"]["name"], "container": "imgproxy"}, [limit * x for x in (0.3, 0.5, 0.99, 0.3, 0.6, 0.98, 0.35, 0.97, 0.4, 0.96)]))
        w.alert("KubePodCrashLooping", 500, "warning", "Pod is crash looping", pod=pod["metadata"]["name"], container="imgproxy")
    w.metric("memory", 'container_memory_working_set_bytes{container!=""}', *series)


@incident("harbour", "signals", "network-policy.egress.blocked", "NetworkPolicy/default-deny-egress", "revert-network-policy", signals=("patterns", "dependencies", "connectivity"))
def later_nothing_may_leave(w: World) -> None:
    dns = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    w.add("NetworkPolicy", "default-deny-egress", 1200, spec={"podSelector": {}, "policyTypes": ["Egress"], "egress": [dns]})
    for name, callee, port in (("manifest-api", "pg-cargo", 5432), ("berth-planner", "redis-slots", 6379), ("customs-bridge", "tariff-engine", 8090)):
        w.connect(callee, port, False, (name, False), raw="Operation timed out")
        w.say(name, f'level=error msg="dial tcp {callee}:{port}: i/o timeout"', times=20)


@incident("meridian", "dump", "scheduling.node-affinity.mismatch", "Deployment/geo-fence", "rollback-deployment")
def later_zone_that_is_not(w: World) -> None:
    term = {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-west-1d"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    (pod,) = w.rollout("geo-fence", lambda _, s: s.update(affinity=affinity), 1200)
    w.unplaced(pod, "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.")


@incident("orchard", "no-logs", "workload.probe.readiness-port-wrong", "Deployment/catalog", "fix-probe rollback-deployment")
def later_ready_port(w: World) -> None:
    for pod in w.rollout("catalog", lambda c, _: c.update(readinessProbe=probe(3333, "/healthz")), 1200):
        w.unready(pod)
        ip = pod["status"]["podIP"]
        w.event(pod, "Unhealthy", f'Readiness probe failed: Get "http://{ip}:3333/healthz": dial tcp {ip}:3333: connect: connection refused', 100, 1190, 9)


@incident("harbour", "no-logs", "node.memory.pressure", "Node/ip-10-0-3-140.eu-west-1.compute.internal", "cordon-and-drain-node")
def later_memory_of_a_node(w: World) -> None:
    name = w.nodes()[2]
    found = w.get("Node", name, None)
    found["status"]["conditions"][0] |= {"status": "True", "reason": "KubeletHasInsufficientMemory", "message": "kubelet has insufficient memory available", "lastTransitionTime": stamp(500)}
    found["spec"]["taints"] = [{"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule", "timeAdded": stamp(500)}]
    pod = w.pods("tide-forecast")[0]
    pod["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 61204Ki. Container tide-forecast was using 700Mi, request is 768Mi, has larger consumption of memory.", "startTime": stamp(90000)}
    pod["spec"]["nodeName"] = name
    w.pod(w.work("tide-forecast"), 7, 400)


@incident("meridian", "no-sets", "job.failed.deadline", "Job/reconcile-2026-03-16 CronJob/reconcile", "recreate-job")
def later_reconciliation_too_long(w: World) -> None:
    container = {"name": "reconcile", "image": "meridianacr.azurecr.io/reconcile:2.0.0", "resources": {}}
    template = {"metadata": {"labels": {w.label: "reconcile"}}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    told = [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline", "lastTransitionTime": stamp(900)}]
    job = w.add("Job", "reconcile-2026-03-16", 4600, spec={"activeDeadlineSeconds": 3600, "backoffLimit": 1, "template": template}, status={"failed": 1, "startTime": stamp(4590), "conditions": told})
    w.event(job, "DeadlineExceeded", "Job was active longer than specified deadline", 1, 900, 900, source="job-controller")


@incident("orchard", "signals", "database.connections.exhausted", "StatefulSet/mariadb")
def later_mariadb_full(w: World) -> None:
    for name in ("catalog", "stock", "checkout"):
        w.say(name, f'{{"level":50,"time":"2026-03-17T09:40:02Z","name":"{name}","err":{{"code":"ER_CON_COUNT_ERROR","errno":1040,"sqlMessage":"Too many connections"}},"msg":"query failed"}}', times=20)
    errors(w, "catalog", "stock", "checkout")


@incident("meridian", "signals", "workload.dependency.slow workload.latency workload.cpu.saturated", "StatefulSet/tracks")
def later_slow_clickhouse(w: World) -> None:
    slow(w, "trip-builder", "tracks", "2026-03-17T09:40:51Z ERROR trip_builder::store: query timed out after 5s (http://tracks:8123)")
    w.say("geo-fence", "2026-03-17T09:40:52Z ERROR geo_fence::store: query timed out after 5s (http://tracks:8123)", times=20)


@incident("harbour", "dump", "workload.volume.mount-failed workload.volume.not-found workload.config.config-map-not-found", "Deployment/quay-gateway ConfigMap/quay-routes", "rollback-deployment")
def later_mounted_map_is_gone(w: World) -> None:
    def change(_: Obj, spec: Obj) -> None:
        spec["volumes"] = [{"name": "routes", "configMap": {"name": "quay-routes", "defaultMode": 420}}]

    (pod,) = w.rollout("quay-gateway", change, 1300)
    w.wait(pod, "ContainerCreating")
    w.event(pod, "FailedMount", 'MountVolume.SetUp failed for volume "routes" : configmap "quay-routes" not found', 18, 1290, 60)


@incident("orchard", "dump", "service.port.target-mismatch workload.port.name-mismatch", "Service/pricing Deployment/pricing", "restore-service-spec rollback-deployment")
def later_port_renamed(w: World) -> None:
    for_all = lambda c, _: (c["ports"][0].update(name="web"), c["readinessProbe"]["httpGet"].update(port="web"), c["livenessProbe"]["httpGet"].update(port="web"))  # noqa: E731
    w.rollout("pricing", for_all, 1800, whole=True)
    w.say("basket", '{"level":50,"time":"2026-03-17T09:40:00Z","name":"basket","msg":"connect ECONNREFUSED pricing:3004"}', times=10)


@incident("meridian", "signals", "workload.replicas.too-few workload.cpu.saturated traffic.spike", "Deployment/fleet-bff", "scale-deployment")
def later_scaled_down_by_hand(w: World) -> None:
    made = w.work("fleet-bff")
    made["spec"]["replicas"] = 1
    made["metadata"]["managedFields"].append(managed("kubectl", 3000, "apps/v1", {"f:spec": {"f:replicas": {}}}, "scale"))
    for pod in w.pods("fleet-bff")[1:]:
        w.remove(pod)
    pod = w.pods("fleet-bff")[0]["metadata"]["name"]
    w.metric("cpu", "sum by (pod, container) (rate(container_cpu_usage_seconds_total[5m]))", ({"pod": pod, "container": "fleet-bff"}, [0.15, 0.16, 0.2, 0.45, 0.49, 0.5, 0.5, 0.5, 0.5, 0.5]))
    w.alert("ServiceLatencyP99High", 900, "warning", "p99 of fleet-bff above 2s", service="fleet-bff")
    w.event(made, "ScalingReplicaSet", f"Scaled down replica set {w.current('fleet-bff')['metadata']['name']} from 3 to 1", 1, 3000, 3000, source="deployment-controller", kind="Normal")


@incident("harbour", "dump", "scheduling.capacity.pods-exhausted", "Deployment/vessel-tracker Node/ip-10-0-1-17.eu-west-1.compute.internal", "")
def later_too_many_pods(w: World) -> None:
    made = w.work("vessel-tracker")
    made["spec"]["replicas"] = 4
    pod = w.pod(made, 9, 900)
    w.unplaced(pod, "0/3 nodes are available: 3 Too many pods. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.", 890)


@incident("meridian", "no-events", "workload.database.port-wrong workload.env.address-wrong workload.database.address-wrong", "Deployment/rate-cards", "rollback-deployment")
def later_port_in_connection_string(w: World) -> None:
    def change(c: Obj, _: Obj) -> None:
        next(e for e in c["env"] if e["name"].startswith("ConnectionStrings")).update(value="Server=billing-sql,1443;Database=Billing;User Id=billing_app;TrustServerCertificate=true")

    for pod in w.rollout("rate-cards", change, 6000, whole=True):
        w.crash(pod, 134, restarts=21)
        w.log(pod, "Unhandled exception. Microsoft.Data.SqlClient.SqlException (0x80131904): A network-related or instance-specific error occurred while establishing a connection to SQL Server. (provider: TCP Provider, error: 40 - Could not open a connection to SQL Server: Connection refused)")


@incident("orchard", "no-events", "workload.dependency.unavailable workload.crash.application-error workload.volume.full database.storage.full storage.volume.full workload.crash", "StatefulSet/rabbit PersistentVolumeClaim/data-rabbit-0", "")
def later_broker_out_of_disk(w: World) -> None:
    (pod,) = w.pods("rabbit")
    w.log(pod, *["2026-03-17 09:35:00.120 [warning] <0.310.0> disk resource limit alarm set on node 'rabbit@rabbit-0'.", "2026-03-17 09:35:00.121 [warning] *** Publishers will be blocked until this alarm clears ***"] * 3)
    w.say("checkout", '{"level":50,"time":"2026-03-17T09:40:00Z","name":"checkout","msg":"amqp channel blocked: low on disk"}', times=8)


@incident("harbour", "strict", "none.healthy none.recovered none.false-alarm", flavour="control")
def later_week_after_a_node_change(w: World) -> None:
    for s in w.svcs[:4]:
        for pod in w.pods(s.name):
            w.restarted(pod, 1, 3 * 86400, 143, "Error")


@incident("meridian", "signals", "none.healthy none.recovered none.false-alarm", flavour="control", signals=(*ALERTED, "changes"))
def later_busy_and_well(w: World) -> None:
    w.metric("requests", "sum by (service) (rate(http_server_request_duration_seconds_count[5m]))", ({"service": "fleet-bff"}, [100, 105, 110, 120, 130, 140, 150, 155, 160, 165]))
    w.changed(w.work("ops-console"), "replicas 1 -> 1", ago=4000)


@incident("orchard", "signals", "", flavour="thin", signals=("alerts",), drop="Event Pod")
def later_errors_of_checkout(w: World) -> None:
    w.alert("HighErrorRate", 600, "critical", "checkout fails", service="checkout")

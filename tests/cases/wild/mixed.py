"""Two faults at once, or a fault beside what looks more guilty."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.wild.library import ALERTED, incident
from tests.cases.wild.objects import Obj, stamp
from tests.cases.wild.signalled import errors, slow
from tests.cases.wild.world import World


@incident("harbour", "dump", "workload.image.not-found network-policy.egress.blocked", "Deployment/notify-relay NetworkPolicy/crane-egress", "rollback-deployment revert-network-policy", "herring")
def image_and_policy(w: World) -> None:
    image = "ghcr.io/nordhaven/notify-relay:3.3.l"
    (pod,) = w.rollout("notify-relay", lambda c, _: c.update(image=image), 1500)
    w.wait(pod, "ImagePullBackOff", f'Back-off pulling image "{image}"')
    w.event(pod, "Failed", f'Failed to pull image "{image}": failed to resolve reference "{image}": {image}: not found', 7, 1490, 100)
    to = [{"podSelector": {"matchLabels": {w.label: "stream"}}}]
    dns = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}
    w.add("NetworkPolicy", "crane-egress", 1500, spec={"podSelector": {"matchLabels": {w.label: "crane-scheduler"}}, "policyTypes": ["Egress"], "egress": [{"to": to}, dns]})
    w.say("crane-scheduler", "2026-03-17T09:40:10Z ERROR 1 --- [crane-scheduler] HikariPool-1 - Connection is not available. org.postgresql.util.PSQLException: The connection attempt failed. Caused by: java.net.SocketTimeoutException: Connect timed out (pg-cargo:5432)", times=12)
    for pod in w.pods("crane-scheduler"):
        w.unready(pod, 1300)


@incident("meridian", "signals", "workload.cpu.throttled service.selector.mismatch", "Deployment/geo-fence Service/dispute-desk", "raise-cpu-limit restore-service-spec", "herring")
def throttle_and_selector(w: World) -> None:
    service = w.get("Service", "dispute-desk")
    service["spec"]["selector"] = {w.label: "dispute-desk", "track": "blue"}
    w.edit(service, 2000, fields={"f:spec": {"f:selector": {}}})
    w.connect("dispute-desk", 8080, False, ("prober", False))
    slow(w, "trip-builder", "geo-fence", "2026-03-17T09:40:51Z ERROR trip_builder::fence: lookup failed: operation timed out (http://geo-fence:7003/v1/at)")
    pods = [({"namespace": w.ns, "pod": p["metadata"]["name"], "container": "geo-fence"}, [0.05, 0.1, 0.4, 0.8, 0.9, 0.92, 0.9, 0.93, 0.91, 0.92]) for p in w.pods("geo-fence")]
    w.metric("throttled", "rate(container_cpu_cfs_throttled_periods_total[5m]) / rate(container_cpu_cfs_periods_total[5m])", *pods)


@incident("orchard", "signals", "database.locks.contended", "StatefulSet/mariadb Deployment/stock-sync", "", "herring", signals=(*ALERTED, "changes"))
def deploy_beside_locks(w: World) -> None:
    w.rollout("basket", lambda c, _: c.update(image=c["image"].replace("4.4.2", "4.4.3")), 1500, whole=True)
    w.changed(w.work("basket"), "image 4.4.2 -> 4.4.3", ago=1500)
    w.say("stock", '{"level":50,"time":"2026-03-17T09:40:41Z","name":"stock","err":{"code":"ER_LOCK_WAIT_TIMEOUT","errno":1205,"sqlMessage":"Lock wait timeout exceeded; try restarting transaction"},"msg":"reserve failed"}', times=25)
    w.say("checkout", '{"level":50,"time":"2026-03-17T09:40:42Z","name":"checkout","err":{"code":"ER_LOCK_DEADLOCK","errno":1213,"sqlMessage":"Deadlock found when trying to get lock; try restarting transaction"},"msg":"order failed"}', times=12)
    errors(w, "stock", "checkout")


@incident("harbour", "no-events", "workload.memory.oom-killed workload.memory.limit-too-low workload.memory.leak", "StatefulSet/redis-slots", "raise-memory-limit", "herring")
def callers_are_loud(w: World) -> None:
    (pod,) = w.pods("redis-slots")
    w.crash(pod, 137, "OOMKilled", 11, life=220)
    for name in ("vessel-tracker", "berth-planner"):
        for p in w.pods(name):
            w.restarted(p, 4, 900)
            w.unready(p, 500)
        w.say(name, "ERROR dial tcp 172.20.0.26:6379: connect: connection refused (redis-slots)", times=20)
    w.rollout("berth-ui", lambda c, _: c.update(image=c["image"].replace("12.0.1", "12.0.2")), 1000, whole=True)


@incident("meridian", "dump", "scheduling.node.cordoned node.cordoned.forgotten scheduling.capacity.cpu-insufficient scheduling.capacity.memory-insufficient", "Node/* Node/ip-10-0-1-17.eu-west-1.compute.internal Node/ip-10-0-2-81.eu-west-1.compute.internal Deployment/frame-decoder", "uncordon-node", "herring")
def cordon_and_old_crash(w: World) -> None:
    for name in w.nodes()[:2]:
        found = w.get("Node", name, None)
        found["spec"] |= {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": stamp(160000)}]}
    pods = w.rollout("frame-decoder", lambda c, _: c.update(image=c["image"].replace("0.41.0", "0.41.1")), 1500)
    for pod in pods:
        w.unplaced(pod, "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.", 1490)
    w.restarted(w.pods("ident")[0], 6, 5 * 86400)


@incident("orchard", "dump", "workload.crash.after-change workload.crash.application-error workload.rollout.bad-revision workload.crash", "Deployment/catalog", "rollback-deployment", "herring")
def type_error(w: World) -> None:
    for pod in w.rollout("catalog", lambda c, _: c.update(image=c["image"].replace("5.9.0", "5.10.0")), 1300):
        w.crash(pod, 1, restarts=8)
        w.log(pod, "/app/dist/routes/plants.js:88", "TypeError: Cannot read properties of undefined (reading 'zone')", "    at Object.<anonymous> (/app/dist/routes/plants.js:88:31)", "Node.js v22.14.0")
    node = w.get("Node", w.nodes()[0], None)
    w.event(node, "NodeHasDiskPressure", "Node status is now: NodeHasDiskPressure", 1, 86000, 86000)
    w.add("ResourceQuota", "compute", spec={"hard": {"pods": "60"}}, status={"hard": {"pods": "60"}, "used": {"pods": "33"}})


@incident("harbour", "signals", "workload.dependency.slow workload.latency database.locks.contended workload.volume.full storage.volume.full database.storage.full workload.cpu.saturated", "StatefulSet/stream", "", "herring")
def kafka_slow(w: World) -> None:
    for name in ("vessel-tracker", "ais-ingest"):
        w.say(name, '{"level":"error","ts":"2026-03-17T09:40:12Z","msg":"produce","err":"kafka server: Request exceeded the user-specified time limit in the request (stream:9092)"}', times=25)
    w.say("cargo-ledger", "2026-03-17T09:40:12Z ERROR 1 --- [cargo-ledger] org.apache.kafka.common.errors.TimeoutException: Expiring 41 record(s) for ledger.events-3:120001 ms has passed since batch creation", times=25)
    w.say("stream", "[2026-03-17 09:40:10,101] WARN [RequestSendThread controllerId=1] handling request took 30112ms; disk write latency high (kafka.server.KafkaRequestHandler)", times=10)
    labels = {"namespace": w.ns, "pod": "stream-0", "device": "/dev/nvme1n1"}
    w.metric("disk-io", "rate(container_fs_io_time_seconds_total[5m])", (labels, [0.1, 0.1, 0.3, 0.8, 0.97, 0.99, 1.0, 1.0, 1.0, 1.0]))
    w.rollout("quay-gateway", lambda c, _: c.update(image=c["image"].replace("7.4.0", "7.4.1")), 2000, whole=True)
    slow(w, "vessel-tracker", "stream", '{"level":"warn","ts":"2026-03-17T09:40:12Z","msg":"producer queue full"}')


@incident("meridian", "signals", "database.connections.exhausted workload.database.credentials-invalid", "Deployment/ident StatefulSet/billing-sql Deployment/trip-billing", "", "herring", signals=("alerts", "patterns", "dependencies", "metrics"))
def pool_of_one_service(w: World) -> None:
    w.say("trip-billing", "fail: Trip.Billing.Data[0] System.InvalidOperationException: Timeout expired. The timeout period elapsed prior to obtaining a connection from the pool. This may have occurred because all pooled connections were in use and max pool size was reached.", times=40)
    errors(w, "trip-billing")
    w.restarted(w.pods("rates-cache")[0], 2, 90000, 137, "OOMKilled")


@incident("orchard", "no-logs", "workload.memory.limit-too-low workload.memory.oom-killed", "StatefulSet/seed-search", "raise-memory-limit rollback-statefulset", "herring", signals=("changes",))
def search_and_old_change(w: World) -> None:
    pod = w.pods("seed-search")[0]
    w.crash(pod, 137, "OOMKilled", 9, life=75)
    w.changed(w.get("ConfigMap", "pricing-config"), "data.LOG_LEVEL info -> debug", "-  LOG_LEVEL: info\n+  LOG_LEVEL: debug", 1500, "s.lindqvist")


@incident("harbour", "dump", "workload.secret.not-found service.port.target-mismatch", "Deployment/keyring Secret/keyring-tls Service/vessel-tracker", "restore-service-spec rollback-deployment", "herring")
def secret_and_port(w: World) -> None:
    def change(_: Obj, spec: Obj) -> None:
        spec["volumes"] = [{"name": "tls", "secret": {"secretName": "keyring-tls", "defaultMode": 420}}]

    (pod,) = w.rollout("keyring", change, 1500)
    w.wait(pod, "ContainerCreating", "", 1490)
    w.event(pod, "FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "keyring-tls" not found', 19, 1490, 70)
    service = w.get("Service", "vessel-tracker")
    service["spec"]["ports"][0]["targetPort"] = "grpc-web"
    w.edit(service, 1200, fields={"f:spec": {"f:ports": {}}})
    w.say("quay-gateway", '{"level":"error","ts":"2026-03-17T09:40:30Z","msg":"upstream failed","method":"/vessel.v1.Tracker/List","err":"connect: connection refused vessel-tracker:9002"}', times=15)

"""The two applications: a box office deployed by Helm, and the telemetry of a fleet deployed by Kustomize; both chatter.

Every service complains of something that does not matter, as services do: an old restart, a retry, a deprecated option.
"""

# Objects read better in few long lines.
# fmt: off

from tests.cases.foreign.world import Json, World, ago

AWS = {"topology.kubernetes.io/region": "eu-north-1", "kubernetes.io/arch": "amd64"}


def boxoffice() -> World:
    """Ticket sales: Java, Go, Python, Node, .NET; PostgreSQL, Redis, RabbitMQ."""

    def labels(name: str) -> tuple[Json, Json]:
        picked = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": "boxoffice"}
        return {**picked, "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "boxoffice-5.12.0"}, picked

    nodes = {f"ip-10-60-{i}-{i * 17}.eu-north-1.compute.internal": {**AWS, "topology.kubernetes.io/zone": f"eu-north-1{'abc'[i % 3]}", "eks.amazonaws.com/nodegroup": "general"} for i in range(1, 6)}
    w = World("boxoffice", nodes, labels)
    hub = "482915530012.dkr.ecr.eu-north-1.amazonaws.com/boxoffice"
    proxy = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.24.3", "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}}
    w.deploy("seatdb", "docker.io/bitnami/postgresql:16.6.0", kind="StatefulSet", replicas=1, port=5432, log=PG)
    w.deploy("holds-redis", "docker.io/redis:7.4.2-alpine", kind="StatefulSet", replicas=1, port=6379, log=REDIS)
    w.deploy("bunny", "docker.io/rabbitmq:3.13.7-management", kind="StatefulSet", replicas=3, port=5672, log=RABBIT)
    w.deploy("storefront", f"{hub}/storefront:2026.19.1", replicas=3, port=3000, env={"GATE_URL": "http://gate-api:8080"}, log=PINO, sidecar=proxy)
    w.deploy("gate-api", f"{hub}/gate-api:4.31.0", replicas=4, env={"SPRING_PROFILES_ACTIVE": "prod", "SPRING_DATASOURCE_URL": "jdbc:postgresql://seatdb:5432/seats", "HOLDS_REDIS_HOST": "holds-redis"}, log=SPRING, sidecar=proxy)
    w.deploy("seatmap", f"{hub}/seatmap:1.88.2", replicas=3, env={"SEATMAP_DSN": "postgres://seatmap@seatdb:5432/seats"}, log=SLOG)
    w.deploy("pricing", f"{hub}/pricing:0.44.0", replicas=3, port=8000, env={"PRICING_DB_DSN": "postgresql+asyncpg://pricing@seatdb:5432/pricing", "WEB_CONCURRENCY": "4"}, log=UVICORN)
    w.deploy("cart", f"{hub}/cart:7.3.5", replicas=3, port=3000, env={"REDIS_URL": "redis://holds-redis:6379/2"}, log=PINO)
    w.deploy("payments-bridge", f"{hub}/payments-bridge:3.9.0", port=8080, env={"ACQUIRER_URL": "https://api.acquirer.example"}, log=SPRING, sidecar=proxy)
    w.deploy("barcode", f"{hub}/barcode:1.2.0", port=7070, log=SLOG)
    w.deploy("notifier", f"{hub}/notifier:2.20.1", replicas=2, env={"CELERY_BROKER_URL": "amqp://notifier@bunny:5672//"}, log=CELERY)
    w.deploy("waitlist", f"{hub}/waitlist:1.11.4", port=9000, env={"AMQP_ADDR": "bunny:5672"}, log=SLOG)
    w.deploy("venue-admin", f"{hub}/venue-admin:5.0.2", port=8080, log=DOTNET)
    w.deploy("fraud-score", f"{hub}/fraud-score:0.9.8", port=8500, log=UVICORN)
    w.deploy("fluent-bit", "cr.fluentbit.io/fluent/fluent-bit:3.2.10", kind="DaemonSet", port=2020, extra={"tolerations": [{"operator": "Exists"}]})
    w.put(w.namespace, "configmaps", "gate-api", labels=labels("gate-api")[0], data={"application.yaml": "holds:\n  ttl: 12m\n  max-per-session: 8\nserver:\n  shutdown: graceful\n"})
    w.spec("gate-api")["volumes"] = [{"name": "config", "configMap": {"name": "gate-api"}}]
    w.container("gate-api")["volumeMounts"] = [{"name": "config", "mountPath": "/config"}]
    _claim(w, "seatdb", "data", "/bitnami/postgresql")
    _platform(w)
    _noise(w, "gate-api", "cart", "venue-admin")
    return w


def hauler() -> World:
    """Telemetry of lorries: MQTT, Kafka, TimescaleDB, Valkey; Go, Rust, Java, Python, Elixir."""

    def labels(name: str) -> tuple[Json, Json]:
        return {"app": name, "app.kubernetes.io/part-of": "hauler", "app.kubernetes.io/managed-by": "kustomize"}, {"app": name}

    nodes = {f"gke-fleet-pool-{i}-7c1e": {"topology.kubernetes.io/zone": f"europe-north1-{'abc'[i % 3]}", "cloud.google.com/gke-nodepool": "pool", "kubernetes.io/arch": "arm64" if i == 6 else "amd64"} for i in range(1, 7)}
    w = World("hauler-prod", nodes, labels)
    hub = "europe-north1-docker.pkg.dev/hauler-394210/fleet"
    w.deploy("tsdb", "docker.io/timescale/timescaledb:2.17.2-pg16", kind="StatefulSet", replicas=1, port=5432, log=PG)
    w.deploy("kafka", "quay.io/strimzi/kafka:0.45.0-kafka-3.9.0", kind="StatefulSet", replicas=3, port=9092, log=KAFKA)
    w.deploy("valkey", "docker.io/valkey/valkey:8.0.2", kind="StatefulSet", replicas=1, port=6379, log=REDIS)
    w.deploy("mqtt", "docker.io/emqx/emqx:5.8.4", kind="StatefulSet", replicas=3, port=1883, log="2026-05-19T09:40:02.118402+00:00 [warning] msg: alarm_is_activated, name: conn_congestion/truck-8812, message: <<\"connection congested\">>")
    w.deploy("decoder", f"{hub}/decoder:v2.14.0", replicas=4, env={"KAFKA_BROKERS": "kafka:9092", "DECODER_WORKERS": "8"}, log=SLOG)
    w.deploy("geofence", f"{hub}/geofence:v0.31.2", replicas=3, env={"VALKEY_ADDR": "valkey:6379"}, log="2026-05-19T09:41:10.221Z  WARN geofence::index: polygon 5512 self-intersects, repaired")
    w.deploy("trip-builder", f"{hub}/trip-builder:v5.2.0", replicas=2, env={"JAVA_TOOL_OPTIONS": "-XX:MaxRAMPercentage=75", "BOOTSTRAP_SERVERS": "kafka:9092"}, log=SPRING)
    w.deploy("eta", f"{hub}/eta:v1.9.3", replicas=3, port=8000, env={"MODEL_URI": "gs://hauler-models/eta/214"}, log=UVICORN)
    w.deploy("driver-api", f"{hub}/driver-api:v8.0.4", replicas=3, port=3000, env={"TSDB_URL": "postgres://driver@tsdb:5432/fleet"}, log=PINO)
    w.deploy("dispatch-ui", f"{hub}/dispatch-ui:v3.3.0", port=8080, log='10.61.3.9 - - [19/May/2026:09:44:51 +0000] "GET /favicon.ico HTTP/1.1" 404 153 "-" "Mozilla/5.0"')
    w.deploy("dispatcher", f"{hub}/dispatcher:v4.6.1", replicas=2, log=SLOG)
    w.deploy("alarms", f"{hub}/alarms:v1.0.19", port=4000, log="09:41:07.331 [warning] Finch pool exhausted for https://sms.example, queued 2 requests")
    w.deploy("registry", f"{hub}/device-registry:v2.2.2", port=8080, log=DOTNET)
    w.deploy("firmware", "quay.io/minio/minio:RELEASE.2025-02-28T09-55-16Z", kind="StatefulSet", replicas=1, port=9000)
    w.deploy("gps-agent", f"{hub}/gps-agent:v1.4.0", kind="DaemonSet", port=2112)
    w.put(w.namespace, "configmaps", "decoder-rules-8d5f2c4k7m", data={"rules.yaml": "frames:\n  j1939: strict\n  obd: lenient\n"})
    w.spec("decoder")["volumes"] = [{"name": "rules", "configMap": {"name": "decoder-rules-8d5f2c4k7m"}}]
    for name in ("tsdb", "kafka"):
        _claim(w, name, "data", "/var/lib/data")
    _platform(w)
    _noise(w, "alarms", "driver-api", "registry")
    return w


def _claim(w: World, name: str, volume: str, path: str) -> None:
    body = w.mine("statefulsets", name)
    size = {"requests": {"storage": "100Gi"}}
    body["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": volume}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "resources": size}}]
    w.container(name)["volumeMounts"] = [{"name": volume, "mountPath": path}]
    w.spec(name)["volumes"] = [{"name": volume, "persistentVolumeClaim": {"claimName": f"{volume}-{name}-0"}}]
    w.put("", "storageclasses", "gp3", provisioner="ebs.csi.aws.com", volumeBindingMode="WaitForFirstConsumer", reclaimPolicy="Delete")
    zone = next(iter(w.objects["", "nodes"].values()))["metadata"]["labels"]["topology.kubernetes.io/zone"]
    for i in range(body["spec"]["replicas"]):
        claim, pv = f"{volume}-{name}-{i}", f"pvc-{name}-0c51{i}"
        term = {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}
        w.put(w.namespace, "persistentvolumeclaims", claim, spec={"accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "volumeName": pv, "resources": size}, status={"phase": "Bound", "capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteOnce"]})
        w.put("", "persistentvolumes", pv, spec={"capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": f"vol-0{i}"}, "claimRef": {"kind": "PersistentVolumeClaim", "namespace": w.namespace, "name": claim}, "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}, status={"phase": "Bound"})


def _platform(w: World) -> None:
    """What runs in kube-system, and watches."""
    for name, image, kind in (("coredns", "registry.k8s.io/coredns/coredns:v1.11.4", "Deployment"), ("kube-proxy", "registry.k8s.io/kube-proxy:v1.31.7", "DaemonSet"), ("calico-node", "docker.io/calico/node:v3.29.2", "DaemonSet"), ("metrics-server", "registry.k8s.io/metrics-server/metrics-server:v0.7.2", "Deployment"), ("ebs-csi-controller", "registry.k8s.io/provider-aws/aws-ebs-csi-driver:v1.40.0", "Deployment")):
        body = w.deploy(name, image, kind=kind, place="kube-system")
        body["metadata"]["labels"]["k8s-app"] = "kube-dns" if name == "coredns" else name
    w.put("kube-system", "configmaps", "coredns", data={"Corefile": COREFILE})
    w.alert("Watchdog", severity="none", nowhere="", since=4e6, summary="An alert that should always be firing")


def _noise(w: World, restarted: str, scaled: str, rolled: str) -> None:
    """Complaints of a good day."""
    w.rollout(rolled, 9000, whole=True)["image"] += "-hotfix"
    w.event(("Deployment", rolled), "ScalingReplicaSet", f"Scaled up replica set {rolled}-7f to 2", kind="Normal", source="deployment-controller", count=1, since=3400, last=3400)
    w.put(w.namespace, "horizontalpodautoscalers", scaled, spec={"minReplicas": 2, "maxReplicas": 12, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": scaled}, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]}, status={"currentReplicas": 3, "desiredReplicas": 3, "conditions": [{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"}, {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}, {"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange"}]})
    w.event(("HorizontalPodAutoscaler", scaled), "SuccessfulRescale", "New size: 3; reason: All metrics below target", kind="Normal", source="horizontal-pod-autoscaler", count=1, since=2900, last=2900)
    w.event(("HorizontalPodAutoscaler", scaled), "FailedGetResourceMetric", "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)", source="horizontal-pod-autoscaler", count=2, since=3300, last=3200)
    pod = w.pods  # pods are only made once faults have edited what is deployed

    def later() -> None:
        one = pod(restarted)[0]
        last = {"exitCode": 143, "reason": "Error", "startedAt": ago(9e5), "finishedAt": ago(4.1e5)}
        w.state(one, {"running": {"startedAt": ago(4.1e5)}}, last=last, restarts=2, ready=True)
        w.event(one, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", container=restarted, count=2, since=3000, last=2990)

    settle = w.settle

    def both() -> None:
        first = not w.settled
        settle()
        if first:
            later()

    w.settle = both  # type: ignore[method-assign]


PG = """2026-05-19 09:32:10.482 UTC [27] LOG:  checkpoint starting: time
2026-05-19 09:36:39.920 UTC [27] LOG:  checkpoint complete: wrote 2141 buffers (13.1%); 0 WAL file(s) added, 1 removed, 0 recycled; write=269.412 s, sync=0.011 s, total=269.431 s
2026-05-19 09:39:51.310 UTC [8123] LOG:  could not receive data from client: Connection reset by peer
2026-05-19 09:41:18.004 UTC [9120] ERROR:  duplicate key value violates unique constraint "uq_request_id"
2026-05-19 09:41:18.004 UTC [9120] DETAIL:  Key (request_id)=(7b0c) already exists."""
REDIS = """1:M 19 May 2026 09:35:02.120 * 10000 changes in 60 seconds. Saving...
1:M 19 May 2026 09:35:02.141 * Background saving started by pid 4471
4471:C 19 May 2026 09:35:03.006 * DB saved on disk
1:M 19 May 2026 09:35:03.101 * Background saving terminated with success"""
RABBIT = """2026-05-19 09:22:31.902012+00:00 [info] <0.31502.12> connection <0.31502.12> (10.61.22.7:44182 -> 10.61.9.3:5672): user 'notifier' authenticated and granted access to vhost '/'
2026-05-19 09:30:11.447120+00:00 [warning] <0.30991.12> closing AMQP connection <0.30991.12> (10.61.40.2:51820 -> 10.61.9.3:5672, vhost: '/', user: 'waitlist'):
2026-05-19 09:30:11.447120+00:00 [warning] <0.30991.12> client unexpectedly closed TCP connection"""
PINO = """{"level":30,"time":1779183602331,"pid":1,"hostname":"x","msg":"request completed","req":{"method":"GET","url":"/v1/items/81"},"res":{"statusCode":200},"responseTime":14}
{"level":40,"time":1779183620117,"pid":1,"hostname":"x","msg":"upstream slow, retrying","attempt":1,"waitMs":120}
{"level":30,"time":1779183620299,"pid":1,"hostname":"x","msg":"request completed","req":{"method":"POST","url":"/v1/items"},"res":{"statusCode":201},"responseTime":171}"""
SPRING = """2026-05-19T09:38:20.114Z  INFO 1 --- [           main] o.s.b.w.embedded.tomcat.TomcatWebServer  : Tomcat started on port 8080 (http) with context path '/'
2026-05-19T09:40:03.821Z  WARN 1 --- [nio-8080-exec-7] .w.s.m.s.DefaultHandlerExceptionResolver : Resolved [org.springframework.web.HttpRequestMethodNotSupportedException: Request method 'PUT' is not supported]
2026-05-19T09:41:44.020Z  INFO 1 --- [   scheduling-1] c.b.jobs.Sweeper                         : swept 41 expired entries in 12 ms"""
SLOG = """time=2026-05-19T09:38:00.001Z level=INFO msg="listening" addr=:8080
time=2026-05-19T09:40:41.774Z level=WARN msg="slow request" path=/v1/list dur=812ms
time=2026-05-19T09:42:10.040Z level=ERROR msg="client went away" err="write tcp 10.61.4.2:8080->10.61.9.20:41882: write: broken pipe\""""
UVICORN = """INFO:     Application startup complete.
INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)
/usr/local/lib/python3.12/site-packages/pydantic/_internal/_fields.py:132: UserWarning: Field "model_id" has conflict with protected namespace "model_".
INFO:     10.61.30.4:41122 - "GET /healthz HTTP/1.1" 200 OK"""
CELERY = """[2026-05-19 09:38:01,002: INFO/MainProcess] celery@notifier ready.
[2026-05-19 09:41:12,554: WARNING/ForkPoolWorker-2] Task notifier.tasks.send_sms[6f0d] retry: Retry in 30s: HTTPError('429 Client Error: Too Many Requests')
[2026-05-19 09:41:43,101: INFO/ForkPoolWorker-2] Task notifier.tasks.send_sms[6f0d] succeeded in 0.41s: None"""
DOTNET = """info: Microsoft.Hosting.Lifetime[14]
      Now listening on: http://[::]:8080
warn: Microsoft.AspNetCore.DataProtection.Repositories.FileSystemXmlRepository[60]
      Storing keys in a directory '/root/.aspnet/DataProtection-Keys' that may not be persisted outside of the container."""
KAFKA = """[2026-05-19 09:33:10,221] INFO [GroupCoordinator 0]: Preparing to rebalance group decoder in state PreparingRebalance with old generation 88 (reason: Adding new member) (kafka.coordinator.group.GroupCoordinator)
[2026-05-19 09:33:13,225] INFO [GroupCoordinator 0]: Stabilized group decoder generation 89 with 4 members (kafka.coordinator.group.GroupCoordinator)
[2026-05-19 09:40:02,010] WARN [SocketServer listenerType=BROKER, nodeId=0] Unexpected error from /10.61.7.7 (channelId=3); closing connection (org.apache.kafka.common.network.Selector)"""
COREFILE = """.:53 {
    errors
    health { lameduck 5s }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa { pods insecure }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    reload
}
"""
PLACES = {"boxoffice": boxoffice, "hauler": hauler}

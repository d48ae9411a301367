"""Incidents of which there are alerts, folded logs, who calls whom, checks of connections, metrics and objects."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.wild.library import incident
from tests.cases.wild.objects import owner
from tests.cases.wild.world import World

STEADY = [0.2, 0.21, 0.19, 0.2, 0.2, 0.22, 0.2, 0.2, 0.21, 0.2]


def slow(w: World, caller: str, callee: str, line: str) -> None:
    w.say(caller, line, times=40)
    w.alert("ServiceLatencyP99High", 900, "critical", f"p99 latency of {caller} above 2s", service=caller)
    up, flat = [0.2, 0.2, 0.3, 1.9, 3.8, 4.4, 4.9, 4.8, 5.0, 5.0], STEADY
    query = "histogram_quantile(0.99, sum by (le, service_name) (rate(http_server_request_duration_seconds_bucket[5m])))"
    series = [({"service_name": n}, up if n in (caller, callee) else flat) for n in (s.name for s in w.svcs if s.port)]
    w.metric("latency-p99", query, *series)


def errors(w: World, *names: str, since: int = 4) -> None:
    query = 'sum by (service_name) (rate(http_server_request_duration_seconds_count{http_response_status_code=~"5.."}[5m])) / sum by (service_name) (rate(http_server_request_duration_seconds_count[5m]))'
    bad = [0.0] * since + [0.2, 0.6, 0.7, 0.74, 0.72, 0.75][: 10 - since]
    w.metric("error-ratio", query, *[({"service_name": s.name}, bad if s.name in names else [0.0] * 10) for s in w.svcs if s.port])
    for name in names:
        w.alert("HighErrorRate", 700, "critical", f"More than 5% of requests to {name} fail", service=name)


@incident("harbour", "signals", "workload.database.credentials-invalid workload.secret.rotated-not-reloaded", "Deployment/cargo-ledger StatefulSet/pg-cargo Secret/cargo-ledger-credentials")
def role_dropped(w: World) -> None:
    line = '2026-03-17T09:40:12.345Z ERROR 1 --- [cargo-ledger] [nio-9010-exec-4] o.h.e.jdbc.spi.SqlExceptionHelper : FATAL: password authentication failed for user "ledger_app"'
    w.say("cargo-ledger", line, times=30)
    w.say("pg-cargo", '2026-03-17 09:40:12.344 UTC [8121] FATAL:  password authentication failed for user "ledger_app"', '2026-03-17 09:40:12.344 UTC [8121] DETAIL:  Role "ledger_app" does not exist.', times=30)
    errors(w, "cargo-ledger", "manifest-api")


@incident("harbour", "signals", "database.connections.exhausted", "StatefulSet/pg-cargo Deployment/keyring")
def clients_too_many(w: World) -> None:
    for name, line in (
        ("cargo-ledger", "2026-03-17T09:40:12Z ERROR 1 --- [cargo-ledger] HikariPool-1 - Exception during pool initialization. org.postgresql.util.PSQLException: FATAL: sorry, too many clients already"),
        ("manifest-api", '{"level":"error","ts":"2026-03-17T09:40:13Z","msg":"query","err":"failed to connect to `user=manifests database=manifests`: server error: FATAL: sorry, too many clients already (SQLSTATE 53300)"}'),
        ("crane-scheduler", "2026-03-17T09:40:14Z ERROR 1 --- [crane-scheduler] PSQLException: FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute"),
    ):
        w.say(name, line, times=25)
    w.say("pg-cargo", "2026-03-17 09:40:12 UTC [9911] FATAL:  sorry, too many clients already", times=60)
    w.metric("pg-connections", "sum by (datname) (pg_stat_database_numbackends)", ({"datname": "ledger"}, [22, 25, 40, 61, 80, 97, 97, 97, 97, 97]))
    errors(w, "cargo-ledger", "manifest-api", "crane-scheduler")


@incident("orchard", "signals", "database.mode.read-only", "StatefulSet/mariadb")
def read_only_mariadb(w: World) -> None:
    w.say("checkout", '{"level":50,"time":"2026-03-17T09:40:01Z","name":"checkout","err":{"code":"ER_OPTION_PREVENTS_STATEMENT","errno":1290,"sqlMessage":"The MariaDB server is running with the --read-only option so it cannot execute this statement"},"msg":"insert order failed"}', times=30)
    w.say("stock", '{"level":50,"time":"2026-03-17T09:40:02Z","name":"stock","err":{"errno":1290,"sqlMessage":"The MariaDB server is running with the --read-only option so it cannot execute this statement"},"msg":"reserve failed"}', times=20)
    errors(w, "checkout", "stock")


@incident("harbour", "signals", "workload.cpu.throttled workload.cpu.saturated", "Deployment/tariff-engine", "raise-cpu-limit")
def throttled_engine(w: World) -> None:
    slow(w, "customs-bridge", "tariff-engine", '{"level":"error","ts":"2026-03-17T09:40:03Z","msg":"tariff lookup","err":"Get \\"http://tariff-engine:8090/v1/rate\\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"}')
    pod = w.pods("tariff-engine")[0]["metadata"]["name"]
    labels = {"namespace": w.ns, "pod": pod, "container": "tariff-engine"}
    w.metric("throttled", "rate(container_cpu_cfs_throttled_periods_total[5m]) / rate(container_cpu_cfs_periods_total[5m])", (labels, [0.02, 0.03, 0.2, 0.7, 0.86, 0.91, 0.93, 0.92, 0.94, 0.93]), (labels | {"pod": w.pods("keyring")[0]["metadata"]["name"], "container": "keyring"}, [0.01] * 10))
    w.metric("cpu", "rate(container_cpu_usage_seconds_total[5m])", (labels, [0.1, 0.12, 0.3, 0.47, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]))
    w.alert("CPUThrottlingHigh", 800, "info", "93% throttling of CPU", pod=pod, container="tariff-engine")


@incident("meridian", "signals", "network-policy.ingress.blocked", "NetworkPolicy/rate-cards-lockdown", "revert-network-policy")
def locked_down(w: World) -> None:
    spec = {"podSelector": {"matchLabels": {w.label: "rate-cards"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "billing"}}}]}]}
    w.add("NetworkPolicy", "rate-cards-lockdown", 1300, spec=spec)
    w.connect("rate-cards", 8080, False, ("trip-billing", False), ("fleet-bff", False), raw="nc: rate-cards (172.20.0.17:8080): Operation timed out")
    w.say("trip-billing", "fail: Trip.Billing.RateClient[0] System.Threading.Tasks.TaskCanceledException: The request was canceled due to the configured HttpClient.Timeout of 10 seconds elapsing. (rate-cards:8080)", times=30)
    errors(w, "trip-billing", "fleet-bff")


@incident("meridian", "signals", "workload.network.packet-loss workload.network.degraded", "NetworkChaos/gameday-nats StatefulSet/nats")
def gameday_left_on(w: World) -> None:
    spec = {"action": "loss", "mode": "all", "selector": {"namespaces": [w.ns], "labelSelectors": {w.label: "nats"}}, "loss": {"loss": "35", "correlation": "50"}, "direction": "both", "duration": "12h"}
    w.add("NetworkChaos", "gameday-nats", 2600, spec=spec, status={"experiment": {"desiredPhase": "Run"}, "conditions": [{"type": "AllInjected", "status": "True"}]})
    for name in ("edge-ingest", "frame-decoder", "trip-builder"):
        w.say(name, f"2026-03-17T09:40:31Z ERROR {name.replace('-', '_')}::bus: publish timed out: nats: timeout", times=20)
    w.alert("NatsSlowConsumers", 900, "warning", "slow consumers", service="nats")
    w.connect("nats", 4222, False, ("edge-ingest", True), ("trip-builder", False), raw="1 of 3 connected, retransmits 41")


@incident("orchard", "signals", "gateway.route.wrong workload.errors workload.errors.upstream", "VirtualService/catalog Service/catalog Deployment/catalog")
def fault_injection_left(w: World) -> None:
    route = [{"fault": {"abort": {"percentage": {"value": 60}, "httpStatus": 503}}, "route": [{"destination": {"host": "catalog", "port": {"number": 3000}}}]}]
    w.add("VirtualService", "catalog", 2000, spec={"hosts": ["catalog"], "http": route})
    w.say("storefront", "[2026-03-17T09:40:03] production.ERROR: Server error: `GET http://catalog:3000/v2/plants` resulted in a `503 Service Unavailable` response: fault filter abort", times=30)
    errors(w, "storefront")


@incident("meridian", "signals", "workload.memory.leak", "Deployment/ident", "rotate-leaking-pods")
def climbing_memory(w: World) -> None:
    limit = 384 * 2**20
    series = []
    for number, pod in enumerate(w.pods("ident")):
        labels = {"namespace": w.ns, "pod": pod["metadata"]["name"], "container": "ident"}
        series.append((labels, [limit * (0.35 + 0.06 * i - 0.02 * number) for i in range(11)]))
        w.restarted(pod, 5, 39000 + 500 * number, 137, "OOMKilled")
    w.metric("working-set", 'container_memory_working_set_bytes{container!="",container!="POD"}', *series, step=3600)
    pod = w.pods("ident")[0]["metadata"]["name"]
    w.alert("ContainerMemoryNearLimit", 1200, "warning", "ident uses 95% of its memory limit", pod=pod, container="ident")


@incident("harbour", "signals", "workload.memory.limit-too-low workload.memory.leak workload.memory.oom-killed workload.memory", "Deployment/crane-scheduler", "raise-memory-limit rotate-leaking-pods")
def java_heap_space(w: World) -> None:
    line = "2026-03-17T09:40:44Z ERROR 1 --- [crane-scheduler] [pool-2-thread-1] o.a.k.c.c.internals.ConsumerCoordinator : java.lang.OutOfMemoryError: Java heap space"
    w.say("crane-scheduler", line, times=14)
    used = [310, 340, 360, 371, 380, 382, 383, 383, 384, 384]
    for pod in w.pods("crane-scheduler"):
        w.restarted(pod, 6, 400, 3, "Error")
    labels = {"area": "heap", "service_name": "crane-scheduler", "pod": w.pods("crane-scheduler")[0]["metadata"]["name"]}
    w.metric("heap", 'sum by (service_name, pod) (jvm_memory_used_bytes{area="heap"})', (labels, [u * 2**20 for u in used]))
    w.metric("gc", "rate(jvm_gc_pause_seconds_sum[5m])", (labels, [0.01, 0.02, 0.2, 0.5, 0.8, 0.9, 0.93, 0.95, 0.96, 0.97]))
    w.alert("JvmHeapHigh", 1400, "warning", "heap of crane-scheduler above 95%", pod=labels["pod"], service="crane-scheduler")
    w.alert("KubePodCrashLooping", 300, "warning", "Pod is crash looping", pod=labels["pod"], container="crane-scheduler")


@incident("orchard", "signals", "certificate.expired", "Certificate/pay-adapter-mtls Secret/pay-adapter-mtls Deployment/pay-adapter Service/pay-adapter")
def mtls_expired(w: World) -> None:
    told = [{"type": "Ready", "status": "False", "reason": "Expired", "message": "Certificate expired on Tue, 17 Mar 2026 08:00:00 UTC", "lastTransitionTime": "2026-03-17T08:00:00Z"}]
    spec = {"secretName": "pay-adapter-mtls", "dnsNames": ["pay-adapter"], "issuerRef": {"name": "internal-ca", "kind": "Issuer"}}
    w.add("Certificate", "pay-adapter-mtls", spec=spec, status={"conditions": told, "notAfter": "2026-03-17T08:00:00Z", "notBefore": "2025-12-17T08:00:00Z"})
    w.say("checkout", '{"level":50,"time":"2026-03-17T09:40:11Z","name":"checkout","err":{"code":"CERT_HAS_EXPIRED","message":"certificate has expired"},"msg":"POST https://pay-adapter:3005/charge failed"}', times=40)
    errors(w, "checkout")


@incident("meridian", "signals", "workload.config.changed-and-broken workload.config.value-invalid workload.config", "ConfigMap/trip-billing-config Deployment/trip-billing", "restore-config", signals=("alerts", "patterns", "dependencies", "metrics", "changes"))
def flag_switched_on(w: World) -> None:
    flags = w.get("ConfigMap", "trip-billing-config")
    flags["data"]["FeatureManagement__SegmentPricing"] = "true"
    w.edit(flags, 1000, fields={"f:data": {"f:FeatureManagement__SegmentPricing": {}}})
    w.changed(flags, "data.FeatureManagement__SegmentPricing false -> true", "-  FeatureManagement__SegmentPricing: \"false\"\n+  FeatureManagement__SegmentPricing: \"true\"", 1000, "m.okafor")
    w.say("trip-billing", "fail: Trip.Billing.Pricing[0] System.NotSupportedException: SegmentPricing: no segment table for tariff zone 14", times=40)
    errors(w, "trip-billing")


@incident("orchard", "signals", "traffic.spike", "Deployment/storefront Service/storefront Ingress/shop", "scale-deployment raise-hpa-max")
def newsletter(w: World) -> None:
    w.add("Ingress", "shop", spec={"ingressClassName": "nginx", "rules": [{"host": "greenstem.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "storefront", "port": {"number": 8080}}}}]}}]})
    rate = [120, 118, 125, 122, 800, 1900, 2400, 2600, 2550, 2610]
    w.metric("requests", 'sum by (ingress, service) (rate(nginx_ingress_controller_requests[2m]))', ({"ingress": "shop", "service": "storefront"}, rate))
    pods = [({"namespace": w.ns, "pod": p["metadata"]["name"], "container": "storefront"}, [0.1, 0.1, 0.1, 0.12, 0.35, 0.46, 0.49, 0.5, 0.5, 0.5]) for p in w.pods("storefront")]
    w.metric("cpu", "sum by (namespace, pod, container) (rate(container_cpu_usage_seconds_total[2m]))", *pods)
    w.say("storefront", "[17-Mar-2026 09:40:02] WARNING: [pool www] server reached pm.max_children setting (20), consider raising it", times=30)
    w.alert("IngressRequestRateAnomalous", 300, "warning", "request rate 20x of the same time yesterday", ingress="shop")
    w.alert("ServiceLatencyP99High", 260, "critical", "p99 of storefront above 2s", service="storefront")


@incident("harbour", "signals", "autoscaling.hpa.at-maximum", "HorizontalPodAutoscaler/quay-gateway", "raise-hpa-max")
def ceiling(w: World) -> None:
    goal = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
    now = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 188, "averageValue": "94m"}}}
    told = [
        {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": "recommended size matches current size", "lastTransitionTime": "2026-03-17T08:50:00Z"},
        {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)", "lastTransitionTime": "2026-03-10T08:50:00Z"},
        {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas", "message": "the desired replica count is more than the maximum replica count", "lastTransitionTime": "2026-03-17T09:05:00Z"},
    ]
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "quay-gateway"}, "minReplicas": 2, "maxReplicas": 3, "metrics": [goal]}
    w.add("HorizontalPodAutoscaler", "quay-gateway", spec=spec, status={"currentReplicas": 3, "desiredReplicas": 3, "currentMetrics": [now], "conditions": told})
    w.alert("KubeHpaMaxedOut", 1100, "warning", "HPA is running at max replicas", horizontalpodautoscaler="quay-gateway")
    w.alert("ServiceLatencyP99High", 900, "warning", "p99 of quay-gateway above 2s", service="quay-gateway")


@incident("meridian", "signals", "autoscaling.hpa.metrics-missing control-plane.metrics-server.down control-plane.api-service.unavailable", "HorizontalPodAutoscaler/frame-decoder Deployment/metrics-server APIService/v1beta1.metrics.k8s.io")
def blind_scaler(w: World) -> None:
    told = [
        {"type": "AbleToScale", "status": "True", "reason": "SucceededGetScale", "message": "the HPA controller was able to get the target's current scale", "lastTransitionTime": "2026-03-10T08:50:00Z"},
        {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server is currently unable to handle the request (get pods.metrics.k8s.io)", "lastTransitionTime": "2026-03-17T09:00:00Z"},
    ]
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "frame-decoder"}, "minReplicas": 3, "maxReplicas": 12}
    made = w.add("HorizontalPodAutoscaler", "frame-decoder", spec=spec, status={"currentReplicas": 3, "desiredReplicas": 0, "conditions": told})
    w.event(made, "FailedGetResourceMetric", told[1]["message"], 160, 2400, 15, source="horizontal-pod-autoscaler")
    w.alert("KubeAggregatedAPIDown", 2000, "warning", "Kubernetes aggregated API v1beta1.metrics.k8s.io has been only 0% available", name="v1beta1.metrics.k8s.io")


@incident("orchard", "signals", "queue.consumer.stopped queue.backlog.growing workload.dependency.unavailable", "Deployment/stock-sync StatefulSet/rabbit")
def nobody_consumes(w: World) -> None:
    w.metric("queue-depth", "rabbitmq_queue_messages_ready", ({"queue": "stock.updates", "vhost": "/"}, [20, 18, 900, 4000, 9000, 15000, 21000, 26000, 31000, 36000]), ({"queue": "mail.out", "vhost": "/"}, [3] * 10))
    w.metric("consumers", "rabbitmq_queue_consumers", ({"queue": "stock.updates", "vhost": "/"}, [2, 2, 0, 0, 0, 0, 0, 0, 0, 0]), ({"queue": "mail.out", "vhost": "/"}, [1] * 10))
    w.say("stock-sync", "[2026-03-17 09:05:11] production.CRITICAL: consumer stopped: delivery acknowledgement timeout, channel closed (406 PRECONDITION_FAILED); not re-subscribing", times=1)
    w.alert("RabbitmqQueueHasNoConsumers", 2000, "warning", "queue stock.updates has no consumers", queue="stock.updates", service="rabbit")


@incident("orchard", "signals", "workload.memory.limit-too-low workload.latency.saturation workload.memory workload.dependency.slow workload.latency", "Deployment/page-cache")
def cache_thrash(w: World) -> None:
    pods = [p["metadata"]["name"] for p in w.pods("page-cache")]
    w.metric("evictions", "rate(memcached_items_evicted_total[5m])", *[({"pod": p, "service": "page-cache"}, [0, 0, 2, 40, 300, 900, 1400, 1500, 1490, 1510]) for p in pods])
    w.metric("hit-ratio", 'sum by (service) (rate(memcached_commands_total{command="get",status="hit"}[5m])) / sum by (service) (rate(memcached_commands_total{command="get"}[5m]))', ({"service": "page-cache"}, [0.97, 0.97, 0.95, 0.8, 0.6, 0.4, 0.31, 0.3, 0.29, 0.3]))
    w.alert("MemcachedEvictionsHigh", 900, "warning", "page-cache evicts 1500 items per second", service="page-cache")
    slow(w, "catalog", "catalog", '{"level":40,"time":"2026-03-17T09:40:03Z","name":"catalog","msg":"slow query","table":"plants","ms":2801}')


@incident("meridian", "signals", "workload.volume.full storage.volume.full database.storage.full", "StatefulSet/tracks PersistentVolumeClaim/data-tracks-0")
def disk_full(w: World) -> None:
    labels = {"namespace": w.ns, "persistentvolumeclaim": "data-tracks-0"}
    w.metric("volume-free", "kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes", (labels, [0.2, 0.17, 0.13, 0.1, 0.06, 0.03, 0.01, 0.0, 0.0, 0.0]))
    w.say("tracks", "2026.03.17 09:40:11.120 [ 712 ] <Error> MergeTreeBackgroundExecutor: Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)", times=20)
    w.say("trip-builder", "2026-03-17T09:40:12Z ERROR trip_builder::store: insert failed: bad response: Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space", times=20)
    w.alert("KubePersistentVolumeFillingUp", 600, "critical", "PersistentVolume claimed by data-tracks-0 is only 0% free", persistentvolumeclaim="data-tracks-0")


@incident("harbour", "signals", "workload.errors.regressed-after-change workload.crash.after-change change.deploy.correlated workload.rollout.bad-revision", "Deployment/berth-planner", "rollback-deployment pause-rollout", signals=("alerts", "patterns", "dependencies", "metrics", "changes"))
def new_version_is_wrong(w: World) -> None:
    w.rollout("berth-planner", lambda c, _: c.update(image=c["image"].replace("1.31.0", "1.32.0")), 900, whole=True)
    w.changed(w.work("berth-planner"), "image ghcr.io/nordhaven/berth-planner:1.31.0 -> 1.32.0", ago=900)
    w.say("berth-planner", "Traceback (most recent call last): File \"/app/planner/solve.py\", line 118, in assign: KeyError: 'draught_m'", times=40)
    errors(w, "berth-planner", "quay-gateway")


@incident("orchard", "signals", "job.failed.application job.failed.backoff", "Job/invoice-run-29562300 CronJob/invoice-run", "recreate-job")
def invoices(w: World) -> None:
    container = {"name": "invoice-run", "image": "registry.gitlab.com/greenstem/invoices:1.1.0", "resources": {}}
    template = {"metadata": {"labels": {"app": "invoice-run"}}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    cron = w.add("CronJob", "invoice-run", spec={"schedule": "0 9 * * *", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": {"template": template, "backoffLimit": 3}}}, status={"lastScheduleTime": "2026-03-17T09:00:00Z"})
    told = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit", "lastTransitionTime": "2026-03-17T09:12:00Z"}]
    job = w.add("Job", "invoice-run-29562300", 2470, meta={"ownerReferences": owner(cron)}, spec={"backoffLimit": 3, "completions": 1, "parallelism": 1, "template": template}, status={"failed": 4, "startTime": "2026-03-17T09:00:00Z", "conditions": told})
    for number in range(2):
        pod = w.pod(job, number, 2400 - 300 * number)
        pod["status"]["phase"] = "Failed"
        status = pod["status"]["containerStatuses"][0]
        status |= {"ready": False, "state": {"terminated": {"exitCode": 2, "reason": "Error", "finishedAt": "2026-03-17T09:02:11Z"}}}
        w.log(pod, "invoices: month 2026-02: division by zero in tax line 4471", "exit status 2")
        w.conditions(pod, 2000)
    w.event(job, "BackoffLimitExceeded", "Job has reached the specified backoff limit", 1, 1750, 1750, source="job-controller")
    w.alert("KubeJobFailed", 1600, "warning", "Job failed to complete", job_name="invoice-run-29562300")


@incident("harbour", "signals", "disruption.budget.blocks-drain disruption.budget.unsatisfiable", "PodDisruptionBudget/redis-slots", "relax-pdb-temporarily")
def drain_hangs(w: World) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {w.label: "redis-slots"}}}
    status = {"currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 1, "observedGeneration": 1}
    w.add("PodDisruptionBudget", "redis-slots", spec=spec, status=status)
    where = w.pods("redis-slots")[0]["spec"]["nodeName"]
    found = w.get("Node", where, None)
    found["spec"] |= {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "2026-03-17T08:55:00Z"}]}
    w.alert("NodeDrainStuck", 1800, "warning", f"drain of {where} does not finish: Cannot evict pod as it would violate the pod's disruption budget.", node=where, pod="redis-slots-0")
    w.alert("KubePdbNotEnoughHealthyPods", 1800, "warning", "PDB does not have enough healthy pods", poddisruptionbudget="redis-slots")


@incident("orchard", "signals", "workload.env.address-wrong", "Deployment/storefront", "rollback-deployment", signals=("alerts", "patterns", "dependencies", "connectivity", "metrics", "changes"))
def catalogue_spelt_british(w: World) -> None:
    w.rollout("storefront", lambda c, _: next(e for e in c["env"] if e["name"] == "CATALOG_URL").update(value="http://catalogue:3000"), 800, whole=True)
    w.changed(w.work("storefront"), "env CATALOG_URL", '-  value: http://catalog:3000\n+  value: http://catalogue:3000', 800)
    w.say("storefront", "[2026-03-17T09:40:03] production.ERROR: cURL error 6: Could not resolve host: catalogue for http://catalogue:3000/v2/plants", times=40)
    errors(w, "storefront")


@incident("orchard", "signals", "workload.env.address-wrong workload.database.port-wrong", "Deployment/stock", "rollback-deployment")
def port_of_another_database(w: World) -> None:
    for pod in w.rollout("stock", lambda c, _: next(e for e in c["env"] if e["name"] == "DB_PORT").update(value="5432"), 1000, whole=True):
        w.unready(pod, 990)
        w.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 90, 980, 9)
    w.say("stock", '{"level":50,"time":"2026-03-17T09:40:41Z","name":"stock","err":{"code":"ECONNREFUSED","address":"10.42.0.77","port":5432,"syscall":"connect"},"msg":"database not reachable"}', times=30)
    errors(w, "basket")


@incident("orchard", "signals", "node.disk.pressure", "Node/ip-10-0-1-17.eu-west-1.compute.internal", "cordon-and-drain-node")
def images_fill_disk(w: World) -> None:
    name = w.nodes()[0]
    found = w.get("Node", name, None)
    found["status"]["conditions"][1] |= {"status": "True", "reason": "KubeletHasDiskPressure", "message": "kubelet has disk pressure", "lastTransitionTime": "2026-03-17T09:18:00Z"}
    found["spec"]["taints"] = [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule", "timeAdded": "2026-03-17T09:18:00Z"}]
    w.event(found, "EvictionThresholdMet", "Attempting to reclaim ephemeral-storage", 30, 1400, 60)
    w.event(found, "FreeDiskSpaceFailed", "Failed to garbage collect required amount of images. Attempted to free 8117731328 bytes, but only found 0 bytes eligible to free.", 5, 1380, 300)
    for s in ("catalog", "pricing"):
        pod = w.pods(s)[0]
        pod["spec"]["nodeName"] = name
        pod["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: ephemeral-storage. Threshold quantity: 8387377200, available: 4011932Ki.", "startTime": "2026-03-15T09:00:00Z"}
        w.event(pod, "Evicted", "The node was low on resource: ephemeral-storage. Threshold quantity: 8387377200, available: 4011932Ki.", 1, 1350, 1350)
        w.pod(w.work(s), 5, 1340)
    w.alert("NodeFilesystemSpaceFillingUp", 1500, "critical", "Filesystem on /dev/nvme0n1p1 has only 4% space left", instance="10.0.1.17:9100", node=name)


@incident("meridian", "signals", "node.kube-proxy.down", "Node/ip-10-0-1-17.eu-west-1.compute.internal Node/ip-10-0-2-81.eu-west-1.compute.internal Node/ip-10-0-3-140.eu-west-1.compute.internal")
def proxy_dead_on_a_node(w: World) -> None:
    bad = w.pods("ops-console")[0]["spec"]["nodeName"]
    for name in w.nodes():
        w.units[name] = [{"service": u, "active": True, "sub": "running", "raw": f"● {u}.service - active (running)"} for u in ("kubelet", "containerd")]
        ok = name != bad
        w.units[name].append({"service": "kube-proxy", "active": ok, "sub": "running" if ok else "failed", "raw": f"● kube-proxy.service - {'active (running)' if ok else 'failed (Result: exit-code)'}"})
    w.connect("fleet-bff", 8080, False, ("ops-console", False), ("prober", True), raw="nc: fleet-bff (172.20.0.24:8080): No route to host")
    w.say("ops-console", '{"level":50,"time":"2026-03-17T09:40:00Z","name":"ops-console","msg":"connect EHOSTUNREACH 172.20.0.24:8080"}', times=30)
    w.alert("HighErrorRate", 800, "critical", "ops-console fails", service="ops-console")


@incident("harbour", "signals", "workload.dependency.unavailable workload.errors.upstream", "Deployment/customs-bridge")
def foreign_api_down(w: World) -> None:
    w.say("customs-bridge", '{"level":"error","ts":"2026-03-17T09:40:03Z","msg":"declare","err":"Post \\"https://api.customs.example.org/v2/declare\\": unexpected status 503 Service Unavailable"}', times=40)
    w.say("manifest-api", '{"level":"error","ts":"2026-03-17T09:40:04Z","msg":"customs","err":"rpc error: code = Unavailable desc = customs authority not available"}', times=30)
    errors(w, "customs-bridge", "manifest-api")


@incident("harbour", "signals", "workload.latency.saturation workload.cpu.saturated workload.dependency.slow workload.latency", "Deployment/tide-forecast")
def slow_model(w: World) -> None:
    slow(w, "berth-planner", "tide-forecast", "2026-03-17 09:40:02 ERROR [berth-planner] requests.exceptions.ReadTimeout: HTTPConnectionPool(host='tide-forecast', port=8000): Read timed out. (read timeout=3)")
    w.say("tide-forecast", "2026-03-17 09:40:01 WARNING [tide-forecast] request queue depth 211, oldest waits 4.8 s", times=12)

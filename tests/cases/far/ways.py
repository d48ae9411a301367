"""Rollouts and settings that crash nothing, what is upstream of what hurts, two faults at once."""

from tests.cases.builder import crashing, ended, running
from tests.cases.far.ground import Estate
from tests.cases.far.load import istio
from tests.cases.far.told import case
from tests.cases.far.towns import haulwave, stagedoor


@case(
    stagedoor,
    "workload.latency.regressed-after-change Deployment/pricing",
    "workload.rollout.bad-revision Deployment/pricing",
    "workload.dependency.slow Deployment/pricing",
    "change.deploy.correlated Deployment/pricing",
    cures="rollback-deployment",
)
def pricing_slower_since_release(c: Estate) -> None:
    c.released("pricing", 1500)
    c.container("pricing")["image"] = "harbor.stagedoor.example/stagedoor/pricing:3.0.0"
    c.depends()
    c.fails(
        "order-desk",
        'ERROR d.s.orders.PriceStep|I/O error on POST request for "http://pricing:8000/quote": Read timed out',
        since=1300,
        times=6,
    )
    c.fails(
        "storefront",
        "ERROR quote failed|AbortError: The operation was aborted due to timeout (http://pricing:8000/quote)",
        since=1300,
    )
    c.fails(
        "pricing", 'INFO uvicorn.access|10.244.2.9:41822 - "POST /quote HTTP/1.1" 200 6.212s', since=1400, level="INFO"
    )
    query = "histogram_quantile(0.95, sum by (le, service) (rate(http_server_requests_seconds_bucket[5m])))"
    istio(
        c,
        "p95",
        query,
        {
            "pricing": [0.11, 0.12, 6.1, 6.3, 6.2],
            "order-desk": [0.4, 0.4, 5.1, 5.2, 5.1],
            "search": [0.2] * 5,
            "accounts": [0.1] * 5,
        },
        "service",
    )
    c.page("LatencyP95", "order-desk p95 5.2 s", service="order-desk", ago=1000)


@case(
    haulwave,
    "workload.errors.regressed-after-change Deployment/invoicing",
    "workload.rollout.bad-revision Deployment/invoicing",
    "change.deploy.correlated Deployment/invoicing",
    cures="rollback-deployment",
)
def invoicing_misses_migration(c: Estate) -> None:
    c.released("invoicing", 2000)
    c.container("invoicing")["image"] = "harbor.haulwave.example/haulwave/invoicing:9.0.0"
    c.fails(
        "invoicing",
        "ERROR [a91c] ActiveRecord::StatementInvalid (Mysql2::Error: Unknown column 'invoices.tax_code' in 'field list'):",
        "INFO [a91c] Completed 500 Internal Server Error in 12ms (ActiveRecord: 2.0ms)",
        since=1950,
        times=9,
    )
    c.fails(
        "reports-mysql",
        "412 [Note] [MY-010914] [Server] Aborted connection 412 to db: 'invoicing' user: 'invoicing' host: '10.244.1.8' (Got an error reading communication packets).",
        since=9000,
        times=2,
        only=1,
    )
    istio(
        c,
        "codes",
        "sum by (destination_workload, response_code) (rate(istio_requests_total[5m]))",
        {"fleet-api": [30, 31, 30, 30]},
    )
    c.page("InvoicingErrors", "invoicing 5xx ratio 0.9", service="invoicing", ago=1700, severity="critical")


@case(
    stagedoor,
    "workload.config.changed-and-broken ConfigMap/seatmap-flags",
    "change.config.correlated ConfigMap/seatmap-flags",
    "workload.config.value-invalid ConfigMap/seatmap-flags",
    cures="restore-config",
)
def flag_turned_on(c: Estate) -> None:
    c.config(
        "seatmap-flags",
        {"flags.json": '{"suggest_v2": {"enabled": true, "rollout": 100}, "dense_rows": {"enabled": false}}'},
        changed=760,
        by="flag-console",
    )
    c.get("deployments", "seatmap")["spec"]["template"]["spec"]["volumes"] = [
        {"name": "flags", "configMap": {"name": "seatmap-flags"}}
    ]
    c.change(
        760,
        "flag-console",
        "ConfigMap/seatmap-flags",
        "suggest_v2.enabled: false -> true",
        '-  "suggest_v2": {"enabled": false}\n+  "suggest_v2": {"enabled": true, "rollout": 100}',
    )
    c.fails("seatmap", "INFO flags reloaded|suggest_v2=on", since=755, times=1, level="INFO")
    c.fails(
        "seatmap",
        "ERROR request failed|suggest_v2: index out of bounds: the len is 40 but the index is 41 status=500",
        since=750,
        times=9,
    )
    c.fails("storefront", "ERROR seat map unavailable|Error: 500 from http://seatmap:8090/venues/212", since=740)
    c.page("SeatmapErrors", "5xx ratio 0.71", service="seatmap", ago=600, severity="critical")


@case(
    stagedoor,
    "control-plane.webhook.failing MutatingWebhookConfiguration/linkerd-proxy-injector",
    "control-plane.webhook.failing MutatingWebhookConfiguration/linkerd-proxy-injector-webhook-config",
)
def injector_gone(c: Estate) -> None:
    hook = {
        "name": "linkerd-proxy-injector.linkerd.io",
        "failurePolicy": "Fail",
        "clientConfig": {"service": {"name": "linkerd-proxy-injector", "namespace": "linkerd", "port": 443}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
    }
    c.put(
        None,
        "mutatingwebhookconfigurations",
        {"metadata": {"name": "linkerd-proxy-injector-webhook-config"}, "webhooks": [hook]},
    )
    c.released("notify", 900)
    c.no_pods.add("notify")
    text = 'Error creating: Internal error occurred: failed calling webhook "linkerd-proxy-injector.linkerd.io": failed to call webhook: Post "https://linkerd-proxy-injector.linkerd.svc:443/?timeout=10s": no endpoints available for service "linkerd-proxy-injector"'
    c.event("ReplicaSet", c.pod_name("notify")[:-6], "FailedCreate", text, ago=60, count=17)
    c.page(
        "KubeDeploymentReplicasMismatch",
        "Deployment stagedoor/notify has not matched the expected number of replicas",
        deployment="notify",
        ago=600,
    )


@case(haulwave, "workload.replicas.zero Deployment/driver-id", cures="scale-deployment restore-replicas")
def driver_id_scaled_away(c: Estate) -> None:
    c.get("deployments", "driver-id")["spec"]["replicas"] = 0
    c.event(
        "Deployment",
        "driver-id",
        "ScalingReplicaSet",
        "Scaled down replica set driver-id-6b9f7c5d4c to 0 from 2",
        ago=1500,
        type_="Normal",
        count=1,
    )
    c.state("fleet-api", running(ready=False, since=90_000))
    for n in range(3):
        c.event(
            "Pod",
            c.pod_name("fleet-api", n),
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
            path="spec.containers{fleet-api}",
            ago=12,
            count=140,
        )
    c.fails(
        "fleet-api",
        "ERROR readiness: identity unreachable|Error: connect ECONNREFUSED <ip driver-id>:8080 (driver-id)",
        since=1400,
        times=6,
    )
    c.fails(
        "fleet-ui",
        'ERROR connect() failed (111: Connection refused) while connecting to upstream, client: 10.244.0.1, server: , request: "GET /api/vehicles HTTP/1.1", upstream: "http://<ip fleet-api>:4000/api/vehicles"',
        since=1300,
        times=6,
    )
    c.page("FleetUi502", "502 ratio 1.0", service="fleet-ui", ago=1200, severity="critical")
    c.page("KubeDeploymentReplicasMismatch", "fleet-api has 0 of 3 ready", deployment="fleet-api", ago=900)


@case(
    haulwave,
    "workload.memory.oom-killed Deployment/geofence",
    "workload.memory.limit-too-low Deployment/geofence",
    "workload.memory.leak Deployment/geofence",
    cures="raise-memory-limit rotate-leaking-pods",
)
def breaker_open_over_oom(c: Estate) -> None:
    c.container("geofence")["resources"] = {"requests": {"memory": "64Mi"}, "limits": {"memory": "96Mi"}}
    c.released("trips", 3000)
    c.container("trips")["image"] = "harbor.haulwave.example/haulwave/trips:6.6.6"
    c.state(
        "geofence",
        lambda index: (
            {**crashing(137, "OOMKilled", restarts=11, ran=35)}
            if index == 0
            else running(restarts=10, since=50, last=ended(137, "OOMKilled", ran=44, ago=52))
        ),
    )
    c.event(
        "Pod",
        c.pod_name("geofence", 0),
        "BackOff",
        f"Back-off restarting failed container geofence in pod {c.pod_name('geofence', 0)}_haulwave(77aa)",
        path="spec.containers{geofence}",
        ago=20,
        count=31,
    )
    c.fails(
        "trips",
        "ERROR i.h.trips.TripAssembler|fence check skipped: io.github.resilience4j.circuitbreaker.CallNotPermittedException: CircuitBreaker 'geofence' is OPEN and does not permit further calls",
        since=2500,
        times=8,
    )
    c.metric(
        "mem",
        "container_memory_working_set_bytes",
        *(
            (
                {"pod": c.pod_name("geofence", n), "container": "geofence"},
                [91_000_000, 99_000_000, 100_500_000, 80_000_000],
            )
            for n in range(2)
        ),
    )
    c.page("TripsDegraded", "circuit open", deployment="trips", ago=2000)


@case(
    stagedoor,
    "workload.database.credentials-invalid Deployment/notify",
    "workload.secret.rotated-not-reloaded Deployment/notify",
    "workload.env.missing Deployment/notify",
    "workload.memory.oom-killed Deployment/search",
    second="workload.memory Deployment/search",
    cures="raise-memory-limit restart-deployment",
)
def two_auth_and_oom(c: Estate) -> None:
    c.container("hold-redis")["args"] = ["--requirepass", "$(REDIS_PASSWORD)"]
    c.fails(
        "notify",
        "ERROR consumer: Cannot connect to redis://hold-redis:6379/2: invalid username-password pair or user is disabled.. Trying again in 32.00 seconds... (16/100)",
        since=2800,
        times=7,
    )
    c.state("search", lambda index: running(restarts=6, since=200, last=ended(137, "OOMKilled", ran=600, ago=205)))
    c.metric(
        "mem",
        "container_memory_working_set_bytes",
        *(({"pod": c.pod_name("search", n), "container": "search"}, [100e6, 180e6, 251e6, 262e6]) for n in range(2)),
    )
    c.page("NotifyBacklog", "mails are late", deployment="notify", ago=2500)
    c.page("KubePodRestarts", "search restarts", pod=c.pod_name("search", 0), ago=2000)


@case(
    haulwave,
    "service.selector.mismatch Service/sessions",
    "database.mode.read-only StatefulSet/reports-mysql",
    second="database.mode.read-only StatefulSet/reports-mysql",
    cures="restore-service-spec",
)
def two_selector_and_read_only(c: Estate) -> None:
    c.get("services", "sessions")["spec"]["selector"] = {"app": "session", "app.kubernetes.io/part-of": "haulwave"}
    c.fails("fleet-api", "ERROR session store|Error: connect ECONNREFUSED <ip sessions>:11211", since=1800, times=6)
    c.fails("alerting", "ERROR memcache get failed: {:error, :econnrefused} sessions:11211", since=1800)
    c.fails(
        "invoicing",
        "ERROR [be12] ActiveRecord::StatementInvalid (Mysql2::Error: The MySQL server is running with the --read-only option so it cannot execute this statement):",
        since=2600,
        times=6,
    )
    c.page("SessionsLost", "logins fail", service="fleet-api", ago=1500)
    c.page("InvoicingErrors", "invoicing 5xx ratio 0.4", service="invoicing", ago=2200)


# Nothing in the cluster says what it was before: a person knows, or Git does.
@case(
    stagedoor,
    "workload.dependency.unavailable Deployment/barcode",
    "service.endpoints.empty Service/barcode",
    "workload.port.not-listening Deployment/barcode",
    "workload.config.value-invalid ConfigMap/barcode-config",
    "workload.probe.readiness-port-wrong Deployment/barcode",
)
def barcode_listens_on_loopback(c: Estate) -> None:
    c.config("barcode-config", {"LISTEN_ADDR": "127.0.0.1:9090"}, changed=2300)
    c.container("barcode")["envFrom"] = [{"configMapRef": {"name": "barcode-config"}}]
    c.released("barcode", 2200)
    c.say("barcode", "INFO", "grpc server listening|addr=127.0.0.1:9090", ago=2150)
    c.say("barcode", "INFO", "grpc server listening|addr=127.0.0.1:9090", ago=2149, index=1)
    c.fails(
        "ticket-mint",
        "ERROR TicketConsumer|seal failed, requeue: Error: 14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED <ip barcode>:9090",
        since=2100,
        times=7,
    )
    c.page("TicketMintRequeue", "redelivered ratio 0.99", deployment="ticket-mint", ago=1900)

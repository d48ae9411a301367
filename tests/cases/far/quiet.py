"""Nothing is wrong and a good deal is said; or something may be wrong and nobody could tell what from this."""

from tests.cases.builder import at, ended, running
from tests.cases.far.ground import Estate
from tests.cases.far.told import case
from tests.cases.far.towns import haulwave, stagedoor


@case(stagedoor, "none Namespace/stagedoor")
def quiet_watchdog(c: Estate) -> None:
    c.page(
        "Watchdog",
        "This is an alert meant to ensure that the entire alerting pipeline is functional.",
        ago=900_000,
        severity="none",
    )
    c.page("InfoInhibitor", "inhibits info alerts", ago=90_000, severity="none")
    c.fails("accounts", "WARN d.s.accounts.LoginThrottle|6 failed logins from 198.51.100.9", since=3000, level="WARN")


@case(stagedoor, "none Namespace/stagedoor")
def quiet_recovered_database(c: Estate) -> None:
    c.state("orders-pg", running(restarts=1, since=3300, last=ended(0, "Completed", ran=900_000, ago=3320)))
    c.say("orders-pg", "INFO", "[1] LOG:  received fast shutdown request", ago=3330, previous=True)
    for n in range(3):
        c.say(
            "order-desk",
            "ERROR",
            "o.h.engine.jdbc.spi.SqlExceptionHelper|org.postgresql.util.PSQLException: FATAL: terminating connection due to administrator command",
            ago=3328,
            index=n,
        )
        c.say(
            "order-desk",
            "ERROR",
            "com.zaxxer.hikari.pool.HikariPool|HikariPool-1 - Exception during pool initialization. org.postgresql.util.PSQLException: Connection to orders-pg:5432 refused.",
            ago=3310,
            index=n,
        )
    c.fails(
        "order-desk",
        "INFO d.s.orders.OrderController|Order 70233999 confirmed in 190 ms",
        since=3200,
        times=9,
        level="INFO",
    )
    c.page("HighErrorRate", "order-desk 5xx", service="order-desk", ago=3300, status="resolved", severity="critical")


@case(haulwave, "none Namespace/haulwave")
def quiet_autoscaler(c: Estate) -> None:
    c.hpa("trips", 3, 12, 5, 61)
    c.get("deployments", "trips")["spec"]["replicas"] = 5
    for ago, size, why in (
        (3000, 4, "cpu resource utilization (percentage of request) above target"),
        (2400, 5, "cpu resource utilization (percentage of request) above target"),
    ):
        c.event(
            "HorizontalPodAutoscaler",
            "trips",
            "SuccessfulRescale",
            f"New size: {size}; reason: {why}",
            ago=ago,
            type_="Normal",
            count=1,
        )
    c.event(
        "HorizontalPodAutoscaler",
        "trips",
        "FailedGetResourceMetric",
        "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)",
        ago=2990,
        count=2,
    )
    c.event(
        "Pod",
        c.pod_name("trips", 4),
        "Unhealthy",
        'Readiness probe failed: Get "http://10.244.3.7:8080/actuator/health/readiness": dial tcp 10.244.3.7:8080: connect: connection refused',
        path="spec.containers{trips}",
        ago=2380,
        count=3,
    )
    c.metric(
        "p95",
        "histogram_quantile(0.95, sum by (le, service) (rate(http_server_requests_seconds_bucket[5m])))",
        ({"service": "trips"}, [0.1, 0.21, 0.14, 0.11, 0.1]),
    )


@case(haulwave, "none Namespace/haulwave")
def quiet_breaker_closed_again(c: Estate) -> None:
    for n in range(3):
        c.say(
            "trips",
            "WARN",
            "i.g.r.c.CircuitBreakerStateMachine|CircuitBreaker 'geofence' changed state from CLOSED to OPEN",
            ago=3400,
            index=n,
        )
        c.say(
            "trips",
            "ERROR",
            "i.h.trips.TripAssembler|fence check skipped: CircuitBreaker 'geofence' is OPEN and does not permit further calls",
            ago=3390,
            index=n,
        )
        c.say(
            "trips",
            "INFO",
            "i.g.r.c.CircuitBreakerStateMachine|CircuitBreaker 'geofence' changed state from HALF_OPEN to CLOSED",
            ago=3330,
            index=n,
        )
    c.fails("trips", "INFO i.h.trips.TripAssembler|Closed trip 88200 (41 km)", since=3200, times=8, level="INFO")
    c.page("TripsDegraded", "circuit open", deployment="trips", ago=3380, status="resolved")


@case(haulwave, "none Namespace/haulwave")
def quiet_rollout_done(c: Estate) -> None:
    c.released("fleet-api", 1500)
    c.container("fleet-api")["image"] = "harbor.haulwave.example/haulwave/fleet-api:8.0.0"
    c.event(
        "Pod",
        c.pod_name("fleet-api", 0),
        "Unhealthy",
        'Startup probe failed: Get "http://10.244.2.2:4000/healthz": dial tcp 10.244.2.2:4000: connect: connection refused',
        path="spec.containers{fleet-api}",
        ago=1488,
        count=2,
    )
    c.fails("fleet-api", "WARN slow request|GET /vehicles took 812ms", since=1400, times=2, level="WARN")
    c.change(1500, "argocd-application-controller", "Deployment/fleet-api", "image 7.9.1 -> 8.0.0")
    c.page("KubeDeploymentRolloutStuck", "fleet-api", deployment="fleet-api", ago=1450, status="resolved")


@case(stagedoor, "none Namespace/stagedoor")
def quiet_customers_err(c: Estate) -> None:
    c.fails(
        "order-desk",
        "WARN d.s.orders.OrderController|rejected: card declined (402) for basket 11ab",
        "WARN o.s.w.s.m.s.DefaultHandlerExceptionResolver|Resolved [org.springframework.web.bind.MethodArgumentNotValidException: Validation failed]",
        since=3000,
        times=6,
        level="WARN",
    )
    c.fails(
        "accounts",
        "WARN d.s.accounts.SessionResource|401 bad password for user 88112",
        since=3000,
        times=6,
        level="WARN",
    )
    c.fails("edge", 'INFO "GET /wp-login.php HTTP/1.1" 404 153', since=3000, times=6, level="INFO")
    c.fails(
        "edge",
        'ERROR open() "/usr/share/nginx/html/.env" failed (2: No such file or directory), client: 203.0.113.9',
        since=3000,
        times=4,
    )
    c.metric(
        "codes",
        "sum by (service, status) (rate(http_server_requests_seconds_count[5m]))",
        ({"service": "order-desk", "status": "402"}, [0.1, 0.2, 0.1]),
        ({"service": "order-desk", "status": "200"}, [9, 9, 10]),
    )


@case(stagedoor, "none Namespace/stagedoor")
def quiet_failed_job_since_repaired(c: Estate) -> None:
    c.put(
        c.namespace,
        "jobs",
        {
            "metadata": {
                "name": "nightly-export-29528640",
                "ownerReferences": [{"kind": "CronJob", "name": "nightly-export", "controller": True}],
                "creationTimestamp": at(122_400),
            },
            "spec": {"backoffLimit": 3},
            "status": {
                "failed": 4,
                "conditions": [
                    {
                        "type": "Failed",
                        "status": "True",
                        "reason": "BackoffLimitExceeded",
                        "message": "Job has reached the specified backoff limit",
                        "lastTransitionTime": at(121_000),
                    }
                ],
            },
        },
    )
    c.event(
        "Job",
        "nightly-export-29528640",
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit",
        ago=121_000,
        count=1,
    )


@case(stagedoor, "unknown.insufficient-evidence Namespace/stagedoor")
def unclear_latency(c: Estate) -> None:
    c.lacks = frozenset({"logs"})
    c.page("LatencyP99", "p99 of https://tickets.stagedoor.example is 4.1 s", ago=700, job="blackbox")
    c.metric(
        "probe",
        "probe_duration_seconds",
        ({"instance": "https://tickets.stagedoor.example"}, [0.4, 0.4, 3.8, 4.2, 4.1]),
    )


@case(
    stagedoor,
    "unknown.insufficient-evidence Deployment/payments",
    "workload.dependency.unavailable Deployment/payments",
    "workload.dependency.unavailable Service/psp",
    "workload.dependency.slow Deployment/payments",
)
def unclear_third_party(c: Estate) -> None:
    c.fails(
        "payments",
        "WARN Polly|OnRetry. Source: 'psp', Operation Key: '', Result: 'HTTP 503 from https://api.paystream.example/v2/captures'",
        "ERROR Stagedoor.Payments.CaptureHandler|capture failed: 503 Service Unavailable from https://api.paystream.example/v2/captures",
        since=900,
        times=6,
    )
    c.page("CaptureFailing", "captures fail", service="payments", ago=700, severity="critical")


@case(haulwave, "unknown.insufficient-evidence Namespace/haulwave")
def unclear_few_errors(c: Estate) -> None:
    c.fails("fleet-api", "ERROR request failed|Error: internal error (request 9c1)", since=1500, times=3, only=1)
    c.fails("invoicing", "ERROR [77ff] Completed 500 Internal Server Error in 31ms", since=1500, times=3, only=1)
    c.page("ErrorBudgetBurn", "error budget of fleet is burning at 3 times", ago=1000, slo="fleet-availability")


@case(haulwave, "unknown.insufficient-evidence Namespace/haulwave")
def unclear_business_metric(c: Estate) -> None:
    c.metric(
        "frames", "sum(rate(device_frames_accepted_total[5m]))", ({"job": "device-gw"}, [4100, 4080, 3100, 2980, 3010])
    )
    c.page("DeviceFramesLow", "frames are 26% below last week", ago=1500, job="device-gw")

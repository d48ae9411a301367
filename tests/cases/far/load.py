"""Faults of load, limits and time."""

from tests.cases.builder import ended, running
from tests.cases.far.ground import Estate
from tests.cases.far.told import case
from tests.cases.far.towns import NODES, haulwave, stagedoor


def istio(c: Estate, name: str, query: str, rows: dict[str, list[float]], label: str = "destination_workload") -> None:
    """A query of the mesh by workload."""
    c.metric(name, query, *(({label: key}, values) for key, values in rows.items()))


@case(
    stagedoor,
    "autoscaling.hpa.at-maximum HorizontalPodAutoscaler/storefront",
    "traffic.spike HorizontalPodAutoscaler/storefront",
    "traffic.spike Deployment/storefront",
    cures="raise-hpa-max",
)
def storefront_at_its_limit(c: Estate) -> None:
    c.get("deployments", "storefront")["spec"]["replicas"] = 6
    c.hpa(
        "storefront",
        3,
        6,
        6,
        172,
        ScalingLimited=("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count"),
    )
    c.metric(
        "cpu",
        'sum by (pod) (rate(container_cpu_usage_seconds_total{container="storefront"}[5m])) / sum by (pod) (kube_pod_container_resource_limits{resource="cpu"})',
        *(({"pod": c.pod_name("storefront", n)}, [0.4, 0.7, 0.93, 0.97, 0.98]) for n in range(6)),
    )
    c.metric(
        "rps",
        'sum(rate(nginx_ingress_controller_requests{ingress="stagedoor"}[5m]))',
        ({"ingress": "stagedoor"}, [120, 340, 720, 910, 960]),
    )
    c.page(
        "KubeHpaMaxedOut",
        "HPA stagedoor/storefront has been running at max replicas for longer than 15 minutes",
        horizontalpodautoscaler="storefront",
        ago=1500,
    )
    c.page("LatencyP95", "storefront p95 2.9 s", service="storefront", ago=1300)


@case(
    stagedoor,
    "workload.cpu.throttled Deployment/seatmap",
    "workload.cpu.saturated Deployment/seatmap",
    cures="raise-cpu-limit",
)
def seatmap_throttled(c: Estate) -> None:
    c.container("seatmap")["resources"] = {
        "requests": {"cpu": "100m", "memory": "64Mi"},
        "limits": {"cpu": "200m", "memory": "512Mi"},
    }
    query = "sum by (pod, container) (rate(container_cpu_cfs_throttled_periods_total[5m])) / sum by (pod, container) (rate(container_cpu_cfs_periods_total[5m]))"
    c.metric(
        "throttled",
        query,
        *(({"pod": c.pod_name("seatmap", n), "container": "seatmap"}, [0.1, 0.42, 0.81, 0.84, 0.86]) for n in range(2)),
        ({"pod": c.pod_name("edge", 0), "container": "edge"}, [0.02, 0.03, 0.02, 0.04, 0.03]),
    )
    c.fails(
        "storefront", "WARN seat map slow|http://seatmap:8090/venues/212 took 3102ms", since=1500, times=6, level="WARN"
    )
    c.page(
        "CPUThrottlingHigh",
        "86% throttling of CPU in container seatmap",
        pod=c.pod_name("seatmap", 0),
        container="seatmap",
        ago=1500,
        severity="info",
    )
    c.page("LatencyP95", "storefront p95 3.2 s", service="storefront", ago=1200)


@case(
    stagedoor,
    "workload.memory.limit-too-low Deployment/accounts",
    "workload.memory.leak Deployment/accounts",
    "workload.memory.oom-killed Deployment/accounts",
    cures="raise-memory-limit rotate-leaking-pods",
)
def accounts_heap(c: Estate) -> None:
    c.env("accounts", "JAVA_TOOL_OPTIONS", "-Xmx160m -XX:+ExitOnOutOfMemoryError")
    c.state("accounts", lambda index: running(restarts=3 + index, since=400, last=ended(3, "Error", ran=1900, ago=402)))
    for index in range(2):
        c.say(
            "accounts",
            "ERROR",
            "i.q.v.h.runtime.QuarkusErrorHandler|HTTP Request to /sessions failed: java.lang.OutOfMemoryError: Java heap space",
            ago=406,
            index=index,
            previous=True,
        )
        c.say(
            "accounts",
            "INFO",
            "stdout|Terminating due to java.lang.OutOfMemoryError: Java heap space",
            ago=404,
            index=index,
            previous=True,
        )
    c.metric(
        "heap",
        'sum by (pod) (jvm_memory_used_bytes{area="heap"}) / sum by (pod) (jvm_memory_max_bytes{area="heap"})',
        *(({"pod": c.pod_name("accounts", n)}, [0.81, 0.93, 0.99, 0.55, 0.83]) for n in range(2)),
    )
    c.metric(
        "gc",
        "sum by (pod) (rate(jvm_gc_pause_seconds_sum[5m]))",
        *(({"pod": c.pod_name("accounts", n)}, [0.05, 0.31, 0.72, 0.04, 0.4]) for n in range(2)),
    )
    c.page("AccountsErrors", "accounts 5xx 0.12", service="accounts", ago=1500)


@case(
    haulwave,
    "autoscaling.hpa.metrics-missing HorizontalPodAutoscaler/trips",
    "workload.cpu.request-missing Deployment/trips",
)
def trips_cannot_scale(c: Estate) -> None:
    text = "failed to get cpu utilization: missing request for cpu in container istio-proxy of Pod " + c.pod_name(
        "trips", 0
    )
    c.hpa(
        "trips",
        3,
        12,
        3,
        0,
        ScalingActive=("False", "FailedGetResourceMetric", "the HPA was unable to compute the replica count: " + text),
    )
    sidecar = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.24.2", "ports": [{"containerPort": 15090}]}
    c.get("deployments", "trips")["spec"]["template"]["spec"]["containers"].append(sidecar)
    c.event("HorizontalPodAutoscaler", "trips", "FailedGetResourceMetric", text, ago=30, count=400)
    c.event(
        "HorizontalPodAutoscaler",
        "trips",
        "FailedComputeMetricsReplicas",
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: " + text,
        ago=30,
        count=400,
    )
    c.page("KubeHpaReplicasMismatch", "trips is not scaled", horizontalpodautoscaler="trips", ago=5000)


@case(
    haulwave,
    "traffic.abusive-client Deployment/fleet-api",
    "traffic.spike Deployment/fleet-api",
    "traffic.abusive-client Ingress/haulwave",
    "traffic.spike Ingress/haulwave",
)
def one_key_asks_too_often(c: Estate) -> None:
    istio(
        c,
        "clients",
        'topk(5, sum by (api_key) (rate(http_requests_total{service="fleet-api"}[5m])))',
        {"k-depot-9931": [2, 2, 410, 640, 655], "k-dispatch": [11, 12, 11, 11, 12], "k-app": [21, 20, 22, 21, 20]},
        "api_key",
    )
    c.fails(
        "fleet-api",
        "WARN rate limit exceeded for key k-depot-9931|429 GET /vehicles?page=8812 from 198.51.100.23",
        "WARN rate limit exceeded for key k-depot-9931|429 GET /vehicles?page=8813 from 198.51.100.23",
        since=1500,
        times=12,
        level="WARN",
    )
    c.page("FleetApiRequestRate", "requests are 16 times of last week", service="fleet-api", ago=1200)


@case(
    stagedoor,
    "workload.cpu.saturated Deployment/fraud",
    "workload.latency.saturation Deployment/fraud",
    "workload.errors.saturation Deployment/fraud",
    "workload.cpu.throttled Deployment/fraud",
    "workload.replicas.too-few Deployment/fraud",
    cures="scale-deployment raise-cpu-limit",
)
def fraud_saturated(c: Estate) -> None:
    c.get("deployments", "fraud")["spec"]["replicas"] = 1
    c.metric(
        "cpu",
        'sum by (pod) (rate(container_cpu_usage_seconds_total{container="fraud"}[5m])) / sum by (pod) (kube_pod_container_resource_limits{resource="cpu",container="fraud"})',
        ({"pod": c.pod_name("fraud", 0)}, [0.5, 0.8, 0.97, 0.99, 1.0]),
    )
    c.metric("queue", "grpc_server_queue_depth", ({"pod": c.pod_name("fraud", 0)}, [0, 4, 61, 118, 140]))
    c.fails(
        "fraud",
        "WARN fraud.server|queue depth 131, oldest waits 9.2 s; all 8 worker threads busy",
        since=1500,
        times=6,
        level="WARN",
    )
    c.fails(
        "order-desk",
        "WARN d.s.orders.FraudGate|fraud check skipped: io.grpc.StatusRuntimeException: DEADLINE_EXCEEDED: deadline exceeded after 1.999s. [remote_addr=fraud/<ip fraud>:50051]",
        since=1400,
        times=6,
        level="WARN",
    )
    c.page("FraudCheckSkipped", "a third of orders unscored", service="order-desk", ago=1200)


@case(haulwave, f"node.clock.skewed Node/{NODES[3]}")
def a_node_in_the_future(c: Estate) -> None:
    c.metric(
        "offset",
        "node_timex_offset_seconds",
        *(({"instance": n, "node": n}, [0.0001, 41.2, 88.0, 120.4] if n == NODES[3] else [0.0002] * 4) for n in NODES),
    )
    c.metric(
        "sync",
        "node_timex_sync_status",
        *(({"instance": n, "node": n}, [1, 0, 0, 0] if n == NODES[3] else [1] * 4) for n in NODES),
    )
    c.fails(
        "fleet-api",
        "WARN token refused|JsonWebTokenError: jwt not active (nbf 2026-03-01T12:01:40Z)",
        since=1300,
        times=7,
        level="WARN",
    )
    c.page(
        "NodeClockSkewDetected",
        "Clock at node is out of sync by more than 0.05s",
        instance=NODES[3],
        node=NODES[3],
        ago=1500,
    )
    c.page(
        "NodeClockNotSynchronising", "Clock at node is not synchronising", instance=NODES[3], node=NODES[3], ago=1400
    )

"""Namespaces that are well, however loud; and incidents of which too little was seen to tell."""

# Objects read better in few long lines.
# fmt: off

from tests.cases.wild.library import ALERTED, incident
from tests.cases.wild.signalled import STEADY
from tests.cases.wild.world import World

WELL = "none.healthy none.false-alarm none.recovered none.watchdog"


@incident("harbour", "dump", WELL, flavour="control")
def an_ordinary_day(w: World) -> None:
    w.restarted(w.pods("ais-ingest")[0], 9, 5 * 86400)


@incident("meridian", "dump", WELL, flavour="control", named=False)
def finished_rollout(w: World) -> None:
    for pod in w.rollout("fleet-bff", lambda c, _: c.update(image=c["image"].replace("11.0.4", "11.1.0")), 1200, whole=True):
        w.event(pod, "Unhealthy", "Readiness probe failed: dial tcp 10.42.0.80:8080: connect: connection refused", 2, 1195, 1188)
        w.event(pod, "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", 1, 1201, 1201, source="default-scheduler")


@incident("orchard", "signals", WELL, flavour="control")
def watchdog_only(w: World) -> None:
    w.alert("Watchdog", 90000, "none", "This is an alert meant to ensure that the entire alerting pipeline is functional.")
    w.metric("latency", "histogram_quantile(0.99, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))", *[({"service": s.name}, STEADY) for s in w.svcs if s.port])


@incident("orchard", "signals", "none.recovered none.healthy none.false-alarm", flavour="control")
def blip_is_over(w: World) -> None:
    w.say("storefront", "[2026-03-17T08:50:03] production.ERROR: cURL error 28: Operation timed out after 3000 milliseconds with 0 bytes received for http://catalog:3000/v2/plants", times=2)
    w.restarted(w.pods("catalog")[0], 1, 3000)
    ratio = [0.0, 0.2, 0.3, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    w.metric("error-ratio", 'sum by (service) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (service) (rate(http_requests_total[5m]))', ({"service": "storefront"}, ratio), step=300)
    w.alert("HighErrorRate", 3000, "critical", "storefront fails", service="storefront")
    w.alerts[-1] |= {"status": "resolved", "endsAt": "2026-03-17T09:02:00Z"}


@incident("harbour", "no-events", WELL, flavour="control")
def grumbling_logs(w: World) -> None:
    w.say("manifest-api", '{"level":"warn","ts":"2026-03-17T09:38:00Z","msg":"rejected","method":"/manifest.v1.Api/Submit","code":"InvalidArgument","err":"container id checksum"}', times=3)
    w.say("keyring", "2026-03-17T09:20:00Z  WARN [org.keycloak.events] type=\"LOGIN_ERROR\", realmId=\"port\", clientId=\"berth-ui\", error=\"user_not_found\"", times=2)
    w.say("tide-forecast", "2026-03-17 09:30:00 WARNING [tide-forecast] upstream buoy 62107 missing, interpolated", times=3)


@incident("meridian", "signals", WELL, flavour="control")
def throttling_that_hurts_nobody(w: World) -> None:
    pod = w.pods("audit-sink")[0]["metadata"]["name"]
    labels = {"namespace": w.ns, "pod": pod, "container": "audit-sink"}
    w.metric("throttled", "rate(container_cpu_cfs_throttled_periods_total[5m]) / rate(container_cpu_cfs_periods_total[5m])", (labels, [0.04, 0.03, 0.06, 0.05, 0.04, 0.03, 0.05, 0.05, 0.04, 0.03]))
    w.metric("latency", "histogram_quantile(0.99, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))", *[({"service": s.name}, STEADY) for s in w.svcs if s.port])


@incident("harbour", "no-logs", WELL, flavour="control")
def nightly_backup(w: World) -> None:
    container = {"name": "pg-backup", "image": "ghcr.io/nordhaven/pg-backup:1.0.0", "resources": {}}
    template = {"metadata": {"labels": {w.label: "pg-backup"}}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    told = [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-03-17T02:10:00Z"}]
    job = w.add("Job", "pg-backup-29562000", 28000, spec={"backoffLimit": 2, "completions": 1, "template": template}, status={"succeeded": 1, "conditions": told})
    pod = w.pod(job, 0, 28000)
    pod["status"]["phase"] = "Succeeded"
    pod["status"]["containerStatuses"][0] |= {"ready": False, "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-03-17T02:10:00Z"}}}
    w.conditions(pod, 27000)
    w.event(w.get("Node", w.nodes()[0], None), "Rebooted", "Node has been rebooted", 1, 80000, 80000)


@incident("orchard", "strict", WELL, flavour="control")
def idle_worker_scaled_down_on_purpose(w: World) -> None:
    made = w.work("label-printer")
    made["spec"]["replicas"] = 0
    made["metadata"]["annotations"]["greenstem.example/why"] = "season is over"
    for pod in w.pods("label-printer"):
        w.remove(pod)
    made["metadata"]["managedFields"][0]["time"] = "2026-01-05T10:00:00Z"


@incident("harbour", "signals", WELL, flavour="control", signals=(*ALERTED, "changes"))
def harmless_change(w: World) -> None:
    settings = w.get("ConfigMap", "customs-bridge-config")
    w.changed(settings, "data.LOG_LEVEL info -> warn", "-  LOG_LEVEL: info\n+  LOG_LEVEL: warn", 1800, "p.nowak")
    w.metric("latency", "histogram_quantile(0.99, sum by (le, service_name) (rate(rpc_server_duration_milliseconds_bucket[5m])))", *[({"service_name": s.name}, [v * 1000 for v in STEADY]) for s in w.svcs if s.port])


# Too little to tell


@incident("harbour", "signals", "", flavour="thin", signals=("alerts",), drop="Event")
def an_alert_and_nothing(w: World) -> None:
    w.alert("HighErrorRate", 600, "critical", "quay-gateway fails", service="quay-gateway")


@incident("orchard", "no-logs", "", flavour="thin", drop="Event ReplicaSet")
def died_in_silence(w: World) -> None:
    pod = w.pods("pricing")[0]
    w.crash(pod, 1, restarts=40)
    w.remove(next(p for p in w.pods("pricing") if p is not pod))


@incident("meridian", "signals", "", flavour="thin", signals=("alerts", "metrics"), drop="Event")
def both_slow(w: World) -> None:
    up = [0.2, 0.2, 0.2, 0.2, 2.1, 2.2, 2.3, 2.3, 2.2, 2.4]
    w.metric("latency", "histogram_quantile(0.99, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))", *[({"service": s.name}, up) for s in w.svcs if s.port])
    w.alert("ServiceLatencyP99High", 300, "warning", "p99 above 2s", service="ops-console")


@incident("harbour", "no-events", "", flavour="thin", drop="Deployment ReplicaSet StatefulSet Service Node")
def only_some_pods_are_not_ready(w: World) -> None:
    for pod in w.pods("manifest-api"):
        w.unready(pod, 900)


@incident("orchard", "no-logs", "", flavour="thin", signals=("alerts",), drop="Pod Event ReplicaSet Endpoints EndpointSlice")
def no_pods_were_seen(w: World) -> None:
    w.alert("ServiceLatencyP99High", 300, "warning", "p99 of checkout above 2s", service="checkout")

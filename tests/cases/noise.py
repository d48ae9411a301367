"""What a real namespace is full of besides its fault: other services, old trouble, loud logs, things nobody looks at.

None of it hurts anybody. It stands beside red herrings and beside thin evidence, as it does where incidents happen.
"""

from tests.cases.apps import App
from tests.cases.builder import Cluster, Json, at, ended, running

_OTHERS = ("catalog", "cart", "search", "mailer", "adverts", "profile", "currency", "shipping")
_SAID = {
    "catalog": "ERROR failed to export spans: rpc error: code = Unavailable desc = connection error: dial tcp: lookup "
    "otel-collector.observability on 10.96.0.10:53: no such host",
    "cart": "WARN request canceled by client: context canceled",
    "search": "ERROR query timed out after 2000 ms, retrying (attempt 1 of 3)\nINFO retry succeeded",
    "mailer": "ERROR smtp: 550 mailbox unavailable for user 4711\nWARN login failed for user bob: wrong password",
    "adverts": "WARN cache miss ratio 0.4 exceeded threshold, slow path\nERROR invalid campaign id 0",
    "profile": "WARN deprecated configuration key cache.ttl, unknown option ignored\nERROR 404 not found: /favicon.ico",
    "currency": "WARN circuit breaker half-open\nINFO circuit breaker closed",
    "shipping": "ERROR could not parse tracking number 'n/a': invalid syntax",
}


def noise(c: Cluster, a: App) -> None:
    """All of it."""
    _others(c)
    _past(c, a)
    _jobs(c)
    _beside(c)


def _others(c: Cluster) -> None:
    for number, name in enumerate(_OTHERS):
        follower = _OTHERS[(number + 1) % len(_OTHERS)]
        env = {f"{follower.upper()}_ADDR": f"{follower}:{7000 + number + 1}", "OTEL_SERVICE_NAME": name}
        if name in ("catalog", "search"):
            env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://otel-collector.observability:4317"
        c.deploy(name, 7000 + number, env=env, replicas=1 + number % 2)
        lines = [f"2026-03-01T11:{minute:02}:00Z {said}" for minute in range(59) for said in _SAID[name].splitlines()]
        c.log(name, "\n".join(lines))
    c.env(_OTHERS[-1], f"{_OTHERS[0].upper()}_ADDR", f"{_OTHERS[0]}:7000")


def _past(c: Cluster, a: App) -> None:
    """Restarts of last week, a rollout that was rolled back, probes that failed while something started."""
    c.state("cart", running(restarts=3, since=200_000, last=ended(137, "OOMKilled", ran=90_000, ago=200_010)))
    c.state("search", running(restarts=12, since=20_000, last=ended(1, ran=400_000, ago=20_010)))
    for name in ("catalog", "profile", a.front):
        words = "Readiness probe failed: dial tcp 10.244.9.9:7000: connect: connection refused"
        c.event("Pod", f"{name}-6d4cf56db6-zx8wq", "Unhealthy", words, ago=3400, count=2)
    c.event("Pod", "adverts-7c9d4b6f5-old42", "BackOff", "Back-off restarting failed container", ago=7000, count=40)
    c.event(
        "Pod", "adverts-7c9d4b6f5-old42", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", ago=7100
    )
    c.event("Deployment", "adverts", "ScalingReplicaSet", "Scaled down replica set adverts-7c9d4b6f5", type_="Normal")
    c.event(
        "Node", "node-2", "NodeNotReady", "Node node-2 status is now: NodeNotReady", ago=30_000, namespace="default"
    )


def _jobs(c: Cluster) -> None:
    """A nightly Job that failed once and succeeded since."""
    cron = {
        "metadata": {"name": "sweep"},
        "spec": {"schedule": "0 3 * * *"},
        "status": {"lastScheduleTime": at(32_400)},
    }
    c.put(c.namespace, "cronjobs", cron)
    owner = [{"kind": "CronJob", "name": "sweep", "uid": "c", "controller": True}]
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached"}
    done = {"type": "Complete", "status": "True"}
    for name, ago, condition in (("sweep-1", 118_800, failed), ("sweep-2", 32_400, done)):
        metadata: Json = {"name": name, "ownerReferences": owner, "creationTimestamp": at(ago)}
        status = {"conditions": [condition], "startTime": at(ago)}
        c.put(c.namespace, "jobs", {"metadata": metadata, "spec": {}, "status": status})


def _beside(c: Cluster) -> None:
    """What every cluster has: certificates of its own, a budget, an autoscaler that does its work, quiet alerts."""
    for name in ("kube-root-ca.crt", "istio-ca-root-cert"):
        c.put(c.namespace, "configmaps", {"metadata": {"name": name}, "data": {"ca.crt": "x"}})
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "cart"}, "minReplicas": 1, "maxReplicas": 6}
    conditions = [{"type": "ScalingActive", "status": "True"}, {"type": "AbleToScale", "status": "True"}]
    status = {"currentReplicas": 2, "desiredReplicas": 2, "conditions": conditions}
    c.put(c.namespace, "horizontalpodautoscalers", {"metadata": {"name": "cart"}, "spec": spec, "status": status})
    c.alert("Watchdog", severity="none")
    c.alert("CPUThrottlingHigh", severity="info", pod=c.pod_name("search"), container="search")
    c.alert("KubeMemoryOvercommit", severity="warning", status="resolved")

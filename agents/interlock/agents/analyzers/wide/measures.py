"""What was measured and what alerts say: saturation, latency, errors, traffic. Alone they tell where, seldom why."""

import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.symptoms import firing, records
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef

# Names of well-known alerts, the cause, the label that names the object and its kind, how sure, whether a symptom.
_ALERTS: tuple[tuple[str, str, str, str, float, bool], ...] = (
    (
        r"PersistentVolumeFillingUp|VolumeFull|PVC.*(Full|Space)",
        "storage.volume.full",
        "persistentvolumeclaim",
        "PersistentVolumeClaim",
        0.82,
        False,
    ),
    (
        r"HpaMaxedOut|HPAMaxed",
        "autoscaling.hpa.at-maximum",
        "horizontalpodautoscaler",
        "HorizontalPodAutoscaler",
        0.7,
        False,
    ),
    (r"CPUThrottl", "workload.cpu.throttled", "deployment", "Deployment", 0.62, False),
    (r"ClockSkew|ClockNotSync", "node.clock.skewed", "node", "Node", 0.82, False),
    (r"NodeFilesystem|NodeDisk.*Full", "node.disk.pressure", "node", "Node", 0.7, False),
    (r"NodeMemory(High|Major|Pressure)", "node.memory.pressure", "node", "Node", 0.65, False),
    (r"NodeNetwork(Receive|Transmit)Err|PacketLoss", "node.network.packet-loss", "node", "Node", 0.65, False),
    (r"etcd.*(Quota|Database).*|EtcdFull", "control-plane.etcd.full", "pod", "Pod", 0.75, False),
    (r"etcd.*(Fsync|Commit|Slow|Latency)", "control-plane.etcd.slow", "pod", "Pod", 0.75, False),
    (r"KubeAPIDown", "control-plane.api-server.down", "pod", "Pod", 0.7, False),
    (
        r"KubeAPI(Terminated|ErrorBudget|Latency|Overload)",
        "control-plane.api-server.overloaded",
        "pod",
        "Pod",
        0.6,
        False,
    ),
    (r"KubeSchedulerDown", "control-plane.scheduler.down", "pod", "Pod", 0.75, False),
    (r"KubeControllerManagerDown", "control-plane.controller-manager.down", "pod", "Pod", 0.75, False),
    (r"KubeProxyDown", "node.kube-proxy.down", "node", "Node", 0.65, False),
    (r"KubeletDown|KubeletTooMany", "node.kubelet.down", "node", "Node", 0.55, False),
    (r"CoreDNS.*(Down|Error)", "control-plane.coredns.down", "deployment", "Deployment", 0.65, False),
    (r"AggregatedAPI", "control-plane.api-service.unavailable", "name", "APIService", 0.75, False),
    (
        r"Kube(Client|APIServer)CertificateExpir",
        "control-plane.certificate.expiring",
        "namespace",
        "Namespace",
        0.75,
        False,
    ),
    (r"Cert.*Expired", "certificate.expired", "name", "Certificate", 0.8, False),
    (r"Cert.*Expir", "certificate.expiring", "name", "Certificate", 0.75, False),
    (r"Replication.*Lag|ReplicaLag", "database.replication.lagging", "statefulset", "StatefulSet", 0.75, False),
    (
        r"TooManyConnections|ConnectionsExhausted|MaxConnections",
        "database.connections.exhausted",
        "statefulset",
        "StatefulSet",
        0.78,
        False,
    ),
    (
        r"(Consumer|Queue|Kafka|Rabbit).*(Lag|Backlog|Depth|Growing)",
        "queue.backlog.growing",
        "deployment",
        "Deployment",
        0.65,
        False,
    ),
    (r"MemoryLeak", "workload.memory.leak", "deployment", "Deployment", 0.7, False),
    (r"Latency|Slow|Duration|P9[59]", "workload.latency", "service", "Service", 0.42, True),
    (r"Error|5xx|Failure|Unavailable|Down", "workload.errors", "service", "Service", 0.4, True),
)
_LATENCY = re.compile(r"(?i)latency|duration|response_time|p9[059]")
_ERRORS = re.compile(r"(?i)error|5xx|fail|status(?:_code)?=~?.?5")
_WAITING = re.compile(r"(?i)time-?out|timed out|deadline exceeded|reset by|unavailable|\b50[0234]\b")
_TRAFFIC = re.compile(r"(?i)requests?_(?:total|rate|per)|rps|qps|throughput|request_count")
_THROTTLED = re.compile(r"(?i)throttl")
_CONSUMERS = re.compile(r"(?i)(?:queue|rabbitmq|kafka|nats|stream|topic)\w*_(?:consumers?|members)\b|active_consumers")
_QUEUE = re.compile(
    r"(?i)consumer\w*_lag|lag_(?:sum|max|seconds)|backlog|queue_(?:depth|length|size|messages)|messages_ready|num_pending"
)
_REPLICATION = re.compile(r"(?i)replica")
_MEMORY = re.compile(r"(?i)memory")
NETWORK = re.compile(
    r"(?i)retrans|network_\w*(?:drop|err)|packets?_(?:drop|lost|loss)|(?:receive|transmit)_(?:drop|errs?|errors)"
    r"|\brtt|_rtt|round_?trip|network_(?:latency|delay)|ping_"
)
Series = tuple[Mapping[str, Any], list[float]]


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings from alerts and from series."""
    for alert in firing(land):
        yield from _alert(land, alert["labels"], alert)
    risen: dict[str, dict[ObjectRef, Quote]] = {}
    for name, answer in land.source.documents("metrics").items():
        about = f"{name} {_query(answer)}"
        if NETWORK.search(about):
            continue  # judged by those who know the ways
        series = [(g, values) for labels, values in series_of(answer) if (g := group_of(land, labels)) is not None]
        for group, values in series:
            yield from _judged(land, group, about, name, values, risen)
        _outstanding(about, name, series, risen)
    for kind, found in risen.items():
        yield from _origins(land, kind, found)


def _alert(land: Landscape, labels: Mapping[str, Any], alert: Mapping[str, Any]) -> Iterator[Finding]:
    name = str(labels.get("alertname", ""))
    for pattern, cause, label, kind, sure, symptom in _ALERTS:
        if not re.search(pattern, name):
            continue
        said = alert.get("annotations") if isinstance(alert.get("annotations"), dict) else {}
        words = str(said.get("description") or said.get("summary") or name) if isinstance(said, dict) else name
        yield Finding(
            cause=cause,
            object=_alerted(land, labels, label, kind),
            confidence=sure,
            summary=f"Alert {name}: {words[:200]}",
            quotes=(Quote(id="alerts.json", excerpt=f"{name}: {words}"[:300]),),
            role="symptom" if symptom else "root",
        )
        return


def _alerted(land: Landscape, labels: Mapping[str, Any], label: str, kind: str) -> ObjectRef:
    namespace = str(labels.get("namespace") or (land.focus[0] if land.focus else ""))
    group = group_of(land, labels)
    if kind in ("Deployment", "StatefulSet", "Service") and group is not None:
        return group.ref
    name = str(labels.get(label) or labels.get("instance") or labels.get("name") or namespace)
    return ObjectRef(kind=kind, namespace=None if kind in ("Node", "Namespace", "APIService") else namespace, name=name)


def group_of(land: Landscape, labels: Mapping[str, Any]) -> Group | None:
    """The workload that a series is about: by its pod, its name, or the Service before it."""
    if labels.get("namespace") not in (None, "", *land.focus):
        return None
    pod = str(labels.get("pod") or labels.get("pod_name") or "")
    keys = (
        "deployment",
        "statefulset",
        "workload",
        "service",
        "service_name",
        "destination_service_name",
        "destination_service",
        "consumergroup",
        "consumer_group",
        "app",
        "destination_workload",
        "job",
        "container",
    )
    names = [str(labels[k]) for k in keys if labels.get(k)]
    for group in land.groups:
        if any(p.name == pod for p in group.pods) or group.ref.name in names:
            return group
    for group in land.groups:
        if any(s.name in names for s in land.services_of.get(group.ref, ())):
            return group
    return None


def series_of(answer: Any) -> Iterator[Series]:
    """The series of an answer, each with its finite values in their order."""
    data = answer.get("data") if isinstance(answer, dict) else None
    for one in records(data.get("result") if isinstance(data, dict) else None):
        labels = one.get("metric")
        points = one.get("values") if isinstance(one.get("values"), list) else [one.get("value")]
        values = [number for point in points or () if (number := _number(point)) is not None]
        if isinstance(labels, dict) and values:
            yield labels, values


def _number(point: Any) -> float | None:
    try:
        number = float(point[1])
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    return number if math.isfinite(number) else None


def _query(answer: Any) -> str:
    return str(answer.get("query", "")) if isinstance(answer, dict) else ""


def _judged(
    land: Landscape, group: Group, about: str, name: str, values: list[float], risen: dict[str, dict[ObjectRef, Quote]]
) -> Iterator[Finding]:
    third = max(1, len(values) // 3)
    before, after = median(values[:third]), median(values[-third:])
    quote = Quote(id=f"metrics/{name}.json", excerpt=f"{group.ref}: {before:.4g} before, {after:.4g} now")
    grown = len(values) >= 6 and after > 2 * before + 1e-9
    if _THROTTLED.search(about):
        if 0.3 < after <= 1:
            yield _measured(group, "workload.cpu.throttled", 0.72, f"is throttled in {after:.0%} of its periods", quote)
    elif _CONSUMERS.search(about):
        if after == 0 < before:
            yield _measured(group, "queue.consumer.stopped", 0.75, "has no consumer any more", quote)
    elif _QUEUE.search(about) and not _REPLICATION.search(about):
        if grown and after > 100:
            yield _measured(group, "queue.backlog.growing", 0.66, "falls behind its queue", quote)
    elif _LATENCY.search(about):
        if grown and after > 0.05:
            risen.setdefault("workload.latency", {})[group.ref] = quote
    elif _ERRORS.search(about):
        if after > 0.05 and (grown or before == 0):
            risen.setdefault("workload.errors", {})[group.ref] = quote
    elif _MEMORY.search(about) and len(values) >= 12:
        steady = sum(1 for a, b in pairwise(values) if b >= a * 0.995) / (len(values) - 1)
        if steady > 0.9 and after > 1.8 * before and after > 50e6:
            yield _measured(group, "workload.memory.leak", 0.62, "uses more and more memory", quote)
    elif _TRAFFIC.search(about) and grown and after > 3 * before and before > 0:
        yield _measured(group, "traffic.spike", 0.6, f"gets {after / before:.1f} times the requests", quote)


def _outstanding(
    about: str, name: str, series: list[tuple[Group, list[float]]], risen: dict[str, dict[ObjectRef, Quote]]
) -> None:
    """Of what was measured once only, those far from what is usual among the others."""
    kind = "workload.latency" if _LATENCY.search(about) else "workload.errors" if _ERRORS.search(about) else ""
    if not kind or len(series) < 3 or any(len(values) > 1 for _, values in series):
        return
    usual = median(values[0] for _, values in series)
    for group, (value,) in series:
        much = value > 0.5 if kind == "workload.latency" else 0.05 < value <= 1
        if much and value > 5 * usual:
            words = f"{group.ref}: {value:.4g}, where {usual:.4g} is usual"
            risen.setdefault(kind, {})[group.ref] = Quote(id=f"metrics/{name}.json", excerpt=words)


def _measured(group: Group, cause: str, sure: float, words: str, quote: Quote) -> Finding:
    return Finding(cause=cause, object=group.ref, confidence=sure, summary=f"{group.ref} {words}.", quotes=(quote,))


def _origins(land: Landscape, kind: str, found: dict[ObjectRef, Quote]) -> Iterator[Finding]:
    """Of all whose latency or errors rose, those none of whose callees did: there it begins."""
    for ref, quote in found.items():
        callees = land.callees.get(ref, frozenset())
        begins = not callees & found.keys()
        said = _complained(land, ref) if begins else ()
        yield Finding(
            cause=kind if begins else f"{kind}.upstream",
            object=ref,
            confidence=(0.66 if said else 0.55) if begins else 0.3,
            summary=f"{'Latency' if 'latency' in kind else 'Errors'} of {ref} rose"
            + ("." if begins else ", after those of what it calls."),
            quotes=(quote, *said),
            role="symptom",
        )


def _complained(land: Landscape, callee: ObjectRef) -> tuple[Quote, ...]:
    """What callers say of one whom they wait for, or who fails them."""
    names = "|".join(re.escape(s.name) for s in land.services_of.get(callee, ()))
    if not names:
        return ()
    named = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])")
    found = (
        line
        for line in land.lines
        if line.group is not None
        and line.group.ref != callee
        and named.search(line.text)
        and _WAITING.search(line.text)
    )
    return tuple(Quote(id=line.where, excerpt=line.text[:300]) for line in list(found)[:2])

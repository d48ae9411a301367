"""What was measured and what alerts say: saturation, latency, errors, traffic. Alone they tell where, seldom why."""

import math
import re
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.objects import LONG_RUN_SECONDS
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.likeness import alike
from interlock.agents.analyzers.wide.stores import is_broker
from interlock.agents.analyzers.wide.symptoms import firing, records
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef
from interlock.crds.quantity import is_quantity, quantity

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
    (r"(?:Without|No|Zero|Missing)(?:Active)?Consumer", "queue.consumer.stopped", "queue", "Deployment", 0.78, False),
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
_COUNTED = re.compile(r"(?i)_(?:duration|latency)_(?:milli)?seconds_count|_duration_count")
"""Of a histogram the number of requests, which is no time."""
_LATENCY = re.compile(r"(?i)latency|duration|response_time|p9[059]")
_ERRORS = re.compile(r"(?i)error|5xx|fail|status(?:_code)?=~?.?5")
_WAITING = re.compile(r"(?i)time-?out|timed out|deadline exceeded|reset by|unavailable|\b50[0234]\b")
_TRAFFIC = re.compile(r"(?i)requests?_(?:total|rate|per|count)|controller_requests\b|rps|qps|throughput|request_count")
_THROTTLED = re.compile(r"(?i)throttl")
_PROCESSOR = re.compile(r"(?i)rate\(\s*(?:container|process)_cpu_\w*seconds_total")
NEARLY = 0.9
FEW = 2
"""Where it begins in more places at once, what they share is at fault, and that was not measured."""
_CONSUMERS = re.compile(r"(?i)(?:queue|rabbitmq|kafka|nats|stream|topic)\w*_(?:consumers?|members)\b|active_consumers")
_EVICTED = re.compile(r"(?i)(?:items|keys|cache|memcached\w*|redis\w*|valkey\w*)_evict(?:ed|ions)")
_QUEUE = re.compile(
    r"(?i)consumer\w*_lag|lag_(?:sum|max|seconds)|backlog|queue_(?:depth|length|size|messages)|messages_ready|num_pending"
)
_REPLICATION = re.compile(r"(?i)replica")
_MEMORY = re.compile(r"(?i)memory")
NETWORK = re.compile(
    r"(?i)retrans|network_\w*(?:drop|err)|packets?_(?:drop|lost|loss)|(?:receive|transmit)_(?:drop|errs?|errors)"
    r"|\brtt|_rtt|round_?trip|network_(?:latency|delay)|ping_"
)
LONG_ENOUGH = 9
Series = tuple[Mapping[str, Any], list[float]]


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings from alerts and from series."""
    for alert in firing(land):
        yield from _alert(land, alert["labels"], alert)
    risen: dict[str, dict[ObjectRef, Quote]] = {}
    busy: set[ObjectRef] = set()
    for name, answer in land.source.documents("metrics").items():
        about = _COUNTED.sub("_request_count", f"{name} {_query(answer)}")
        if NETWORK.search(about):
            continue  # judged by those who know the ways
        series = [(g, values) for labels, values in series_of(answer) if (g := group_of(land, labels)) is not None]
        for group, values in series:
            for finding in _judged(land, group, about, name, values, risen):
                busy |= {finding.object} if finding.cause == "workload.cpu.saturated" else set()
                yield finding
        _outstanding(about, name, series, risen)
    crowded = risen.pop("traffic.spike", {})
    for kind, found in risen.items():
        yield from _origins(land, kind, found)
    yield from _entered(land, crowded, busy)


def _alert(land: Landscape, labels: Mapping[str, Any], alert: Mapping[str, Any]) -> Iterator[Finding]:
    name = str(labels.get("alertname", ""))
    for pattern, cause, label, kind, sure, symptom in _ALERTS:
        if not re.search(pattern, name):
            continue
        said = alert.get("annotations") if isinstance(alert.get("annotations"), dict) else {}
        words = str(said.get("description") or said.get("summary") or name) if isinstance(said, dict) else name
        about = _alerted(land, labels, label, kind)
        if about is None:
            return
        yield Finding(
            cause=cause,
            object=about,
            confidence=sure,
            summary=f"Alert {name}: {words[:200]}",
            quotes=(Quote(id="alerts.json", excerpt=f"{name}: {words}"[:300]),),
            role="symptom" if symptom else "root",
        )
        return


def _alerted(land: Landscape, labels: Mapping[str, Any], label: str, kind: str) -> ObjectRef | None:
    """What an alert is about; None where it names no workload and only a workload could be at fault."""
    namespace = str(labels.get("namespace") or (land.focus[0] if land.focus else ""))
    read = consumer_of(land, str(labels["queue"])) if label == "queue" and labels.get("queue") else None
    group = read or group_of(land, labels)
    if kind in ("Deployment", "StatefulSet", "Service") and group is not None:
        return group.ref
    named = labels.get(label) or labels.get("instance") or labels.get("name")
    if kind in ("Deployment", "StatefulSet") and not named:
        return None
    name = str(named or namespace)
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
    queues = [str(labels[key]) for key in ("queue", "topic", "consumergroup", "consumer_group") if labels.get(key)]
    return consumer_of(land, queues[0]) if queues else None


def consumer_of(land: Landscape, queue: str) -> Group | None:
    """The one workload that a queue is there for: told of it by a setting, saying its name, or called alike."""
    named = re.compile(rf"(?<![\w.-]){re.escape(queue)}(?![\w-])")
    users = [g for g in land.groups if g.workload.kind == "Deployment"]
    told = [g for g in users if any(named.search(s.value) for s in land.settings[g.ref])]
    heard = {line.group.ref for line in land.lines if line.group is not None and named.search(line.text)}
    words = re.sub(r"[._:/]+", "-", queue)
    called = [g for g in users if alike(words, g.ref.name) >= 0.85]
    of_broker = [g for g in users if any(is_broker(land.group(ref)) for ref in land.callees.get(g.ref, ()))]
    near = [g for g in of_broker if alike(words.partition("-")[0], g.ref.name.partition("-")[0]) >= 0.85]
    if of_broker:
        called = [g for g in called if g in of_broker] or near
    for found in (told, [g for g in users if g.ref in heard], called):
        if len(found) == 1:
            return found[0]
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
    elif _PROCESSOR.search(about):
        limit = _processor_limit(group) or math.inf
        if limit * NEARLY <= after <= 2 * limit and after > 1.3 * before:
            words = f"uses {after:.3g} of the {limit:.3g} cores that it may"
            yield _measured(group, "workload.cpu.saturated", 0.74, words, quote)
    elif _CONSUMERS.search(about):
        if after == 0 < before:
            yield _measured(group, "queue.consumer.stopped", 0.75, "has no consumer any more", quote)
    elif _EVICTED.search(about):
        if grown and after > 1:
            yield _measured(group, "workload.latency.saturation", 0.68, "drops what it was given to keep", quote)
    elif _QUEUE.search(about) and not _REPLICATION.search(about):
        if grown and after > 100:
            yield _measured(group, "queue.backlog.growing", 0.66, "falls behind its queue", quote)
    elif _LATENCY.search(about):
        if grown and after > 0.05:
            risen.setdefault("workload.latency", {})[group.ref] = quote
    elif _ERRORS.search(about):
        if after > 0.05 and (grown or before == 0):
            risen.setdefault("workload.errors", {})[group.ref] = quote
    elif _MEMORY.search(about) and (climb := _climb(values, killed=_was_killed(group))):
        words = f"uses more and more memory, {climb[0]:.3g} to {climb[-1]:.3g} bytes without a pause"
        yield _measured(group, "workload.memory.leak", 0.82 if _was_killed(group) else 0.62, words, quote)
    elif _TRAFFIC.search(about) and grown and after > 3 * before and before > 0:
        risen.setdefault("traffic.spike", {})[group.ref] = quote


def _processor_limit(group: Group) -> float | None:
    """How many cores one of its pods may use, where a single container is limited; None where that is not clear."""
    limits = [c.resources.limits["cpu"] for c in group.spec.containers if "cpu" in c.resources.limits]
    return quantity(limits[0]) if len(limits) == 1 and is_quantity(limits[0]) else None


def _climb(values: list[float], *, killed: bool) -> list[float]:
    """The longest stretch without a fall, where memory nearly doubles in it; empty where there is none such.

    Of one that was killed for it after it had run for long, a part of the way is enough.

    A leak that is killed for its limit begins again from below, so all that was measured is no one stretch.
    """
    stretches: list[list[float]] = [[]]
    for value in values:
        if stretches[-1] and value < stretches[-1][-1] * 0.95:
            stretches.append([])
        stretches[-1].append(value)
    longest = max(stretches, key=len)
    third = max(1, len(longest) // 3)
    early, middle, late = (median(longest[n * third : (n + 1) * third] or longest) for n in range(3))
    slope, rise = (1.05, 1.2) if killed else (1.15, 1.8)
    steady = middle > slope * early and late > slope * middle
    return longest if len(longest) >= LONG_ENOUGH and steady and longest[-1] > rise * longest[0] and late > 50e6 else []


def _was_killed(group: Group) -> bool:
    """Whether it was killed for memory after it had run for long."""
    ends = (status.last_state.terminated for _, status in group.statuses())
    return any(e is not None and e.reason == "OOMKilled" and (e.seconds or 0) > LONG_RUN_SECONDS for e in ends)


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
    first = {ref for ref in found if not land.callees.get(ref, frozenset()) & found.keys()}
    for ref, quote in found.items():
        begins = ref in first
        said = _complained(land, ref) if begins else ()
        changed = _released(land, ref) if begins else ()
        yield Finding(
            cause=f"{kind}.upstream" if not begins else f"{kind}.regressed-after-change" if changed else kind,
            object=ref,
            confidence=0.3 if not begins else 0.76 if changed else 0.66 if said else 0.55 if len(first) <= FEW else 0.4,
            summary=f"{'Latency' if 'latency' in kind else 'Errors'} of {ref} rose"
            + ("." if begins else ", after those of what it calls."),
            quotes=(quote, *said, *changed),
            role="symptom",
            introduced="yes" if changed else "unknown",
        )


def _released(land: Landscape, ref: ObjectRef) -> tuple[Quote, ...]:
    """What shows that another image was brought to where it begins a short while ago, and by a revision that is in use."""
    found = [d for d in land.drifted(ref, "/image") if d.witness == "revision"]
    return land.quote(ref, found[0].words) if found else ()


def _entered(land: Landscape, found: dict[ObjectRef, Quote], busy: set[ObjectRef]) -> Iterator[Finding]:
    """Of all that get more requests, those whom nobody of the others calls: there they come in, and make them busy."""
    called = {callee for ref in found for callee in land.callees.get(ref, frozenset())}
    for ref, quote in found.items():
        inner = ref in called and found.keys() - called
        released = any(ref in land.callees.get(g.ref, ()) and _released(land, g.ref) for g in land.groups)
        yield Finding(
            cause="traffic.spike",  # what a release asks for more often is no spike
            object=ref,
            confidence=0.3 if inner or (released and ref not in busy) else 0.76 if ref in busy else 0.6,
            summary=f"{ref} gets many times the requests.",
            quotes=(quote,),
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

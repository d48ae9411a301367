"""Takes one look: reads the target and what surrounds it, redacts at the source, and says what it could not read.

Bounded three times: calls (`Budgeted`), bytes (`within`), and time (the caller's deadline). Nothing here judges; the
order of items is fixed so that the same cluster gives the same identifiers.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, get_args

from pydantic import JsonValue

from interlock.agents.cluster import KINDS, Json, Reader
from interlock.agents.errors import AccessDeniedError, ClusterUnavailableError
from interlock.agents.evidence.bounds import Budgeted, BudgetSpentError, within
from interlock.agents.evidence.metrics import Metrics, queries
from interlock.agents.evidence.model import Evidence, Item, Kind, Missing
from interlock.agents.evidence.parts import (
    events_of,
    failing_containers,
    owned_by,
    pod_view,
    referenced_config_maps,
    replica_set_view,
    sorted_revisions,
    worst_first,
)
from interlock.agents.evidence.revisions import changes
from interlock.agents.model import Alert, ObjectRef
from interlock.crds.redact import redact_object, redact_text

T = TypeVar("T")

LARGEST_LOG = 16 * 1024
MOST_PODS = 20
MOST_EVENT_SOURCES = 9
MOST_LOGS = 4
MOST_CONFIG_MAPS = 8
WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_ORDER = {kind: position for position, kind in enumerate(get_args(Kind))}


@dataclass
class Notes:
    """What the look has found so far."""

    now: Callable[[], datetime]
    found: list[tuple[Kind, str, datetime, JsonValue, bool]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def keep(self, kind: Kind, source: str, content: JsonValue) -> None:
        """Keeps something, as far as it fits."""
        kept, truncated = within(content)
        self.found.append((kind, source, self.now(), kept, truncated))

    async def attempt(self, kind: Kind, source: str, reading: Awaitable[T]) -> T | None:
        """What was read, or None with a note of why not."""
        try:
            return await reading
        except (AccessDeniedError, ClusterUnavailableError, BudgetSpentError) as failure:
            self.missing.append(Missing(kind=kind, source=source, reason=str(failure)[:300]))
            return None

    def evidence(self, target: ObjectRef) -> Evidence:
        """All of it, numbered in a fixed order."""
        ordered = sorted(self.found, key=lambda note: (_ORDER[note[0]], note[1]))
        items = tuple(
            Item(id=f"E{n}", kind=kind, source=source, collected_at=at, content=content, truncated=truncated)
            for n, (kind, source, at, content, truncated) in enumerate(ordered, start=1)
        )
        missing = tuple(sorted(self.missing, key=lambda gap: (_ORDER[gap.kind], gap.source)))
        return Evidence(target=target, collected_at=self.now(), items=items, missing=missing)


async def collect(
    reader: Reader,
    metrics: Metrics | None,
    target: ObjectRef,
    alerts: Iterable[Alert],
    *,
    now: Callable[[], datetime],
    calls: int,
    seconds: float,
) -> Evidence:
    """One look at the target.

    Raises:
        ClusterUnavailableError: the target itself could not be read; look again later.
    """
    notes = Notes(now)
    notes.keep("alerts", "Alertmanager", [_alert_view(alert) for alert in alerts])
    bounded = Budgeted(reader, calls)
    body = await bounded.get(target.kind, target.name, target.namespace) if target.kind in KINDS else None
    try:
        async with asyncio.timeout(seconds):
            await _surroundings(bounded, metrics, target, body, notes)
    except TimeoutError:
        notes.missing.append(Missing(kind="target", source="surroundings", reason=f"not all seen within {seconds:g} s"))
    return notes.evidence(target)


async def _surroundings(
    reader: Reader, metrics: Metrics | None, target: ObjectRef, body: Json | None, notes: Notes
) -> None:
    if body is None:
        notes.missing.append(Missing(kind="target", source=str(target), reason="not found"))
        return
    notes.keep("target", str(target), _redacted(body))
    notes.keep("declared", f"{target}, last applied", _declared(body))
    if target.namespace is None:
        return
    sets = await _replica_sets(reader, target, body, notes) if target.kind == "Deployment" else []
    pods = await _pods(reader, target, body, sets, notes)
    await asyncio.gather(
        _events(reader, target, sets, pods, notes),
        _logs(reader, target.namespace, pods, notes),
        _config_maps(reader, target.namespace, [body, *sets[:2]], notes),
        _services(reader, target, body, notes),
        _whole_list(reader, "quotas", "ResourceQuota", target.namespace, notes),
        _whole_list(reader, "limit-ranges", "LimitRange", target.namespace, notes),
        _metrics(metrics, target, notes),
    )


async def _replica_sets(reader: Reader, target: ObjectRef, body: Json, notes: Notes) -> list[Json]:
    source = f"ReplicaSets of {target}"
    listed = await notes.attempt("replica-sets", source, reader.list("ReplicaSet", target.namespace))
    if listed is None:
        return []
    sets = sorted_revisions(owned_by(listed, body["metadata"].get("uid", "")))
    notes.keep("replica-sets", source, [_redacted(replica_set_view(rs)) for rs in sets[:10]])
    current, previous = (*sets[:2], None, None)[:2]
    if current and previous:
        source = f"{current['metadata']['name']} against {previous['metadata']['name']}"
        notes.keep("change", source, list(changes(previous["spec"]["template"], current["spec"]["template"])))
    return sets


async def _pods(reader: Reader, target: ObjectRef, body: Json, sets: list[Json], notes: Notes) -> list[Json]:
    if target.kind == "Pod":
        pods: list[Json] | None = [body]
    elif target.kind == "Job":
        labels = f"batch.kubernetes.io/job-name={target.name}"
        pods = await notes.attempt("pods", f"Pods of {target}", reader.list("Pod", target.namespace, labels=labels))
    elif target.kind in WORKLOADS:
        labels = _selector(body["spec"].get("selector") or {})
        pods = await notes.attempt("pods", f"Pods of {target}", reader.list("Pod", target.namespace, labels=labels))
    else:
        return []
    if pods is None:
        return []
    owners = {o["metadata"].get("uid") for o in (body, *sets)}
    if target.kind in WORKLOADS:
        pods = [pod for pod in pods if {o.get("uid") for o in pod["metadata"].get("ownerReferences") or ()} & owners]
    pods = worst_first(pods)
    notes.keep("pods", f"Pods of {target}", [_redacted(pod_view(pod)) for pod in pods[:MOST_PODS]])
    return pods[:MOST_PODS]


async def _events(reader: Reader, target: ObjectRef, sets: list[Json], pods: list[Json], notes: Notes) -> None:
    names = [target.name, *(s["metadata"]["name"] for s in sets[:3]), *(p["metadata"]["name"] for p in pods)]
    wanted = list(dict.fromkeys(names))[:MOST_EVENT_SOURCES]
    readings = (reader.list("Event", target.namespace, fields=f"involvedObject.name={name}") for name in wanted)
    source = f"Events about {target}, its ReplicaSets and pods"
    lists = await asyncio.gather(*(notes.attempt("events", source, reading) for reading in readings))
    if any(found is not None for found in lists):
        events = events_of(event for found in lists for event in found or ())
        notes.keep("events", source, [_redacted(event) for event in events])


async def _logs(reader: Reader, namespace: str, pods: list[Json], notes: Notes) -> None:
    wanted = [(p["metadata"]["name"], c, previous) for p in pods for c, previous in failing_containers(p)][:MOST_LOGS]
    await asyncio.gather(*(_log(reader, namespace, one, notes) for one in wanted))


async def _log(reader: Reader, namespace: str, wanted: tuple[str, str, bool], notes: Notes) -> None:
    pod, name, previous = wanted
    source = f"log of {pod}/{name}{', previous run' if previous else ''}"
    reading = reader.logs(namespace, pod, name, previous=previous, limit_bytes=LARGEST_LOG)
    text = await notes.attempt("log", source, reading)
    if text:
        notes.keep("log", source, {"pod": pod, "container": name, "previous": previous, "text": redact_text(text)})


async def _config_maps(reader: Reader, namespace: str, bodies: list[Json], notes: Notes) -> None:
    names = list(dict.fromkeys(n for body in bodies for n in referenced_config_maps(body)))[:MOST_CONFIG_MAPS]
    if not names:
        return
    readings = (notes.attempt("config-maps", n, _keys(reader, namespace, n)) for n in names)
    seen = {n: keys for n, keys in zip(names, await asyncio.gather(*readings), strict=True) if keys is not None}
    content: JsonValue = {n: keys["keys"] for n, keys in seen.items()}
    notes.keep("config-maps", "ConfigMaps that the pods refer to (names of keys)", content)


async def _keys(reader: Reader, namespace: str, name: str) -> dict[str, JsonValue]:
    body = await reader.get("ConfigMap", name, namespace)
    if body is None:
        return {"keys": None}
    return {"keys": sorted({**(body.get("data") or {}), **(body.get("binaryData") or {})})}


async def _services(reader: Reader, target: ObjectRef, body: Json, notes: Notes) -> None:
    labels = ((body.get("spec") or {}).get("template") or {}).get("metadata", {}).get("labels") or {}
    source = f"Services that select {target}"
    listed = await notes.attempt("services", source, reader.list("Service", target.namespace)) if labels else None
    if listed is None:
        return
    chosen = [s for s in listed if _selects(s["spec"].get("selector") or {}, labels)]
    notes.keep("services", source, [_redacted(_named(s, "spec")) for s in chosen])
    if chosen:
        names = ",".join(s["metadata"]["name"] for s in chosen)
        wanted = f"kubernetes.io/service-name in ({names})"
        reading = reader.list("EndpointSlice", target.namespace, labels=wanted)
        slices = await notes.attempt("endpoint-slices", f"EndpointSlices of {names}", reading)
        if slices is not None:
            kept = [_redacted(_named(s, "endpoints", "ports")) for s in slices]
            notes.keep("endpoint-slices", f"EndpointSlices of {names}", kept)


async def _whole_list(reader: Reader, kind: Kind, of: str, namespace: str, notes: Notes) -> None:
    source = f"{of}s of {namespace}"
    listed = await notes.attempt(kind, source, reader.list(of, namespace))
    if listed is not None:
        notes.keep(kind, source, [_redacted(_named(one, "spec", "status")) for one in listed])


async def _metrics(metrics: Metrics | None, target: ObjectRef, notes: Notes) -> None:
    wanted = list(queries(target))
    if metrics is None:
        reason = "no Prometheus is configured"
        notes.missing.extend(Missing(kind="metric", source=query, reason=reason) for query in wanted)
        return
    for query, (samples, failure) in zip(
        wanted, await asyncio.gather(*(metrics.ask(query) for query in wanted)), strict=True
    ):
        if failure:
            notes.missing.append(Missing(kind="metric", source=query, reason=failure))
        else:
            notes.keep("metric", query, samples)


def _redacted(body: Json) -> JsonValue:
    value = {**body, "metadata": {k: v for k, v in (body.get("metadata") or {}).items() if k != "managedFields"}}
    return redact_object(value)


def _named(body: Json, *parts: str) -> Json:
    return {"metadata": {"name": body["metadata"]["name"]}, **{p: body[p] for p in parts if p in body}}


def _selector(selector: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items()))


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _declared(body: Json) -> JsonValue:
    annotations = body["metadata"].get("annotations") or {}
    try:
        applied = json.loads(annotations.get("kubectl.kubernetes.io/last-applied-configuration", "{}"))
        replicas = (applied.get("spec") or {}).get("replicas")
    except (ValueError, AttributeError):
        replicas = None
    return {"replicas": replicas if isinstance(replicas, int) else None}


def _alert_view(alert: Alert) -> JsonValue:
    return {
        "name": alert.name,
        "status": alert.status,
        "labels": dict(alert.labels),
        "summary": redact_text(alert.annotations.get("summary", "")),
        "startsAt": alert.starts_at.isoformat(),
    }

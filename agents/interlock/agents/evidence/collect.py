"""Takes one look: reads the target and what surrounds it, redacts at the source, and says what it could not read.

Bounded three times: calls (`Budgeted`), bytes (`within`), and time (the caller's deadline). Nothing here judges; the
order of items is fixed so that the same cluster gives the same identifiers.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from interlock.agents.cluster import KINDS, Json, Reader
from interlock.agents.evidence.bounds import Budgeted
from interlock.agents.evidence.host import look_at_node
from interlock.agents.evidence.metrics import Metrics, queries
from interlock.agents.evidence.model import Evidence, Kind, Missing
from interlock.agents.evidence.notes import Notes, redacted_view
from interlock.agents.evidence.parts import (
    as_replica_set,
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
from interlock.crds.celobjects import LAST_APPLIED
from interlock.crds.redact import redact_text

LARGEST_LOG = 16 * 1024
MOST_PODS = 20
MOST_EVENT_SOURCES = 9
MOST_LOGS = 4
MOST_CONFIG_MAPS = 8
WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


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
    notes.keep("target", str(target), redacted_view(body))
    notes.keep("declared", f"{target}, last applied", _declared(body))
    if target.kind == "Node":
        await look_at_node(reader, target.name, notes)
    if target.namespace is None:
        return
    sets, listed = await asyncio.gather(
        _revisions(reader, target, body, notes), _listed_pods(reader, target, body, notes)
    )
    pods = _pods(target, body, sets, listed, notes)
    await asyncio.gather(
        _events(reader, target, sets, pods, notes),
        _logs(reader, target.namespace, pods, notes),
        _config_maps(reader, target.namespace, [body, *sets[:2]], notes),
        _services(reader, target, body, notes),
        _whole_list(reader, "quotas", "ResourceQuota", target.namespace, notes),
        _whole_list(reader, "limit-ranges", "LimitRange", target.namespace, notes),
        _metrics(metrics, target, notes),
    )


async def _revisions(reader: Reader, target: ObjectRef, body: Json, notes: Notes) -> list[Json]:
    """The revisions of a workload as ReplicaSets, the newest first."""
    if target.kind not in WORKLOADS:
        return []
    kind = "ReplicaSet" if target.kind == "Deployment" else "ControllerRevision"
    source = f"{kind}s of {target}"
    listed = await notes.attempt("replica-sets", source, reader.list(kind, target.namespace))
    if listed is None:
        return []
    owned = owned_by(listed, body["metadata"].get("uid", ""))
    if kind == "ControllerRevision":
        owned = [one for one in map(as_replica_set, owned) if one is not None]
    sets = sorted_revisions(owned)
    notes.keep("replica-sets", source, [redacted_view(replica_set_view(rs)) for rs in sets[:10]])
    current, previous = (*sets[:2], None, None)[:2]
    if current and previous:
        source = f"{current['metadata']['name']} against {previous['metadata']['name']}"
        notes.keep("change", source, list(changes(previous["spec"]["template"], current["spec"]["template"])))
    return sets


async def _listed_pods(reader: Reader, target: ObjectRef, body: Json, notes: Notes) -> list[Json] | None:
    """Pods that may be the target's; None where they cannot be had, or it has none."""
    if target.kind == "Pod":
        return [body]
    if target.kind == "Job":
        labels = f"batch.kubernetes.io/job-name={target.name}"
    elif target.kind in WORKLOADS:
        labels = _selector(body["spec"].get("selector") or {})
    else:
        return None
    return await notes.attempt("pods", f"Pods of {target}", reader.list("Pod", target.namespace, labels=labels))


def _pods(target: ObjectRef, body: Json, sets: list[Json], listed: list[Json] | None, notes: Notes) -> list[Json]:
    """The target's pods, the worst first."""
    if listed is None:
        return []
    owners = {o["metadata"].get("uid") for o in (body, *sets)}
    if target.kind in WORKLOADS:
        listed = [p for p in listed if {o.get("uid") for o in p["metadata"].get("ownerReferences") or ()} & owners]
    pods = worst_first(listed)[:MOST_PODS]
    notes.keep("pods", f"Pods of {target}", [redacted_view(pod_view(pod)) for pod in pods])
    return pods


async def _events(reader: Reader, target: ObjectRef, sets: list[Json], pods: list[Json], notes: Notes) -> None:
    makers = sets[:3] if target.kind == "Deployment" else []
    names = [target.name, *(s["metadata"]["name"] for s in makers), *(p["metadata"]["name"] for p in pods)]
    wanted = list(dict.fromkeys(names))[:MOST_EVENT_SOURCES]
    readings = (reader.list("Event", target.namespace, fields=f"involvedObject.name={name}") for name in wanted)
    source = f"Events about {target}, its ReplicaSets and pods"
    lists = await asyncio.gather(*(notes.attempt("events", source, reading) for reading in readings))
    if any(found is not None for found in lists):
        events = events_of(event for found in lists for event in found or ())
        notes.keep("events", source, [redacted_view(event) for event in events])


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
    notes.keep("services", source, [redacted_view(_named(s, "spec")) for s in chosen])
    if chosen:
        names = ",".join(s["metadata"]["name"] for s in chosen)
        wanted = f"kubernetes.io/service-name in ({names})"
        reading = reader.list("EndpointSlice", target.namespace, labels=wanted)
        slices = await notes.attempt("endpoint-slices", f"EndpointSlices of {names}", reading)
        if slices is not None:
            kept = [redacted_view(_named(s, "endpoints", "ports")) for s in slices]
            notes.keep("endpoint-slices", f"EndpointSlices of {names}", kept)


async def _whole_list(reader: Reader, kind: Kind, of: str, namespace: str, notes: Notes) -> None:
    source = f"{of}s of {namespace}"
    listed = await notes.attempt(kind, source, reader.list(of, namespace))
    if listed is not None:
        notes.keep(kind, source, [redacted_view(_named(one, "spec", "status")) for one in listed])


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


def _named(body: Json, *parts: str) -> Json:
    return {"metadata": {"name": body["metadata"]["name"]}, **{p: body[p] for p in parts if p in body}}


def _selector(selector: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items()))


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _declared(body: Json) -> JsonValue:
    annotations = body["metadata"].get("annotations") or {}
    try:
        applied = json.loads(annotations.get(LAST_APPLIED, "{}"))
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

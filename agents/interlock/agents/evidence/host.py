"""What there is to see of a node beside the node itself: its heartbeat, what was said of it, and what runs on it.

Agents may not list the pods of all namespaces, so those are looked at that they may read: the system's, and those that
opted in. Events about nodes are in the namespace `default`, which agents read where its owner lets them.
"""

import asyncio
from collections import Counter

from pydantic import JsonValue

from interlock.agents.cluster import Json, Reader
from interlock.agents.evidence.model import Evidence
from interlock.agents.evidence.notes import Notes, redacted_view
from interlock.agents.evidence.parts import events_of, pod_view, worst_first
from interlock.agents.evidence.survey import HEARTBEATS, OF_NODES
from interlock.crds.names import KUBE_SYSTEM, OPT_IN_LABEL, OPT_IN_VALUE

MOST_PLACES = 20
"""Namespaces beside the system's that are asked for pods of the node."""
MOST_PODS = 60


async def look_at_node(reader: Reader, name: str, notes: Notes) -> None:
    """Keeps the node's Lease, the events about it, and the pods on it, the worst first."""
    await asyncio.gather(_lease(reader, name, notes), _events(reader, name, notes), _pods(reader, name, notes))


async def _lease(reader: Reader, name: str, notes: Notes) -> None:
    source = f"Lease {HEARTBEATS}/{name}"
    found = await notes.attempt("node-lease", source, reader.get("Lease", name, HEARTBEATS))
    if found is not None:
        notes.keep("node-lease", source, redacted_view(found))


async def _events(reader: Reader, name: str, notes: Notes) -> None:
    source = f"Events about Node {name}"
    about = f"involvedObject.kind=Node,involvedObject.name={name}"
    found = await notes.attempt("node-events", source, reader.list("Event", OF_NODES, fields=about))
    if found is not None:
        notes.keep("node-events", source, [redacted_view(event) for event in events_of(found)])


async def _pods(reader: Reader, name: str, notes: Notes) -> None:
    source = f"Pods on Node {name}"
    labels = f"{OPT_IN_LABEL}={OPT_IN_VALUE}"
    opted = await notes.attempt("node-pods", "Namespaces that opted in", reader.list("Namespace", labels=labels))
    others = {body["metadata"]["name"] for body in opted or ()} - {KUBE_SYSTEM}
    places = (KUBE_SYSTEM, *sorted(others))
    readings = (
        notes.attempt("node-pods", f"{source} in {place}", reader.list("Pod", place, fields=f"spec.nodeName={name}"))
        for place in places[: 1 + MOST_PLACES]
    )
    lists = await asyncio.gather(*readings)
    if any(found is not None for found in lists):
        pods = worst_first(pod for found in lists for pod in found or ())
        notes.keep("node-pods", source, [redacted_view(_placed(pod)) for pod in pods[:MOST_PODS]])


def _placed(pod: Json) -> Json:
    view = pod_view(pod)
    return {**view, "metadata": {**view["metadata"], "namespace": pod["metadata"].get("namespace")}}


def most_common_namespace(evidence: Evidence) -> str | None:
    """The namespace beside the system's that most pods on the node are in; None where none was seen."""
    item = evidence.first("node-pods")
    counted = Counter(_namespaces(item.content if item is not None else None))
    return min(counted, key=lambda place: (-counted[place], place), default=None)


def _namespaces(pods: JsonValue) -> list[str]:
    found = [pod.get("metadata") for pod in pods if isinstance(pod, dict)] if isinstance(pods, list) else []
    named = [str(metadata.get("namespace")) for metadata in found if isinstance(metadata, dict)]
    return [place for place in named if place != KUBE_SYSTEM]

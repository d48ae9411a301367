"""Evidence about one workload out of a world: the items that the live collector keeps, of what is at hand."""

from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from interlock.agents.analyzers.kinds import ConfigMap
from interlock.agents.analyzers.networking import Service
from interlock.agents.analyzers.objects import Pod
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.analyzers.workloads import ReplicaSet
from interlock.agents.analyzers.world import Group, World
from interlock.agents.cluster import Json
from interlock.agents.evidence.model import Evidence, Item, Kind, Missing
from interlock.agents.evidence.parts import (
    as_replica_set,
    events_of,
    pod_view,
    referenced_config_maps,
    replica_set_view,
    sorted_revisions,
    worst_first,
)
from interlock.agents.evidence.revisions import changes
from interlock.crds.redact import redact_text

MOST_PODS = 20
MOST_LOG_BYTES = 16 * 1024


def look_at(world: World, group: Group) -> Evidence:
    """What the world knows about one workload, in the collector's words."""
    ref, namespace = group.ref, group.ref.namespace or ""
    body = world.raw(type(group.workload), namespace, ref.name) or {}
    items: list[tuple[Kind, str, JsonValue]] = [("target", str(ref), body)]
    sets = _sets(world, group)
    missing = list(_missing(world, group, namespace))
    if sets or (group.workload.kind == "Deployment" and world.known(ReplicaSet, namespace)):
        items.append(("replica-sets", f"Revisions of {ref}", [replica_set_view(s) for s in sets]))
        if len(sets) > 1:
            difference = changes(sets[1]["spec"].get("template") or {}, sets[0]["spec"].get("template") or {})
            source = f"{sets[0]['metadata']['name']} against {sets[1]['metadata']['name']}"
            items.append(("change", source, list(difference)))
    names = {pod.name for pod in group.pods}
    pods = [b for b in world.source.objects("pods", namespace) or () if b["metadata"].get("name") in names]
    if world.known(Pod, namespace):
        items.append(("pods", f"Pods of {ref}", [pod_view(pod) for pod in worst_first(pods)[:MOST_PODS]]))
    about = {ref.name, *names, *(s["metadata"]["name"] for s in sets[:3])}
    said = [e for e in world.source.objects("events", namespace) or () if _about(e) in about]
    items.append(("events", f"Events about {ref}", list(events_of(said))))
    items.extend(_logs(world, group))
    items.append(("config-maps", "ConfigMaps that the pods refer to", _config_maps(world, namespace, body)))
    served = [s.name for s in world.within(Service, namespace).values() if _selects(s.spec.selector, group.labels)]
    items.append(("services", f"Services that select {ref}", list(served)))
    kept = tuple(
        Item(id=f"{source}", kind=kind, source=source, collected_at=world.now, content=content)
        for kind, source, content in items
    )
    return Evidence(target=ref, collected_at=world.now, items=kept, missing=tuple(missing))


def _sets(world: World, group: Group) -> list[Json]:
    """The revisions of the workload as ReplicaSets, the newest first."""
    kind, namespace = group.workload.kind, group.ref.namespace or ""
    if kind == "Deployment":
        bodies = [b for b in world.source.objects("replicasets", namespace) or () if "template" in b["spec"]]
    else:
        revisions = map(as_replica_set, world.source.objects("controllerrevisions", namespace) or ())
        bodies = [one for one in revisions if one is not None]
    uid, name = group.workload.metadata.uid, group.ref.name
    return sorted_revisions([b for b in bodies if any(_is(o, uid, kind, name) for o in _owners(b))])


def _owners(body: Json) -> list[Any]:
    return body["metadata"].get("ownerReferences") or []


def _is(owner: Any, uid: str, kind: str, name: str) -> bool:
    if uid and owner.get("uid"):
        return bool(owner["uid"] == uid)
    return owner.get("kind") == kind and bool(owner.get("name") == name)


def _about(event: Json) -> str:
    return str((event.get("involvedObject") or {}).get("name") or "")


def _missing(world: World, group: Group, namespace: str) -> Iterator[Missing]:
    if not world.known(Pod, namespace):
        yield Missing(kind="pods", source=f"Pods of {group.ref}", reason="not collected")
    if group.workload.kind == "Deployment" and not world.known(ReplicaSet, namespace):
        yield Missing(kind="replica-sets", source=f"ReplicaSets of {group.ref}", reason="not collected")


def _logs(world: World, group: Group) -> Iterator[tuple[Kind, str, JsonValue]]:
    late = [pod for pod in group.pods if not pod.ready][:4]
    if late and not any(world.logs(pod) for pod in late) and (text := _folded(world, group)):
        name = late[0].spec.containers[0].name if late[0].spec.containers else group.ref.name
        told: JsonValue = {"pod": late[0].name, "container": name, "previous": False, "text": text}
        yield "log", f"log-patterns.json {name}", told
    for pod in late:
        for log in world.logs(pod):
            text = redact_text(log.text[-MOST_LOG_BYTES:])
            names = [log.container] if log.container else [c.name for c in pod.spec.containers[:1]]
            for name in names:
                content: JsonValue = {"pod": pod.name, "container": name, "previous": log.previous, "text": text}
                yield "log", f"{log.where} {name}", content


def _folded(world: World, group: Group) -> str:
    """What a workload of which no log was collected says by its folded patterns, the most frequent last."""
    entries = records(world.source.document("log-patterns"))
    mine = [
        e for e in entries if e.get("service") == group.ref.name and e.get("namespace") in (None, group.ref.namespace)
    ]
    patterns = [p for entry in mine for p in records(entry.get("patterns")) if isinstance(p.get("sample"), str)]
    patterns.sort(key=lambda p: p["count"] if isinstance(p.get("count"), int) else 0)
    return redact_text("\n".join(str(p["sample"]) for p in patterns)[-MOST_LOG_BYTES:])


def _config_maps(world: World, namespace: str, body: Json) -> JsonValue:
    if not world.known(ConfigMap, namespace):
        return {}
    found: dict[str, JsonValue] = {}
    for name in referenced_config_maps(body):
        one = world.find(ConfigMap, namespace, name)
        found[name] = [*sorted(one.keys)] if one is not None else None
    return found


def _selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())

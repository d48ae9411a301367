"""Evidence that was kept of an incident as a source: the objects that its items were taken from, as far as they tell.

Only what an item shows whole becomes a list of objects: a source's list is taken to be complete, and of the Services of
a namespace, for example, a look keeps those of its target alone. What is left out so is unknown, never absent.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.cluster import KINDS, Json
from interlock.agents.evidence.collect import MOST_CONFIG_MAPS
from interlock.agents.evidence.model import Evidence, Item, Kind
from interlock.agents.evidence.parts import CONTROLLER_HASH, REVISION, TEMPLATE_HASH
from interlock.agents.evidence.source import RunLog
from interlock.agents.evidence.survey import Surveyed

_WHOLE_LISTS: tuple[tuple[Kind, str], ...] = (
    ("pods", "pods"),
    ("quotas", "resourcequotas"),
    ("limit-ranges", "limitranges"),
)
_TOLD: frozenset[Kind] = frozenset(
    {"target", "replica-sets", "pods", "events", "log", "config-maps", "quotas", "limit-ranges", "metric", "alerts"}
)
_FOLLOWS: frozenset[Kind] = frozenset({"change", "declared"})
"""What follows from other items."""


def as_source(evidence: Evidence) -> Surveyed:
    """The evidence as what was collected of the target's namespace."""
    target, namespace = evidence.target, evidence.target.namespace
    found = Surveyed(evidence.collected_at, namespace)
    for kind, plural in _WHOLE_LISTS:
        if (item := evidence.first(kind)) is not None:
            found.keep(plural, namespace, records(item.content))
    body = _target(evidence)
    if body is not None:
        plural = KINDS[target.kind][1]
        found.keep(plural, namespace, [body, *_others(found, plural, namespace, target.name)])
        _keep_revisions(found, evidence, body)
    if (item := evidence.first("events")) is not None:
        events = [_event(number, view) for number, view in enumerate(records(item.content), start=1)]
        found.keep("events", namespace, events)
    _keep_config_maps(found, evidence)
    for log in _logs(evidence):
        place = (log.namespace, log.pod)
        found.texts[place] = (*found.texts.get(place, ()), log)
    if told := alerts_in(evidence):
        found.papers["alerts"] = told
    found.folders["metrics"] = {f"query-{item.id}": _metric(item) for item in evidence.of("metric")}
    return found


def alerts_in(evidence: Evidence) -> list[JsonValue]:
    """The alerts that were kept, as a snapshot has them."""
    item = evidence.first("alerts")
    return [_alert(view) for view in records(item.content)] if item is not None else []


def left_out(evidence: Evidence) -> tuple[str, ...]:
    """Where that was seen which a source does not tell of, in order."""
    return tuple(item.source for item in evidence.items if item.content and item.kind not in _TOLD | _FOLLOWS)


def _target(evidence: Evidence) -> Json | None:
    item = evidence.first("target")
    if item is None or not isinstance(item.content, dict) or evidence.target.kind not in KINDS:
        return None
    return item.content


def _others(found: Surveyed, plural: str, namespace: str | None, name: str) -> list[Json]:
    return [one for one in found.objects(plural, namespace) or () if one["metadata"]["name"] != name]


def _keep_revisions(found: Surveyed, evidence: Evidence, body: Json) -> None:
    item, target = evidence.first("replica-sets"), evidence.target
    if item is None:
        return
    owner = {"kind": target.kind, "name": target.name, "uid": body["metadata"].get("uid", ""), "controller": True}
    of_deployment = target.kind == "Deployment"
    made = _replica_set if of_deployment else _controller_revision
    plural = "replicasets" if of_deployment else "controllerrevisions"
    found.keep(plural, target.namespace, [made(view, owner) for view in records(item.content)])


def _replica_set(view: Json, owner: Json) -> Json:
    return {
        "metadata": {
            **_metadata(view, owner),
            "labels": {TEMPLATE_HASH: view.get("hash")},
            "annotations": {REVISION: str(view.get("revision", 0))},
        },
        "spec": {"replicas": view.get("wanted", 0), "template": view.get("template") or {}},
        "status": {
            "replicas": view.get("replicas", 0),
            "readyReplicas": view.get("ready", 0),
            "conditions": view.get("conditions") or [],
        },
    }


def _controller_revision(view: Json, owner: Json) -> Json:
    return {
        "metadata": {**_metadata(view, owner), "labels": {CONTROLLER_HASH: view.get("hash")}},
        "revision": view.get("revision", 0),
        "data": {"spec": {"template": view.get("template") or {}}},
    }


def _metadata(view: Json, owner: Json) -> Json:
    return {"name": view.get("name"), "creationTimestamp": view.get("created"), "ownerReferences": [owner]}


def _event(number: int, view: Json) -> Json:
    return {
        "metadata": {"name": f"event-{number}", "creationTimestamp": view.get("last")},
        **{key: view.get(key) for key in ("reason", "type", "message", "count")},
        "involvedObject": view.get("object") or {},
        "lastTimestamp": view.get("last"),
        "source": {"component": view.get("from") or ""},
    }


def _keep_config_maps(found: Surveyed, evidence: Evidence) -> None:
    """Those that the target refers to, if all of them were looked at: others would be taken not to exist."""
    item = evidence.first("config-maps")
    if item is None or not isinstance(item.content, dict) or evidence.lacks("config-maps"):
        return
    if len(item.content) < MOST_CONFIG_MAPS:
        found.keep("configmaps", evidence.target.namespace, list(_config_maps(item.content)))


def _config_maps(keys_by_name: dict[str, JsonValue]) -> Iterator[Json]:
    for name, keys in keys_by_name.items():
        if isinstance(keys, list):
            yield {"metadata": {"name": name}, "data": {str(key): "" for key in keys}}


def _logs(evidence: Evidence) -> Iterator[RunLog]:
    namespace = evidence.target.namespace or ""
    for item in evidence.of("log"):
        told: Any = item.content
        yield RunLog(namespace, told["pod"], told["container"], told["previous"], told["text"], item.source)


def _alert(view: Json) -> JsonValue:
    kept: Json = {key: view.get(key) for key in ("status", "labels", "startsAt")}
    return {**kept, "annotations": {"summary": view.get("summary") or ""}}


def _metric(item: Item) -> JsonValue:
    at = item.collected_at.timestamp()
    result: list[JsonValue] = [
        {"metric": one.get("labels") or {}, "value": [at, str(one.get("value"))]} for one in records(item.content)
    ]
    return {"query": item.source, "status": "success", "data": {"resultType": "vector", "result": result}}

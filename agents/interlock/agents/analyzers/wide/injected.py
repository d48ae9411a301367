"""Objects that ask for trouble: a delay, a loss or a failure on the way to those whom they select.

Meshes and fault injectors have many kinds of them, so they are known by their fields and not by their names: a fault
somewhere in the spec, and a selector, a reference or hosts that say whom it meets.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.kinds import Node
from interlock.agents.analyzers.networking import Service
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.analyzers.world import Group, loaded
from interlock.agents.cluster import Json
from interlock.agents.model import ObjectRef

DEEPEST = 12
# What a field or an action is called, and what it does to the network.
_WORDS: tuple[tuple[str, str], ...] = (
    (r"(?i)(fixed)?delay|latency", "delay"),
    (r"(?i)loss|packet-?loss|drop", "packet-loss"),
    (r"(?i)corrupt|duplicate|reorder|partition|bandwidth", "degraded"),
)
_ABORT = re.compile(r"(?i)abort")
_FAULTS = re.compile(r"(?i)faults?|faultInjection")
_SELECTOR = re.compile(r"(?i)(pod|label|workload)?selectors?")
_NODES = re.compile(r"(?i)nodes|nodeNames?|nodeSelectors?")
_LABELS = frozenset({"matchLabels", "labelSelectors", "labels"})
_NOTHING = re.compile(r"0+(\.0+)?\s*(%|ms|s|us|ns|m)?")
_OVER = re.compile(r"(?i)^(all)?(recovered|finished|completed|stopped|paused)$")


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each workload or node that such an object meets."""
    typed = frozenset(kind.plural for kind in loaded())
    for place in (*land.focus, *(n for n in land.source.namespaces() if n not in land.focus), None):
        for plural in sorted(set(land.source.plurals(place)) - typed):
            for body in land.source.objects(plural, place) or ():
                yield from _asked(land, place, plural, body)


def _asked(land: Landscape, place: str | None, plural: str, body: Json) -> Iterator[Finding]:
    spec = body.get("spec")
    if not isinstance(spec, dict) or body["metadata"].get("deletionTimestamp") or _is_over(body.get("status")):
        return
    what = _fault(spec)
    if what is None:
        return
    who = ObjectRef(kind=str(body.get("kind") or plural), namespace=place, name=str(body["metadata"]["name"]))
    nodes = _nodes(land, spec)
    if nodes and what != "errors":
        cause = f"node.network.{'unavailable' if what == 'degraded' else what}"
        yield from (_finding(land, cause, node, who, what) for node in nodes)
        return
    cause = "workload.errors" if what == "errors" else f"workload.network.{what}"
    yield from (_finding(land, cause, group.ref, who, what) for group in _met(land, place, spec))


def _finding(land: Landscape, cause: str, target: ObjectRef, who: ObjectRef, what: str) -> Finding:
    return Finding(
        cause=cause,
        object=target,
        confidence=0.93 if land.symptoms or land.lines else 0.75,
        summary=f"{who} asks for {what} on the way to {target}.",
        quotes=land.quote(who, f"{what}, for {target}"),
        introduced="no",
    )


def _is_over(status: Any) -> bool:
    """Whether it says of itself that it is done, or never began."""
    if not isinstance(status, dict):
        return False
    conditions = records(status.get("conditions"))
    done = any(_OVER.match(str(c.get("type"))) and c.get("status") == "True" for c in conditions)
    missed = any(re.search(r"(?i)injected$", str(c.get("type"))) and c.get("status") == "False" for c in conditions)
    return done or missed or bool(_OVER.match(str(status.get("phase", ""))))


def _fault(spec: Mapping[str, Any]) -> str | None:
    """What is asked for: by a fault anywhere in the spec, by an action, or by a part of that name."""
    for inner in _inner(spec, DEEPEST):
        for key, value in inner.items():
            if _FAULTS.fullmatch(key):
                parts = value if isinstance(value, list) else [value]
                found = next((w for p in parts if isinstance(p, dict) and (w := _named(p))), None)
                if found is not None:
                    return found
    action = str(spec.get("action") or "")
    detail: Any = next((v for k, v in spec.items() if k.lower() == action.lower()), {})
    if action and not _is_nothing(detail):
        return next((what for words, what in _WORDS if re.fullmatch(words, action)), None) or (
            _named(spec) if action == "netem" else None
        )
    return _named({k: v for k, v in spec.items() if isinstance(v, dict)})


def _named(part: Mapping[str, Any]) -> str | None:
    for key, value in part.items():
        if _is_nothing(value) or value in (None, {}, []):
            continue
        if _ABORT.fullmatch(key):
            return "errors"
        found = next((what for words, what in _WORDS if re.fullmatch(words, key)), None)
        if found is not None:
            return found
    return None


def _is_nothing(value: Any) -> bool:
    """Whether a share or a time of nothing is asked for."""
    if isinstance(value, dict):
        shares = [v for k, v in value.items() if re.fullmatch(r"(?i)percent(age)?|loss|latency|fixedDelay|value", k)]
        return any(_is_nothing(share) for share in shares)
    return not isinstance(value, bool) and bool(_NOTHING.fullmatch(str(value)))


def _inner(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth <= 0:
        return
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _inner(one, depth - 1)


def _nodes(land: Landscape, spec: Mapping[str, Any]) -> list[ObjectRef]:
    selector = spec.get("selector")
    named: list[str] = []
    for part in (spec, selector if isinstance(selector, dict) else {}):
        for key, value in part.items():
            if not _NODES.fullmatch(key):
                continue
            labels = value if isinstance(value, dict) else None
            named += [str(v) for v in value] if isinstance(value, list) else []
            for node in land.within(Node).values() if labels else ():
                named += [node.name] if labels and labels.items() <= node.metadata.labels.items() else []
    return [seen.ref for name in named if (seen := land.find(Node, None, name)) is not None]


def _met(land: Landscape, place: str | None, spec: Mapping[str, Any]) -> list[Group]:
    """The workloads that are selected, referred to, or behind the hosts that are named."""
    found: dict[ObjectRef, Group] = {}
    for labels in _selected(spec):
        found |= {g.ref: g for g in land.groups if labels.items() <= g.labels.items()}
    for name, namespace in _hosts(spec, place):
        service = land.find(Service, namespace, name)
        groups = land.behind(service) if service is not None else ()
        found |= {g.ref: g for g in groups if g.ref.namespace in land.focus}
    return list(found.values())


def _selected(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key, value in spec.items():
        if not _SELECTOR.fullmatch(key) or not isinstance(value, dict):
            continue
        inner = [dict(value[k]) for k in value if k in _LABELS and isinstance(value[k], dict)]
        plain = {k: v for k, v in value.items() if isinstance(v, str)}
        yield from (labels for labels in (*inner, *([plain] if not inner else [])) if labels)


def _hosts(spec: Mapping[str, Any], place: str | None) -> Iterator[tuple[str, str]]:
    hosts = spec.get("hosts")
    for host in hosts if isinstance(hosts, list) else ():
        name, _, rest = str(host).partition(".")
        yield name, rest.partition(".")[0] or place or ""
    references = [spec.get("targetRef"), *(r if isinstance(r := spec.get("targetRefs"), list) else ())]
    for reference in references:
        if isinstance(reference, dict) and reference.get("kind") == "Service":
            yield str(reference.get("name")), str(reference.get("namespace") or place or "")

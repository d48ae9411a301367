"""What a namespace allows: quotas that are used up, ranges that refuse, objects that were meant and never came."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import LimitRange, Namespace, Quota
from interlock.agents.analyzers.wide.drift import Drift
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.workloads import DaemonSet, Deployment, ReplicaSet, StatefulSet, Workload
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef
from interlock.crds.quantity import is_quantity, quantity

_EXCEEDED = re.compile(r"exceeded quota: (?P<quota>[^,\s]+), requested: (?P<asked>.+?), used: ", re.S)
_MUST = re.compile(r"failed quota: (?P<quota>[^:\s]+): must specify (?P<what>[\w.,]+)")
_RANGE = re.compile(
    r"(?P<side>maximum|minimum) (?P<what>\S+) (?:usage|limit to request ratio)"
    r" per (?:Container|Pod|PersistentVolumeClaim)"
    r"(?: is (?P<value>[\w.]+))?"
)
_RESOURCES: tuple[tuple[str, str], ...] = (
    (r"^(count/)?pods$", "pods"),
    (r"^(requests\.|limits\.)?cpu$", "cpu"),
    (r"^(requests\.|limits\.)?memory$", "memory"),
    (r"storage|persistentvolumeclaims", "storage"),
    (r"services", "services"),
)
_COUNTED = {
    "Service": ("services", "count/services"),
    "Deployment": ("count/deployments.apps",),
    "PersistentVolumeClaim": ("persistentvolumeclaims", "requests.storage", "count/persistentvolumeclaims"),
    "ConfigMap": ("configmaps", "count/configmaps"),
    "Secret": ("secrets", "count/secrets"),
    "Job": ("count/jobs.batch",),
    "CronJob": ("count/cronjobs.batch",),
}


_MAKERS: tuple[type[Workload], ...] = (Deployment, StatefulSet, DaemonSet)


@dataclass(frozen=True)
class Refusal:
    """Something that could not be made: its name, what was said, and where."""

    name: str
    message: str
    where: str


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about quotas, ranges and namespaces that end."""
    told: set[str] = set()
    for refusal in refusals(land):
        if _still_short(land, refusal):
            for finding in _refused(land, refusal):
                told.add(finding.object.name)
                yield finding
    for quota in land.every(Quota):
        if quota.name not in told:
            yield from _full(land, quota)
    yield from _never_came(land)
    for namespace in land.focus:
        yield from _ending(land, namespace)


def resource_cause(resources: set[str]) -> str:
    """The cause for a quota that is used up in these resources."""
    words = {next((word for pattern, word in _RESOURCES if re.search(pattern, r)), "objects") for r in resources}
    return f"namespace.quota.{words.pop()}-exceeded" if len(words) == 1 else "namespace.quota"


def refusals(land: Landscape) -> Iterator[Refusal]:
    """What the API server or a controller refused, from events, and from conditions as events do not last."""
    for event in land.events:
        if event.reason in ("FailedCreate", "FailedScheduling", "ProvisioningFailed", "ReplicaSetCreateError"):
            yield Refusal(event.object.name, event.message, f"event about {event.object.kind} {event.object.name}")
    for kind in _MAKERS:
        for maker in land.every(kind):
            condition = maker.condition("ReplicaFailure")
            if condition is not None and condition.status == "True":
                yield Refusal(maker.name, condition.message, str(maker.ref))
    for revision in land.every(ReplicaSet):
        for condition in revision.status.conditions:
            if condition.type == "ReplicaFailure" and condition.status == "True":
                yield Refusal(revision.name, condition.message, str(revision.ref))


def _refused(land: Landscape, refusal: Refusal) -> Iterator[Finding]:
    quotes = (Quote(id=refusal.where, excerpt=refusal.message[:300]),)
    place = land.focus[0]
    if found := _EXCEEDED.search(refusal.message):
        asked = {part.partition("=")[0].strip() for part in found["asked"].split(",")}
        yield Finding(
            cause=resource_cause(asked),
            object=ObjectRef(kind="ResourceQuota", namespace=place, name=found["quota"]),
            confidence=0.95,
            summary=f"Quota {found['quota']} refuses {refusal.name}: {refusal.message[-200:]}",
            quotes=quotes,
        )
    elif found := _MUST.search(refusal.message):
        yield Finding(
            cause=resource_cause(set(found["what"].split(","))),
            object=ObjectRef(kind="ResourceQuota", namespace=place, name=found["quota"]),
            confidence=0.75,
            summary=f"Quota {found['quota']} demands {found['what']} of every pod, and {refusal.name} says none.",
            quotes=quotes,
        )
    elif bound := _RANGE.search(refusal.message):
        yield _out_of_range(land, refusal, bound, quotes)


def _out_of_range(land: Landscape, refusal: Refusal, bound: re.Match[str], quotes: tuple[Quote, ...]) -> Finding:
    """The range is to be edited, unless it is older than the revision that left it while the one before kept to it."""
    ranges = list(land.every(LimitRange))
    saying = [r for r in ranges if any(_says(limit, bound) for limit in r.spec.limits)]
    chosen = (saying or ranges)[0] if ranges else None
    group = _group_of(land, refusal.name)
    unseen = ObjectRef(kind="LimitRange", namespace=land.focus[0], name="*")
    target = chosen.ref if chosen else group.ref if group is not None else unseen
    made = chosen.metadata.creation_timestamp if chosen is not None else None
    left = group is not None and group.ready > 0 and made is not None and _renewed_after(land, group, made)
    return Finding(
        cause="namespace.limit-range.violated",
        object=group.ref if group is not None and left else target,
        confidence=0.8 if left else 0.93,
        summary=f"The limit range {target.name} refuses {refusal.name}: {refusal.message[-200:]}",
        quotes=(*quotes, *land.quote(target, bound[0])),
        introduced="yes" if left else "unknown",
    )


def _says(limit: Mapping[str, JsonValue], bound: re.Match[str]) -> bool:
    words = {"maximum": "max", "minimum": "min"}
    side = limit.get(words[bound["side"]])
    return isinstance(side, dict) and str(side.get(bound["what"])) == bound["value"]


def _renewed_after(land: Landscape, group: Group, made: datetime) -> bool:
    """Whether a revision that came after has no pods, while one before it has."""
    mine = [r for r in land.every(ReplicaSet) if any(o.name == group.ref.name for o in r.metadata.owner_references)]
    born = [r.metadata.creation_timestamp for r in mine if r.metadata.creation_timestamp is not None]
    return len(born) > 1 and max(born) > made > min(born)


def _group_of(land: Landscape, name: str) -> Group | None:
    found = [g for g in land.groups if name == g.ref.name or name.startswith(f"{g.ref.name}-")]
    return max(found, key=lambda g: len(g.ref.name), default=None)


def _still_short(land: Landscape, refusal: Refusal) -> bool:
    """Whether what was refused is still missing."""
    name = refusal.name
    groups = [g for g in land.groups if name == g.ref.name or name.startswith(f"{g.ref.name}-")]
    return not groups or any(g.ready < g.wanted or g.refused for g in groups)


def _full(land: Landscape, quota: Quota) -> Iterator[Finding]:
    full = {name for name, hard in quota.status.hard.items() if _is_full(name, hard, quota.status.used.get(name, "0"))}
    if not full:
        return
    short = [g for g in land.groups if len(g.pods) < g.wanted]
    counted = [d for d in land.drifts if d.live is None and not d.path and full & set(_COUNTED.get(d.object.kind, ()))]
    shown = ", ".join(f"{name} {quota.status.used.get(name)} of {quota.status.hard[name]}" for name in sorted(full))
    named = {r for d in counted for r in full & set(_COUNTED.get(d.object.kind, ()))}
    sure = 0.93 if counted else 0.8 if short and resource_cause(full) != "namespace.quota.services-exceeded" else 0.3
    yield Finding(
        cause=resource_cause(named or full),
        object=quota.ref,
        confidence=sure,
        summary=f"{quota.ref} is used up: {shown}.",
        quotes=(
            *land.quote(quota, shown),
            *(q for g in short[:2] for q in land.quote(g.ref, f"{len(g.pods)} of {g.wanted} pods exist")),
        ),
    )


def _never_came(land: Landscape) -> Iterator[Finding]:
    """Objects that were meant and are not there, where no quota explains it."""
    absent = [d for d in land.drifts if not d.path and d.live is None]
    for drift in absent:
        finding = _absent(land, drift)
        if finding is not None:
            yield finding


def _is_full(name: str, hard: str, used: str) -> bool:
    """Whether nothing is left; that there is nothing of a kind from the outset is a choice, and no shortage."""
    if not (is_quantity(hard) and is_quantity(used)) or quantity(used) < quantity(hard):
        return False
    runs = resource_cause({name}).endswith(("pods-exceeded", "cpu-exceeded", "memory-exceeded"))
    return quantity(hard) > 0 or runs


_MISSING: dict[str, tuple[str, float]] = {
    "Deployment": ("workload.replicas.zero", 0.7),
    "StatefulSet": ("workload.replicas.zero", 0.7),
    "Service": ("service.endpoints.empty", 0.75),
    "ConfigMap": ("workload.config.config-map-not-found", 0.72),
    "Secret": ("workload.secret.not-found", 0.72),
    "ServiceAccount": ("workload.service-account.not-found", 0.72),
    "PersistentVolumeClaim": ("workload.volume.not-found", 0.72),
    "RoleBinding": ("rbac.binding.missing", 0.75),
    "Role": ("rbac.permission.revoked", 0.75),
    "StorageClass": ("storage.class.not-found", 0.6),
}


def _absent(land: Landscape, drift: Drift) -> Finding | None:
    known = _MISSING.get(drift.object.kind)
    if known is None or not land.symptoms:
        return None
    return Finding(
        cause=known[0],
        object=drift.object,
        confidence=known[1],
        summary=f"{drift.object} was meant to be there and is not.",
        quotes=land.quote(drift.object, drift.words),
    )


def _ending(land: Landscape, name: str) -> Iterator[Finding]:
    namespace = land.find(Namespace, None, name)
    if namespace is None or namespace.status.phase != "Terminating":
        return
    stuck = [c for c in namespace.status.conditions if c.status == "True"]
    yield Finding(
        cause="namespace.terminating.stuck",
        object=namespace.ref,
        confidence=0.93,
        summary=f"{namespace.ref} is being deleted" + (f": {stuck[0].message}" if stuck else "."),
        quotes=land.quote(namespace, "; ".join(f"{c.type}: {c.message}" for c in stuck[:3]) or "phase Terminating"),
    )

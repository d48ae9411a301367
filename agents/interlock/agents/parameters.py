"""A runbook's parameters out of evidence: one small pure rule for each name that runbooks use.

A rule says a value, or that the evidence speaks against any value (`Unfit`), or None where it knows nothing; then the
runbook's own default counts, if it has one. The runbook's bounds are judged where it is chosen. A rule raises a limit
only where something shows that what is needed has an end: raising the limit of what grows only moves the hour.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from interlock.agents.analyzers import Scene
from interlock.agents.analyzers.kinds import Autoscaler, LimitRange, Node
from interlock.agents.analyzers.objects import ContainerStatus
from interlock.agents.analyzers.replicas import meant_replicas
from interlock.agents.analyzers.wide.measures import series_of
from interlock.agents.analyzers.wide.taints import keeps_out
from interlock.agents.facts import Facts
from interlock.agents.model import Record
from interlock.crds.causes import covers
from interlock.crds.quantity import is_quantity, quantity
from interlock.crds.types import rfc3339

MEBI = 2**20
MOST_TIMES = 4.0
"""How many times its present limit a container gets at most."""
MOST_TIMES_QUOTA = 2.0
LONG_RUN_SECONDS = 3600
GROWING = 0.85
"""The share of steps upwards from which a series counts as growing."""


class Unfit(Record):
    """The evidence speaks against this cure."""

    why: str


Value = str | Unfit | None
Rule = Callable[[Facts], Value]


def revision(facts: Facts) -> Value:
    """The newest earlier revision that has ready pods; 0 (the one before) where none is seen to work."""
    return str(good_revision(facts.scene))


def good_revision(scene: Scene) -> int:
    """The newest earlier revision that has ready pods; 0 (the one before) where none is seen to work."""
    return next((r.revision for r in scene.revisions[1:] if r.ready > 0), 0)


def replicas(facts: Facts) -> Value:
    """As many as were meant: as last applied, as in the manifests, as an autoscaler's least, as an hour ago."""
    meant = meant_replicas(facts.evidence)
    if meant is None and isinstance(drifted := facts.meant("/spec/replicas"), int) and drifted > 0:
        meant = drifted
    if meant is None and facts.land is not None:
        named = (facts.object.kind, facts.object.name)
        scalers = (s.spec for s in facts.land.within(Autoscaler, facts.object.namespace).values())
        meant = next(
            (s.min_replicas for s in scalers if (s.scale_target_ref.kind, s.scale_target_ref.name) == named), None
        )
    return str(meant) if meant else None


def container(facts: Facts) -> Value:
    """The one container that the fault is about."""
    names = sorted(set(_containers(facts)))
    if len(names) == 1:
        return names[0]
    return Unfit(why=f"which container is meant is not clear: {', '.join(names) or 'none was seen'}")


def _containers(facts: Facts) -> Iterable[str]:
    scene, cause = facts.scene, facts.finding.cause
    if covers("workload.memory", cause) and (killed := [s.name for s in _killed(scene)]):
        return killed
    if covers("workload.probe", cause):
        changed = [
            n
            for n in _names(scene)
            if any(c.path.endswith("Probe") or "Probe/" in c.path for c in scene.changed("containers", n))
        ]
        probed = [e.object.container for e in scene.events if e.reason == "Unhealthy" and e.object.container]
        return changed or probed or _names(scene)
    changed = [n for n in _names(scene) if scene.changed("containers", n, "resources")]
    return changed or _names(scene)


def _names(scene: Scene) -> list[str]:
    return [one.name for one in scene.template.containers]


def _killed(scene: Scene) -> Iterator[ContainerStatus]:
    for pod in scene.pods:
        for status in pod.statuses():
            if status.ended is not None and status.ended.reason == "OOMKilled":
                yield status


def memory(facts: Facts) -> Value:
    """A higher memory limit: what it had before it was lowered, else twice as much or what its peak asks for."""
    present, before = _limits(facts, "memory")
    if present is None:
        return Unfit(why="the container has no memory limit to raise")
    if grows(facts):
        return Unfit(why="its memory grows without bound, so that a higher limit would only delay its end")
    wanted = before if before is not None and before > present else max(2 * present, 1.25 * (_peak(facts) or 0))
    room = _room(facts, "memory")
    if wanted > min(MOST_TIMES * present, room):
        return Unfit(why=f"it needs {_mebi(wanted)} where {_mebi(min(MOST_TIMES * present, room))} is the most")
    return _mebi(wanted)


def cpu(facts: Facts) -> Value:
    """A higher processor limit: what it had before it was lowered, else twice the present one."""
    present, before = _limits(facts, "cpu")
    if present is None:
        return Unfit(why="the container has no cpu limit to raise")
    wanted = before if before is not None and before > present else 2 * present
    most = min(MOST_TIMES * present, _room(facts, "cpu"))
    if wanted > most:
        return Unfit(why=f"it needs {_milli(wanted)} where {_milli(most)} is the most")
    return _milli(wanted)


def _limits(facts: Facts, what: str) -> tuple[float | None, float | None]:
    """The container's present limit and the one before, in bytes or cores."""
    name = container(facts)
    one = facts.scene.template.container(name) if isinstance(name, str) else None
    said = one.resources.limits.get(what) if one is not None else None
    changes = facts.scene.changed("containers", str(name), "limits", what) if one is not None else ()
    was = changes[0].before if changes else facts.meant(f"limits/{what}")
    return _number(said), _number(was)


def _number(said: Any) -> float | None:
    return quantity(said) if is_quantity(said) else None


def _mebi(amount: float) -> str:
    return f"{math.ceil(amount / MEBI)}Mi"


def _milli(cores: float) -> str:
    return f"{math.ceil(round(cores * 1000, 3))}m"


def _room(facts: Facts, what: str) -> float:
    """The most that a LimitRange and the largest node allow; infinite where neither was seen."""
    if facts.land is None:
        return math.inf
    ranges = facts.land.within(LimitRange, facts.object.namespace).values()
    bounds = [limit.get("max") for r in ranges for limit in r.spec.limits if limit.get("type") in ("Container", "Pod")]
    found = [n for bound in bounds if isinstance(bound, dict) and (n := _number(bound.get(what))) is not None]
    nodes = [
        n for node in facts.land.within(Node).values() if (n := _number(node.status.allocatable.get(what))) is not None
    ]
    return min((*found, *((max(nodes),) if nodes else ())), default=math.inf)


def grows(facts: Facts) -> bool:
    """Whether what it uses seems to have no end: it is said, measured, or it ends after hours, again and again."""
    if any(covers("workload.memory.leak", rival.cause) and rival.object == facts.object for rival in facts.rivals):
        return True
    if any(rises(values) for values in _used(facts)):
        return True
    killed = list(_killed(facts.scene))
    return bool(killed) and all(
        s.restart_count >= 2 and s.ended is not None and (s.ended.seconds or 0) >= LONG_RUN_SECONDS for s in killed
    )


def rises(values: list[float]) -> bool:
    """Whether a series grows to its end, or again and again between falls to where it began (a leak that is killed)."""
    if len(values) < 8 or max(values) <= 1.3 * min(values):
        return False
    steps = list(pairwise(values))
    falls = [i for i, (a, b) in enumerate(steps) if b < 0.75 * a]
    climbing = sum(1 for a, b in steps if b > a * 1.001) / max(1, len(steps) - len(falls))
    return climbing >= GROWING


def _used(facts: Facts) -> Iterator[list[float]]:
    """What its containers used of memory, in bytes over time, each series by itself."""
    pods = {pod.name for pod in facts.scene.pods}
    for about, labels, values in _series(facts):
        if re.search(r"(?i)memory_(?:working_set|usage|rss)", about) and labels.get("pod") in pods:
            yield values


def _peak(facts: Facts) -> float | None:
    return max((max(values) for values in _used(facts)), default=None)


def _series(facts: Facts) -> Iterator[tuple[str, Mapping[str, Any], list[float]]]:
    for name, answer in facts.land.source.documents("metrics").items() if facts.land is not None else ():
        query = answer.get("query", "") if isinstance(answer, dict) else ""
        for labels, values in series_of(answer):
            yield f"{name} {query}", labels, values


def max_replicas(facts: Facts) -> Value:
    """Half as many again, or what was meant; not where the pods that it has are not ready."""
    present = facts.spec("maxReplicas")
    if not isinstance(present, int) or facts.land is None:
        return Unfit(why="the autoscaler was not seen")
    target = facts.spec("scaleTargetRef") or {}
    group = next(
        (g for g in facts.land.groups if (g.ref.kind, g.ref.name) == (target.get("kind"), target.get("name"))), None
    )
    if group is not None and not group.whole:
        return Unfit(why=f"pods of {group.ref} are not ready: more of the same would not be either")
    meant = facts.meant("maxReplicas")
    if isinstance(meant, int) and meant > present:
        return str(meant)
    return str(present + max(1, math.ceil(present / 2)))


_REFUSED = re.compile(r"requested: (?P<asked>[^ ]+?), used: (?P<used>[^ ]+?), limited: (?P<hard>[^ ]+)")


def quota_resource(facts: Facts) -> Value:
    """The one resource of which the quota has too little."""
    names = sorted(_asked(facts)) or sorted(_used_up(facts))
    if len(names) == 1:
        return names[0]
    return Unfit(why=f"which resource is too little is not clear: {', '.join(names) or 'none was seen'}")


def quota_hard(facts: Facts) -> Value:
    """What the quota had before it was lowered, else what is used and was asked for; not where it was meant so."""
    name = quota_resource(facts)
    hard = _number((facts.spec("hard") or {}).get(name)) if isinstance(name, str) else None
    if not isinstance(name, str) or hard is None:
        return Unfit(why="what the quota allows was not seen")
    before = _number(facts.meant(f"/hard/{name}"))
    if before is not None and before > hard:
        wanted = before
    elif _is_older(facts):
        return Unfit(why="the quota is older than what it refuses and was not changed: whoever set it meant it")
    else:
        used = _number(((facts.body or {}).get("status") or {}).get("used", {}).get(name)) or hard
        wanted = max(hard, used) + _asked(facts).get(name, 0.0) * _missing_pods(facts)
    if not hard < wanted <= MOST_TIMES_QUOTA * hard:
        return Unfit(why=f"{name} would have to be {wanted:g} where {hard:g} is allowed: more than a stopgap")
    return _written(name, wanted)


def _asked(facts: Facts) -> dict[str, float]:
    found: dict[str, float] = {}
    for quote in facts.finding.quotes:
        said = _REFUSED.search(quote.excerpt)
        for part in said["asked"].split(",") if said else ():
            name, _, amount = part.partition("=")
            if (number := _number(amount)) is not None:
                found[name] = max(number, found.get(name, 0.0))
    return found


def _used_up(facts: Facts) -> Iterator[str]:
    status = (facts.body or {}).get("status") or {}
    for name, hard in (status.get("hard") or {}).items():
        allowed, used = _number(hard), _number((status.get("used") or {}).get(name))
        if allowed is not None and used is not None and used >= allowed > 0:
            yield name


def _missing_pods(facts: Facts) -> int:
    groups = facts.land.groups if facts.land is not None else ()
    return max(1, sum(max(0, g.wanted - len(g.pods)) for g in groups))


def _is_older(facts: Facts) -> bool:
    """Whether the quota was there before the workloads that are short of pods."""
    made = str(((facts.body or {}).get("metadata") or {}).get("creationTimestamp") or "")
    short = [g for g in facts.land.groups if g.ready < g.wanted] if facts.land is not None else []
    born = [g.workload.metadata.creation_timestamp for g in short]
    moments = [rfc3339(b, "auto") for b in born if b is not None]
    return not made or not moments or made <= max(moments)


def _written(name: str, amount: float) -> str:
    if "memory" in name or "storage" in name:
        return _mebi(amount)
    return _milli(amount) if "cpu" in name else str(math.ceil(amount))


def taint_key(facts: Facts) -> Value:
    """The one taint of the node that keeps out what waits."""
    node = facts.land.find(Node, None, facts.object.name) if facts.land is not None else None
    said = " ".join((facts.finding.summary, *(q.excerpt for q in facts.finding.quotes)))
    named = sorted({t.key for t in (node.spec.taints if node else ()) if keeps_out(t) and t.key in said})
    if len(named) == 1:
        return named[0]
    return Unfit(why=f"which taint is meant is not clear: {', '.join(named) or 'none was seen'}")


def pull_secret(facts: Facts) -> Value:
    """The one pull secret that an earlier revision had, or that others use who pull from the same registry."""
    scene = facts.scene
    has = {ref.name for ref in scene.template.image_pull_secrets}
    earlier = {ref.name for r in scene.revisions[1:] for ref in r.template.spec.image_pull_secrets} - has
    names = earlier or {n for n in _secrets_of_others(facts) if n not in has}
    if len(names) == 1:
        return names.pop()
    return Unfit(
        why="no other workload shows which pull secret it needs" if not names else "several pull secrets may be meant"
    )


def _secrets_of_others(facts: Facts) -> Iterator[str]:
    registries = {_registry(c.image) for c in facts.scene.template.containers}
    for group in facts.land.groups_of(facts.object.namespace or "") if facts.land is not None else ():
        if (
            group.ref != facts.object
            and group.whole
            and registries & {_registry(c.image) for c in group.spec.containers}
        ):
            yield from (ref.name for ref in group.spec.image_pull_secrets)


def _registry(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


RULES: Mapping[str, Rule] = {
    "toRevision": revision,
    "revision": revision,
    "replicas": replicas,
    "container": container,
    "memory": memory,
    "cpu": cpu,
    "maxReplicas": max_replicas,
    "resource": quota_resource,
    "hard": quota_hard,
    "key": taint_key,
    "secret": pull_secret,
}
"""What a parameter of this name is filled with; runbooks' authors use these names for these meanings."""


def fill(name: str, facts: Facts) -> Value:
    """A parameter's value by its name."""
    rule = RULES.get(name)
    return rule(facts) if rule is not None else None

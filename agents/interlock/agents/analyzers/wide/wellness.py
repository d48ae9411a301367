"""Nothing is wrong: said only where workloads, their pods and services were seen and nothing hurts."""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.kinds import Node
from interlock.agents.analyzers.networking import NetworkPolicy, Service
from interlock.agents.analyzers.objects import Pod, Resource
from interlock.agents.analyzers.wide import injected, measures, ways
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.speech import OFTEN, Line
from interlock.agents.analyzers.wide.symptoms import QUIET_ALERTS, alerts, symptoms
from interlock.agents.analyzers.world import World
from interlock.agents.model import ObjectRef
from interlock.crds.causes import covers

MUCH = 0.1
UNEXPLAINED = 0.4
"""Where nothing was measured, and a program says again and again that it fails: whether that hurts is not known."""
_ERROR = re.compile(r"(?i)\b(?:error|fatal|critical|panic|crit|emerg)\b|\"level\": ?[56]0\b|^fail:|\bexception\b")
_MILD = re.compile(
    r"(?i)\bwarn(?:ing)?\b|\"level\": ?[1-4]0\b|\binfo\b|\bdebug\b|export|otel|telemetry|trac(?:e|ing)s?\b"
    r"|\bspans?\b|metric"
)
BESIDE: tuple[type[Resource], ...] = (Node, NetworkPolicy, Service)


def _sure(world: Landscape) -> float:
    """The less was seen of what is around workloads, and heard of what they say, the less sure."""
    measured = _measured(world)
    if not measured and next(_unexplained(world), None) is not None:
        return UNEXPLAINED
    if not all(world.known(kind, world.focus[0]) for kind in BESIDE):
        return 0.6
    if not measured:
        return 0.52
    told = world.source.objects("events", world.focus[0]) is not None
    heard = any(world.logs(pod) for pod in world.pods) or bool(world.source.document("log-patterns"))
    return 0.9 if told and heard else 0.8 if told or heard else 0.62


def _unexplained(world: Landscape) -> Iterator[Line]:
    """Errors that a program logs again and again, but for those over what only watches it."""
    for line in world.lines:
        often = line.count >= OFTEN and line.share >= MUCH
        if often and _ERROR.search(line.text) and not _MILD.search(line.text):
            yield line


def _measured(world: World) -> bool:
    """Whether anybody would have said that it is slow or fails: objects alone look well then."""
    source = world.source
    papers = ("alerts", "log-patterns", "connectivity")
    return any(source.document(name) is not None for name in papers) or bool(source.documents("metrics"))


MEASURED = ("workload.latency", "workload.errors", "workload.network", "node.network", "queue")


def _is_measured(land: Landscape) -> bool:
    """Whether latency, errors, losses or a backlog rose, though nobody complains."""
    found = (*measures.analyze(land), *ways.analyze(land), *injected.analyze(land))
    return any(f.confidence >= 0.4 and any(covers(family, f.cause) for family in MEASURED) for f in found)


def analyze(world: Landscape) -> Iterator[Finding]:
    """`none.healthy`, or `none.recovered` where alerts tell of something that is over."""
    seen = world.groups and all(world.known(Pod, namespace) for namespace in world.focus)
    if not seen or any(True for _ in symptoms(world)) or _is_measured(world):
        return
    told = [a for a in alerts(world) if a["labels"].get("alertname") not in QUIET_ALERTS]
    resolved = bool(told) and all(a.get("status") == "resolved" for a in told)
    namespace = ObjectRef(kind="Namespace", namespace=None, name=world.focus[0])
    count = sum(len(group.pods) for group in world.groups)
    yield Finding(
        cause="none.recovered" if resolved else "none.healthy",
        object=namespace,
        confidence=_sure(world),
        summary=f"All {len(world.groups)} workloads have the pods that they ask for, and nothing is heard to fail.",
        quotes=tuple(q for g in world.groups[:5] for q in world.quote(g.ref, f"{g.ready} of {g.wanted} pods ready"))
        or world.quote(namespace, f"{count} pods"),
        introduced="no",
    )

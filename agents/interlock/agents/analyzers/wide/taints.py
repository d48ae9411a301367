"""A node turns pods away: a taint that nobody knows, or a cordon that was left.

A taint that a cluster was built with is the business of the workload that does not tolerate it. One that came later,
or that keeps out several workloads of which none was changed, is the node's.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import Node, Taint
from interlock.agents.analyzers.objects import Pod
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef

RECENT_SECONDS = 24 * 3600
MOST_NODES = 3
# Taints of roles, of conditions and of those who add and remove nodes.
_USUAL = re.compile(
    r"(?:node|node-role|node\.cloudprovider)\.kubernetes\.io/|\.(?:gke\.io|amazonaws\.com|azure\.com)/"
    r"|nvidia\.com/|ToBeDeletedByClusterAutoscaler|DeletionCandidateOfClusterAutoscaler|karpenter\.sh/"
)
_CORDONED = re.compile(r"unschedulable")


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about nodes with unusual taints, and about cordoned ones that pods wait for."""
    waiting = [(g, p, words) for g in land.groups for p in g.pods if (words := _words(p))]
    nodes = land.within(Node).values()
    if not waiting:
        return
    tainted = [(n, t) for n in nodes for t in n.spec.taints if keeps_out(t)]
    yield from (f for node, taint in tainted[:MOST_NODES] if (f := _taint(land, node, taint, waiting)) is not None)
    cordoned = [n for n in nodes if n.spec.unschedulable]
    for node in cordoned if len(cordoned) == 1 else ():  # of several none is more to blame than the others
        found = next(((p, words) for _, p, words in waiting if _CORDONED.search(words)), None)
        if found is not None:
            quotes = (*land.quote(node, "spec.unschedulable: true"), *land.quote(*found))
            yield Finding(
                cause="scheduling.node.cordoned",
                object=node.ref,
                confidence=0.9,
                summary=f"{node.ref} is cordoned, and {found[0].name} waits for a node.",
                quotes=quotes,
            )


def _words(pod: Pod) -> str:
    """Why the scheduler finds no node for it; empty where it did."""
    scheduled = pod.condition("PodScheduled")
    return scheduled.message if scheduled is not None and scheduled.status == "False" else ""


def keeps_out(taint: Taint) -> bool:
    """Whether it is a taint that somebody set by hand and that turns pods away."""
    return taint.effect in ("NoSchedule", "NoExecute") and not _USUAL.search(taint.key)


def _taint(land: Landscape, node: Node, taint: Taint, waiting: list[tuple[Group, Pod, str]]) -> Finding | None:
    named = re.compile(rf"taint[^.]*\{{{re.escape(taint.key)}(?::|\}}|=)")
    ours = [one for one in waiting if not land.drifted(one[0].ref, "tolerations", "nodeSelector")]
    kept_out = {g.ref: (p, words) for g, p, words in ours if named.search(words)}
    if not kept_out:
        return None
    came = _recorded(land, node, taint)
    same = sum(1 for n in land.within(Node).values() for t in n.spec.taints if _named(t) == _named(taint))
    if same > 1 and not came:
        return None  # nodes that are kept for something by one taint are somebody's plan
    came = came or _outlived(land, node, taint, frozenset(kept_out))
    if not came and len(kept_out) < 2:
        return None
    pods = [quote for pod, words in list(kept_out.values())[:2] for quote in land.quote(pod, words)]
    shown = f"{taint.key}={taint.value}:{taint.effect}"
    return Finding(
        cause="scheduling.taint.untolerated",
        object=node.ref,
        confidence=0.93 if came else 0.82,
        summary=f"The taint {shown} of {node.ref} keeps out {len(kept_out)} workloads.",
        quotes=(*land.quote(node, f"taint {shown}"), *came, *pods),
        introduced="no",
    )


def _named(taint: Taint) -> tuple[str, str, str]:
    return taint.key, taint.value, taint.effect


def _recorded(land: Landscape, node: Node, taint: Taint) -> tuple[Quote, ...]:
    """Where it is written that the taint came a short while ago."""
    if taint.time_added is not None and (land.now - taint.time_added).total_seconds() < RECENT_SECONDS:
        return land.quote(node, f"{taint.key} added at {taint.time_added.isoformat()}")
    for change in records(land.source.document("changes")):
        said = " ".join(str(change.get(part)) for part in ("object", "summary", "diff"))
        if node.name in said and (taint.key in said or "taint" in said):
            return (Quote(id="changes.json", excerpt=said[:300]),)
    return ()


def _outlived(land: Landscape, node: Node, taint: Taint, victims: frozenset[ObjectRef]) -> tuple[Quote, ...]:
    """What shows that pods that do not tolerate the taint were given this node: those on it, or the victims'."""
    for pod in land.pods:
        if pod.spec.node_name == node.name and not any(t.key in ("", taint.key) for t in pod.spec.tolerations):
            return land.quote(pod, f"runs on {node.name} and does not tolerate {taint.key}")
    mine = tuple(f"/{ref.name}-" for ref in victims)
    for event in land.events:
        given = event.reason == "Scheduled" and event.message.endswith(f" to {node.name}")
        if given and any(name in event.message for name in mine):
            return (Quote(id=f"event about {event.object.kind} {event.object.name}", excerpt=event.message[:300]),)
    return ()

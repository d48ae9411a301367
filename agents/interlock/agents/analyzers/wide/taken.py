"""Somebody takes a workload's pods away, again and again: all of its newest revision, and nothing of theirs failed.

A rollout takes pods of the revision before, a smaller number of replicas takes them once, an eviction is told as one.
What is left is a third party with the right to delete pods: a script, a drill, a controller gone wrong.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.told import Event
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.analyzers.workloads import ReplicaSet
from interlock.agents.analyzers.world import Group

RECENT = timedelta(minutes=30)
SEVERAL = 4
_TAKEN = re.compile(r"^Stopping container ")
_OF_ITSELF = re.compile(r"Evict|Preempt|Taint|NodeNotReady|NodeShutdown|Unhealthy|OOM|BackOff|ScaleDown")


def analyze(land: Landscape) -> Iterator[Finding]:
    """A finding for each Deployment of whose newest revision many pods were stopped within half an hour."""
    stopped: dict[str, list[Event]] = {}
    for event in land.events:
        if event.object.kind == "Pod" and event.reason == "Killing" and _TAKEN.search(event.message):
            stopped.setdefault(event.object.name.rpartition("-")[0], []).append(event)
    for group in land.groups:
        found = _of(land, group, stopped) if group.workload.kind == "Deployment" and group.wanted else []
        if len({e.object.name for e in found}) > max(SEVERAL, group.wanted) - 1:
            yield _finding(land, group, found)


def _of(land: Landscape, group: Group, stopped: dict[str, list[Event]]) -> list[Event]:
    """The pods of its newest revision that were stopped and of which nothing else was told."""
    sets = [s for s in land.every(ReplicaSet) if any(o.name == group.ref.name for o in s.metadata.owner_references)]
    newest = {pod.name.rpartition("-")[0] for pod in group.pods} & {s.name for s in sets}
    if len(newest) != 1:
        return []
    events = stopped.get(newest.pop(), [])
    return [
        e
        for e in events
        if (e.last is None or land.now - e.last < RECENT)
        and not any(_OF_ITSELF.search(other.reason) for other in land.said_of.get(e.object.name, ()))
    ]


def _finding(land: Landscape, group: Group, found: list[Event]) -> Finding:
    gone = sorted({e.object.name for e in found})
    told = next(
        (e for e in records(land.source.document("changes")) if any(n in str(e.get("object")) for n in gone)), {}
    )
    who = f", by {told['who']}" if told.get("who") else ""
    said = f"{len(gone)} pods of one revision stopped within half an hour{who}"
    quotes = (Quote(id=f"event about Pod {gone[0]}", excerpt=found[0].message[:300]), *land.quote(group.ref, said))
    return Finding(
        cause="disruption",
        object=group.ref,
        confidence=0.85 if who else 0.8,
        summary=f"Pods of {group.ref} are taken away again and again, though nothing of theirs fails{who}.",
        quotes=quotes,
        introduced="no",
    )

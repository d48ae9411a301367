"""What was measured of the network: losses and delays of pods and nodes, and of the way between two workloads.

A callee that answers as fast as ever while its callers wait is not slow: the way to it is.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import Node
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.measures import NETWORK, group_of, series_of
from interlock.agents.model import ObjectRef

_DELAY = re.compile(r"(?i)rtt|round_?trip|latency|delay|ping_")
_LATENCY = re.compile(r"(?i)latency|duration|response_time|p9[059]")
_RATE = re.compile(r"(?i)\b(?:rate|irate|increase|delta|deriv)\s*\(")
_CALLERS = ("source_workload", "source", "source_service", "client", "caller")
_MOST_OF = 3
Risen = dict[ObjectRef, Quote]


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about pods and nodes whose packets are lost or late."""
    ways: Risen = {}
    calm: set[ObjectRef] = set()
    for name, answer in land.source.documents("metrics").items():
        query = str(answer.get("query", "")) if isinstance(answer, dict) else ""
        about = f"{name} {query}"
        if NETWORK.search(about):
            what = "delay" if _DELAY.search(about) else "packet-loss"
            yield from _found(land, what, _risen(land, name, query, answer))
        elif _LATENCY.search(about):
            _sides(land, name, answer, ways, calm)
    for ref in (one for one in ways if one in calm):
        words = f"{ref} answers as fast as before, but its callers wait."
        yield _finding("workload.network.delay", ref, 0.7, words, (ways[ref],))


def _risen(land: Landscape, name: str, query: str, answer: Any) -> Risen:
    found: Risen = {}
    for labels, seen in series_of(answer):
        counted = "_total" in query and not _RATE.search(query)
        values = [max(0.0, b - a) for a, b in pairwise(seen)] if counted else seen
        ref = _about(land, labels)
        if ref is not None and (quote := _grown(name, ref, values)) is not None:
            found[ref] = quote
    return found


def _about(land: Landscape, labels: Mapping[str, Any]) -> ObjectRef | None:
    group = group_of(land, labels)
    if group is not None:
        return group.ref
    named = [str(labels[key]).partition(":")[0] for key in ("node", "instance", "nodename") if labels.get(key)]
    return next((node.ref for name in named if (node := land.find(Node, None, name)) is not None), None)


def _grown(name: str, ref: ObjectRef, values: list[float]) -> Quote | None:
    if len(values) < 6:
        return None
    third = len(values) // 3
    before, after = median(values[:third]), median(values[-third:])
    if after <= 0.01 or after < 3 * before:
        return None
    return Quote(id=f"metrics/{name}.json", excerpt=f"{ref}: {before:.4g} before, {after:.4g} now")


def _found(land: Landscape, what: str, risen: Risen) -> Iterator[Finding]:
    """The node where all that suffer are on it, and others are not; else each of them."""
    pods = [(g.ref, p.spec.node_name) for g in land.groups for p in g.pods if p.spec.node_name]
    hosts = {node for ref, node in pods if ref in risen}
    shared = {node for ref, node in pods if ref not in risen}
    if len(risen) >= _MOST_OF and len(hosts) == 1 and hosts != shared:
        node = ObjectRef(kind="Node", namespace=None, name=min(hosts))
        words = f"{len(risen)} workloads suffer from {what}, all on {node}."
        yield _finding(f"node.network.{what}", node, 0.7, words, tuple(risen.values())[:4])
        return
    sure = 0.68 if len(risen) == 1 else 0.45
    for ref, quote in risen.items():
        family = "node" if ref.kind == "Node" else "workload"
        yield _finding(f"{family}.network.{what}", ref, sure, f"{ref} suffers from {what}.", (quote,))


def _sides(land: Landscape, name: str, answer: Any, ways: Risen, calm: set[ObjectRef]) -> None:
    """Whom callers wait for, and who, by its own measure, answers as fast as before."""
    for labels, values in series_of(answer):
        group = group_of(land, labels)
        if group is None or len(values) < 6:
            continue
        quote = _grown(name, group.ref, values)
        seen_by_caller = any(labels.get(key) for key in _CALLERS) and labels.get("reporter") != "destination"
        if seen_by_caller and quote is not None:
            ways[group.ref] = quote
        elif not seen_by_caller and quote is None:
            calm.add(group.ref)


def _finding(cause: str, ref: ObjectRef, sure: float, words: str, quotes: tuple[Quote, ...]) -> Finding:
    return Finding(cause=cause, object=ref, confidence=sure, summary=words, quotes=quotes)

"""Who takes more than a share: one client among all, or one pod among its siblings."""

import re
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.measures import group_of, series_of
from interlock.agents.analyzers.world import Group

MOST = 0.6
MANY_TIMES = 5
FEWEST = 6
_REQUESTS = re.compile(r"(?i)request|rps|qps|http_")
_CLIENTS = ("client", "client_id", "api_key", "client_ip", "remote_addr", "source_ip", "user", "user_agent", "tenant")
_FIXED = re.compile(r"(\w+)=\"([^\"]*)\"")


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings from counts of requests, by client and by pod."""
    for name, answer in land.source.documents("metrics").items():
        query = str(answer.get("query", "")) if isinstance(answer, dict) else ""
        if _REQUESTS.search(f"{name} {query}"):
            series = [(labels, values) for labels, values in series_of(answer) if len(values) >= FEWEST]
            yield from _greedy(land, name, query, series)
            yield from _skewed(land, name, series)


def _greedy(
    land: Landscape, name: str, query: str, series: list[tuple[Mapping[str, Any], list[float]]]
) -> Iterator[Finding]:
    """One client that came to ask for most of all that is asked for."""
    named = [(str(labels[key]), labels, values) for labels, values in series for key in _CLIENTS if labels.get(key)]
    total = sum(_late(values) for _, _, values in named)
    for client, labels, values in named if len(named) > 1 else ():
        group = group_of(land, {**dict(_FIXED.findall(query)), **labels})
        grown = _late(values) > MANY_TIMES * max(_early(values), 1e-9)
        if group is not None and grown and _late(values) > MOST * total:
            words = f"{client}: {_early(values):.3g} before, {_late(values):.3g} of {total:.3g} now"
            yield Finding(
                cause="traffic.abusive-client",
                object=group.ref,
                confidence=0.78,
                summary=f"One client asks {group.ref} for most of all that is asked: {words}.",
                quotes=(Quote(id=f"metrics/{name}.json", excerpt=words),),
            )


def _skewed(land: Landscape, name: str, series: list[tuple[Mapping[str, Any], list[float]]]) -> Iterator[Finding]:
    """One pod that gets nearly everything, behind a Service that keeps clients with the pod that they had."""
    by_group: dict[str, tuple[Group, list[float]]] = {}
    for labels, values in series:
        group = group_of(land, labels) if labels.get("pod") else None
        if group is not None:
            by_group.setdefault(str(group.ref), (group, []))[1].append(_late(values))
    for group, counts in by_group.values():
        sticky = [s for s in land.services_of.get(group.ref, ()) if s.spec.session_affinity == "ClientIP"]
        if sticky and len(counts) > 1 and max(counts) > MANY_TIMES * (sum(counts) - max(counts)) / (len(counts) - 1):
            words = f"{max(counts):.3g} of {sum(counts):.3g} go to one of {len(counts)} pods"
            yield Finding(
                cause="service.session-affinity.skewed",
                object=sticky[0].ref,
                confidence=0.85,
                summary=f"{sticky[0].ref} keeps clients with their pod: {words}.",
                quotes=(
                    *land.quote(sticky[0], "sessionAffinity: ClientIP"),
                    Quote(id=f"metrics/{name}.json", excerpt=words),
                ),
            )


def _early(values: list[float]) -> float:
    return median(values[: len(values) // 3])


def _late(values: list[float]) -> float:
    return median(values[-(len(values) // 3) :])

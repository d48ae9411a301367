"""Connections that were tried: which fail, from where, and what the answers say of the way."""

import re
from collections.abc import Iterator
from typing import Any

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import Node
from interlock.agents.analyzers.networking import Service
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.model import ObjectRef

_LOSS = re.compile(r"(?P<loss>\d+(?:\.\d+)?)% packet loss")
_TIME = re.compile(r"(?:time[=<]\s?|avg[^\d]{0,20}|rtt[^\d]{0,40}/)(?P<ms>\d+(?:\.\d+)?)\s?ms", re.I)
_REFUSED = re.compile(r"refused|ECONNREFUSED", re.I)
_LATE = re.compile(r"timed? ?out|ETIMEDOUT|unreachable", re.I)


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each Service to which connections fail or are slow, and about nodes from which all fail."""
    for check in land.checks:
        service = land.find(Service, check.get("namespace") or land.focus[0], str(check.get("service")))
        raw = str(check.get("raw") or "")
        for group in land.behind(service)[:1] if service is not None else ():
            loss, late = _LOSS.search(raw), _TIME.search(raw)
            if loss and 5 <= float(loss["loss"]) < 100:
                yield _finding("workload.network.packet-loss", group.ref, 0.72, f"{loss[0]} on the way to it", check)
            elif late and float(late["ms"]) > 150:
                yield _finding("workload.network.delay", group.ref, 0.68, f"{late[0]} on the way to it", check)
            elif check.get("succeeded") is False and group.whole and _REFUSED.search(raw):
                yield _finding(
                    "workload.port.not-listening", group.ref, 0.6, "refuses connections, though ready", check
                )
            elif check.get("succeeded") is False and group.whole and _LATE.search(raw):
                yield _finding("workload.network.degraded", group.ref, 0.45, "does not answer, though ready", check)
    yield from _nodes(land)


def _nodes(land: Landscape) -> Iterator[Finding]:
    """A node from which nothing is reached, while everything is from the others."""
    tried: dict[str, list[bool]] = {}
    for check in land.checks:
        for probe in records(check.get("probes")):
            tried.setdefault(_node(land, probe.get("from")), []).append(probe.get("succeeded") is True)
    tried.pop("", None)
    lost = [node for node, outcomes in tried.items() if len(outcomes) >= 2 and not any(outcomes)]
    fine = [node for node, outcomes in tried.items() if all(outcomes)]
    if len(lost) == 1 and fine:
        yield Finding(
            cause="node.network.unavailable",
            object=ObjectRef(kind="Node", namespace=None, name=lost[0]),
            confidence=0.62,
            summary=f"From node {lost[0]} no Service is reached; from {', '.join(fine[:3])} all are.",
            quotes=(
                Quote(
                    id="connectivity.json", excerpt=f"{lost[0]}: {len(tried[lost[0]])} of {len(tried[lost[0]])} fail"
                ),
            ),
        )


def _node(land: Landscape, name: Any) -> str:
    if land.find(Node, None, str(name)) is not None:
        return str(name)
    return next((pod.spec.node_name for pod in land.pods if pod.name == name), "")


def _finding(cause: str, ref: ObjectRef, sure: float, words: str, check: dict[str, Any]) -> Finding:
    return Finding(
        cause=cause,
        object=ref,
        confidence=sure,
        summary=f"{ref}: {words}.",
        quotes=(
            Quote(
                id="connectivity.json", excerpt=f"{check.get('service')}:{check.get('port')} {check.get('raw')}"[:300]
            ),
        ),
    )

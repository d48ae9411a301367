"""What lies outside of the cluster does not answer: a workload says so, and its callers wait or are failed by it.

Nothing that is looked at can mend that. It is said so that nobody mends the workload, or those who wait for it.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.wide.landscape import Landscape, says
from interlock.agents.analyzers.wide.relevance import is_background
from interlock.agents.analyzers.wide.speech import OFTEN, Line
from interlock.agents.analyzers.world import Group

_HOST = re.compile(r"https?://(?P<host>(?:[a-z0-9-]+\.)+[a-z]{2,})(?=[:/\s\"'),]|$)")
_SERVED = re.compile(
    r"(?<![\w@/.-])(?P<host>(?:[a-z0-9-]+\.){2,}(?!(?:go|py|js|ts|rb|rs|java|kt|scala|php|cs|cc|cpp):)[a-z]{2,}):\d{2,5}\b"
)
_INSIDE = re.compile(r"(?:^|\.)(?:svc|local|internal|localdomain|cluster)(?:\.|$)")
_WATCHING = re.compile(r"(?i)telemetry|sentry|datadog|newrelic|honeycomb|otlp?\b|otel|analytics|metrics|tracing|traces")
_SLOW = re.compile(r"(?i)timed? ?out|deadline exceeded|ETIMEDOUT|i/o timeout|\b504\b")
_DOWN = re.compile(r"(?i)connection (?:was )?(?:refused|reset)|ECONNRE|unreachable|\b50[23]\b|service unavailable")
BACKGROUND = 0.35
ALONE = 0.45
"""Nobody complains of who says it: whether anybody needs that answer is not known."""


def analyze(land: Landscape) -> Iterator[Finding]:
    """A finding for each workload that says again and again that a host outside of the cluster does not answer."""
    for line in land.lines:
        if line.group is None or line.count < OFTEN or _WATCHING.search(line.text):
            continue
        slow, down = _SLOW.search(line.text), _DOWN.search(line.text)
        if (slow or down) and (outside := _outside(land, line.text)):
            yield _finding(land, line, line.group, outside, "slow" if slow and not down else "unavailable")


def _outside(land: Landscape, text: str) -> str:
    """The first host in a text that lies in no namespace of the cluster."""
    hosts = [found["host"] for pattern in (_HOST, _SERVED) for found in pattern.finditer(text)]
    places = {*land.focus, *land.source.namespaces()} if hosts else set()
    return next((host for host in hosts if not _INSIDE.search(host) and host.rpartition(".")[2] not in places), "")


def _finding(land: Landscape, line: Line, speaker: Group, host: str, how: str) -> Finding:
    felt = complaints(land, speaker)
    sure = 0.8 if felt else ALONE if not is_background(land, line, speaker, speaker.ref) else BACKGROUND
    return Finding(
        cause=f"workload.dependency.{how}",
        object=speaker.ref,
        confidence=sure,
        summary=f"{speaker.ref} gets no answer from {host}, outside of the cluster: {line.text[:200]}",
        quotes=(Quote(id=line.where, excerpt=line.text[:300]), *felt),
        introduced="no",
    )


def complaints(land: Landscape, callee: Group) -> tuple[Quote, ...]:
    """What its callers say, again and again, of a workload or of how it answers."""
    names = [s.name for s in land.services_of.get(callee.ref, ())]
    found = (
        line
        for group in land.callers_of(callee.ref)
        for line in land.lines_of.get(group.ref, ())
        if group.ref != callee.ref and line.count >= OFTEN and any(says(line.text, name) for name in names)
    )
    return tuple(Quote(id=line.where, excerpt=line.text[:300]) for line in list(found)[:2])

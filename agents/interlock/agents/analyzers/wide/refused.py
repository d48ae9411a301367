"""A Service leads to pods that are ready, and they refuse: nothing listens where the Service sends its traffic.

Without a readiness probe a container counts as ready as soon as it runs, whether or not anybody can reach it. A program
that listens on the loopback address serves only its own pod.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.networking import Service
from interlock.agents.analyzers.wide.endpoints import reaches_somebody
from interlock.agents.analyzers.wide.landscape import Landscape, addressed
from interlock.agents.analyzers.wide.relevance import is_well
from interlock.agents.analyzers.wide.speech import Line
from interlock.agents.analyzers.world import Group
from interlock.agents.model import ObjectRef

FEWEST = 3
_REFUSED = re.compile(r"(?i)connection refused|ECONNREFUSED|os error 111|\(111: |connect\(\) failed")
_LOOPBACK = r"(?:127\.0\.0\.1|localhost|\[::1\])"
_LISTENS = re.compile(rf"(?i)(?:listen|bound|bind|serving|running)[^\n]{{0,60}}?{_LOOPBACK}:(\d{{2,5}})")


def analyze(land: Landscape) -> Iterator[Finding]:
    """A finding for each workload that refuses though it is ready."""
    told: dict[ObjectRef, list[Line]] = {}
    for line in land.lines:
        if line.group is not None and _REFUSED.search(line.text):
            for service in _meant(land, line, line.group):
                told.setdefault(service.ref, []).append(line)
    for ref, lines in told.items():
        called = land.find(Service, ref.namespace, ref.name)
        if called is not None and sum(line.count for line in lines) >= FEWEST:
            yield from _refuses(land, called, lines)


def _meant(land: Landscape, line: Line, speaker: Group) -> Iterator[Service]:
    for service, group in land.ways_of.get(speaker.ref, ()):
        ports = {str(p.port) for p in service.spec.ports}
        here = service.spec.cluster_ip in addressed(line.text) or f"{service.name}:" in line.text
        if here and group.ref != speaker.ref and any(f":{port}" in line.text for port in ports):
            yield service


def _refuses(land: Landscape, service: Service, lines: list[Line]) -> Iterator[Finding]:
    groups = land.behind(service)
    if len(groups) != 1 or not is_well(land, groups[0]) or not reaches_somebody(land, service):
        return
    group, targets = groups[0], {str(port.target) for port in service.spec.ports}
    quotes = tuple(Quote(id=line.where, excerpt=line.text[:300]) for line in lines[:2])
    heard = next(_loopback(land, group, targets), None)
    cause, target = "workload.port.not-listening", group.ref
    if heard is not None:
        quotes += (heard[1],)
        for setting in land.settings[group.ref]:
            if re.fullmatch(rf"(?:tcp://)?{_LOOPBACK}:{heard[0]}", setting.value.strip()):
                cause = "workload.config.value-invalid" if setting.place == "config" else "workload.env.invalid"
                target = setting.owner
                quotes += land.quote(target, f"{setting.name}: {setting.value}")
    yield Finding(
        cause=cause,
        object=target,
        confidence=0.88 if heard is not None else 0.6,
        summary=f"{group.ref} is ready and refuses connections to {service.ref}"
        + (": it listens on the loopback address only." if heard is not None else "."),
        quotes=quotes,
    )


def _loopback(land: Landscape, group: Group, targets: set[str]) -> Iterator[tuple[str, Quote]]:
    """Where a pod says that it listens on the loopback address, at a port that the Service sends to."""
    for pod in group.pods[:3]:
        for log in land.logs(pod):
            for found in _LISTENS.finditer(log.text):
                if found[1] in targets:
                    yield found[1], Quote(id=log.where, excerpt=found[0][:300])

"""A program says where it listens, and that is not where it is probed: its port moved, and nobody told the others.

Most servers announce their address when they start; an image that takes another port from its base starts in peace and
is never ready.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.objects import Container, Pod
from interlock.agents.analyzers.wide.landscape import Landscape

_ANNOUNCED = re.compile(
    r"(?i)(?:\blisten(?:ing|s)?|\bstarted|\brunning|\bserving|\bbound)\b[^\n]{0,60}?(?:https?://|tcp://)?"
    r"(?:(?:\[::\]|0\.0\.0\.0|\*|localhost|127\.0\.0\.1)?:|\bport(?:\(s\))?:? ?)(?P<port>\d{2,5})\b"
)


def analyze(land: Landscape) -> Iterator[Finding]:
    """A finding for each container that is not ready, is probed at one port and says that it listens at others."""
    for group in land.groups:
        for pod, status in () if group.whole else group.statuses():
            container = pod.spec.container(status.name)
            if status.ready or status.state.running is None or container is None:
                continue
            probed, told = _probed(container), _told(land, pod, status.name)
            if probed and told and not probed & told.keys() and len(group.spec.containers) == 1:
                port, quote = next(iter(told.items()))
                yield Finding(
                    cause="workload.port.not-listening",
                    object=group.ref,
                    confidence=0.87,
                    summary=f"{group.ref} says that it listens on port {port}, and is probed at {min(probed)}.",
                    quotes=(quote, *land.quote(pod, f"{status.name}: probed at port {min(probed)}, not ready")),
                    introduced="yes" if land.drifted(group.ref, "/image") else "unknown",
                )
                break


def _probed(container: Container) -> set[int]:
    found = (container.number(probe.address.port) for _, probe in container.probes if probe.address is not None)
    return {number for number in found if number is not None}


def _told(land: Landscape, pod: Pod, container: str) -> dict[int, Quote]:
    return {
        int(found["port"]): Quote(id=log.where, excerpt=found[0][:300])
        for log in land.logs(pod)
        if log.container == container and not log.previous
        for found in _ANNOUNCED.finditer(log.text)
    }

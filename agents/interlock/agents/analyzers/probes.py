"""It runs, but a probe fails: does the probe look in the wrong place, or is the program really not well?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from interlock.agents.analyzers.findings import Finding, Introduced
from interlock.agents.analyzers.objects import Container, Pod, Probe
from interlock.agents.analyzers.scene import Scene
from interlock.agents.analyzers.told import Change, Event

Name = Literal["Readiness", "Liveness", "Startup"]
_FAILED = re.compile(r"(?P<probe>Readiness|Liveness|Startup) probe (?:failed|errored)[^:]*: ?(?P<why>.*)", re.S)
_REFUSED = re.compile(r"connection refused|connect: no route|unable to connect", re.I)
_STATUS = re.compile(r"statuscode: (?P<code>\d{3})")
_SLOW = re.compile(r"context deadline exceeded|Client\.Timeout|timed? ?out", re.I)
_WARMING_UP = timedelta(seconds=10)
_TIMES = frozenset({"initialDelaySeconds", "periodSeconds", "failureThreshold", "timeoutSeconds"})
_PROTOCOL = re.compile(r"server gave HTTP response to HTTPS|malformed HTTP|first record does not look like a TLS", re.I)


@dataclass(frozen=True)
class _Failure:
    """A probe's failure, in the kubelet's words."""

    name: Name
    words: str
    changes: tuple[Change, ...]
    at_first: bool
    """Whether the program has only just begun for the first time, and may yet come to listen."""

    @property
    def family(self) -> str:
        return f"workload.probe.{'readiness' if self.name == 'Readiness' else 'liveness'}"

    def changed(self, part: str) -> bool:
        # A whole probe that was added or replaced shows as one change of the probe itself.
        return any(f"/{part}" in c.path or c.path.endswith("Probe") for c in self.changes)

    @property
    def moved(self) -> bool:
        """Whether it looks at another port than before; a probe that was not there before looks nowhere else."""
        return any("/port" in c.path for c in self.changes)

    @property
    def hastened(self) -> bool:
        """Whether the probe was given less time, and nothing else of it was changed."""
        timed = [c for c in self.changes if c.path.rpartition("/")[2] in _TIMES]
        less = any(_seconds(c.after) < _seconds(c.before) for c in timed)
        return less and len(timed) == len(self.changes)


def _seconds(value: object) -> int:
    return value if isinstance(value, int) else 0


def analyze(scene: Scene) -> Iterator[Finding]:
    """One finding for each probe that fails on pods that are not ready."""
    broken = {pod.name: pod for pod in scene.broken_pods}
    seen: set[tuple[str, str]] = set()
    for event in scene.events:
        pod, found = broken.get(event.object.name), _FAILED.search(event.message)
        if pod is None or event.reason not in {"Unhealthy", "ProbeWarning"} or found is None:
            continue
        container = _container(pod, event, found["probe"])
        key = (found["probe"], container.name if container else "")
        if container is not None and key not in seen and _could_start(pod, container):
            seen.add(key)
            yield from _finding(scene, pod, container, _which(found["probe"]), event)


def _which(text: str) -> Name:
    return "Liveness" if text == "Liveness" else "Startup" if text == "Startup" else "Readiness"


def _container(pod: Pod, event: Event, probe: str) -> Container | None:
    """The container that an event names; where it names none, the only one that is probed so."""
    if event.object.container:
        return pod.spec.container(event.object.container)
    probed = [c for c in pod.spec.containers if any(name == probe.lower() for name, _ in c.probes)]
    return probed[0] if len(probed) == 1 else None


def _could_start(pod: Pod, container: Container) -> bool:
    status = next((s for s in pod.statuses() if s.name == container.name), None)
    if status is None:
        return False
    # A program that ends by itself fails its probes too; that it ends is the finding then.
    by_itself = status.ended is not None and status.ended.exit_code not in (0, 137, 143)
    return not by_itself


def _at_first(pod: Pod, container: Container, event: Event) -> bool:
    status = next(s for s in pod.statuses() if s.name == container.name)
    began = status.state.running.started_at if status.state.running else None
    if began is None or event.last is None or status.restart_count:
        return False
    return event.last - began < _WARMING_UP


def _finding(scene: Scene, pod: Pod, container: Container, name: Name, event: Event) -> Iterator[Finding]:
    probe = {"Readiness": container.readiness_probe, "Liveness": container.liveness_probe}.get(
        name, container.startup_probe
    )
    if probe is None:
        return
    field = f"{name.lower()}Probe"
    changes = scene.changed("containers", container.name, field)
    cause, confidence, why = _judged(
        scene, container, probe, _Failure(name, event.message, changes, _at_first(pod, container, event))
    )
    introduced: Introduced = "yes" if changes and scene.previous and not scene.previous_broken else "no"
    if cause == "workload.port.not-listening" and scene.effective_changes and scene.previous_works:
        introduced = "yes"
    yield Finding(
        cause=cause,
        object=scene.target,
        confidence=confidence,
        summary=f"The {name.lower()} probe of container {container.name} fails: {why}.",
        quotes=(
            *scene.quote("events", f"{pod.name}: {event.message}"),
            *scene.quote("pods", f"{container.name}: {field} {_shown(probe)}, {_ports(container)}"),
            *scene.quote_changes(changes),
        ),
        introduced=introduced,
    )


def _judged(scene: Scene, container: Container, probe: Probe, failure: _Failure) -> tuple[str, float, str]:
    family, words = failure.family, failure.words
    address = probe.address
    declared = address is not None and container.number(address.port) in {p.container_port for p in container.ports}
    if _PROTOCOL.search(words):
        return f"{family}-protocol-wrong", 0.9, "it speaks another protocol than the program"
    if code := _STATUS.search(words):
        return _by_status(family, int(code["code"]), probe, path_changed=failure.changed("path"))
    if failure.name == "Startup" and _REFUSED.search(words) and not failure.moved and declared:
        return "workload.probe.startup-too-short", 0.72, f"the program is not up within {_patience(probe)} s"
    if address is not None and _REFUSED.search(words):
        return _by_port(scene, failure, container, probe)
    if failure.name == "Startup":
        return "workload.probe.startup-too-short", 0.6, "the program is not up in the time that it is given"
    if _SLOW.search(words):
        sure = 0.8 if failure.changes else 0.5
        return f"{family}-timing-wrong", sure, f"no answer within {probe.timeout_seconds} s"
    return "workload.probe", 0.5, words[:150]


def _patience(probe: Probe) -> int:
    return probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold


def _by_status(family: str, code: int, probe: Probe, *, path_changed: bool) -> tuple[str, float, str]:
    path = probe.http_get.path if probe.http_get else "/"
    if path_changed:
        return f"{family}-path-wrong", 0.94, f"the path {path}, which was changed, answers {code}"
    if code == 404:
        return f"{family}-path-wrong", 0.75, f"the path {path} answers 404"
    return "workload.errors", 0.5, f"the program itself answers {code} at {path}"


def _by_port(scene: Scene, failure: _Failure, container: Container, probe: Probe) -> tuple[str, float, str]:
    family, address = failure.family, probe.address
    if address is None:
        return "workload.probe", 0.5, failure.words[:150]
    declared = {port.container_port for port in container.ports}
    number = container.number(address.port)
    if failure.changed("port"):
        return f"{family}-port-wrong", 0.95, f"nothing listens on port {address.port}, which was changed"
    if number is None or (declared and number not in declared):
        return f"{family}-port-wrong", 0.88, f"nothing listens on port {address.port}, which no container port declares"
    if failure.name == "Liveness" and failure.hastened:
        return f"{family}-timing-wrong", 0.9, f"it is given {_patience(probe)} s to listen, less than before"
    if failure.at_first:
        return "workload.port.not-listening", 0.3, f"nothing listens on port {address.port} yet, it has only just begun"
    sure = 0.72 if scene.effective_changes and scene.previous_works else 0.5
    return "workload.port.not-listening", sure, f"nothing listens on port {address.port}, where the program should"


def _shown(probe: Probe) -> str:
    address = probe.address
    return f"port {address.port} path {address.path}" if address else "command"


def _ports(container: Container) -> str:
    declared = ", ".join(str(port.container_port) for port in container.ports)
    return f"declared ports {declared or 'none'}"

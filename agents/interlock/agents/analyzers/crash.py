"""The program ends by itself: since a change, or without one.

What the crash is blamed on depends on comparison: the current revision fails where the one before works. Where both
fail, or where the program ran for long before, the last change is a red herring.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from interlock.agents.analyzers.findings import Finding, Introduced, Quote
from interlock.agents.analyzers.objects import ContainerStatus, Pod
from interlock.agents.analyzers.scene import Scene

_NOT_FOUND = re.compile(r"executable file not found|no such file or directory|command not found", re.I)
_DENIED = re.compile(r"permission denied|operation not permitted", re.I)
_DEPENDENCY = re.compile(
    r"connection refused|no such host|name or service not known|could not connect|connection timed out"
    r"|ECONNREFUSED|ENOTFOUND|dial tcp|i/o timeout|Temporary failure in name resolution",
    re.I,
)
OLD_CHANGE = timedelta(hours=24)


def analyze(scene: Scene) -> Iterator[Finding]:
    """One finding for each container that ends with an error of its own."""
    seen: set[str] = set()
    for pod, status in scene.broken_statuses():
        if status.name in seen or not crashes(status) or killed_by_probe(scene, pod, status):
            continue
        seen.add(status.name)
        yield _finding(scene, pod, status)


def crashes(status: ContainerStatus) -> bool:
    """Whether the container ended with an error that is not the kernel's memory limit."""
    ended = status.ended
    if status.waiting.reason in {"RunContainerError", "StartError"}:
        return True
    return ended is not None and ended.exit_code != 0 and ended.reason != "OOMKilled"


def killed_by_probe(scene: Scene, pod: Pod, status: ContainerStatus) -> bool:
    """Whether the kubelet ended it because a liveness or startup probe failed."""
    return any(
        event.reason in {"Killing", "Unhealthy"}
        and event.object.name == pod.name
        and event.object.container in ("", status.name)
        and re.search(r"failed (liveness|startup) probe|(Liveness|Startup) probe failed", event.message)
        for event in scene.events
    )


def _finding(scene: Scene, pod: Pod, status: ContainerStatus) -> Finding:
    line = _last_words(scene, pod, status)
    by_start = _cannot_start(scene, pod, status, line)
    if by_start is not None:
        return by_start
    cause, confidence, introduced, against = _blamed(scene, status, line)
    ended = status.ended
    how = f"exit code {ended.exit_code}" if ended else status.waiting.reason
    since = f" since revision {scene.current.revision}" if introduced == "yes" and scene.current else ""
    return Finding(
        cause=cause,
        object=scene.target,
        confidence=confidence,
        summary=f"Container {status.name} ends with {how}{since}" + (f": {line.excerpt}" if line else "."),
        quotes=_quotes(scene, pod, status, line),
        introduced=introduced,
        against=against,
    )


def _blamed(
    scene: Scene, status: ContainerStatus, line: Quote | None
) -> tuple[str, float, Introduced, tuple[str, ...]]:
    against = _exculpating(scene, status)
    if scene.effective_changes and not against:
        killed = status.ended is not None and status.ended.exit_code in (137, 143)  # by whom, nobody says
        silent = line is None  # what it said would tell more exactly what the change broke
        sure = 0.6 if killed else (0.68 if silent else 0.93) if scene.previous_works else (0.6 if silent else 0.78)
        return "workload.crash.after-change", sure, "yes", ()
    if line is not None and _DEPENDENCY.search(line.excerpt):
        return "workload.crash.dependency-at-start", 0.6, "no", against
    return "workload.crash.application-error", 0.6 if line is not None else 0.4, "no", against


def _exculpating(scene: Scene, status: ContainerStatus) -> tuple[str, ...]:
    """What says that the last change did not do it."""
    reasons: list[str] = []
    if scene.previous_broken:
        reasons.append("pods of the revision before are not ready either")
    if scene.ran_long(status):
        reasons.append("an earlier run of the same revision lasted ten minutes or more")
    created = scene.current.created if scene.current else None
    if created is not None and scene.evidence.collected_at - created > OLD_CHANGE:
        reasons.append("the current revision is older than a day")
    if any(p.ready for p in scene.current_pods):
        reasons.append("other pods of the same revision are ready")
    return tuple(reasons)


def _cannot_start(scene: Scene, pod: Pod, status: ContainerStatus, line: Quote | None) -> Finding | None:
    ended = status.ended
    words = " ".join((status.waiting.message, ended.message if ended else "", line.excerpt if line else ""))
    code = ended.exit_code if ended else None
    starting = status.waiting.reason in {"RunContainerError", "StartError"} or (ended and ended.reason == "StartError")
    if code == 127 or (starting and _NOT_FOUND.search(words)):
        cause = "workload.crash.command-not-found"
    elif code == 126 or (starting and _DENIED.search(words)):
        cause = "workload.crash.entrypoint-denied"
    else:
        return None
    changes = (
        *scene.changed("containers", status.name, "command"),
        *scene.changed("containers", status.name, "args"),
        *scene.changed("containers", status.name, "image"),
    )
    return Finding(
        cause=cause,
        object=scene.target,
        confidence=0.92,
        summary=f"The command of container {status.name} cannot be run: {words.strip()[:200] or f'exit code {code}'}",
        quotes=(*_quotes(scene, pod, status, line), *scene.quote_changes(changes)),
        introduced="yes" if changes and scene.previous else "no",
    )


def _quotes(scene: Scene, pod: Pod, status: ContainerStatus, line: Quote | None) -> tuple[Quote, ...]:
    ended = status.ended
    how = f"{ended.reason} {ended.exit_code}" if ended else status.waiting.message
    shown = f"{pod.name}/{status.name}: {status.waiting.reason or 'ended'}, last {how}, {status.restart_count} restarts"
    compared: tuple[Quote, ...] = ()
    if scene.previous is not None:
        state = f"revision {scene.previous.revision}: {scene.previous.ready} of {scene.previous.replicas} ready"
        compared = scene.quote("replica-sets", state)
    said = (line,) if line else ()
    return (*scene.quote("pods", shown), *said, *compared, *scene.quote_changes(scene.effective_changes))


def _last_words(scene: Scene, pod: Pod, status: ContainerStatus) -> Quote | None:
    """The line of its log that sounds most like the reason: the last with an error in it, else the last."""
    for item, log in scene.logs:
        if log.pod == pod.name and log.container == status.name and log.text.strip():
            lines = [line.strip() for line in log.text.splitlines() if line.strip()]
            loud = [line for line in lines if re.search(r"error|fatal|panic|exception|refused|fail", line, re.I)]
            return Quote(id=item, excerpt=(loud or lines)[-1][:300])
    return None

"""The kernel ended it for its memory limit: was the limit lowered, or does the program need more than before?"""

from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Introduced
from interlock.agents.analyzers.objects import ContainerStatus, Pod
from interlock.agents.analyzers.scene import Scene
from interlock.agents.analyzers.told import Change
from interlock.crds.quantity import is_quantity, quantity


def analyze(scene: Scene) -> Iterator[Finding]:
    """One finding for each container that was killed for memory."""
    seen: set[str] = set()
    for pod, status in scene.broken_statuses():
        ended = status.ended
        if status.name not in seen and ended is not None and ended.reason == "OOMKilled":
            seen.add(status.name)
            yield _finding(scene, pod, status)


def _finding(scene: Scene, pod: Pod, status: ContainerStatus) -> Finding:
    spec = pod.spec.container(status.name)
    limit = spec.resources.limits.get("memory") if spec else None
    lowered = tuple(c for c in scene.changed("containers", status.name, "limits", "memory") if _lower(c))
    cause, confidence, introduced = _judged(scene, lowered=bool(lowered), limited=limit is not None)
    killed = f"{pod.name}/{status.name}: OOMKilled, {status.restart_count} restarts, limit {limit or 'none'}"
    since = f", which the current revision lowered from {lowered[0].before}" if lowered else ""
    return Finding(
        cause=cause,
        object=scene.target,
        confidence=confidence,
        summary=f"Container {status.name} is killed for exceeding its memory limit of {limit or 'the node'}{since}.",
        quotes=(*scene.quote("pods", killed), *scene.quote_changes(lowered)),
        introduced=introduced,
    )


def _judged(scene: Scene, *, lowered: bool, limited: bool) -> tuple[str, float, Introduced]:
    if not limited:
        return "workload.memory.oom-killed", 0.6, "no"  # the node ran out: the limit is not what to mend
    if lowered and not scene.previous_broken:
        return "workload.memory.limit-too-low", 0.95, "yes"
    if scene.evidence.lacks("replica-sets"):
        return "workload.memory.oom-killed", 0.66, "unknown"  # whether the limit was lowered was not seen
    if scene.effective_changes and scene.previous_works:
        return "workload.memory.oom-killed", 0.85, "yes"  # the new version needs more, or leaks
    return "workload.memory.oom-killed", 0.8, "no"


def _lower(change: Change) -> bool:
    after, before = change.after, change.before
    if not is_quantity(after):
        return False
    return before is None or (is_quantity(before) and quantity(after) < quantity(before))

"""Nothing is wrong any more: said only when everything that would show it was seen."""

from collections.abc import Iterator
from datetime import timedelta

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.objects import Pod
from interlock.agents.analyzers.scene import Scene

CALM = timedelta(minutes=2)


def analyze(scene: Scene) -> Iterator[Finding]:
    """A finding when all pods that are asked for exist, are of the current revision, and are ready."""
    workload, evidence = scene.workload, scene.evidence
    if workload is None or evidence.lacks("pods") or evidence.lacks("replica-sets") or not workload.spec.replicas:
        return
    wanted, status = workload.spec.replicas, workload.status
    complete = status.replicas == status.updated_replicas == status.available_replicas == wanted
    if complete and len(scene.pods) >= min(wanted, 20) and all(_settled(scene, pod) for pod in scene.pods):
        yield Finding(
            cause="none.recovered",
            object=scene.target,
            confidence=0.9,
            summary=f"All {wanted} pods of {scene.target} are ready and of the current revision.",
            quotes=(
                *scene.quote("target", f"{status.available_replicas} of {wanted} available"),
                *scene.quote("pods", "all ready"),
            ),
            introduced="no",
        )


def _settled(scene: Scene, pod: Pod) -> bool:
    """Whether the pod is ready and none of its containers ended a moment ago: a crash loop is ready in between."""
    ends = (s.last_state.terminated.finished_at for s in pod.statuses() if s.last_state.terminated)
    calm = all(end is None or scene.evidence.collected_at - end > CALM for end in ends)
    return pod.ready and calm

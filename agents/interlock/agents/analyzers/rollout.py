"""The rollout makes no progress: what can be said when nothing says why."""

from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.scene import Scene


def analyze(scene: Scene) -> Iterator[Finding]:
    """A paused rollout; a revision none of whose pods became ready where the one before works; else only "stuck"."""
    workload, current = scene.workload, scene.current
    if workload is None:
        return
    if workload.spec.paused and workload.status.updated_replicas < (workload.spec.replicas or 0):
        yield _finding(scene, "workload.rollout.paused", 0.75, "is paused in the middle", "spec.paused: true")
        return
    if current is None:
        return
    progressing = workload.condition("Progressing")
    stuck = progressing is not None and progressing.reason == "ProgressDeadlineExceeded"
    bad = bool(scene.current_pods) and not any(pod.ready for pod in scene.current_pods)
    if bad and stuck and scene.previous_works and scene.effective_changes:
        words = f"has no ready pod of revision {current.revision}, while revision before still works"
        yield _finding(scene, "workload.rollout.bad-revision", 0.8, words, "ProgressDeadlineExceeded", symptom=True)
    elif stuck:
        yield _finding(
            scene, "workload.rollout.stuck", 0.5, "makes no progress", "ProgressDeadlineExceeded", symptom=True
        )


def _finding(
    scene: Scene, cause: str, confidence: float, words: str, excerpt: str, *, symptom: bool = False
) -> Finding:
    return Finding(
        cause=cause,
        object=scene.target,
        confidence=confidence,
        summary=f"The rollout of {scene.target} {words}.",
        quotes=(*scene.quote("target", excerpt), *scene.quote_changes(scene.effective_changes)),
        introduced="yes" if cause.endswith("bad-revision") else "no",
        role="symptom" if symptom else "root",
    )

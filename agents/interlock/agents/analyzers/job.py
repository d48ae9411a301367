"""A Job gave up: its condition says how, its pods say why (the other analyzers read them)."""

from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.scene import Scene

_CAUSES = {
    "BackoffLimitExceeded": "job.failed.backoff",
    "DeadlineExceeded": "job.failed.deadline",
    "PodFailurePolicy": "job.failed.application",
}


def analyze(scene: Scene) -> Iterator[Finding]:
    """A finding from the condition Failed of a Job."""
    item = scene.evidence.first("target")
    if scene.target.kind != "Job" or item is None or not isinstance(item.content, dict):
        return
    status = item.content.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, dict) and condition.get("type") == "Failed" and condition.get("status") == "True":
            reason = str(condition.get("reason", ""))
            yield Finding(
                cause=_CAUSES.get(reason, "job.failed"),
                object=scene.target,
                confidence=0.75,
                summary=f"{scene.target} failed: {reason} {condition.get('message', '')}"[:300],
                quotes=scene.quote("target", f"Failed: {reason}"),
                introduced="no",
                role="symptom",
            )

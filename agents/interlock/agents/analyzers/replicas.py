"""Nobody asked for pods: a workload scaled to zero looks like an outage to those who call it."""

from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.scene import Scene
from interlock.agents.evidence.model import Evidence


def analyze(scene: Scene) -> Iterator[Finding]:
    """A finding when zero replicas are asked for; sure only if it was meant to have some."""
    workload = scene.workload
    if workload is None or scene.target.kind == "DaemonSet" or workload.spec.replicas != 0:
        return
    meant = meant_replicas(scene.evidence)
    served = scene.evidence.first("services")
    selected = served is not None and bool(served.content)
    yield Finding(
        cause="workload.replicas.zero",
        object=scene.target,
        confidence=0.9 if meant else 0.72 if selected else 0.6,
        summary=f"{scene.target} is scaled to zero"
        + (f", although {meant} replicas were meant" if meant else "")
        + (" and a Service sends traffic to it." if selected else "."),
        quotes=(
            *scene.quote("target", "spec.replicas: 0"),
            *(scene.quote("declared", f"replicas: {meant}") if meant else ()),
            *(scene.quote("services", "a Service selects its pods") if selected else ()),
        ),
        introduced="no",
    )


def meant_replicas(evidence: Evidence) -> int | None:
    """The number of replicas that the workload should have: as it was last applied, else the most in the last hour."""
    declared = evidence.first("declared")
    if declared is not None and isinstance(declared.content, dict):
        replicas = declared.content.get("replicas")
        if isinstance(replicas, int) and replicas > 0:
            return replicas
    for item in evidence.of("metric"):
        if "kube_deployment_spec_replicas" in item.source and isinstance(item.content, list):
            seen = [float(str(s["value"])) for s in item.content if isinstance(s, dict) and "value" in s]
            if seen and max(seen) > 0:
                return int(max(seen))
    return None

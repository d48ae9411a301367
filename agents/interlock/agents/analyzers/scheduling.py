"""No node takes its pods: the scheduler counts, for each reason, the nodes that it excludes."""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Introduced
from interlock.agents.analyzers.objects import Pod, PodSpec
from interlock.agents.analyzers.scene import Scene
from interlock.agents.model import ObjectRef

_NODES = re.compile(r"(?P<fit>\d+)/(?P<all>\d+) nodes are available")
_REASON = re.compile(r"(?P<nodes>\d+) (?P<why>(?:node\(s\)|Insufficient|Too many)[^,.]*(?:\{[^}]*\})?[^,.]*)")

# The scheduler's words, the cause, and the part of the pod's spec whose change would have brought it.
_WORDS: tuple[tuple[str, str, str | None], ...] = (
    (r"Insufficient cpu", "scheduling.capacity.cpu-insufficient", "requests"),
    (r"Insufficient memory", "scheduling.capacity.memory-insufficient", "requests"),
    (r"Too many pods", "scheduling.capacity.pods-exhausted", None),
    (r"Insufficient \S+", "scheduling.capacity.extended-resource", "resources"),
    (r"node\.kubernetes\.io/unschedulable|were unschedulable", "scheduling.node.cordoned", None),
    (r"untolerated taint|had taint", "scheduling.taint.untolerated", "tolerations"),
    (r"anti-affinity", "scheduling.pod-anti-affinity.conflict", "affinity"),
    (r"pod affinity rules", "scheduling.pod-affinity.unsatisfied", "affinity"),
    (r"node affinity/selector|node selector|node affinity$", "scheduling.node-affinity.mismatch", "affinity"),
    (r"topology spread", "scheduling.topology-spread.unsatisfiable", "topologySpreadConstraints"),
    (r"volume node affinity", "scheduling.volume-zone.mismatch", None),
    (r"exceed max volume count", "scheduling.capacity", None),
)
_RESERVED = re.compile(r"node-role\.kubernetes\.io/(?:control-plane|master)")
_UNWELL = re.compile(r"node\.kubernetes\.io/(?:not-ready|unreachable|network-unavailable|\w+-pressure)")
_NO_CLAIM = re.compile(r"persistentvolumeclaim \"[^\"]+\" not found")
_CLAIMS = re.compile(rf"unbound immediate PersistentVolumeClaims|{_NO_CLAIM.pattern}")


def analyze(scene: Scene) -> Iterator[Finding]:
    """A finding for the reason that excludes the most nodes."""
    for pod in scene.broken_pods:
        scheduled = pod.condition("PodScheduled")
        if scheduled is None or scheduled.status != "False":
            continue
        if scheduled.reason == "SchedulingGated":
            yield _simple(scene, pod.name, "scheduling.gate.not-removed", 0.93, scheduled.message)
        elif _CLAIMS.search(scheduled.message):
            yield _unbound(scene, pod, scheduled.message)
        else:
            yield from _finding(scene, pod.name, pod.spec, scheduled.message)
        return


def _simple(scene: Scene, pod: str, cause: str, confidence: float, words: str) -> Finding:
    quotes = scene.quote("pods", f"{pod}: {words}")
    return Finding(
        cause=cause, object=scene.target, confidence=confidence, summary=words[:300], quotes=quotes, introduced="no"
    )


def _unbound(scene: Scene, pod: Pod, words: str) -> Finding:
    """A claim that is not bound, or not there: whose fault the first is, the scheduler does not know."""
    if _NO_CLAIM.search(words) and scene.target.kind != "StatefulSet":  # whose claims are made for its pods
        changes = scene.changed("spec", "volumes")
        missing = _simple(scene, pod.name, "workload.volume.not-found", 0.85, words)
        return missing.model_copy(update={"introduced": "yes" if changes and scene.previous else "unknown"})
    found = _simple(scene, pod.name, "storage.claim.pending", 0.62, words)
    names = [v.persistent_volume_claim.claim_name for v in pod.spec.volumes if v.persistent_volume_claim]
    if len(names) != 1:
        return found
    claim = ObjectRef(kind="PersistentVolumeClaim", namespace=scene.target.namespace, name=names[0])
    return found.model_copy(update={"object": claim})


def reasons(message: str) -> dict[str, int]:
    """How many nodes each reason excludes."""
    counted = message.partition("preemption:")[0]
    return {found["why"].strip(): int(found["nodes"]) for found in _REASON.finditer(counted)}


def _finding(scene: Scene, pod: str, spec: PodSpec, message: str) -> Iterator[Finding]:
    counted, total = reasons(message), _NODES.search(message)
    reserved = sum(counted.pop(why) for why in [why for why in counted if _RESERVED.search(why)])
    if not counted or total is None:
        return
    why = max(counted, key=lambda reason: counted[reason])
    if _UNWELL.search(why):
        return  # the node is at fault
    alone = counted[why] == int(total["all"]) - reserved
    # Where most nodes are closed, those that are left are full because of it.
    closed = "unschedulable" in why and all("Insufficient" in other for other in counted if other != why)
    mostly = closed and counted[why] > int(total["all"]) / 2
    cause, field = _cause(why, spec)
    changes = scene.changed("spec", field) if field else ()
    introduced: Introduced = "yes" if changes and scene.previous and not scene.previous_broken else "no"
    if introduced == "yes" and cause.endswith(("cpu-insufficient", "memory-insufficient")):
        cause = "workload.cpu.request-too-high" if "cpu" in cause else "workload.memory.request-too-high"
    known = cause != "scheduling"
    yield Finding(
        cause=cause,
        object=_object(scene, cause),
        confidence=0.5
        if not known
        else (0.94 if introduced == "yes" else 0.88)
        if alone
        else (0.8 if introduced == "yes" or mostly else 0.55),
        summary=f"No node takes the pods of {scene.target}: {counted[why]} of {total['all']} {why}.",
        quotes=(*scene.quote("pods", f"{pod}: {message}"), *scene.quote_changes(changes)),
        introduced=introduced,
    )


def _cause(why: str, spec: PodSpec) -> tuple[str, str | None]:
    cause, field = next(((c, f) for pattern, c, f in _WORDS if re.search(pattern, why)), ("scheduling", None))
    if cause == "scheduling.node-affinity.mismatch" and spec.node_selector:
        return "scheduling.node-selector.mismatch", "nodeSelector"
    return cause, field


def _object(scene: Scene, cause: str) -> ObjectRef:
    return ObjectRef(kind="Node", namespace=None, name="*") if cause == "scheduling.node.cordoned" else scene.target

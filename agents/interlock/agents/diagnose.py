"""Weighs findings against each other: the one place where evidence for and against meets.

Analyzers look each at their own part and may all be right about it; what a person must hear is which of them is the
fault and which its consequence. A wrong confident answer costs more than "not sure", so whatever competes with the
best hypothesis lowers it, and what is left below the caller's threshold is a question for a person. Weights are
compared as analyzers give them; what leaves is calibrated.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache

from interlock.agents.analyzers import ANALYZERS, Finding, Scene
from interlock.agents.calibration import calibrated
from interlock.agents.evidence import Evidence
from interlock.agents.model import ObjectRef, Record
from interlock.crds.causes import covers

Reach = Callable[[ObjectRef], frozenset[ObjectRef]]
"""Which objects suffer when this one is wrong."""

SYMPTOM_BESIDE_ROOT = 0.4
CLOSE = 0.1
MUCH = 0.25
MOST_HYPOTHESES = 8
MOST_QUOTES = 8
AGREEING = 0.03
MOST_SURE = 0.97
SURE_ENOUGH_TO_EXPLAIN = 0.55
CLEARLY_WRONG = 0.7

# Where the first is found on an object, the second is how it shows.
_EXPLAINS: tuple[tuple[str, str], ...] = (
    ("workload.env", "workload.crash"),
    ("workload.config", "workload.crash"),
    ("workload.secret", "workload.crash"),
    ("workload.secret.rotated-not-reloaded", "workload.database.credentials-invalid"),
    ("workload.database", "workload.crash"),
    ("workload.database", "workload.env.invalid"),
    ("workload.env.missing", "workload.env.invalid"),
    ("workload.env.address-wrong", "workload.env.invalid"),
    ("workload.dns", "workload.crash"),
    ("workload.dns", "workload.env.address-wrong"),
    ("workload.security", "workload.crash"),
    ("workload.volume", "workload.crash"),
    ("workload.port", "workload.crash"),
    ("workload.image.architecture-mismatch", "workload.crash"),
    ("workload.service-account", "workload.crash"),
    ("workload.port.sidecar-conflict", "workload.port.conflict"),
    ("workload.crash.command-not-found", "workload.crash.after-change"),
    ("workload.crash.entrypoint-denied", "workload.crash.after-change"),
    ("workload.crash.init-container-failed", "workload.crash.application-error"),
    ("workload.crash.init-container-failed", "workload.crash.after-change"),
    ("workload.crash.init-container-failed", "workload.crash.dependency-at-start"),
    ("workload.memory", "workload.crash"),
    ("workload.memory.limit-too-low", "workload.memory.oom-killed"),
    ("workload.memory.leak", "workload.memory.oom-killed"),
    ("workload.memory", "workload.probe"),
    ("workload.crash", "workload.probe"),
    ("workload.crash", "workload.port.not-listening"),
    ("workload.env", "workload.probe"),
    ("workload.probe", "workload.crash"),
    ("workload.probe", "workload.port.not-listening"),
    ("workload.cpu", "workload.probe"),
    ("workload.cpu.throttled", "workload.cpu.saturated"),
    ("autoscaling.hpa.at-maximum", "workload.cpu.saturated"),
    ("traffic.spike", "workload.cpu.saturated"),
    ("service.session-affinity.skewed", "workload.cpu"),
    ("workload.replicas.zero", "workload.rollout"),
    ("workload.security", "workload.rollout"),
    ("scheduling", "workload.rollout"),
    ("scheduling.priority.preempted", "scheduling.capacity"),
    ("job.failed.deadline", "workload.crash"),
)

# How a fault elsewhere shows in those who depend on it.
_CONSEQUENCES: tuple[str, ...] = (
    "workload.crash.application-error",
    "workload.crash.dependency-at-start",
    "workload.crash.init-container-failed",
    "workload.crash.after-change",
    "workload.probe.readiness-timing-wrong",
    "workload.probe.liveness-timing-wrong",
    "workload.probe.startup-too-short",
    "workload.port.not-listening",
    "workload.dependency",
    "workload.latency",
    "workload.errors",
    "workload.network",
    "workload.rollout.stuck",
    "workload.rollout.bad-revision",
    "workload.dns.unresolvable",
    "workload.volume.mount-failed",
    "service.endpoints.empty",
    "autoscaling.hpa",
    "job.failed",
    "storage.claim.pending",
    "workload.security.admission-rejected",
)
# Those that may stand at the end of a chain of consequences.
_ROOTS_OF_CHAINS: tuple[str, ...] = ("workload.crash", "workload.errors", "workload.latency", "workload.dependency")


class Diagnosis(Record):
    """What a look amounts to."""

    hypotheses: tuple[Finding, ...]
    verdict: str
    """A cause; `unknown.insufficient-evidence` or `unknown.contradictory-evidence` where none stands out."""
    confidence: float

    @property
    def best(self) -> Finding | None:
        """The hypothesis that the verdict names; None where nothing is known."""
        return self.hypotheses[0] if self.hypotheses and not self.verdict.startswith("unknown.") else None


def diagnose(evidence: Evidence, min_confidence: float, around: Iterable[Finding] = ()) -> Diagnosis:
    """The ranked hypotheses about the evidence, and the verdict if one of them reaches `min_confidence`.

    `around` are findings beyond the target that it suffers from.
    """
    scene = Scene(evidence)
    own = (finding for analyze in ANALYZERS for finding in analyze(scene))
    return conclude((*own, *around), min_confidence)


def conclude(findings: Iterable[Finding], min_confidence: float, reach: Reach | None = None) -> Diagnosis:
    """Findings ranked, and the verdict if one of them reaches `min_confidence`."""
    weighed = rank(findings, reach)
    ranked = tuple(f.model_copy(update={"confidence": calibrated(f.confidence)}) for f in weighed)
    sure = ranked[0].confidence if ranked else 0.0
    if not ranked or sure < min_confidence:
        return Diagnosis(hypotheses=ranked, verdict="unknown.insufficient-evidence", confidence=sure)
    if _contradicted(weighed):
        return Diagnosis(hypotheses=ranked, verdict="unknown.contradictory-evidence", confidence=sure)
    return Diagnosis(hypotheses=ranked, verdict=ranked[0].cause, confidence=sure)


def rank(findings: Iterable[Finding], reach: Reach | None = None) -> tuple[Finding, ...]:
    """Findings with what explains them weighed in, the best first; of equals on one object the surest is kept."""
    merged = _merged(findings)
    roots = [f for f in merged if f.role == "root" and not covers("none", f.cause)]
    weighed = [_weighed(finding, roots, merged, reach) for finding in merged]
    return tuple(sorted(weighed, key=lambda f: (-f.confidence, f.cause, str(f.object))))[:MOST_HYPOTHESES]


def _suffers(root: Finding, finding: Finding, reach: Reach | None) -> bool:
    """Whether the finding's object depends on the root's; always where only one target is looked at."""
    return reach is None or finding.object == root.object or finding.object in reach(root.object)


def _merged(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each cause and object; several witnesses of the same make it a little surer."""
    best: dict[tuple[str, ObjectRef], Finding] = {}
    for finding in findings:
        key = (finding.cause, finding.object)
        known = best.get(key)
        best[key] = finding if known is None else _together(known, finding)
    return list(best.values())


def _together(one: Finding, other: Finding) -> Finding:
    first, second = (one, other) if one.confidence >= other.confidence else (other, one)
    new = tuple(q for q in second.quotes if q not in first.quotes)
    surer = first.confidence + (AGREEING if new and second.confidence >= SURE_ENOUGH_TO_EXPLAIN else 0)
    quotes = (*first.quotes, *new)[:MOST_QUOTES]
    sure = max(first.confidence, min(MOST_SURE, surer))
    introduced = first.introduced if first.introduced != "unknown" else second.introduced
    return first.model_copy(update={"confidence": round(sure, 3), "quotes": quotes, "introduced": introduced})


def _weighed(finding: Finding, roots: list[Finding], everything: list[Finding], reach: Reach | None) -> Finding:
    others = [root for root in roots if root is not finding]
    if covers("none", finding.cause):
        bar = SURE_ENOUGH_TO_EXPLAIN if finding.cause == "none.recovered" else CLEARLY_WRONG
        clear = any(f.confidence >= CLEARLY_WRONG for f in everything if not covers("none", f.cause))
        wrong = clear or any(root.confidence >= bar for root in others)
        return _lowered(finding, "something is found to be wrong") if wrong else finding
    well = any(covers("none", f.cause) for f in everything)
    if well and finding.confidence < CLEARLY_WRONG:
        return _lowered(finding, "nothing hurts")
    for root in others:
        sure = root.confidence >= SURE_ENOUGH_TO_EXPLAIN
        if _is_same_release(root, finding):
            continue
        shown = _explains(root, finding) or (finding.role == "symptom" and sure) or (sure and _is_shown(root, finding))
        if shown and _suffers(root, finding, reach):
            return _lowered(finding, f"{root.cause} on {root.object} explains it")
    for root in others:
        if _is_of_the_node(root, finding):
            return _lowered(finding, f"{root.object} is at fault")
    for deeper in everything:
        if deeper is not finding and _is_deeper(deeper, finding, reach):
            return _lowered(finding, f"{deeper.cause} on {deeper.object} comes before it")
    return finding


def _is_same_release(one: Finding, other: Finding) -> bool:
    """Whether both blame the same release, one for its errors and one for its slowness: what was measured decides."""
    ends = ".regressed-after-change"
    return one.object == other.object and one.cause.endswith(ends) and other.cause.endswith(ends)


def _explains(root: Finding, finding: Finding) -> bool:
    """Whether one is the fault and the other how it shows on the same object, or the more exact of the same family."""
    if covers(finding.cause, root.cause) and finding.cause != root.cause and root.object == finding.object:
        return root.confidence >= SURE_ENOUGH_TO_EXPLAIN
    if root.confidence < CLEARLY_WRONG or root.confidence < finding.confidence - 0.2:
        return False
    if _shows_as(finding.cause, root.cause) and finding.confidence >= root.confidence:
        return False  # each may be how the other shows: the surer stands, and of equals both
    return _shows_as(root.cause, finding.cause)


@lru_cache(maxsize=4096)
def _shows_as(fault: str, shown: str) -> bool:
    return any(covers(a, fault) and covers(b, shown) for a, b in _EXPLAINS)


def _is_of_the_node(root: Finding, finding: Finding) -> bool:
    """Whether what keeps a workload from its nodes is the node's doing."""
    same = root.cause == finding.cause and root.object.kind == "Node" and finding.object.kind != "Node"
    return same and root.confidence >= SURE_ENOUGH_TO_EXPLAIN


def _is_shown(root: Finding, finding: Finding) -> bool:
    """Whether the finding is what a fault elsewhere looks like, and the root is such a fault."""
    siblings = root.object == finding.object and root.cause.rpartition(".")[0] == finding.cause.rpartition(".")[0]
    surer_by_far = finding.confidence - root.confidence > MUCH
    return is_consequence(finding) and not is_consequence(root) and not siblings and not surer_by_far


def _is_deeper(one: Finding, finding: Finding, reach: Reach | None) -> bool:
    """Among consequences, the one whose object the other's depends on."""
    if reach is None:
        return False
    if not (is_consequence(one) and is_consequence(finding)) or one.object == finding.object:
        return False
    if one.confidence < max(0.35, finding.confidence - MUCH - CLOSE) or not any(
        covers(general, one.cause) for general in _ROOTS_OF_CHAINS
    ):
        return False
    return finding.object in reach(one.object) and one.object not in reach(finding.object)


def is_consequence(finding: Finding) -> bool:
    """Whether this is what a fault elsewhere often looks like."""
    return _is_consequence(finding.cause)


@lru_cache(maxsize=1024)
def _is_consequence(cause: str) -> bool:
    return any(covers(general, cause) for general in _CONSEQUENCES)


def _lowered(finding: Finding, why: str) -> Finding:
    return finding.model_copy(
        update={"confidence": round(finding.confidence * SYMPTOM_BESIDE_ROOT, 3), "against": (*finding.against, why)}
    )


def _contradicted(ranked: tuple[Finding, ...]) -> bool:
    """Whether two causes stand side by side, neither explaining the other: two faults, or one misread."""
    if len(ranked) < 2:
        return False
    first, second = ranked[0], ranked[1]
    if covers(first.cause, second.cause) or covers(second.cause, first.cause):
        return False
    return second.confidence >= first.confidence - CLOSE and second.confidence >= 0.7

"""Weighs findings against each other: the one place where evidence for and against meets.

Analyzers look each at their own part and may all be right about it; what a person must hear is which of them is the
fault and which its consequence. A wrong confident answer costs more than "not sure", so whatever competes with the
best hypothesis lowers it, and what is left below the caller's threshold is a question for a person.
"""

from collections.abc import Iterable

from interlock.agents.analyzers import ANALYZERS, Finding, Scene
from interlock.agents.evidence import Evidence
from interlock.agents.model import Record
from interlock.crds.causes import covers

SYMPTOM_BESIDE_ROOT = 0.4
CLOSE = 0.1
MOST_HYPOTHESES = 8

# Where the first is found on an object, the second is how it shows.
_EXPLAINS: tuple[tuple[str, str], ...] = (
    ("workload.env", "workload.crash"),
    ("workload.config", "workload.crash"),
    ("workload.crash.command-not-found", "workload.crash.after-change"),
    ("workload.memory", "workload.crash"),
    ("workload.memory", "workload.probe"),
    ("workload.crash", "workload.probe"),
    ("workload.crash", "workload.port"),
    ("workload.env", "workload.probe"),
    ("workload.probe", "workload.crash"),
)


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


def diagnose(evidence: Evidence, min_confidence: float) -> Diagnosis:
    """The ranked hypotheses about the evidence, and the verdict if one of them reaches `min_confidence`."""
    scene = Scene(evidence)
    return conclude((finding for analyze in ANALYZERS for finding in analyze(scene)), min_confidence)


def conclude(findings: Iterable[Finding], min_confidence: float) -> Diagnosis:
    """Findings ranked, and the verdict if one of them reaches `min_confidence`."""
    ranked = rank(findings)
    if not ranked or ranked[0].confidence < min_confidence:
        sure = ranked[0].confidence if ranked else 0.0
        return Diagnosis(hypotheses=ranked, verdict="unknown.insufficient-evidence", confidence=sure)
    if _contradicted(ranked):
        return Diagnosis(hypotheses=ranked, verdict="unknown.contradictory-evidence", confidence=ranked[0].confidence)
    return Diagnosis(hypotheses=ranked, verdict=ranked[0].cause, confidence=ranked[0].confidence)


def rank(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings with what explains them weighed in, the best first; of equals on one object the surest is kept."""
    merged = _merged(findings)
    roots = [f for f in merged if f.role == "root" and f.cause != "none.recovered"]
    weighed = [_weighed(finding, roots) for finding in merged]
    return tuple(sorted(weighed, key=lambda f: (-f.confidence, f.cause)))[:MOST_HYPOTHESES]


def _merged(findings: Iterable[Finding]) -> list[Finding]:
    best: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.cause, str(finding.object))
        if key not in best or finding.confidence > best[key].confidence:
            best[key] = finding
    return list(best.values())


def _weighed(finding: Finding, roots: list[Finding]) -> Finding:
    others = [root for root in roots if root is not finding]
    if finding.cause == "none.recovered" and others:
        return _lowered(finding, "something is found to be wrong")
    if finding.role == "symptom" and others:
        return _lowered(finding, f"{others[0].cause} explains it")
    for root in others:
        if _explains(root, finding):
            return _lowered(finding, f"{root.cause} explains it")
    return finding


def _explains(root: Finding, finding: Finding) -> bool:
    if root.confidence < 0.7 or root.confidence < finding.confidence - 0.2:
        return False
    return any(covers(a, root.cause) and covers(b, finding.cause) for a, b in _EXPLAINS)


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

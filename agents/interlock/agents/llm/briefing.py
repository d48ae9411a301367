"""The first words to each agent: what is known, in few tokens, as JSON that cannot be mistaken for instructions."""

import json

from pydantic import JsonValue

from interlock.agents.analyzers import Finding
from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence
from interlock.crds.causes import CAUSES
from interlock.crds.redact import redact_object

MOST_ITEMS = 30
MOST_FINDINGS = 4
MOST_ALERTS = 4
SHORT = 120


def for_on_call(evidence: Evidence, diagnosis: Diagnosis) -> str:
    """The incident as On-Call first sees it, with the vocabulary of causes."""
    known: dict[str, JsonValue] = {
        "incident": {"target": str(evidence.target), "alerts": _alerts(evidence)},
        "analyzers": [_finding(finding) for finding in diagnosis.hypotheses[:MOST_FINDINGS]],
        "analyzers' verdict": f"{diagnosis.verdict} ({diagnosis.confidence:.2f})",
        "evidence": _index(evidence),
        "not collected": [f"{gap.source[:SHORT]}: {gap.reason[:SHORT]}" for gap in evidence.missing[:MOST_FINDINGS]],
    }
    return f"The incident, as data:\n{_data(known)}\n\nThe vocabulary of causes:\n{vocabulary()}"


def for_specialist(question: str, evidence: Evidence) -> str:
    """The question, and what there is to look at."""
    known: dict[str, JsonValue] = {"question": question, "target": str(evidence.target), "evidence": _index(evidence)}
    return f"On-Call asks, as data:\n{_data(known)}"


def vocabulary() -> str:
    """All causes, one family a line."""
    families: dict[str, list[str]] = {}
    for cause in sorted(CAUSES):
        family, _, last = cause.rpartition(".")
        families.setdefault(family, []).append(last)
    return "\n".join(f"{family}: {' '.join(names)}" for family, names in families.items())


def _alerts(evidence: Evidence) -> JsonValue:
    item = evidence.first("alerts")
    alerts = item.content if item and isinstance(item.content, list) else []
    told = ("name", "status", "summary")
    return [
        {key: str(one.get(key, ""))[:SHORT] for key in told} for one in alerts[:MOST_ALERTS] if isinstance(one, dict)
    ]


def _finding(finding: Finding) -> JsonValue:
    return {
        "cause": finding.cause,
        "object": str(finding.object),
        "confidence": finding.confidence,
        "summary": finding.summary[:300],
        "citations": [{"id": quote.id, "excerpt": quote.excerpt[:SHORT]} for quote in finding.quotes[:3]],
        "against": [said[:SHORT] for said in finding.against[:2]],
    }


def _index(evidence: Evidence) -> JsonValue:
    return [f"{item.id} {item.kind}: {item.source[:SHORT]}" for item in evidence.items[:MOST_ITEMS]]


def _data(value: JsonValue) -> str:
    return json.dumps(redact_object(value), ensure_ascii=True, indent=None)

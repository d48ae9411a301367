"""Rows as values and values as rows."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence, Item, Missing
from interlock.agents.model import Alert, AlertStatus, ObjectRef, iso
from interlock.agents.tables import AlertRow, EvidenceRow, FindingRow, IncidentRow


def target_of(incident: IncidentRow) -> ObjectRef:
    """What the incident is about."""
    return ObjectRef(kind=incident.target_kind, namespace=incident.target_namespace, name=incident.target_name)


_SEVERITIES = ("", "none", "info", "warning", "error", "critical")


def severity_rank(severity: str) -> int:
    """How bad an alert says that it is; a word that nobody here knows is a warning."""
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else _SEVERITIES.index("warning")


def to_alert(row: AlertRow) -> Alert:
    """The alert of a row."""
    return Alert(
        labels=json.loads(row.labels),
        annotations=json.loads(row.annotations),
        status=_status(row.status),
        starts_at=datetime.fromisoformat(row.starts_at),
        ends_at=datetime.fromisoformat(row.ends_at) if row.ends_at else None,
        fingerprint=row.fingerprint,
        generator_url=row.generator_url,
    )


def to_evidence(target: ObjectRef, rows: Sequence[EvidenceRow]) -> Evidence:
    """The evidence of a look's rows."""
    items = [
        Item(
            id=row.item_id,
            kind=row.kind,
            source=row.source,
            collected_at=datetime.fromisoformat(row.collected_at),
            content=json.loads(row.content),
            truncated=row.truncated,
        )
        for row in rows
        if row.content is not None
    ]
    missing = [Missing(kind=row.kind, source=row.source, reason=row.missing) for row in rows if row.content is None]
    items.sort(key=lambda item: (item.id[0], int(item.id[1:])))
    collected = max((datetime.fromisoformat(row.collected_at) for row in rows), default=datetime.min)
    return Evidence(target=target, collected_at=collected, items=tuple(items), missing=tuple(missing))


def evidence_rows(incident_id: str, evidence: Evidence) -> Iterator[EvidenceRow]:
    """The rows of a look: what was seen, and what could not be."""
    for item in evidence.items:
        yield EvidenceRow(
            incident_id=incident_id,
            item_id=item.id,
            kind=item.kind,
            source=item.source,
            collected_at=iso(item.collected_at),
            digest=item.digest,
            truncated=item.truncated,
            content=json.dumps(item.content),
        )
    for number, gap in enumerate(evidence.missing, start=1):
        yield EvidenceRow(
            incident_id=incident_id,
            item_id=f"missing-{number}",
            kind=gap.kind,
            source=gap.source,
            collected_at=iso(evidence.collected_at),
            missing=gap.reason,
        )


def finding_rows(incident_id: str, diagnosis: Diagnosis) -> Iterator[FindingRow]:
    """The rows of a diagnosis, the best hypothesis first."""
    for position, finding in enumerate(diagnosis.hypotheses, start=1):
        yield FindingRow(
            incident_id=incident_id,
            rank=position,
            cause=finding.cause,
            confidence=finding.confidence,
            content=finding.model_dump_json(),
        )


def told(diagnosis: Diagnosis) -> str:
    """A diagnosis in one line."""
    best = diagnosis.best
    said = f"{diagnosis.verdict} ({diagnosis.confidence:.2f})"
    return f"{said}: {best.summary}" if best else said


def _status(text: str) -> AlertStatus:
    return "resolved" if text == "resolved" else "firing"

"""Incidents for those who read them: the command line, later the console. Reads the store, never writes it."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from interlock.agents.analyzers import Finding
from interlock.agents.diagnose import Diagnosis
from interlock.agents.model import AlertStatus, IncidentState, ObjectRef, Record
from interlock.agents.page import page
from interlock.agents.past import PastIncident, similar
from interlock.agents.reading import asked_for, known, reading
from interlock.agents.rows import target_of, to_alert
from interlock.agents.tables import AlertRow, EvidenceRow, FindingRow, IncidentRow, TimelineRow
from interlock.agents.wire import parameters_of


class IncidentSummary(Record):
    """One line about an incident."""

    id: str
    state: IncidentState
    target: ObjectRef
    title: str
    severity: str
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    verdict: str
    """The cause, `unknown.*` while none stands out, empty before the first look."""
    confidence: float | None
    reason: str
    """Why it is in its state."""


class TimelineEntry(Record):
    """Something that happened."""

    at: datetime
    event: str
    text: str


class AlertView(Record):
    """An alert of the incident."""

    name: str
    status: AlertStatus
    labels: dict[str, str]
    summary: str
    starts_at: datetime
    ends_at: datetime | None


class EvidenceView(Record):
    """One piece of evidence without its content; `missing` says why it could not be collected."""

    id: str
    kind: str
    source: str
    collected_at: datetime
    digest: str | None
    truncated: bool
    missing: str


class CitationView(Record):
    """The telling part of one piece of evidence, with where it was read."""

    id: str
    source: str
    excerpt: str


class HypothesisView(Record):
    """One hypothesis, with what it rests on and what speaks against it."""

    cause: str
    object: ObjectRef
    confidence: float
    summary: str
    citations: tuple[CitationView, ...]
    against: tuple[str, ...]


class ExecutionView(Record):
    """What was asked for."""

    namespace: str
    name: str
    runbook: str
    parameters: dict[str, str]
    handover: bool
    phase: str
    message: str


class IncidentDetail(IncidentSummary):
    """All about an incident."""

    hypotheses: tuple[HypothesisView, ...]
    """The best first."""
    timeline: tuple[TimelineEntry, ...]
    alerts: tuple[AlertView, ...]
    evidence: tuple[EvidenceView, ...]
    executions: tuple[ExecutionView, ...]
    look_next: tuple[str, ...]
    """Where a person looks who takes it over; nothing where all is well, or before the first look."""
    similar: tuple[PastIncident, ...]
    """The newest before it with the same cause on the same kind of object or with the same target; where nobody knows
    the cause, then those with the same alerts."""


def list_incidents(database_url: str) -> list[IncidentSummary]:
    """All incidents, the newest first.

    Raises:
        StoreUnavailableError: the database cannot be read.
    """
    with reading(database_url) as session:
        rows = session.exec(select(IncidentRow).order_by(col(IncidentRow.opened_at).desc())).all()
        return [IncidentSummary(**_summary(row)) for row in rows]


def show_incident(database_url: str, incident_id: str) -> IncidentDetail:
    """All about one incident.

    Raises:
        IncidentNotFoundError: there is none of this identifier.
        StoreUnavailableError: the database cannot be read.
    """
    with reading(database_url) as session:
        row = known(session, incident_id)
        evidence = session.exec(
            select(EvidenceRow).where(EvidenceRow.incident_id == incident_id).order_by(EvidenceRow.item_id)
        ).all()
        sources = {item.item_id: item.source for item in evidence}
        return IncidentDetail(
            **_summary(row),
            hypotheses=_hypotheses(session, incident_id, sources),
            timeline=_timeline(session, incident_id),
            alerts=_alerts(session, incident_id),
            evidence=tuple(_evidence(item) for item in evidence),
            executions=_executions(session, incident_id),
            look_next=_look_next(row),
            similar=similar(session, row),
        )


def _summary(row: IncidentRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "target": target_of(row),
        "title": row.title,
        "severity": row.severity,
        "opened_at": datetime.fromisoformat(row.opened_at),
        "updated_at": datetime.fromisoformat(row.updated_at),
        "closed_at": datetime.fromisoformat(row.closed_at) if row.closed_at else None,
        "verdict": row.verdict,
        "confidence": row.confidence,
        "reason": row.reason,
    }


def _hypotheses(session: Session, incident_id: str, sources: dict[str, str]) -> tuple[HypothesisView, ...]:
    query = select(FindingRow).where(FindingRow.incident_id == incident_id).order_by(col(FindingRow.rank))
    return tuple(_hypothesis(Finding.model_validate_json(row.content), sources) for row in session.exec(query))


def _hypothesis(finding: Finding, sources: dict[str, str]) -> HypothesisView:
    return HypothesisView(
        cause=finding.cause,
        object=finding.object,
        confidence=finding.confidence,
        summary=finding.summary,
        citations=tuple(
            CitationView(id=quote.id, source=sources.get(quote.id, ""), excerpt=quote.excerpt)
            for quote in finding.quotes
        ),
        against=finding.against,
    )


def _timeline(session: Session, incident_id: str) -> tuple[TimelineEntry, ...]:
    query = select(TimelineRow).where(TimelineRow.incident_id == incident_id).order_by(col(TimelineRow.id))
    return tuple(
        TimelineEntry(at=datetime.fromisoformat(row.at), event=row.event, text=row.text) for row in session.exec(query)
    )


def _alerts(session: Session, incident_id: str) -> tuple[AlertView, ...]:
    query = select(AlertRow).where(AlertRow.incident_id == incident_id).order_by(AlertRow.starts_at)
    return tuple(
        AlertView(
            name=alert.name,
            status=alert.status,
            labels=alert.labels,
            summary=alert.annotations.get("summary", ""),
            starts_at=alert.starts_at,
            ends_at=alert.ends_at,
        )
        for alert in map(to_alert, session.exec(query))
    )


def _evidence(row: EvidenceRow) -> EvidenceView:
    return EvidenceView(
        id=row.item_id,
        kind=row.kind,
        source=row.source,
        collected_at=datetime.fromisoformat(row.collected_at),
        digest=row.digest,
        truncated=row.truncated,
        missing=row.missing,
    )


def _executions(session: Session, incident_id: str) -> tuple[ExecutionView, ...]:
    return tuple(
        ExecutionView(
            namespace=row.namespace,
            name=row.name,
            runbook=row.runbook,
            parameters=dict(parameters_of(row.parameters)),
            handover=row.handover,
            phase=row.phase,
            message=row.message,
        )
        for row in asked_for(session, incident_id)
    )


def _look_next(row: IncidentRow) -> tuple[str, ...]:
    if not row.diagnosis or row.verdict.startswith("none."):
        return ()
    lines = page(Diagnosis.model_validate_json(row.diagnosis), row.reason)
    return tuple(words for heading, words in lines if heading == "look next")

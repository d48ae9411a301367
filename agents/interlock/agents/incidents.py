"""Incidents for those who read them: the command line, later the console. Reads the store, never writes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url
from sqlmodel import Session, col, select

from interlock.agents.analyzers import Finding
from interlock.agents.database import connect, translated
from interlock.agents.errors import IncidentNotFoundError, StoreUnavailableError
from interlock.agents.model import AlertStatus, IncidentState, ObjectRef, Record
from interlock.agents.rows import target_of, to_alert
from interlock.agents.tables import AlertRow, EvidenceRow, ExecutionRow, FindingRow, IncidentRow, TimelineRow
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


def list_incidents(database_url: str) -> list[IncidentSummary]:
    """All incidents, the newest first.

    Raises:
        StoreUnavailableError: the database cannot be read.
    """
    with _reading(database_url) as session:
        rows = session.exec(select(IncidentRow).order_by(col(IncidentRow.opened_at).desc())).all()
        return [IncidentSummary(**_summary(row)) for row in rows]


def show_incident(database_url: str, incident_id: str) -> IncidentDetail:
    """All about one incident.

    Raises:
        IncidentNotFoundError: there is none of this identifier.
        StoreUnavailableError: the database cannot be read.
    """
    with _reading(database_url) as session:
        row = session.get(IncidentRow, incident_id)
        if row is None:
            raise IncidentNotFoundError(f"there is no incident {incident_id}")
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
        )


@contextmanager
def _reading(url: str) -> Iterator[Session]:
    path = make_url(url).database
    if url.startswith("sqlite") and path and not Path(path).exists():
        raise StoreUnavailableError(f"there is no database at {path}")
    engine = connect(url)
    try:
        with translated(), Session(engine.execution_options(reads=True)) as session:
            yield session
    finally:
        engine.dispose()


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
    query = select(ExecutionRow).where(ExecutionRow.incident_id == incident_id).order_by(col(ExecutionRow.attempt))
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
        for row in session.exec(query)
    )

"""The agents' memory: alerts, incidents, evidence and what was asked for. No decision lives anywhere else.

Every method is one transaction, committed with an fsync before it returns (SQLite: WAL, synchronous=FULL), so what a
method promised survives a kill at any moment. Methods block; callers on an event loop run them in a thread.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, delete, or_, select

from interlock.agents.correlate import Known, incident_of, new_incident_id
from interlock.agents.database import connect, translated
from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence
from interlock.agents.model import Alert, AlertStatus, IncidentState, ObjectRef, iso
from interlock.agents.payload import Payload
from interlock.agents.rows import evidence_rows, finding_rows, target_of, to_alert, to_evidence, told
from interlock.agents.tables import (
    AlertRow,
    DeliveryRow,
    EvidenceRow,
    ExecutionRow,
    FindingRow,
    IncidentRow,
    Table,
    TimelineRow,
)

OUR_TURN: tuple[IncidentState, ...] = ("open", "investigating", "watching")
"""States in which the worker does the next step; in the others it is an execution's or a person's."""


class Store:
    """Reads and writes the database."""

    def __init__(self, url: str, now: Callable[[], datetime]) -> None:
        self._now = now
        self._engine = connect(url)

    def open(self) -> None:
        """Creates the tables that are not there yet.

        Raises:
            StoreUnavailableError: the database cannot be written.
        """
        with translated():
            Table.metadata.create_all(self._engine)

    def close(self) -> None:
        """Gives back all connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with translated(), Session(self._engine, expire_on_commit=False) as session:
            yield session
            session.commit()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with translated(), Session(self._engine.execution_options(reads=True), expire_on_commit=False) as session:
            yield session

    def ping(self) -> None:
        """Raises StoreUnavailableError when the database cannot be read."""
        with self._reading() as session:
            session.exec(select(IncidentRow.id).limit(1)).first()

    # Alerts

    def receive(self, payload: Payload) -> int:
        """Makes a delivery durable; returns how many of its alerts say something new.

        Raises:
            StoreUnavailableError: nothing of it was kept.
        """
        received, news = iso(self._now()), 0
        with self._transaction() as session:
            for sent in payload.alerts:
                news += _keep(session, sent.alert(), received)
            if payload.truncated_alerts:
                session.add(
                    DeliveryRow(
                        received_at=received,
                        group_key=payload.group_key,
                        alerts=len(payload.alerts),
                        truncated=payload.truncated_alerts,
                    )
                )
        return news

    def unhandled(self, limit: int = 100) -> list[tuple[str, Alert, str | None]]:
        """Alerts whose last word was not acted upon, the oldest first, each with its identity and incident."""
        with self._reading() as session:
            query = select(AlertRow).where(col(AlertRow.handled).is_(False))
            rows = session.exec(query.order_by(AlertRow.received_at, AlertRow.identity).limit(limit)).all()
            return [(row.identity, to_alert(row), row.incident_id) for row in rows]

    def dismiss(self, identity: str, alert: Alert, note: str) -> None:
        """The alert opens nothing, and why."""
        with self._transaction() as session:
            _settle(session, identity, alert.status, None, note)

    def attach(
        self, identity: str, alert: Alert, target: ObjectRef, *, state: IncidentState = "open", reason: str = ""
    ) -> str:
        """Files a firing alert under the incident of its target, opened if there is none; returns the incident.

        `state` and `reason` are those of an incident that is opened by it.
        """
        with self._transaction() as session:
            found = incident_of(target, alert.starts_at, _known(session, target))
            incident = session.get(IncidentRow, found) if found else None
            if incident is None:
                incident = self._opened(session, alert, target, state, reason)
            else:
                self._joined(session, incident, alert)
            _settle(session, identity, alert.status, incident.id, "")
            session.add(incident)
            return incident.id

    def follow_resolved(self, identity: str, alert: Alert, incident_id: str) -> None:
        """An alert of a known incident is resolved."""
        with self._transaction() as session:
            incident = session.get_one(IncidentRow, incident_id)
            self._note(session, incident_id, "AlertResolved", alert.name)
            _settle(session, identity, alert.status, incident_id, "")
            session.flush()
            if not _firing(session, incident_id):
                self._quiet(session, incident)
            session.add(incident)

    def _opened(
        self, session: Session, alert: Alert, target: ObjectRef, state: IncidentState, reason: str
    ) -> IncidentRow:
        now = iso(self._now())
        taken = session.exec(select(IncidentRow.id)).all()
        incident = IncidentRow(
            id=new_incident_id(target, alert, taken),
            state=state,
            target_kind=target.kind,
            target_namespace=target.namespace,
            target_name=target.name,
            title=alert.annotations.get("summary") or alert.name,
            severity=alert.labels.get("severity", ""),
            opened_at=now,
            updated_at=now,
            next_at=now,
            reason=reason,
        )
        session.add(incident)
        self._note(session, incident.id, "Opened", f"{alert.name} about {target}")
        if reason:
            self._note(session, incident.id, "Recorded", reason)
        return incident

    def _joined(self, session: Session, incident: IncidentRow, alert: Alert) -> None:
        self._note(session, incident.id, "AlertJoined", alert.name)
        incident.updated_at = iso(self._now())
        if incident.closed_at is not None:
            incident.closed_at = None
            if incident.state == "resolved":
                incident.state, incident.next_at = "watching", None
        elif incident.state in {"open", "investigating"}:
            incident.next_at = incident.updated_at  # a new alert may tell what the last look could not

    def _quiet(self, session: Session, incident: IncidentRow) -> None:
        """No alert of the incident fires any more."""
        incident.updated_at = iso(self._now())
        if incident.state in {"open", "investigating", "watching"} and not _acting(session, incident.id):
            self._enter(session, incident, "resolved", "all its alerts are resolved")
        elif incident.state in {"escalated", "recorded"} and incident.closed_at is None:
            incident.closed_at = incident.updated_at
            self._note(session, incident.id, "Quiet", "all its alerts are resolved")

    # Incidents

    def due(self, now: datetime) -> list[IncidentRow]:
        """Incidents whose next step is ours and whose time has come."""
        with self._reading() as session:
            ready = or_(col(IncidentRow.next_at).is_(None), col(IncidentRow.next_at) <= iso(now))
            query = select(IncidentRow).where(col(IncidentRow.state).in_(OUR_TURN), ready)
            return list(session.exec(query.order_by(IncidentRow.opened_at)).all())

    def enter(
        self, incident_id: str, state: IncidentState, reason: str, *, next_at: datetime | None = None
    ) -> IncidentRow:
        """The incident is in this state now, and why."""
        with self._transaction() as session:
            incident = session.get_one(IncidentRow, incident_id)
            self._enter(session, incident, state, reason)
            incident.next_at = iso(next_at) if next_at else None
            session.add(incident)
            return incident

    def postpone(self, incident_id: str, until: datetime, why: str = "") -> None:
        """The incident is looked at again at `until`; `why` is noted when it is new."""
        with self._transaction() as session:
            incident = session.get_one(IncidentRow, incident_id)
            incident.next_at = iso(until)
            if why and why != incident.reason:
                incident.reason = why
                self._note(session, incident_id, "Postponed", why)
            session.add(incident)

    def _enter(self, session: Session, incident: IncidentRow, state: IncidentState, reason: str) -> None:
        now = iso(self._now())
        if (incident.state, incident.reason) == (state, reason):
            return
        incident.state, incident.reason, incident.updated_at = state, reason, now
        ended = state == "resolved" or (state in {"escalated", "recorded"} and not _firing(session, incident.id))
        incident.closed_at = now if ended else None
        self._note(session, incident.id, state.capitalize(), reason)

    def keep_look(self, incident_id: str, evidence: Evidence, diagnosis: Diagnosis) -> None:
        """Replaces the last look: evidence, hypotheses and verdict, all or none."""
        with self._transaction() as session:
            incident = session.get_one(IncidentRow, incident_id)
            for table in (EvidenceRow, FindingRow):
                session.exec(delete(table).where(table.incident_id == incident_id))  # type: ignore[arg-type]
            session.add_all(evidence_rows(incident_id, evidence))
            session.add_all(finding_rows(incident_id, diagnosis))
            incident.looks += 1
            if incident.verdict != diagnosis.verdict:
                self._note(session, incident_id, "Diagnosed", told(diagnosis))
            incident.state = "investigating" if incident.state == "open" else incident.state
            incident.verdict, incident.confidence = diagnosis.verdict, diagnosis.confidence
            incident.diagnosis = diagnosis.model_dump_json()
            session.add(incident)

    def last_look(self, incident: IncidentRow) -> tuple[Evidence, Diagnosis] | None:
        """What the last look found, None before the first."""
        if not incident.diagnosis:
            return None
        with self._reading() as session:
            query = select(EvidenceRow).where(EvidenceRow.incident_id == incident.id)
            rows = session.exec(query.order_by(EvidenceRow.collected_at)).all()
        return to_evidence(target_of(incident), rows), Diagnosis.model_validate_json(incident.diagnosis)

    def incident(self, incident_id: str) -> IncidentRow:
        """The incident; it exists."""
        with self._reading() as session:
            return session.get_one(IncidentRow, incident_id)

    def firing(self, incident_id: str) -> int:
        """How many alerts of the incident fire."""
        with self._reading() as session:
            return _firing(session, incident_id)

    def alerts_of(self, incident_id: str) -> list[Alert]:
        """All alerts of the incident."""
        with self._reading() as session:
            query = select(AlertRow).where(AlertRow.incident_id == incident_id).order_by(AlertRow.starts_at)
            return [to_alert(row) for row in session.exec(query).all()]

    def note(self, incident_id: str, event_name: str, text: str) -> None:
        """Something happened to the incident."""
        with self._transaction() as session:
            self._note(session, incident_id, event_name, text)

    def _note(self, session: Session, incident_id: str, event_name: str, text: str) -> None:
        session.add(TimelineRow(incident_id=incident_id, at=iso(self._now()), event=event_name, text=text[:1024]))

    # Executions

    def intend(self, execution: ExecutionRow) -> ExecutionRow:
        """Writes down what will be asked for, before it is; the row that stands already if there is one."""
        with self._transaction() as session:
            known = session.get(ExecutionRow, (execution.name, execution.namespace))
            if known is not None:
                return known
            incident = session.get_one(IncidentRow, execution.incident_id)
            incident.attempts = max(incident.attempts, execution.attempt)
            session.add_all([incident, execution])
            return execution

    def update_execution(self, execution: ExecutionRow, **values: Any) -> ExecutionRow:
        """Changes what is known of an execution."""
        with self._transaction() as session:
            row = session.get_one(ExecutionRow, (execution.name, execution.namespace))
            for name, value in values.items():
                setattr(row, name, value)
            row.updated_at = iso(self._now())
            session.add(row)
            return row

    def executions_of(self, incident_id: str) -> list[ExecutionRow]:
        """What was asked for about an incident, in order."""
        with self._reading() as session:
            query = select(ExecutionRow).where(ExecutionRow.incident_id == incident_id)
            return list(session.exec(query.order_by(col(ExecutionRow.attempt))).all())

    def followed(self) -> list[ExecutionRow]:
        """Executions that were created and have not ended."""
        with self._reading() as session:
            query = select(ExecutionRow).where(col(ExecutionRow.created), col(ExecutionRow.ended).is_(False))
            return list(session.exec(query).all())


def _keep(session: Session, alert: Alert, received: str) -> int:
    row = session.get(AlertRow, alert.identity)
    ends_at = iso(alert.ends_at) if alert.ends_at else None
    if row is None:
        row = AlertRow(
            identity=alert.identity,
            name=alert.name,
            status=alert.status,
            starts_at=iso(alert.starts_at),
            ends_at=ends_at,
            labels=json.dumps(alert.labels),
            annotations=json.dumps(alert.annotations),
            fingerprint=alert.fingerprint,
            generator_url=alert.generator_url,
            received_at=received,
        )
    elif row.status == alert.status:
        return 0
    else:
        row.status, row.ends_at, row.received_at, row.handled = alert.status, ends_at, received, False
    session.add(row)
    return 1


def _settle(session: Session, identity: str, seen: AlertStatus, incident_id: str | None, note: str) -> None:
    row = session.get_one(AlertRow, identity)
    row.handled = row.status == seen  # a newer word came while this one was acted upon
    row.incident_id = incident_id or row.incident_id
    row.note = note
    session.add(row)


def _known(session: Session, target: ObjectRef) -> list[Known]:
    query = select(IncidentRow).where(
        IncidentRow.target_kind == target.kind,
        IncidentRow.target_namespace == target.namespace,
        IncidentRow.target_name == target.name,
    )
    rows = session.exec(query.order_by(col(IncidentRow.opened_at).desc()).limit(20)).all()
    return [
        Known(
            id=row.id,
            target=target,
            opened_at=datetime.fromisoformat(row.opened_at),
            closed_at=datetime.fromisoformat(row.closed_at) if row.closed_at else None,
        )
        for row in rows
    ]


def _firing(session: Session, incident_id: str) -> int:
    query = select(func.count()).where(AlertRow.incident_id == incident_id, AlertRow.status == "firing")
    return int(session.exec(query).one())


def _acting(session: Session, incident_id: str) -> bool:
    query = select(ExecutionRow.name).where(ExecutionRow.incident_id == incident_id, col(ExecutionRow.ended).is_(False))
    return session.exec(query).first() is not None

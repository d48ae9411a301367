"""Incidents as work goes on: claimed by one process at a time, looked at, moved from state to state."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, or_, select

from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence
from interlock.agents.model import IncidentState, iso
from interlock.agents.rows import evidence_rows, finding_rows, target_of, to_evidence, told
from interlock.agents.store.base import Database, firing
from interlock.agents.store.words import remember
from interlock.agents.tables import AnswerRow, EvidenceRow, FindingRow, IncidentRow

OUR_TURN: tuple[IncidentState, ...] = ("open", "investigating", "watching")
"""States in which the worker does the next step; in the others it is an execution's or a person's."""


class Incidents(Database):
    """The part of the store that work goes on in. Who writes to an incident must have claimed it."""

    def due(self, now: datetime, limit: int = 100, but: Iterable[str] = ()) -> list[IncidentRow]:
        """Claims incidents whose next step is ours and whose time has come, the oldest first, none of those in `but`.

        They are this process's until they are released, or until it has said nothing of them for a lease's time.
        """
        ready = or_(col(IncidentRow.next_at).is_(None), col(IncidentRow.next_at) <= iso(now))
        query = select(IncidentRow).where(col(IncidentRow.state).in_(OUR_TURN), ready, self._free(now))
        query = query.where(col(IncidentRow.id).not_in(sorted(but))).order_by(IncidentRow.opened_at).limit(limit)
        with self._reading() as session:
            if session.exec(query).first() is None:  # a look is cheaper than a commit
                return []
        with self._transaction() as session:
            rows = list(session.exec(query.with_for_update(skip_locked=True)))
            for row in rows:
                self._claim(session, row, now)
            return rows

    def claim(self, incident_id: str) -> bool:
        """Whether the incident is this process's now, until it is released; called again, it stays so for longer."""
        now = self._now()
        query = select(IncidentRow).where(IncidentRow.id == incident_id, self._free(now))
        with self._transaction() as session:
            row = session.exec(query.with_for_update()).first()
            if row is not None:
                self._claim(session, row, now)
            return row is not None

    def release(self, incident_id: str) -> None:
        """Any process may take the incident's next step."""
        with self._transaction() as session:
            row = session.get_one(IncidentRow, incident_id, with_for_update=True)
            if row.holder == self.holder:
                row.holder = row.held_until = ""
            session.add(row)

    def _free(self, now: datetime) -> ColumnElement[bool]:
        return or_(col(IncidentRow.holder).in_(("", self.holder)), col(IncidentRow.held_until) <= iso(now))

    def _claim(self, session: Session, row: IncidentRow, now: datetime) -> None:
        row.holder, row.held_until = self.holder, iso(now + self._lease)
        session.add(row)

    def enter(
        self, incident_id: str, state: IncidentState, reason: str, *, next_at: datetime | None = None
    ) -> IncidentRow:
        """The incident is in this state now, and why.

        Raises:
            ClaimLostError: it is not this process's any more.
        """
        with self._transaction() as session:
            incident = self._ours(session, incident_id)
            self._enter(session, incident, state, reason)
            incident.next_at = iso(next_at) if next_at else None
            session.add(incident)
            return incident

    def postpone(self, incident_id: str, until: datetime, why: str = "") -> None:
        """The incident is looked at again at `until`; `why` is noted when it is new.

        Raises:
            ClaimLostError: it is not this process's any more.
        """
        with self._transaction() as session:
            incident = self._ours(session, incident_id)
            incident.next_at = iso(until)
            if why and why != incident.reason:
                incident.reason = why
                self._note(session, incident_id, "Postponed", why)
            session.add(incident)

    def keep_look(self, incident_id: str, evidence: Evidence, diagnosis: Diagnosis) -> None:
        """Replaces the last look: evidence, hypotheses and verdict, all or none.

        Raises:
            ClaimLostError: it is not this process's any more.
        """
        with self._transaction() as session:
            incident = self._ours(session, incident_id)
            for table in (EvidenceRow, FindingRow):
                session.exec(delete(table).where(table.incident_id == incident_id))  # type: ignore[arg-type]
            session.add_all(evidence_rows(incident_id, evidence))
            session.add_all(finding_rows(incident_id, diagnosis))
            incident.looks += 1
            incident.looked_since = incident.looked_since or iso(self._now())
            if incident.verdict != diagnosis.verdict:
                self._note(session, incident_id, "Diagnosed", told(diagnosis))
            incident.state = "investigating" if incident.state == "open" else incident.state
            incident.verdict, incident.confidence = diagnosis.verdict, diagnosis.confidence
            incident.blamed = str(diagnosis.best.object) if diagnosis.best else ""
            incident.diagnosis = diagnosis.model_dump_json()
            session.add(incident)
            remember(session, incident)

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
            return firing(session, incident_id)

    def note(self, incident_id: str, event_name: str, text: str) -> None:
        """Something happened to the incident."""
        with self._transaction() as session:
            self._note(session, incident_id, event_name, text)

    def answer(self, incident_id: str, question: str) -> str | None:
        """What was answered to this question about the incident; None if it was never asked to the end.

        `question` is a digest of all that the answer depends on.
        """
        with self._reading() as session:
            row = session.get(AnswerRow, (incident_id, question))
            return row.content if row is not None else None

    def keep_answer(self, incident_id: str, question: str, content: str) -> str:
        """Makes an answer durable, so that nobody is asked again; the one that stands already if there is one.

        Raises:
            ClaimLostError: the incident is not this process's any more.
        """
        with self._transaction() as session:
            self._ours(session, incident_id)
            known = session.get(AnswerRow, (incident_id, question))
            if known is not None:
                return known.content
            row = AnswerRow(incident_id=incident_id, question=question, at=iso(self._now()), content=content)
            session.add(row)
            return content

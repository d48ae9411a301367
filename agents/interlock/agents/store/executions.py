"""What was asked for: written down before it is, so that nothing is asked for twice."""

from datetime import timedelta
from typing import Any

from sqlmodel import Session, and_, col, or_, select

from interlock.agents.model import IncidentState, iso
from interlock.agents.reading import asked_for
from interlock.agents.store.base import Database
from interlock.agents.tables import ExecutionRow, IncidentRow


class Executions(Database):
    """The part of the store that requests are followed in."""

    def intend(self, execution: ExecutionRow, flap: timedelta = timedelta(0)) -> ExecutionRow | None:
        """Writes down what will be asked for, before it is; the row that stands already if there is one.

        None where another incident is blamed on the same cause of the same object and something was asked for already:
        this one is folded into it, so that one fault has one proposal. One that is with a person and has gone quiet
        within `flap` is such a one, too.

        Raises:
            ClaimLostError: the incident is not this process's any more.
        """
        with self._filing() as session:
            incident = self._ours(session, execution.incident_id)
            known = session.get(ExecutionRow, (execution.name, execution.namespace))
            if known is not None:
                return known
            quiet_since = iso(self._now() - flap)
            twin = _twin(session, incident, quiet_since) if incident.attempts == 0 else None
            if twin is not None:
                self._reopen(twin)
                session.add(twin)
                self._fold(session, incident, twin.id)
                return None
            incident.attempts = max(incident.attempts, execution.attempt)
            session.add_all([incident, execution])
            return execution

    def settle(self, execution: ExecutionRow, state: IncidentState, reason: str, **values: Any) -> None:
        """What became of asking for it, and the state that its incident is in by that: both or none.

        Raises:
            ClaimLostError: the incident is not this process's any more.
        """
        with self._transaction() as session:
            incident = self._ours(session, execution.incident_id)
            self._enter(session, incident, state, reason)
            incident.next_at = None
            row = session.get_one(ExecutionRow, (execution.name, execution.namespace))
            for name, value in {**values, "updated_at": iso(self._now())}.items():
                setattr(row, name, value)
            session.add_all([incident, row])

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
            return list(asked_for(session, incident_id))

    def followed(self) -> list[ExecutionRow]:
        """Executions that were created and have not ended."""
        with self._reading() as session:
            query = select(ExecutionRow).where(col(ExecutionRow.created), col(ExecutionRow.ended).is_(False))
            return list(session.exec(query).all())


def _twin(session: Session, incident: IncidentRow, quiet_since: str) -> IncidentRow | None:
    """The incident that has the same fault and is further: not over, or with a person and quiet since then at most."""
    query = select(IncidentRow).where(
        IncidentRow.blamed == incident.blamed,
        IncidentRow.blamed != "",
        IncidentRow.verdict == incident.verdict,
        IncidentRow.id != incident.id,
        IncidentRow.attempts > 0,
        or_(
            col(IncidentRow.closed_at).is_(None),
            and_(IncidentRow.state == "escalated", col(IncidentRow.closed_at) >= quiet_since),
        ),
    )
    return session.exec(query.order_by(IncidentRow.opened_at).with_for_update()).first()

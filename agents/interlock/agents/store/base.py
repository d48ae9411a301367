"""What all parts of the store share: transactions, the clock, and who holds what."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from secrets import token_hex

from sqlalchemy import func, text
from sqlmodel import Session, col, select, update

from interlock.agents.errors import ClaimLostError
from interlock.agents.model import IncidentState, iso
from interlock.agents.store.connected import Connected
from interlock.agents.store.words import remember
from interlock.agents.tables import AlertRow, ExecutionRow, IncidentRow, TimelineRow

OVER: frozenset[IncidentState] = frozenset({"resolved", "folded"})
"""States in which no step is anybody's any more."""
_FILING = 0x1E7E
LULL = timedelta(minutes=1)
"""Alerts that were quiet for less were so for want of a measurement: work on their incident goes on."""
LEASE_SECONDS = 15.0


class Database(Connected):
    """A connection to the store under the name of one process."""

    def __init__(self, url: str, now: Callable[[], datetime], *, lease: float = LEASE_SECONDS) -> None:
        """`lease` is for how many seconds an incident stays claimed by a process that says nothing more."""
        super().__init__(url, now)
        self._lease = timedelta(seconds=lease)
        self.holder = token_hex(8)

    def ping(self) -> None:
        """Raises StoreUnavailableError when the database cannot be read."""
        with self._reading() as session:
            session.exec(select(IncidentRow.id).limit(1)).first()

    @contextmanager
    def _filing(self) -> Iterator[Session]:
        """A transaction that sees what every other of its sort did: incidents are opened and merged one at a time."""
        with self._transaction() as session:
            if self._engine.dialect.name == "postgresql":  # SQLite has one writer anyway
                session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _FILING})
            yield session

    def _ours(self, session: Session, incident_id: str) -> IncidentRow:
        """The incident, if its step may still be taken by this process.

        Raises:
            ClaimLostError: another process took it over, or it is over.
        """
        incident = session.get_one(IncidentRow, incident_id, with_for_update=True)
        if incident.holder not in {"", self.holder}:
            raise ClaimLostError(f"{incident_id} is another process's now")
        if incident.state in OVER:
            raise ClaimLostError(f"{incident_id} is {incident.state}")
        return incident

    def _note(self, session: Session, incident_id: str, event_name: str, text: str) -> None:
        session.add(TimelineRow(incident_id=incident_id, at=iso(self._now()), event=event_name, text=text[:1024]))

    def _enter(self, session: Session, incident: IncidentRow, state: IncidentState, reason: str) -> None:
        now = iso(self._now())
        if (incident.state, incident.reason) == (state, reason):
            return
        incident.state, incident.reason, incident.updated_at = state, reason, now
        ended = state in OVER or (state in {"escalated", "recorded"} and not firing(session, incident.id))
        incident.closed_at = now if ended else None
        self._note(session, incident.id, state.capitalize(), reason)
        if ended:
            remember(session, incident)

    def _reopen(self, incident: IncidentRow) -> None:
        """Alerts are back: what was asked about it stands, and where nothing was it is looked at anew."""
        if incident.closed_at is None:
            return
        was_quiet = self._now() - datetime.fromisoformat(incident.closed_at) >= LULL
        incident.closed_at = None
        if was_quiet:
            incident.looked_since = ""
        if incident.state == "resolved":
            goes_on = incident.attempts == 0 and not was_quiet
            incident.state, incident.next_at = "investigating" if goes_on else "watching", None

    def _fold(self, session: Session, incident: IncidentRow, into: str) -> None:
        """The incident ends as a part of another, which goes on with its alerts."""
        session.flush()
        alerts = update(AlertRow).where(col(AlertRow.incident_id) == incident.id).values(incident_id=into)
        session.connection().execute(alerts)
        self._note(session, into, "Folded", f"{incident.id} about {incident.target_kind} {incident.target_name}")
        incident.part_of, incident.next_at = into, None
        self._enter(session, incident, "folded", f"it is part of {into}")
        session.add(incident)


def firing(session: Session, incident_id: str) -> int:
    """How many alerts of the incident fire."""
    query = select(func.count()).where(AlertRow.incident_id == incident_id, AlertRow.status == "firing")
    return int(session.exec(query).one())


def acting(session: Session, incident_id: str) -> bool:
    """Whether something that was asked for about the incident has not ended."""
    query = select(ExecutionRow.name).where(
        ExecutionRow.incident_id == incident_id,
        ExecutionRow.ended == False,  # noqa: E712 - SQL, not Python
    )
    return session.exec(query).first() is not None

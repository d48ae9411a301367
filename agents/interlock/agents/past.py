"""Earlier incidents for whoever has one now: those that were like it, and those that hold some words."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, select

from interlock.agents.model import IncidentState, ObjectRef, Record
from interlock.agents.reading import asked_for, reading
from interlock.agents.rows import target_of
from interlock.agents.store.words import found
from interlock.agents.tables import AlertRow, IncidentRow

MOST_SIMILAR = 3
MOST_FOUND = 50


class PastIncident(Record):
    """An earlier incident, and how it ended."""

    id: str
    opened_at: datetime
    target: ObjectRef
    title: str
    verdict: str
    state: IncidentState
    outcome: str
    """What was asked for last and what became of it; why it is in its state where nothing was."""


def search_incidents(database_url: str, words: str, limit: int = MOST_FOUND) -> list[PastIncident]:
    """The incidents that hold every one of these words, or a word that begins so; the best match first.

    They are looked for in titles, targets, causes, what was cited, alerts, what was asked for and what became of it.

    Raises:
        StoreUnavailableError: the database cannot be read.
    """
    with reading(database_url) as session:
        rows = (session.get_one(IncidentRow, name) for name in found(session, words, limit))
        return [_past(session, row) for row in rows]


def similar(session: Session, row: IncidentRow) -> tuple[PastIncident, ...]:
    """The newest of those before it with the same cause on the same kind of object or with the same target; where
    nobody knows the cause, then those with the same alerts."""
    rows = list(_before(session, row, _alike(row)))
    if len(rows) < MOST_SIMILAR and _undecided(row):
        others = set(found(session, _alerts(session, row), MOST_FOUND)) - {past.id for past in rows}
        rows += _before(session, row, col(IncidentRow.id).in_(sorted(others)))
    return tuple(_past(session, past) for past in rows[:MOST_SIMILAR])


def _before(session: Session, row: IncidentRow, which: ColumnElement[bool]) -> Sequence[IncidentRow]:
    query = select(IncidentRow).where(
        IncidentRow.id != row.id, IncidentRow.opened_at < row.opened_at, IncidentRow.state != "folded", which
    )
    return session.exec(query.order_by(col(IncidentRow.opened_at).desc()).limit(MOST_SIMILAR)).all()


def _alike(row: IncidentRow) -> ColumnElement[bool]:
    same_target = and_(
        col(IncidentRow.target_kind) == row.target_kind,
        col(IncidentRow.target_namespace) == row.target_namespace,  # SQLAlchemy makes IS NULL of None
        col(IncidentRow.target_name) == row.target_name,
    )
    if _undecided(row):
        return same_target
    kind = row.blamed.partition(" ")[0]
    of_kind = col(IncidentRow.blamed).startswith(f"{kind} ", autoescape=True)
    return or_(same_target, and_(col(IncidentRow.verdict) == row.verdict, of_kind))


def _undecided(row: IncidentRow) -> bool:
    return not row.blamed or row.verdict.startswith("none.")


def _alerts(session: Session, row: IncidentRow) -> str:
    return " ".join(session.exec(select(AlertRow.name).where(AlertRow.incident_id == row.id).distinct()))


def _past(session: Session, row: IncidentRow) -> PastIncident:
    asked = asked_for(session, row.id)
    return PastIncident(
        id=row.id,
        opened_at=datetime.fromisoformat(row.opened_at),
        target=target_of(row),
        title=row.title,
        verdict=row.verdict,
        state=row.state,
        outcome=f"{asked[-1].runbook} {asked[-1].phase}" if asked else row.reason,
    )

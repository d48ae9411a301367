"""How the store is read by those who never write it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlmodel import Session, col, select

from interlock.agents.database import connect, translated
from interlock.agents.errors import IncidentNotFoundError, StoreUnavailableError
from interlock.agents.tables import ExecutionRow, IncidentRow


@contextmanager
def reading(url: str) -> Iterator[Session]:
    """A session that only reads.

    Raises:
        StoreUnavailableError: the database cannot be read.
    """
    path = make_url(url).database
    if url.startswith("sqlite") and path and not Path(path).exists():
        raise StoreUnavailableError(f"there is no database at {path}")
    engine = connect(url)
    try:
        with translated(), Session(engine.execution_options(reads=True)) as session:
            yield session
    finally:
        engine.dispose()


def known(session: Session, incident_id: str) -> IncidentRow:
    """The incident.

    Raises:
        IncidentNotFoundError: there is none of this identifier.
    """
    row = session.get(IncidentRow, incident_id)
    if row is None:
        raise IncidentNotFoundError(f"there is no incident {incident_id}")
    return row


def asked_for(session: Session, incident_id: str) -> Sequence[ExecutionRow]:
    """What was asked for about an incident, in order."""
    query = select(ExecutionRow).where(ExecutionRow.incident_id == incident_id)
    return session.exec(query.order_by(col(ExecutionRow.attempt))).all()

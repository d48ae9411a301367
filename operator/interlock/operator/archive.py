"""The archive: every finished execution, whole, before its object may go."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, create_engine, select

from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import genesis, head


class Table(SQLModel, registry=registry()):
    """A table of the operator's: one process may hold the agents' tables as well, and they share nothing."""


class ArchivedExecution(Table, table=True):
    """One finished execution as it stood when it ended."""

    __tablename__ = "executions"

    uid: str = Field(primary_key=True, max_length=64)
    namespace: str = Field(index=True, max_length=63)
    name: str = Field(max_length=253)
    runbook: str = Field(index=True, max_length=120)
    target: str = Field(max_length=400)
    phase: str = Field(max_length=20)
    requested_by: str = Field(max_length=253)
    completed_at: str = Field(index=True, max_length=40)
    head: str = Field(max_length=71)
    archived_at: str = Field(max_length=40)
    content: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class Archive:
    """Finished executions in SQL. Calls block: the operator makes them in a thread."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        try:
            Table.metadata.create_all(self._engine)
        except OperationalError:  # another replica made them between our look and our making
            Table.metadata.create_all(self._engine)

    def put(self, body: dict[str, Any]) -> None:
        """Stores a finished execution, once; the same again is no error.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it is not stored; the object must stay.
        """
        execution = RunbookExecution.from_object(body)
        with Session(self._engine) as session:
            if session.get(ArchivedExecution, execution.uid) is None:
                session.add(_row(execution, body))
                session.commit()

    def get(self, uid: str) -> ArchivedExecution | None:
        """One archived execution."""
        with Session(self._engine) as session:
            return session.get(ArchivedExecution, uid)

    def list(self, *, namespace: str | None = None, limit: int = 100) -> Sequence[ArchivedExecution]:
        """The latest archived executions, the newest first."""
        query = select(ArchivedExecution).order_by(ArchivedExecution.completed_at.desc()).limit(limit)  # type: ignore[attr-defined]
        if namespace is not None:
            query = query.where(ArchivedExecution.namespace == namespace)
        with Session(self._engine) as session:
            return session.exec(query).all()

    def close(self) -> None:
        """Closes the database."""
        self._engine.dispose()


def _row(execution: RunbookExecution, body: dict[str, Any]) -> ArchivedExecution:
    status = execution.status
    start = genesis(execution.uid, execution.spec.request_digest())
    return ArchivedExecution(
        uid=execution.uid,
        namespace=execution.namespace,
        name=execution.name,
        runbook=execution.spec.runbook.name,
        target=str(execution.spec.target),
        phase=status.phase if status else "Cancelled",
        requested_by=execution.spec.requested_by,
        completed_at=(status.completed_at if status else None) or execution.created_at,
        head=head(start, execution.journal),
        archived_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        content=body,
    )


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 30})

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine

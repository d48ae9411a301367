"""The connection to the store: how it is opened, what makes it durable, and which of its failures are passing ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlmodel import create_engine

from interlock.agents.errors import StoreUnavailableError

BUSY_SECONDS = 2.0
"""How long a writer waits for another; below Alertmanager's own time-out, so that it hears a 503 and tries again."""


def connect(url: str) -> Engine:
    """An engine; for SQLite with a write-ahead log that is synced at each commit.

    Transactions of `engine.execution_options(reads=True)` only read and wait for nobody.
    """
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _write_at_once(connection: Any) -> None:
        # A read transaction that turns into a write one fails without waiting; one that begins as such waits its turn.
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def translated() -> Iterator[None]:
    """Failures of the database as StoreUnavailableError."""
    try:
        yield
    except (DBAPIError, OSError) as failure:
        raise StoreUnavailableError(str(failure).partition("\n")[0][:300]) from failure

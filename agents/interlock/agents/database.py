"""The connection to the store: how it is opened, what makes it durable, and which of its failures are passing ones."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import create_engine

from interlock.agents.errors import StoreUnavailableError
from interlock.crds.sqlite import durable

BUSY_SECONDS = 2.0
"""How long a writer waits for another; below Alertmanager's own time-out, so that it hears a 503 and tries again."""


def connect(url: str) -> Engine:
    """An engine, for `postgresql://` by psycopg; for SQLite with a write-ahead log that is synced at each commit.

    Transactions of `engine.execution_options(reads=True)` only read and wait for nobody.
    """
    if not url.startswith("sqlite"):
        parsed = make_url(url)
        if parsed.drivername in {"postgresql", "postgres"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _durable(connection: sqlite3.Connection, _: object) -> None:
        durable(connection, BUSY_SECONDS)

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

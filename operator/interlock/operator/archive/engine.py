"""Connections to the archive's database, and transactions in which one writer at a time extends the chain."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import StaticPool
from sqlmodel import create_engine

from interlock.crds.sqlite import durable

_WRITER_LOCK = 0x496E7465726C  # any number that nobody else takes advisory locks on
_BUSY_SECONDS = 30


def connect(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL; `postgresql://` means the driver psycopg.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the URL names no database that can be opened.
        ModuleNotFoundError: the driver is not installed.
    """
    parsed = make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    in_memory = not parsed.database or parsed.database == ":memory:"
    if not in_memory:
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    engine = create_engine(parsed, connect_args={"check_same_thread": False, "timeout": _BUSY_SECONDS}, **options)
    event.listen(engine, "connect", _durable)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer overlaps, in this process or another; committed at the end."""
    with engine.execution_options(exclusive=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database however long it takes; nothing is written."""
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with engine.execution_options(**options).connect() as connection:
        yield connection


def _durable(connection: sqlite3.Connection, _record: object) -> None:
    durable(connection, _BUSY_SECONDS)


def _begin(connection: Connection) -> None:
    exclusive = connection.get_execution_options().get("exclusive")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")

"""The store's schema, and how a database of an earlier version becomes one of this version.

Versions only ever add tables and columns with a default, so that the way forward is to add what is missing. Processes
that start together do it once: the others wait for the first.
"""

from sqlalchemy import Column, Connection, Engine, inspect, text
from sqlalchemy.schema import CreateColumn
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlmodel import Session, select

from interlock.agents.errors import StoreTooNewError
from interlock.agents.store.words import make_index, remember
from interlock.agents.tables import IncidentRow, SchemaRow, Table

VERSION = 4
"""4: since when an incident is looked at. 3: the words of incidents. 2: claims on incidents, what alerts are about,
answers. 1 had no version."""
_WORDS_SINCE = 3
_UPGRADING = 0x1E7D


def upgrade(engine: Engine) -> None:
    """Adds what a database lacks.

    Raises:
        StoreTooNewError: a later version wrote it; nothing is changed.
        sqlalchemy.exc.DBAPIError: the database refuses; nothing is changed.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADING})
        if (found := _version(connection)) > VERSION:
            raise StoreTooNewError(f"the database is of version {found}, this program knows {VERSION}")
        _add_columns(connection)
        Table.metadata.create_all(connection)
        make_index(connection)
        if found < _WORDS_SINCE:
            _add_words(connection)
        if found != VERSION:
            connection.execute(text("DELETE FROM schema_version"))
            connection.execute(text("INSERT INTO schema_version (version) VALUES (:v)"), {"v": VERSION})


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(SchemaRow.__tablename__):
        return 0
    return int(connection.execute(text("SELECT version FROM schema_version")).scalar() or 0)


def _add_columns(connection: Connection) -> None:
    there = inspect(connection)
    for table in Table.metadata.sorted_tables:
        if not there.has_table(table.name):
            continue
        known = {column["name"] for column in there.get_columns(table.name)}
        for column in (c for c in table.columns if c.name not in known):
            described = CreateColumn(_with_default(column)).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {described}"))
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _add_words(connection: Connection) -> None:
    """What was there before is found as well."""
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        for incident in session.exec(select(IncidentRow)).all():
            remember(session, incident)
        session.commit()


def _with_default(column: "Column[object]") -> "Column[object]":
    """The column as it can be added to rows that are there: what the model gives new rows, they get as well."""
    given = column.default.arg if isinstance(column.default, ScalarElementColumnDefault) else None
    if isinstance(given, bool):
        return Column(column.name, column.type, server_default=text("true" if given else "false"), nullable=False)
    if given is None:
        return Column(column.name, column.type, nullable=True)
    shown = str(given).replace("'", "''")
    return Column(column.name, column.type, server_default=text(f"'{shown}'"), nullable=False)

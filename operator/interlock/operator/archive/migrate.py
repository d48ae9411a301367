"""The archive's schema, forth and back. Replicas that start at the same time migrate once: the others wait."""

import logging
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from interlock.operator.archive.engine import connect, writing
from interlock.operator.archive.errors import ArchiveError

log = logging.getLogger(__name__)

CURRENT = "0002"
"""The revision that this version of the operator writes."""
_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> None:
    """Brings an archive to this version's schema; an empty database becomes an empty archive.

    Raises:
        ArchiveError: it was made by a later version.
        sqlalchemy.exc.SQLAlchemyError: the database refuses; nothing is changed.
    """
    engine = connect(url)
    try:
        with engine.connect() as connection:
            found = revision(connection)
        if found != CURRENT:
            _migrate(engine, CURRENT)
    finally:
        engine.dispose()


def downgrade(url: str, to: str) -> None:
    """Takes an archive back to a revision, for an operator of an earlier version. Chain and signed heads are lost.

    Raises:
        ArchiveError: there is no such revision.
        sqlalchemy.exc.SQLAlchemyError: the database refuses; nothing is changed.
    """
    engine = connect(url)
    try:
        _migrate(engine, to)
    finally:
        engine.dispose()


def revision(connection: Connection) -> str | None:
    """The revision of an archive's schema; None before the first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def demand_current(engine: Engine) -> None:
    """Raises ArchiveError unless the archive has this version's schema."""
    with engine.connect() as connection:
        found = revision(connection)
    if found != CURRENT:
        raise ArchiveError(
            f"the archive's schema is {found or 'of the first version, or none'}, this version needs {CURRENT}: the"
            " operator migrates when it starts, and so does `interlock audit migrate`"
        )


def _migrate(engine: Engine, to: str) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of its plugins, and errs about SQLite's DDL
    from alembic import command  # noqa: PLC0415 - what only reads an archive need not wait for it
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if to not in known:
        raise ArchiveError(f"there is no revision {to}: known are {', '.join(sorted(known))}")
    with writing(engine) as connection:
        found = revision(connection)
        if found is not None and found not in known:
            raise ArchiveError(
                f"the archive's schema {found} is of a later version: go back with that version's"
                f" `interlock audit migrate --down {CURRENT}`, or run that version"
            )
        log.info("the archive's schema goes from %s to %s", found or "none", to)
        config.attributes["connection"] = connection
        if found is None or known.index(to) < known.index(found):
            command.upgrade(config, to)
        elif to != found:
            command.downgrade(config, to)

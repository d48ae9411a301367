"""The archive's schema goes forth and back on both databases, and an archive of the first version keeps every byte."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import JSON, Column, MetaData, String, Table, inspect, select, text
from tests.unit.archive.conftest import finished

from interlock.crds.execution import RunbookExecution
from interlock.operator.archive import Archive, ArchiveError, migrate, row_of
from interlock.operator.archive.engine import connect
from interlock.operator.archive.store import described
from interlock.operator.archive.tables import Table as Tables
from interlock.operator.archive.verify import verify

WIDTHS = {
    **{"uid": 64, "namespace": 63, "name": 253, "runbook": 120, "target": 400, "phase": 20, "requested_by": 253},
    **{"completed_at": 40, "head": 71, "archived_at": 40},
}
INDEXED = {"namespace", "runbook", "completed_at"}


def first_version(url: str, count: int) -> dict[str, str]:
    """An archive as the operator made it before there were migrations; the text of each content."""
    columns = [Column(n, String(w), primary_key=n == "uid", index=n in INDEXED) for n, w in WIDTHS.items()]
    table = Table("executions", MetaData(), *columns, Column("content", JSON, nullable=False))
    engine = connect(url)
    table.metadata.create_all(engine)
    with engine.begin() as connection:
        for number in range(count):
            body = finished(number, text="Grüße")
            said = described(RunbookExecution.from_object(body))
            archived_at = f"2026-01-01T00:00:{59 - number:02}.000+00:00"
            connection.execute(table.insert().values(**said, archived_at=archived_at, content=body))
        stored = {row.uid: row.content for row in connection.execute(text("SELECT uid, content FROM executions"))}
    engine.dispose()
    return {uid: content if isinstance(content, str) else json.dumps(content) for uid, content in stored.items()}


def contents(url: str) -> dict[str, Any]:
    engine = connect(url)
    with engine.connect() as connection:
        found = {row.uid: row.content for row in connection.execute(text("SELECT uid, content FROM executions"))}
    engine.dispose()
    return {uid: json.loads(content) if isinstance(content, str) else content for uid, content in found.items()}


def test_an_archive_of_the_first_version_becomes_a_chain(url: str) -> None:
    stored = first_version(url, 5)
    migrate.upgrade(url)
    archive = Archive(url)
    with archive.snapshot() as snapshot:
        verdict, rows = verify(snapshot), list(snapshot.rows())
    archive.put(row_of(finished(7)))
    assert archive.tail().seq == 6
    archive.close()
    assert (verdict.flaws, verdict.executions) == ([], 5)
    assert [row.uid for row in rows] == [f"uid-{n}" for n in (4, 3, 2, 1, 0)], "in the order of their archiving"
    assert {row.uid: row.content for row in rows} == stored, "the very text that was stored"


def test_back_and_forth_again(url: str) -> None:
    migrate.upgrade(url)
    archive = Archive(url)
    archive.put(*(row_of(finished(number)) for number in range(3)))
    before = contents(url)
    archive.close()
    migrate.downgrade(url, "0001")
    assert contents(url) == before
    engine = connect(url)
    assert {c["name"] for c in inspect(engine).get_columns("executions")} == {*WIDTHS, "content"}
    assert {i["column_names"][0] for i in inspect(engine).get_indexes("executions")} >= INDEXED
    engine.dispose()
    with pytest.raises(ArchiveError, match="interlock audit migrate"):
        Archive(url)
    migrate.upgrade(url)
    again = Archive(url)
    with again.snapshot() as snapshot:
        assert verify(snapshot).flaws == []
    again.close()


def test_migrations_and_models_say_the_same(url: str) -> None:
    migrate.upgrade(url)
    engine = connect(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Tables.metadata)
    engine.dispose()
    assert differences == []


def test_replicas_that_start_together_migrate_once(url: str) -> None:
    first_version(url, 3)
    together = threading.Barrier(4)

    def start() -> None:
        together.wait()
        migrate.upgrade(url)

    with ThreadPoolExecutor(4) as pool:
        for replica in [pool.submit(start) for _ in range(4)]:
            replica.result()
    archive = Archive(url)
    assert archive.tail().seq == 3
    archive.close()


def test_an_archive_of_a_later_version_is_left_alone(url: str) -> None:
    migrate.upgrade(url)
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ArchiveError, match="later version"):
        migrate.upgrade(url)
    with engine.connect() as connection:
        assert connection.execute(select(text("version_num")).select_from(text("alembic_version"))).scalar() == "9999"
    engine.dispose()


def test_a_migration_that_fails_changes_nothing(url: str) -> None:
    first_version(url, 2)
    engine = connect(url)
    with engine.begin() as connection:  # the last thing that the migration makes is there already
        connection.execute(text("CREATE TABLE anchors (x INTEGER)"))
    with pytest.raises(Exception, match="anchors"):
        migrate.upgrade(url)
    assert "seq" not in {column["name"] for column in inspect(engine).get_columns("executions")}
    assert not inspect(engine).has_table("alembic_version")
    engine.dispose()


def test_an_unknown_revision_is_named(url: str) -> None:
    migrate.upgrade(url)
    with pytest.raises(ArchiveError, match="no revision 0009: known are 0001, 0002"):
        migrate.downgrade(url, "0009")

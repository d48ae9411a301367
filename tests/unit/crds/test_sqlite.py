import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from interlock.crds.sqlite import durable


@pytest.fixture
def held(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A new file that somebody writes to in the old mode just now."""
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN IMMEDIATE")
        yield other


def opened(tmp_path: Path, patience: float) -> sqlite3.Connection:
    connection = sqlite3.connect(tmp_path / "new.db", timeout=0)
    durable(connection, patience)
    return connection


def test_who_comes_second_waits_for_the_first(held: sqlite3.Connection, tmp_path: Path) -> None:
    threading.Timer(0.1, held.execute, ["COMMIT"]).start()
    with closing(opened(tmp_path, patience=30)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.usefixtures("held")
def test_who_holds_it_for_too_long_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        opened(tmp_path, patience=0.05)


def test_a_file_that_is_no_database_is_told_of_at_once(tmp_path: Path) -> None:
    (tmp_path / "new.db").write_bytes(b"not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        opened(tmp_path, patience=3600)

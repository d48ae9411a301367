"""How both stores open a SQLite file: nothing that is committed is lost, and several processes may begin at once."""

import sqlite3
import time

_PAUSE_SECONDS = 0.01


def durable(connection: sqlite3.Connection, patience: float) -> None:
    """Transactions are begun by the caller alone, written ahead, and synced at each commit.

    A new file changes to the write-ahead log under a lock for which SQLite itself never waits (it says "locked" at
    once, whatever its time-out), so whoever comes second tries again, for `patience` seconds.

    Raises:
        sqlite3.OperationalError: the file cannot be opened, or others kept it locked for all that time.
    """
    connection.isolation_level = None  # pysqlite would begin and commit where it pleases
    end = time.monotonic() + patience
    while not _written_ahead(connection, last=time.monotonic() >= end):
        time.sleep(_PAUSE_SECONDS)
    connection.execute("PRAGMA synchronous=FULL")


def _written_ahead(connection: sqlite3.Connection, *, last: bool) -> bool:
    """Whether the file is in this mode now; False where somebody holds it and this is not the `last` try."""
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as failure:
        if last or failure.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True

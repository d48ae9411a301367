"""Backup and restore as JSON lines, the same for every database: what SQLite holds can go to PostgreSQL and back.

The first line says what it is, the last one how much and where the chain ends, so that a backup that was cut is no
backup. Values are those of the columns, byte by byte: a restored chain is the same chain.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from sqlmodel import Session

from interlock.operator.archive.chain import Tail
from interlock.operator.archive.engine import writing
from interlock.operator.archive.errors import ArchiveError
from interlock.operator.archive.store import Archive, tail
from interlock.operator.archive.tables import Anchor, ArchivedExecution, SignedHead, Table
from interlock.operator.archive.verify import Verdict, verify

FORMAT = {"format": "interlock-archive", "version": 1}
_TABLES: dict[str, type[Table]] = {"execution": ArchivedExecution, "head": SignedHead, "anchor": Anchor}
_FLUSH_EVERY = 200


def backup(archive: Archive, out: TextIO) -> Tail:
    """Writes the archive as it is at one moment; the operator may go on meanwhile. Returns the chain's end."""
    with archive.snapshot() as snapshot:
        _write(out, FORMAT)
        end, count = Tail(0, ""), 0
        for anchor in snapshot.anchors():
            _write(out, {"anchor": anchor.model_dump()})
            end = Tail(anchor.seq, anchor.hash)
        for head in snapshot.heads():
            _write(out, {"head": head.model_dump()})
        for row in snapshot.rows():
            _write(out, {"execution": row.model_dump()})
            end, count = Tail(row.seq, row.hash), count + 1
        _write(out, {"end": {"executions": count, "seq": end.seq, "hash": end.hash}})
        return end


def restore(archive: Archive, lines: Iterable[str]) -> Verdict:
    """Puts a backup into an empty archive, all of it or nothing, and verifies it.

    Raises:
        ArchiveError: the archive is not empty, or this is no whole backup. Nothing is restored.
        sqlalchemy.exc.SQLAlchemyError: the database refuses; nothing is restored.
    """
    with writing(archive.engine) as connection, Session(connection) as session:
        if tail(session).seq:
            raise ArchiveError("the archive is not empty: a backup is restored into a new one")
        for number, row in enumerate(_rows(lines), start=1):
            session.add(row)
            if number % _FLUSH_EVERY == 0:
                session.flush()
                session.expunge_all()
        session.flush()
    with archive.snapshot() as snapshot:
        return verify(snapshot)


def _rows(lines: Iterable[str]) -> Iterator[Table]:
    """The rows of a backup; raises ArchiveError unless it is whole."""
    count, ended = 0, False
    for number, document in enumerate(map(_parsed, lines)):
        if number == 0:
            if document != FORMAT:
                raise ArchiveError("this is no backup of an archive, or one of a later version")
            continue
        (kind, value), *_ = document.items()
        if kind == "end":
            ended = value.get("executions") == count
            break
        if kind not in _TABLES:
            raise ArchiveError(f"line {number + 1} of the backup is not understood")
        count += kind == "execution"
        yield _TABLES[kind].model_validate(value)
    if not ended:
        raise ArchiveError("the backup is cut: its end is missing")


def _parsed(line: str) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError as wrong:
        raise ArchiveError(f"the backup is no JSON: {wrong}") from wrong
    if not isinstance(document, dict) or not document:
        raise ArchiveError("the backup holds a line that is no object")
    return document


def _write(out: TextIO, document: object) -> None:
    out.write(json.dumps(document, separators=(",", ":")) + "\n")

"""Putting executions into the archive, and reading them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func
from sqlmodel import Session, col, select

from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import genesis
from interlock.crds.journal import head as journal_head
from interlock.operator.archive.chain import START, Tail, content_digest, link
from interlock.operator.archive.engine import connect, reading, writing
from interlock.operator.archive.migrate import demand_current
from interlock.operator.archive.tables import Anchor, ArchivedExecution, SignedHead

_BATCH = 100


@dataclass(frozen=True)
class Row:
    """A finished execution that has no place in the chain yet."""

    columns: dict[str, str]

    @property
    def uid(self) -> str:
        """Whose it is."""
        return self.columns["uid"]


class Archive:
    """Finished executions in SQL. Calls block: the operator makes them in a thread."""

    def __init__(self, url: str) -> None:
        """Opens an archive of this version's schema.

        Raises:
            ArchiveError: its schema is another; the message says what to do.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be read.
        """
        self.engine: Engine = connect(url)
        with ExitStack() as unless_current:
            unless_current.callback(self.engine.dispose)
            demand_current(self.engine)
            unless_current.pop_all()

    def put(self, *rows: Row) -> None:
        """Appends finished executions to the chain in one transaction, each once; the same again is no error.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: none of them is stored; the objects must stay.
        """
        with writing(self.engine) as connection, Session(connection) as session:
            last = tail(session)
            known = set(session.exec(select(ArchivedExecution.uid).where(col(ArchivedExecution.uid).in_(_uids(rows)))))
            for row in {row.uid: row for row in rows if row.uid not in known}.values():
                placed = _placed(row, last)
                session.add(placed)
                last = Tail(placed.seq, placed.hash)
            session.flush()

    def get(self, uid: str) -> ArchivedExecution | None:
        """One archived execution."""
        with Session(self.engine) as session:
            return session.get(ArchivedExecution, uid)

    def find(self, beginning: str, *, limit: int = 10) -> Sequence[ArchivedExecution]:
        """Executions whose uid begins so."""
        query = select(ArchivedExecution).where(col(ArchivedExecution.uid).startswith(beginning, autoescape=True))
        with Session(self.engine) as session:
            return session.exec(query.limit(limit)).all()

    def list(self, *, namespace: str | None = None, limit: int = 100) -> Sequence[ArchivedExecution]:
        """The latest archived executions, the newest first."""
        query = select(ArchivedExecution).order_by(col(ArchivedExecution.completed_at).desc()).limit(limit)
        if namespace is not None:
            query = query.where(ArchivedExecution.namespace == namespace)
        with Session(self.engine) as session:
            return session.exec(query).all()

    def tail(self) -> Tail:
        """The end of the chain."""
        with Session(self.engine) as session:
            return tail(session)

    @contextmanager
    def snapshot(self) -> Iterator["Snapshot"]:
        """All of the archive as it is at one moment, read in order."""
        with reading(self.engine) as connection:
            yield Snapshot(connection)

    def close(self) -> None:
        """Closes the database."""
        self.engine.dispose()


class Snapshot:
    """One state of an archive."""

    def __init__(self, connection: Connection) -> None:
        self._session = Session(connection)

    def rows(self) -> Iterator[ArchivedExecution]:
        """Every execution in the order of the chain, without holding more than some in memory."""
        query = select(ArchivedExecution).order_by(col(ArchivedExecution.seq)).execution_options(yield_per=_BATCH)
        for batch in self._session.exec(query).partitions():
            for row in batch:
                self._session.expunge(row)
                yield row

    def heads(self) -> Sequence[SignedHead]:
        """Every signed head that the database holds, the oldest first."""
        return self._session.exec(select(SignedHead).order_by(col(SignedHead.seq))).all()

    def anchors(self) -> Sequence[Anchor]:
        """What was pruned, the oldest first."""
        return self._session.exec(select(Anchor).order_by(col(Anchor.seq))).all()

    def count(self) -> int:
        """How many executions there are."""
        return self._session.exec(select(func.count()).select_from(ArchivedExecution)).one()


def tail(session: Session) -> Tail:
    """The end of the chain: its last row, or where it was pruned if nothing came since."""
    ends: list[Tail] = [START]
    for row in (
        session.exec(select(Anchor.seq, Anchor.hash).order_by(col(Anchor.seq).desc()).limit(1)).first(),
        session.exec(
            select(ArchivedExecution.seq, ArchivedExecution.hash).order_by(col(ArchivedExecution.seq).desc()).limit(1)
        ).first(),
    ):
        if row is not None:
            ends.append(Tail(*row))
    return max(ends, key=lambda end: end.seq)


def row_of(body: dict[str, Any]) -> Row:
    """What is stored of an execution.

    Raises:
        pydantic.ValidationError: it is not an execution of this version.
    """
    execution = RunbookExecution.from_object(body)
    return Row({**described(execution), "content": json.dumps(body, sort_keys=True, separators=(",", ":"))})


def described(execution: RunbookExecution) -> dict[str, str]:
    """The columns that repeat what the content says, so that it can be searched."""
    status = execution.status
    start = genesis(execution.uid, execution.spec.request_digest())
    return {
        "uid": execution.uid,
        "namespace": execution.namespace,
        "name": execution.name,
        "runbook": execution.spec.runbook.name,
        "target": str(execution.spec.target),
        "phase": status.phase if status else "Cancelled",
        "requested_by": execution.spec.requested_by,
        "completed_at": (status.completed_at if status else None) or execution.created_at,
        "head": journal_head(start, execution.journal),
    }


def _placed(row: Row, after: Tail) -> ArchivedExecution:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    content, seq = content_digest(row.columns["content"]), after.seq + 1
    covered = link(
        seq=seq, uid=row.uid, archived_at=now, head=row.columns["head"], content=content, previous=after.hash
    )
    place = {"seq": seq, "archived_at": now, "digest": content, "previous": after.hash, "hash": covered}
    return ArchivedExecution.model_validate({**row.columns, **place})


def _uids(rows: Sequence[Row]) -> list[str]:
    return [row.uid for row in rows]

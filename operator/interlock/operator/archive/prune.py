"""Removing the oldest executions from the archive, so that what remains still verifies."""

from datetime import UTC, datetime

from sqlmodel import Session, col, delete, select

from interlock.operator.archive.chain import Tail, anchor_content
from interlock.operator.archive.engine import writing
from interlock.operator.archive.signing import Signer
from interlock.operator.archive.store import Archive
from interlock.operator.archive.tables import Anchor, ArchivedExecution, SignedHead


def prune(archive: Archive, before: str, signer: Signer) -> int:
    """Removes the executions that were archived before a time (RFC 3339, UTC), from the beginning of the chain up to
    the first that was not; a signed anchor holds their end. Returns how many were removed.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses; nothing is removed.
    """
    row = ArchivedExecution
    with writing(archive.engine) as connection, Session(connection) as session:
        kept = session.exec(select(row.seq).where(row.archived_at >= before).order_by(col(row.seq)).limit(1)).first()
        last = select(row.seq, row.hash).order_by(col(row.seq).desc()).limit(1)
        found = session.exec(last if kept is None else last.where(row.seq < kept)).first()
        if found is None:
            return 0
        end = Tail(*found)
        session.add(_anchor(end, before, signer))
        session.exec(delete(SignedHead).where(col(SignedHead.seq) < end.seq))
        removed = session.exec(delete(row).where(col(row.seq) <= end.seq))
        session.flush()
        return int(removed.rowcount)


def _anchor(end: Tail, before: str, signer: Signer) -> Anchor:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    content = anchor_content(seq=end.seq, hash_=end.hash, before=before, pruned_at=now, key_id=signer.key_id)
    return Anchor(
        seq=end.seq,
        hash=end.hash,
        before=before,
        pruned_at=now,
        key_id=signer.key_id,
        signature=signer.sign(content),
    )

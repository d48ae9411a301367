"""Signing the end of the chain, and keeping what was signed."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from interlock.crds.audithead import AuditHeadSpec, signed_content
from interlock.operator.archive.chain import Tail
from interlock.operator.archive.engine import writing
from interlock.operator.archive.errors import ArchiveError
from interlock.operator.archive.signing import Signer, verifies
from interlock.operator.archive.store import Archive, tail
from interlock.operator.archive.tables import Anchor, ArchivedExecution, SignedHead


def latest_head(archive: Archive) -> AuditHeadSpec | None:
    """The head that was signed last."""
    with Session(archive.engine) as session:
        found = _latest(session)
        return found.spec() if found else None


def sign_head(archive: Archive, signer: Signer, now: str) -> AuditHeadSpec | None:
    """Signs the end of the chain and keeps it; None if it has not moved since the last time.

    Raises:
        ArchiveError: the chain is not the one that was signed before. A signature would cover that up.
        sqlalchemy.exc.SQLAlchemyError: the database refuses; nothing is signed.
    """
    with writing(archive.engine) as connection, Session(connection) as session:
        end, before = tail(session), _latest(session)
        if before is not None:
            _demand_continued(session, before)
        if end.seq == 0 or (before is not None and before.seq == end.seq):
            return None
        head = _signed(end, before.head if before else None, signer, now)
        session.add(SignedHead.model_validate(head.model_dump()))
        session.flush()
        return head


def valid(head: AuditHeadSpec) -> bool:
    """Whether the holder of the key that it names signed it."""
    return verifies(head.key_id, head.signature, head.signed())


def _latest(session: Session) -> SignedHead | None:
    return session.exec(select(SignedHead).order_by(col(SignedHead.seq).desc()).limit(1)).first()


def _demand_continued(session: Session, before: SignedHead) -> None:
    """What was signed last must still stand in the chain."""
    query = select(ArchivedExecution.hash).where(ArchivedExecution.seq == before.seq)
    anchored = select(Anchor.hash).where(Anchor.seq == before.seq)
    found = session.exec(query).first() or session.exec(anchored).first()
    if found != before.head:
        raise ArchiveError(
            f"seq {before.seq} of the archive is not what was signed at {before.signed_at}: the archive was changed or"
            " cut; nothing more is signed. Run `interlock audit verify`"
        )


def _signed(end: Tail, previous: str | None, signer: Signer, now: str) -> AuditHeadSpec:
    fields: Mapping[str, Any] = {
        "seq": end.seq,
        "head": end.hash,
        **({"previous": previous} if previous else {}),
        "keyId": signer.key_id,
        "signedAt": now,
    }
    return AuditHeadSpec.model_validate({**fields, "signature": signer.sign(signed_content(dict(fields)))})

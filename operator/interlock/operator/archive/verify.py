"""Is the archive what was archived? Walks the whole chain and says what is wrong, and where.

The chain alone shows what was changed by somebody who did not write all that follows anew. Who did is shown by the
heads that were signed and left the database before: each must still stand in the chain.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from interlock.crds.audithead import AuditHeadSpec
from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import broken_at, genesis
from interlock.operator.archive.chain import GENESIS, anchor_content, content_digest, link
from interlock.operator.archive.heads import valid
from interlock.operator.archive.signing import verifies
from interlock.operator.archive.store import Snapshot, described
from interlock.operator.archive.tables import Anchor, ArchivedExecution


@dataclass(frozen=True)
class Flaw:
    """Something that is not as it was written."""

    seq: int | None
    """Where in the chain, if it is in the chain."""
    uid: str
    """Of which execution, as far as that is known."""
    what: str

    def __str__(self) -> str:
        place = "" if self.seq is None else f"seq {self.seq}"
        whose = f" ({self.uid})" if self.uid else ""
        return f"{place}{whose}: {self.what}".removeprefix(": ").strip()


@dataclass(frozen=True)
class Witness:
    """A signed head from somewhere, or a bare hash that somebody noted."""

    where: str
    head: str
    seq: int | None = None
    signed: AuditHeadSpec | None = None

    @classmethod
    def of(cls, head: AuditHeadSpec, where: str) -> "Witness":
        """A signed head that was found there."""
        return cls(where, head.head, head.seq, head)

    def __str__(self) -> str:
        return f"signed at {self.signed.signed_at} ({self.where})" if self.signed else f"noted ({self.where})"


@dataclass
class Verdict:
    """What a verification found."""

    executions: int = 0
    first: int = 0
    last: int = 0
    head: str = GENESIS
    witnesses: int = 0
    flaws: list[Flaw] = field(default_factory=list)


def verify(snapshot: Snapshot, outside: Iterable[Witness] = (), *, trusted: frozenset[str] = frozenset()) -> Verdict:
    """Verifies everything against itself, against the heads that the database holds and against those from outside.

    With `trusted`, signatures of other keys do not count. Without it the keys of the heads from outside are trusted.
    """
    witnesses = [*outside, *(Witness.of(head.spec(), "archive") for head in snapshot.heads())]
    trusted = trusted or frozenset(w.signed.key_id for w in witnesses if w.signed and w.where != "archive")
    verdict = Verdict()
    verdict.flaws += [flaw for witness in witnesses for flaw in _unsigned(witness, trusted)]
    good = [w for w in witnesses if not list(_unsigned(w, trusted))]
    anchor = _anchor(snapshot.anchors(), trusted, verdict)
    _walk(snapshot.rows(), anchor, good, verdict)
    verdict.flaws += _gaps(good, verdict)
    return verdict


def flaws_of(row: ArchivedExecution) -> Iterator[str]:
    """What is wrong with one row by itself: content, columns, journal, hash."""
    content = content_digest(row.content)
    if content != row.digest:
        yield "its content is not what was archived"
    yield from _flaws_of_content(row)
    covered = link(
        seq=row.seq,
        uid=row.uid,
        archived_at=row.archived_at,
        head=row.head,
        content=row.digest,
        previous=row.previous,
    )
    if covered != row.hash:
        yield "its hash does not cover what stands beside it"


def _flaws_of_content(row: ArchivedExecution) -> Iterator[str]:
    try:
        execution = RunbookExecution.from_object(row.body())
    except (ValueError, KeyError, TypeError) as wrong:
        yield f"its content is no execution: {str(wrong).splitlines()[0]}"
        return
    for column, said in described(execution).items():
        if getattr(row, column) != said:
            yield f"column {column} says {str(getattr(row, column))[:100]!r}, its content {said[:100]!r}"
    broken = broken_at(genesis(execution.uid, execution.spec.request_digest()), execution.journal)
    if broken is not None:
        yield f"its journal is BROKEN at entry {broken}"
    if not execution.journal:
        yield "its journal is missing"


def _unsigned(witness: Witness, trusted: frozenset[str]) -> Iterator[Flaw]:
    head = witness.signed
    if head is None:
        return
    if not valid(head):
        yield Flaw(head.seq, "", f"the head {witness} has a signature that its key {head.key_id} did not make")
    elif trusted and head.key_id not in trusted:
        yield Flaw(head.seq, "", f"the head {witness} is signed by {head.key_id}, which is not trusted")


def _anchor(anchors: Sequence[Anchor], trusted: frozenset[str], verdict: Verdict) -> Anchor | None:
    for anchor in anchors:
        content = anchor_content(
            seq=anchor.seq,
            hash_=anchor.hash,
            before=anchor.before,
            pruned_at=anchor.pruned_at,
            key_id=anchor.key_id,
        )
        if not verifies(anchor.key_id, anchor.signature, content):
            verdict.flaws.append(Flaw(anchor.seq, "", "the anchor of what was pruned has a wrong signature"))
        elif trusted and anchor.key_id not in trusted:
            what = f"the anchor of what was pruned is signed by {anchor.key_id}, which is not trusted"
            verdict.flaws.append(Flaw(anchor.seq, "", what))
    return anchors[-1] if anchors else None


def _walk(
    rows: Iterable[ArchivedExecution], anchor: Anchor | None, witnesses: Sequence[Witness], verdict: Verdict
) -> None:
    seq, previous = (anchor.seq, anchor.hash) if anchor else (0, GENESIS)
    verdict.first, start = seq + 1, seq
    hashes = {start: previous}
    wanted = {w.seq for w in witnesses} | {w.head for w in witnesses if w.seq is None}
    for row in rows:
        verdict.executions += 1
        verdict.flaws += _place(row, seq, previous)
        verdict.flaws += [Flaw(row.seq, row.uid, what) for what in flaws_of(row)]
        if row.seq in wanted or row.hash in wanted:
            hashes[row.seq] = row.hash
        seq, previous = row.seq, row.hash
    verdict.last, verdict.head = seq, previous
    _compare(witnesses, hashes, start, verdict)


def _place(row: ArchivedExecution, seq: int, previous: str) -> Iterator[Flaw]:
    """Whether a row follows the one before."""
    if row.seq > seq + 1:
        missing = f"seq {seq + 1}" if row.seq == seq + 2 else f"seq {seq + 1} to {row.seq - 1}"
        yield Flaw(seq + 1, "", f"removed: {missing} of the chain is not there")
    elif row.seq <= seq:
        yield Flaw(row.seq, row.uid, "is in the chain at a place that is taken or pruned")
    elif row.previous != previous:
        yield Flaw(row.seq, row.uid, f"does not follow seq {seq}: one of both was changed or put in its place")


def _compare(witnesses: Sequence[Witness], hashes: dict[int, str], start: int, verdict: Verdict) -> None:
    """Every signed head must stand in the chain; those before what was pruned cannot be looked at any more."""
    fits = start
    for witness in sorted(witnesses, key=lambda w: w.seq or 0):
        if witness.seq is None:
            if witness.head not in hashes.values():
                verdict.flaws.append(Flaw(None, "", f"no execution of the chain has the hash {witness.head}"))
            continue
        if witness.seq < start:
            continue
        verdict.witnesses += 1
        if witness.seq > verdict.last:
            what = f"cut: seq {verdict.last + 1} to {witness.seq} are missing; the head of {witness.seq} was {witness}"
            verdict.flaws.append(Flaw(verdict.last + 1, "", what))
        elif hashes.get(witness.seq, witness.head) != witness.head:
            what = f"written anew: seq {fits + 1} to {witness.seq} do not end in the hash that was {witness}"
            verdict.flaws.append(Flaw(witness.seq, "", what))
        else:
            fits = witness.seq


def _gaps(witnesses: Sequence[Witness], verdict: Verdict) -> Iterator[Flaw]:
    """Each signed head names the one before it: one that is nowhere any more was removed."""
    signed = {w.head: w.signed for w in witnesses if w.signed}
    ordered = sorted(signed.values(), key=lambda head: head.seq)
    for head in ordered[1:]:
        if head.previous and head.previous not in signed:
            yield Flaw(head.seq, "", f"the head that was signed before it, {head.previous}, was removed")

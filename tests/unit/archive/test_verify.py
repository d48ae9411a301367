"""Whatever is done to an archive behind the operator's back is found, and located."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.archive.conftest import finished

from interlock.crds.audithead import AuditHeadSpec
from interlock.operator.archive import Archive, ArchiveError, migrate, row_of
from interlock.operator.archive.chain import content_digest, link
from interlock.operator.archive.heads import sign_head
from interlock.operator.archive.prune import prune
from interlock.operator.archive.signing import Signer
from interlock.operator.archive.tables import ArchivedExecution
from interlock.operator.archive.verify import Flaw, Verdict, Witness, verify

COUNT, SIGNED = 10, (3, 7, 10)
NOW = "2026-01-01T00:00:00.000Z"
COLUMNS = sorted(ArchivedExecution.model_fields)
UNIQUE = ("uid", "seq", "previous")
LOCATED = st.integers(1, COUNT)
ASCII = st.characters(codec="ascii", exclude_characters="\x00")
some = settings(max_examples=40)  # each writes a database


@dataclass(frozen=True)
class Original:
    """A true archive, and the heads that left it."""

    file: Path
    signer: Signer
    heads: tuple[AuditHeadSpec, ...]

    @property
    def witnesses(self) -> list[Witness]:
        return [Witness.of(head, "elsewhere") for head in self.heads]

    @contextmanager
    def copy(self) -> Iterator[sqlite3.Connection]:
        """A copy to tamper with, as somebody with all rights on the database."""
        file = self.file.with_name("tampered.db")
        shutil.copy(self.file, file)
        with closing(sqlite3.connect(file)) as database:
            yield database
            database.commit()

    def judged(self, *, heads: bool) -> Verdict:
        """What verification says of the copy."""
        return judged(self.file.with_name("tampered.db"), self.witnesses if heads else [])


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    folder = tmp_path_factory.mktemp("original")
    signer = Signer.load(folder / "key", make=True)
    file = folder / "archive.db"
    migrate.upgrade(f"sqlite:///{file}")
    archive = Archive(f"sqlite:///{file}")
    heads = []
    for number in range(1, COUNT + 1):
        archive.put(row_of(finished(number)))
        if number in SIGNED:
            heads.append(sign_head(archive, signer, NOW))
    archive.close()
    with closing(sqlite3.connect(file)) as database:  # one file that can be copied
        database.execute("PRAGMA journal_mode=DELETE")
    return Original(file, signer, tuple(head for head in heads if head))


def judged(file: Path, witnesses: list[Witness]) -> Verdict:
    archive = Archive(f"sqlite:///{file}")
    try:
        with archive.snapshot() as snapshot:
            return verify(snapshot, witnesses)
    finally:
        archive.close()


def places(flaws: list[Flaw]) -> set[int | None]:
    return {flaw.seq for flaw in flaws}


def test_a_true_archive_is_found_true(original: Original) -> None:
    with original.copy():
        pass
    verdict = original.judged(heads=True)
    assert verdict.flaws == []
    assert (verdict.executions, verdict.first, verdict.last) == (COUNT, 1, COUNT)
    assert verdict.witnesses == 2 * len(SIGNED)


@some
@given(
    seq=LOCATED, column=st.sampled_from(COLUMNS), place=st.integers(0, 10**6), character=st.characters(codec="ascii")
)
def test_any_character_changed_is_located(
    original: Original, seq: int, column: str, place: int, character: str
) -> None:
    with original.copy() as database:
        text = str(database.execute(f"SELECT {column} FROM executions WHERE seq = ?", [seq]).fetchone()[0])
        at = place % len(text)
        changed: Any = text[:at] + character + text[at + 1 :]
        assume(changed != text)
        if column == "seq":
            assume(changed.isdigit())
            changed = int(changed)
        if column in UNIQUE:  # the database itself refuses a second one
            assume(changed not in {row[0] for row in database.execute(f"SELECT {column} FROM executions")})
        database.execute(f"UPDATE executions SET {column} = ? WHERE seq = ?", [changed, seq])
    found = places(original.judged(heads=False).flaws)
    assert seq in found or (column == "seq" and seq == COUNT and changed in found)


@some
@given(first=LOCATED, last=LOCATED)
def test_removed_executions_are_located(original: Original, first: int, last: int) -> None:
    assume(first <= last < COUNT)
    with original.copy() as database:
        database.execute("DELETE FROM executions WHERE seq BETWEEN ? AND ?", [first, last])
    flaws = original.judged(heads=False).flaws
    removed = next(flaw for flaw in flaws if flaw.seq == first)
    assert removed.what.startswith("removed: ")
    assert str(last) in removed.what


@some
@given(first=LOCATED)
def test_a_cut_end_is_shown_by_a_signed_head(original: Original, first: int) -> None:
    with original.copy() as database:
        database.execute("DELETE FROM executions WHERE seq >= ?", [first])
        database.execute("DELETE FROM signed_heads WHERE seq >= ?", [first])
    assert original.judged(heads=False).flaws == []
    cut = next(flaw for flaw in original.judged(heads=True).flaws if flaw.what.startswith("cut: "))
    assert cut.seq == first


@some
@given(first=LOCATED, drop=st.booleans())
def test_history_written_anew_is_shown_by_a_signed_head(original: Original, first: int, drop: bool) -> None:
    """By somebody who knows how hashes are made, and left out or invented one execution."""
    assume(not drop or first < COUNT)
    with original.copy() as database:
        database.execute("DELETE FROM signed_heads")
        rewrite(database, first, drop=drop)
    assert original.judged(heads=False).flaws == []
    flaws = original.judged(heads=True).flaws
    after = next((head for head in SIGNED if head >= first), COUNT)
    before = max((head for head in SIGNED if head < first), default=0)
    words = f"seq {before + 1} to {after} do not end in" if not (drop and after == COUNT) else "cut: "
    assert any(words in flaw.what for flaw in flaws), flaws


@some
@given(one=LOCATED, other=LOCATED)
def test_executions_in_each_others_place_are_located(original: Original, one: int, other: int) -> None:
    assume(one != other)
    with original.copy() as database:
        database.execute("UPDATE executions SET seq = -1 WHERE seq = ?", [one])
        database.execute("UPDATE executions SET seq = ? WHERE seq = ?", [one, other])
        database.execute("UPDATE executions SET seq = ? WHERE seq = -1", [other])
    assert {one, other} <= places(original.judged(heads=False).flaws)


def rewrite(database: sqlite3.Connection, first: int, *, drop: bool) -> None:
    """Leaves out an execution, or puts another in its place, and chains all that follow anew."""
    database.row_factory = sqlite3.Row
    rows = [dict(row) for row in database.execute("SELECT * FROM executions ORDER BY seq")]
    if drop:
        del rows[first - 1]
    else:
        rows[first - 1] |= row_of(finished(99)).columns
    database.execute("DELETE FROM executions")
    previous = rows[first - 2]["hash"] if first > 1 else "sha256:" + "0" * 64
    for seq, row in enumerate(rows, start=1):
        if seq >= first:
            digest = content_digest(row["content"])
            own = {"uid": row["uid"], "archived_at": row["archived_at"], "head": row["head"]}
            hashed = link(seq=seq, content=digest, previous=previous, **own)
            row |= {"seq": seq, "digest": digest, "previous": previous, "hash": hashed}
            previous = hashed
        marks = ", ".join("?" * len(row))
        database.execute(f"INSERT INTO executions ({', '.join(row)}) VALUES ({marks})", list(row.values()))


class TestHeads:
    def test_a_noted_hash_must_stand_in_the_chain(self, original: Original) -> None:
        head = original.heads[1]
        good = [Witness("note", head.head), Witness("note", head.head, head.seq)]
        assert judged(original.file, good).flaws == []
        assert places(judged(original.file, [Witness("note", head.head, 8)]).flaws) == {8}
        assert len(judged(original.file, [Witness("note", f"sha256:{'1' * 64}")]).flaws) == 1

    def test_a_forged_signature_is_found(self, original: Original) -> None:
        head = original.heads[0].model_copy(update={"signed_at": "2026-02-02T00:00:00.000Z"})
        (flaw,) = judged(original.file, [Witness.of(head, "note")]).flaws
        assert "a signature that its key" in flaw.what

    def test_heads_that_somebody_else_signed_are_found(self, original: Original, tmp_path: Path) -> None:
        with original.copy() as database:
            database.execute("DELETE FROM signed_heads")
            rewrite(database, 5, drop=False)
        forger = Signer.load(tmp_path / "key", make=True)
        archive = Archive(f"sqlite:///{original.file.with_name('tampered.db')}")
        sign_head(archive, forger, NOW)
        archive.close()
        assert original.judged(heads=False).flaws == [], "nothing in the database says otherwise"
        assert any(f"signed by {forger.key_id}, which is not" in f.what for f in original.judged(heads=True).flaws)

    def test_a_removed_head_is_found(self, original: Original) -> None:
        with original.copy() as database:
            database.execute("DELETE FROM signed_heads WHERE seq = ?", [SIGNED[1]])
        (flaw,) = original.judged(heads=False).flaws
        assert (flaw.seq, "was removed" in flaw.what) == (SIGNED[2], True)
        assert original.judged(heads=True).flaws == [], "it is still known elsewhere"

    def test_only_what_moved_is_signed(self, archive: Archive, signer: Signer) -> None:
        assert sign_head(archive, signer, NOW) is None
        archive.put(row_of(finished(1)))
        first = sign_head(archive, signer, NOW)
        assert first is not None
        assert (first.seq, first.head, first.previous) == (1, archive.tail().hash, None)
        assert sign_head(archive, signer, NOW) is None
        archive.put(row_of(finished(2)))
        second = sign_head(archive, signer, NOW)
        assert second is not None
        assert second.previous == first.head

    def test_an_altered_chain_is_not_signed(self, original: Original) -> None:
        with original.copy() as database:
            rewrite(database, 5, drop=False)
        archive = Archive(f"sqlite:///{original.file.with_name('tampered.db')}")
        archive.put(row_of(finished(50)))
        with pytest.raises(ArchiveError, match="was changed or cut"):
            sign_head(archive, original.signer, NOW)
        archive.close()


class TestPruning:
    LATE = "2100-01-01T00:00:00.000+00:00"

    def filled(self, archive: Archive, signer: Signer) -> list[Witness]:
        heads = []
        for number in range(1, 7):
            archive.put(row_of(finished(number)))
            heads.append(sign_head(archive, signer, NOW))
        return [Witness.of(head, "elsewhere") for head in heads if head]

    def cut_at(self, archive: Archive, seq: int) -> str:
        with archive.snapshot() as snapshot:
            return next(row.archived_at for row in snapshot.rows() if row.seq == seq)

    def verdict(self, archive: Archive, witnesses: list[Witness]) -> Verdict:
        with archive.snapshot() as snapshot:
            return verify(snapshot, witnesses)

    def test_what_remains_verifies_and_goes_on(self, archive: Archive, signer: Signer) -> None:
        witnesses = self.filled(archive, signer)
        before = self.cut_at(archive, 4)
        removed = prune(archive, before, signer)
        assert removed <= 3, "rows of the same millisecond stay together"
        verdict = self.verdict(archive, witnesses)
        assert (verdict.flaws, verdict.first, verdict.last) == ([], removed + 1, 6)
        archive.put(row_of(finished(7)))
        assert archive.tail().seq == 7
        assert self.verdict(archive, witnesses).flaws == []

    def test_all_of_it_may_go(self, archive: Archive, signer: Signer) -> None:
        witnesses = self.filled(archive, signer)
        assert prune(archive, self.LATE, signer) == 6
        assert prune(archive, self.LATE, signer) == 0
        archive.put(row_of(finished(7)))
        assert archive.tail().seq == 7
        assert self.verdict(archive, witnesses).flaws == []
        assert prune(archive, self.LATE, signer) == 1
        assert self.verdict(archive, witnesses).flaws == []

    def test_only_the_key_prunes(self, archive: Archive, signer: Signer, tmp_path: Path) -> None:
        witnesses = self.filled(archive, signer)
        forger = Signer.load(tmp_path / "forger.key", make=True)
        prune(archive, self.LATE, forger)
        flaws = self.verdict(archive, witnesses).flaws
        assert any(f"anchor of what was pruned is signed by {forger.key_id}" in flaw.what for flaw in flaws)

    def test_a_signing_key_is_the_owners_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "signing.key"
        made, again = Signer.load(path, make=True), Signer.load(path, make=True)
        assert made.key_id == again.key_id
        assert path.stat().st_mode & 0o777 == 0o600
        path.write_text("none")
        with pytest.raises(ArchiveError, match="no readable key"):
            Signer.load(path)

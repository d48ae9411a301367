"""A backup is the same archive again, on the same database or another; half a backup is none."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.archive.conftest import finished

from interlock.operator.archive import Archive, ArchiveError, migrate, row_of
from interlock.operator.archive.backup import backup, restore
from interlock.operator.archive.heads import sign_head
from interlock.operator.archive.prune import prune
from interlock.operator.archive.signing import Signer
from interlock.operator.archive.verify import Witness, verify

NOW = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive in SQLite."""
    url = f"sqlite:///{tmp_path / 'other.db'}"
    migrate.upgrade(url)
    archive = Archive(url)
    yield archive
    archive.close()


def saved(archive: Archive) -> str:
    out = io.StringIO()
    backup(archive, out)
    return out.getvalue()


def test_a_restored_archive_is_the_same_and_goes_on(archive: Archive, other: Archive, signer: Signer) -> None:
    archive.put(*(row_of(finished(number, text="Grüße \u0000")) for number in range(300)))
    head = sign_head(archive, signer, NOW)
    assert head is not None
    text = saved(archive)
    verdict = restore(other, io.StringIO(text))
    assert (verdict.flaws, verdict.executions, verdict.head) == ([], 300, head.head)
    assert saved(other) == text
    for each in (archive, other):
        each.put(row_of(finished(300)))
    assert sign_head(other, signer, NOW) is not None
    with other.snapshot() as snapshot:
        assert verify(snapshot, [Witness.of(head, "elsewhere")]).flaws == []


def test_it_goes_from_one_database_to_the_other_and_back(
    archive: Archive, other: Archive, signer: Signer, opened: Callable[[], Archive]
) -> None:
    other.put(*(row_of(finished(number)) for number in range(9)))
    sign_head(other, signer, NOW)
    prune(other, "2100-01-01", signer)
    other.put(row_of(finished(10)))
    text = saved(other)
    assert restore(archive, io.StringIO(text)).flaws == []
    assert saved(opened()) == text


def test_it_is_not_restored_over_anything(archive: Archive, signer: Signer) -> None:
    archive.put(row_of(finished(1)))
    text = saved(archive)
    with pytest.raises(ArchiveError, match="not empty"):
        restore(archive, io.StringIO(text))
    prune(archive, "2100-01-01", signer)
    with pytest.raises(ArchiveError, match="not empty"):
        restore(archive, io.StringIO(text))


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_half_a_backup_is_refused_and_nothing_stays(archive: Archive, other: Archive, kept: int) -> None:
    archive.put(*(row_of(finished(number)) for number in range(3)))
    lines = saved(archive).splitlines(keepends=True)
    with pytest.raises(ArchiveError, match="its end is missing"):
        restore(other, lines[:kept])
    with pytest.raises(ArchiveError, match="its end is missing"):
        restore(other, [*lines[:2], *lines[3:]])
    assert other.tail().seq == 0


@pytest.mark.parametrize(
    "text", ["x\n", "[]\n", '{"format":"other"}\n', '{"format":"interlock-archive","version":2}\n']
)
def test_what_is_no_backup_is_refused(other: Archive, text: str) -> None:
    with pytest.raises(ArchiveError, match="backup"):
        restore(other, [text])


def test_a_backup_of_a_changed_archive_says_so(archive: Archive, other: Archive) -> None:
    archive.put(*(row_of(finished(number)) for number in range(3)))
    text = saved(archive).replace("alice", "mallo", 2)
    assert {flaw.seq for flaw in restore(other, io.StringIO(text)).flaws} == {1}

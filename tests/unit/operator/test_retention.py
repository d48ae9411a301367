"""Which archived executions stay on the cluster, and that finishing together costs one transaction."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import SQLAlchemyError
from tests.unit.archive.conftest import finished

from interlock.operator.archive import Archive, migrate
from interlock.operator.archive.store import Row
from interlock.operator.archiver import Archiver
from interlock.operator.retention import Archived, Keep

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@given(hours=st.lists(st.integers(0, 100)), newest=st.integers(0, 12), age=st.integers(0, 100))
def test_the_newest_stay_but_none_for_longer(hours: Sequence[int], newest: int, age: int) -> None:
    items = [Archived(NOW - timedelta(hours=h), "shop", f"fix-{n}", f"uid-{n}") for n, h in enumerate(hours)]
    keep, kept = Keep(newest, timedelta(hours=age)), list[Archived]()
    gone = {keep.displaced(kept, item, NOW) for item in items} - {None}
    young = sorted((item for item in items if NOW - item.at <= timedelta(hours=age)), reverse=True)
    assert gone == set(items) - set(young[:newest])
    assert set(kept) == set(young[:newest])


class Counting(Archive):
    """Counts transactions; the first waits until it may go on, and may fail."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sizes: list[int] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.fails = False

    def put(self, *rows: Row) -> None:
        self.sizes.append(len(rows))
        self.begun.set()
        assert self.go_on.wait(30)
        if self.fails:
            raise SQLAlchemyError("the disk is full")
        super().put(*rows)


@pytest.fixture
def archive(tmp_path: Path) -> Any:
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    migrate.upgrade(url)
    archive = Counting(url)
    yield archive
    archive.close()


async def started(archive: Counting, count: int) -> tuple[Archiver, list[asyncio.Task[None]]]:
    """Puts one, and once it is being stored all others."""
    archiver = Archiver(archive)
    first = asyncio.create_task(archiver.put(finished(0)))
    await asyncio.to_thread(archive.begun.wait, 30)
    others = [asyncio.create_task(archiver.put(finished(number))) for number in range(1, count)]
    while len(archiver) < count - 1:  # noqa: ASYNC110 - they arrive by themselves, and tell nobody
        await asyncio.sleep(0)
    return archiver, [first, *others]


async def test_what_ends_meanwhile_shares_the_next_transaction(archive: Counting) -> None:
    archiver, tasks = await started(archive, 20)
    archive.go_on.set()
    await asyncio.gather(*tasks)
    await archiver.close()
    assert archive.sizes == [1, 19]
    assert archive.tail().seq == 20


async def test_a_failure_is_told_to_all_who_wait(archive: Counting) -> None:
    archiver, tasks = await started(archive, 3)
    archive.fails = True
    archive.go_on.set()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(failure) for failure in failures] == ["the disk is full"] * 3
    archive.fails = False
    await archiver.put(finished(1))
    assert archive.tail().seq == 1


async def test_who_gives_up_waiting_disturbs_nobody(archive: Counting) -> None:
    archiver, tasks = await started(archive, 3)
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.wait(tasks[:2])
    archive.go_on.set()
    await tasks[2]
    await archiver.close()
    assert archive.tail().seq == 3

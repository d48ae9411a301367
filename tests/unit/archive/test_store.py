"""What is archived is archived once, whole, and in one chain, whoever writes at the same time."""

import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from tests.unit.archive.conftest import finished

from interlock.operator.archive import Archive, ArchivedExecution, row_of
from interlock.operator.archive.chain import GENESIS
from interlock.operator.archive.verify import verify

Open = Callable[[], Archive]


def rows(archive: Archive) -> list[ArchivedExecution]:
    with archive.snapshot() as snapshot:
        return list(snapshot.rows())


def test_an_execution_comes_back_as_it_was(archive: Archive) -> None:
    body = finished(1, text="Grüße, 世界 \u0000 \U0001f600")
    archive.put(row_of(body))
    found = archive.get("uid-1")
    assert found is not None
    assert found.body() == body
    assert (found.namespace, found.phase, found.requested_by) == ("shop", "Failed", "alice")
    assert found.head == f"sha256:{body['status']['journal'][-1]['hash']}"


def test_each_is_chained_to_the_one_before(archive: Archive) -> None:
    for number in range(1, 4):
        archive.put(row_of(finished(number)))
    found = rows(archive)
    assert [row.seq for row in found] == [1, 2, 3]
    assert [row.previous for row in found] == [GENESIS, found[0].hash, found[1].hash]
    assert archive.tail().hash == found[-1].hash


def test_the_same_again_is_no_second_row(archive: Archive) -> None:
    """A crash may come between the commit and the removal of the finalizer."""
    body = finished(1)
    archive.put(row_of(body))
    later = json.loads(json.dumps(body))
    later["metadata"]["resourceVersion"] = "99"
    archive.put(row_of(later), row_of(later), row_of(finished(2)))
    assert [(row.seq, row.uid) for row in rows(archive)] == [(1, "uid-1"), (2, "uid-2")]
    found = archive.get("uid-1")
    assert found is not None
    assert found.body() == body


def test_many_writers_make_one_chain(opened: Open) -> None:
    writers, each = [opened() for _ in range(4)], 12
    together = threading.Barrier(len(writers))

    def write(archive: Archive, numbers: Iterable[int]) -> None:
        together.wait()
        for number in numbers:
            archive.put(row_of(finished(number)), row_of(finished(0)))  # all of them put number 0 as well

    with ThreadPoolExecutor(len(writers)) as pool:
        for index, writer in enumerate(writers):
            pool.submit(write, writer, range(1 + index * each, 1 + (index + 1) * each))
    found = rows(writers[0])
    assert [row.seq for row in found] == list(range(1, len(writers) * each + 2))
    with writers[0].snapshot() as snapshot:
        assert verify(snapshot).flaws == []


@pytest.mark.parametrize("column", ["seq", "previous"])
def test_the_database_itself_refuses_a_fork(archive: Archive, column: str) -> None:
    archive.put(row_of(finished(1)))
    archive.put(row_of(finished(2)))
    first, second = rows(archive)
    fork = {**second.model_dump(), "uid": "uid-3", "seq": 3, "previous": second.hash}
    fork[column] = getattr(first, column)
    with Session(archive.engine) as session:
        session.add(ArchivedExecution.model_validate(fork))
        with pytest.raises(IntegrityError):
            session.commit()


def test_the_latest_are_listed_and_one_is_found_by_its_beginning(archive: Archive) -> None:
    archive.put(*(row_of(finished(number, namespace="a" if number % 2 else "b")) for number in range(10, 16)))
    assert {row.uid for row in archive.list(namespace="a")} == {"uid-11", "uid-13", "uid-15"}
    assert len(archive.list(limit=2)) == 2
    assert [row.uid for row in archive.find("uid-12")] == ["uid-12"]
    assert archive.find("uid_") == []

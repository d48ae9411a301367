"""The store on both databases: several processes share the work, and nobody writes who lost the claim."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.unit.agents.conftest import Clock
from tests.unit.agents.payloads import payload, sent

from interlock.agents.errors import ClaimLostError, StoreTooNewError
from interlock.agents.fold import Placed
from interlock.agents.incidents import list_incidents, show_incident
from interlock.agents.model import ObjectRef
from interlock.agents.payload import Payload
from interlock.agents.store import Batch, Store
from interlock.agents.tables import ExecutionRow, IncidentRow
from interlock.agents.topology import Topology

VERSION_1 = Path(__file__).parent / "store-version-1.sql"
Open = Callable[[], Store]


@pytest.fixture
def process(url: str, clock: Clock) -> Iterator[Open]:
    """Opens the database as another process does."""
    opened: list[Store] = []

    def open_() -> Store:
        opened.append(Store(url, clock, lease=15))
        opened[-1].open()
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


def begin(store: Store) -> str:
    """An incident about the checkout."""
    store.receive(Payload.read(payload(sent())))
    return next(iter(file(store)))


def file(store: Store) -> list[str]:
    """Files what was received under the Deployments that it names; the incidents."""
    placed = tuple(
        Placed(
            identity=identity,
            series=alert.series,
            name=alert.name,
            starts_at=alert.starts_at,
            target=ObjectRef(kind="Deployment", namespace="shop", name=alert.labels["deployment"]),
        )
        for identity, alert, _ in store.unhandled()
    )
    store.file(Batch(placed=placed), Topology())
    return [incident.id for incident in store.due(store._now())]


def intention(incident: str, attempt: int = 1) -> ExecutionRow:
    return ExecutionRow(
        name=f"{incident}-{attempt}",
        namespace="shop",
        incident_id=incident,
        attempt=attempt,
        runbook="restart-deployment-1.0.0",
        parameters="{}",
        body="{}",
        updated_at="",
    )


def test_an_incident_is_one_processs_at_a_time(process: Open, clock: Clock) -> None:
    one, other = process(), process()
    incident = begin(one)
    one.release(incident)
    assert [i.id for i in one.due(clock())] == [incident]
    assert other.due(clock()) == []
    assert not other.claim(incident)
    one.release(incident)
    assert [i.id for i in other.due(clock())] == [incident]
    assert other.due(clock(), but=[incident]) == []


def blame(store: Store, incident: str) -> None:
    """A look that found the checkout guilty."""
    with store._transaction() as session:
        row = session.get_one(IncidentRow, incident)
        row.blamed, row.verdict = "Deployment shop/checkout", "workload.image.not-found"
        session.add(row)


@pytest.mark.parametrize(("quiet", "asked"), [(30, False), (700, True)])
def test_what_a_person_has_is_not_asked_again_when_it_was_quiet_for_a_moment(
    process: Open, clock: Clock, quiet: float, asked: bool
) -> None:
    store = process()
    first = begin(store)
    blame(store, first)
    assert store.intend(intention(first)) is not None
    store.enter(first, "escalated", "for a person")
    store.receive(Payload.read(payload(sent(status="resolved"))))
    store.file(Batch(resolved=tuple(identity for identity, _, _ in store.unhandled())), Topology())
    assert store.incident(first).closed_at is not None
    clock.advance(quiet)
    store.receive(Payload.read(payload(sent("KubePodNotReady", namespace="shop", deployment="frontend"))))
    (second,) = file(store)
    blame(store, second)
    assert (store.intend(intention(second), timedelta(minutes=10)) is not None) is asked
    assert (store.incident(second).part_of == first) is not asked
    assert (store.incident(first).closed_at is None) is not asked
    assert store.firing(second if asked else first) == 1


def test_who_says_nothing_for_a_while_is_taken_over_and_can_no_longer_write(process: Open, clock: Clock) -> None:
    slow, fast = process(), process()
    incident = begin(slow)
    slow.due(clock())
    clock.advance(10)
    assert slow.claim(incident)
    clock.advance(10)
    assert fast.due(clock()) == []
    clock.advance(6)
    assert [i.id for i in fast.due(clock())] == [incident]
    fast.intend(intention(incident))
    for write in (
        lambda: slow.intend(intention(incident, 2)),
        lambda: slow.enter(incident, "escalated", "late"),
        lambda: slow.postpone(incident, clock()),
        lambda: slow.keep_answer(incident, "q", "late"),
    ):
        with pytest.raises(ClaimLostError):
            write()
    assert [e.attempt for e in fast.executions_of(incident)] == [1]
    slow.release(incident)
    assert not slow.claim(incident)


def test_an_incident_knows_which_namespace_most_of_its_alerts_are_about(process: Open) -> None:
    store = process()
    lost = ObjectRef(kind="Node", namespace=None, name="n1")
    about = [lost, *(ObjectRef(kind="Deployment", namespace=n, name="web") for n in ("shop", "bank", "bank"))]
    store.receive(Payload.read(payload(*(sent(number=str(n)) for n, _ in enumerate(about)))))
    placed = tuple(
        Placed(identity=identity, series=identity, name="Down", starts_at=alert.starts_at, target=target)
        for (identity, alert, _), target in zip(store.unhandled(), about, strict=True)
    )
    store.file(Batch(placed=placed), Topology(rests_on={target: frozenset({lost}) for target in about[1:]}))
    (incident,) = store.due(store._now())
    assert (incident.target_kind, store.most_told_namespace(incident.id)) == ("Node", "bank")
    assert store.most_told_namespace("another") is None


def test_many_processes_share_all_incidents_and_none_is_taken_twice(process: Open, clock: Clock) -> None:
    stores = [process() for _ in range(4)]
    alerts = [sent(namespace="shop", deployment=f"d{n}") for n in range(40)]
    stores[0].receive(Payload.read(payload(*alerts)))
    for incident in file(stores[0]):
        stores[0].release(incident)

    def take(store: Store) -> list[str]:
        taken: list[str] = []
        while some := store.due(clock(), 3, taken):
            taken += [incident.id for incident in some]
        return taken

    with ThreadPoolExecutor(len(stores)) as pool:
        shares = list(pool.map(take, stores))
    everything = [incident for share in shares for incident in share]
    assert len(everything) == len(set(everything)) == 40


def test_one_delivery_to_two_processes_at_once_is_one(process: Open) -> None:
    stores = [process() for _ in range(4)]
    body = payload(*(sent(namespace="shop", pod=f"p{n}") for n in range(50)))
    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(lambda store: store.receive(Payload.read(body)), stores))
    assert len(stores[0].unhandled()) == 50


def test_a_batch_is_one_commit_and_says_what_is_new_of_each(process: Open) -> None:
    store = process()
    firing, resolved = Payload.read(payload(sent())), Payload.read(payload(sent(status="resolved")))
    both = Payload.read(payload(sent("Other"), sent()))
    assert store.receive_all([firing, firing, both, resolved]) == [1, 0, 1, 1]
    assert {(a.name, a.status) for _, a, _ in store.unhandled()} == {
        ("Other", "firing"),
        ("KubePodCrashLooping", "resolved"),
    }


def test_an_answer_stands(process: Open, clock: Clock) -> None:
    store = process()
    incident = begin(store)
    assert store.answer(incident, "digest") is None
    assert store.keep_answer(incident, "digest", "first") == "first"
    assert store.keep_answer(incident, "digest", "second") == "first"
    assert process().answer(incident, "digest") == "first"


def test_several_processes_open_an_empty_database_at_once(url: str, clock: Clock) -> None:
    stores = [Store(url, clock) for _ in range(4)]
    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(lambda store: store.open(), stores))
    for store in stores:
        store.ping()
        store.close()


def test_a_database_of_a_later_version_is_refused(process: Open, url: str, clock: Clock) -> None:
    store = process()
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE schema_version SET version = 99"))
    later = Store(url, clock)
    with pytest.raises(StoreTooNewError, match="99"):
        later.open()
    later.close()


def test_a_file_of_the_first_version_is_taken_over_with_all_that_it_holds(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.read_text())
    store = Store(f"sqlite:///{path}", clock)
    for _ in range(2):
        store.open()
    clock.advance(60)
    (due,) = store.due(clock())
    assert (due.id, due.holder, due.root) == ("inc-abcdef", store.holder, "")
    assert store.enter(due.id, "escalated", "a person looks").state == "escalated"
    store.receive(Payload.read(payload(sent())))
    (old, new) = list_incidents(f"sqlite:///{path}"), store.unhandled()
    assert [i.id for i in old] == ["inc-abcdef"]
    assert len(new) == 1
    assert [a.name for a in show_incident(f"sqlite:///{path}", due.id).alerts] == ["Old"]
    store.close()

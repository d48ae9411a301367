"""One target and one time make one incident, whatever is delivered how often and in which order."""

import json
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.agents.conftest import Clock
from tests.unit.agents.payloads import payload, sent

from interlock.agents.correlate import candidates, new_incident_id, opens_nothing
from interlock.agents.errors import AccessDeniedError
from interlock.agents.fold import Known, Placed, incident_of
from interlock.agents.incidents import list_incidents, show_incident
from interlock.agents.intake import take_in
from interlock.agents.model import Alert, ObjectRef
from interlock.agents.payload import Payload, printable
from interlock.agents.places import Map, Place
from interlock.agents.store import Store
from interlock.crds.names import OWN_ALERT_LABEL

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TARGET = ObjectRef(kind="Deployment", namespace="shop", name="checkout")


def alert(**fields: Any) -> Alert:
    return Payload.read(payload(sent(**fields))).alerts[0].alert()


async def locate(cluster: "FakeCluster", about: Alert, namespaces: tuple[str, ...]) -> Place | None:
    """Where an alert is, as intake finds it."""
    named, seen = candidates(about), Map(cluster, namespaces)
    await seen.look({ref.namespace for ref in named if ref.namespace}, START)
    return await seen.locate(named) if named else None


class FakeCluster:
    """Objects by kind, namespace and name; what is not there does not exist."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str | None, str], dict[str, Any]] = {}
        self.lists = 0
        self.put("Namespace", None, "shop", labels={"interlock.dev/remediation": "enabled"})
        self.put("Deployment", "shop", "checkout")
        self.put("ReplicaSet", "shop", "checkout-5bf7f84b6c", owner=("Deployment", "checkout"))
        self.put("Pod", "shop", "checkout-5bf7f84b6c-47k7g", owner=("ReplicaSet", "checkout-5bf7f84b6c"))

    def put(
        self, kind: str, namespace: str | None, name: str, *, owner: tuple[str, str] | None = None, **meta: Any
    ) -> None:
        metadata = {"name": name, "uid": f"{kind}/{name}", **meta}
        if owner:
            reference = {"kind": owner[0], "name": owner[1], "uid": "/".join(owner), "controller": True}
            metadata["ownerReferences"] = [reference]
        self.objects[kind, namespace, name] = {"metadata": metadata | {"namespace": namespace}}

    async def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        if "closed-to-us" in (namespace, name):
            raise AccessDeniedError("forbidden")
        return self.objects.get((kind, namespace, name))

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Any]:
        self.lists += 1
        return [body for (of, place, _), body in self.objects.items() if (of, place) == (kind, namespace)]

    async def served(self) -> frozenset[str]:
        return frozenset()

    async def logs(self, *_: Any, **__: Any) -> str | None:
        raise AssertionError("intake reads no logs")


@pytest.mark.parametrize(
    "labels",
    [
        {"namespace": "shop", "deployment": "checkout"},
        {"namespace": "shop", "pod": "checkout-5bf7f84b6c-47k7g"},
        {"namespace": "shop", "pod": "checkout-5bf7f84b6c-zzzzz"},  # a pod that is already gone
        {"namespace": "shop", "replicaset": "checkout-5bf7f84b6c"},
        {"namespace": "shop", "deployment": "lie", "pod": "checkout-5bf7f84b6c-47k7g"},
    ],
)
async def test_labels_lead_to_the_workload(labels: dict[str, str]) -> None:
    place = await locate(FakeCluster(), alert(**labels), ())
    assert place is not None
    assert (place.target, place.closed) == (TARGET, "")


async def test_an_owner_of_another_uid_is_not_the_owner() -> None:
    cluster = FakeCluster()
    cluster.put("Deployment", "shop", "checkout", uid="another")
    place = await locate(cluster, alert(namespace="shop", replicaset="checkout-5bf7f84b6c"), ())
    assert place is not None
    assert place.target.kind == "ReplicaSet"


CLOSED = [
    ({"namespace": "nowhere", "deployment": "checkout"}, "does not exist"),
    ({"namespace": "shop", "deployment": "ghost"}, "does not exist"),
    ({"namespace": "private", "deployment": "checkout"}, "has not opted in"),
    ({"namespace": "closed-to-us", "deployment": "checkout"}, "may not read"),
]


@pytest.mark.parametrize(("labels", "why"), CLOSED)
async def test_where_nothing_may_be_done_the_incident_says_why(labels: dict[str, str], why: str) -> None:
    cluster = FakeCluster()
    cluster.put("Namespace", None, "private")
    cluster.put("Namespace", None, "closed-to-us", labels={"interlock.dev/remediation": "enabled"})
    place = await locate(cluster, alert(**labels), ())
    assert place is not None
    assert why in place.closed


def test_what_names_no_object_has_no_candidates() -> None:
    assert candidates(alert(namespace="shop", deployment="../../secrets")) == ()
    assert candidates(alert(namespace="a b", pod="x")) == ()


def test_what_opens_nothing() -> None:
    assert opens_nothing(alert(name="Watchdog"))
    assert opens_nothing(alert(name="InfoInhibitor"))
    assert opens_nothing(alert(severity="info"))
    assert opens_nothing(alert(**{OWN_ALERT_LABEL: "true"}))
    assert not opens_nothing(alert())


@given(st.text())
def test_whatever_is_printed_is_harmless_and_short(text: str) -> None:
    shown = printable(text, 64)
    assert len(shown) <= 64
    assert shown.isprintable()


@given(
    starts=st.integers(-1000, 1000),
    spans=st.lists(st.tuples(st.integers(-1000, 1000), st.none() | st.integers(0, 1000)), max_size=6),
)
def test_an_alert_joins_an_incident_only_of_its_target_and_time(
    starts: int, spans: list[tuple[int, int | None]]
) -> None:
    moment = START + timedelta(seconds=starts)
    known = [
        Known(
            id=f"inc-{n}",
            root=TARGET,
            movable=True,
            opened_at=START + timedelta(seconds=opened),
            closed_at=None if lasted is None else START + timedelta(seconds=opened + lasted),
        )
        for n, (opened, lasted) in enumerate(spans)
    ]
    about = Placed(identity="a", series="s", name="A", starts_at=moment, target=TARGET)
    found = incident_of(TARGET, about, known, timedelta(0))
    fitting = {k.id for k in known if k.closed_at is None or moment <= k.closed_at}
    assert (found in fitting) if fitting else found is None
    assert incident_of(TARGET.model_copy(update={"name": "other"}), about, known, timedelta(0)) is None


def test_identifiers_are_stable_and_never_taken() -> None:
    first = new_incident_id(TARGET, alert().identity)
    assert first == new_incident_id(TARGET, alert().identity)
    assert new_incident_id(TARGET, alert().identity, taken=[first]) != first


async def test_one_fault_with_many_alerts_is_one_incident(store: Store, database_url: str) -> None:
    storm = [
        sent("KubePodCrashLooping", namespace="shop", pod="checkout-5bf7f84b6c-47k7g"),
        sent("KubePodCrashLooping", namespace="shop", pod="checkout-5bf7f84b6c-bbbbb"),
        sent("KubePodNotReady", namespace="shop", pod="checkout-5bf7f84b6c-47k7g"),
        sent("KubeDeploymentRolloutStuck", namespace="shop", deployment="checkout"),
    ]
    for one in storm:
        store.receive(Payload.read(payload(one)))
        await take_in(store, FakeCluster(), ())
    (incident,) = list_incidents(database_url)
    assert incident.target == TARGET
    assert len(show_incident(database_url, incident.id).alerts) == 4


async def test_the_last_resolved_alert_ends_an_incident_that_nothing_acts_on(
    store: Store, database_url: str, clock: Clock
) -> None:
    names = ("KubePodCrashLooping", "KubePodNotReady")
    store.receive(Payload.read(payload(*(sent(name) for name in names))))
    await take_in(store, FakeCluster(), ())
    for name, state in zip(names, ("open", "resolved"), strict=True):
        clock.advance(1)
        store.receive(Payload.read(payload(sent(name, status="resolved"))))
        await take_in(store, FakeCluster(), ())
        assert list_incidents(database_url)[0].state == state


async def test_a_straggler_joins_what_it_began_in_and_a_new_fault_does_not(
    store: Store, database_url: str, clock: Clock
) -> None:
    store.receive(Payload.read(payload(sent())))
    await take_in(store, FakeCluster(), ())
    store.receive(Payload.read(payload(sent(status="resolved"))))
    await take_in(store, FakeCluster(), ())
    clock.advance(5)
    store.receive(Payload.read(payload(sent("KubePodNotReady", starts="2026-03-01T11:59:59Z"))))
    await take_in(store, FakeCluster(), ())
    assert [i.state for i in list_incidents(database_url)] == ["investigating"]
    store.receive(Payload.read(payload(sent("KubePodNotReady", status="resolved", starts="2026-03-01T11:59:59Z"))))
    store.receive(Payload.read(payload(sent(starts="2026-03-01T12:30:00Z"))))
    await take_in(store, FakeCluster(), ())
    assert sorted(i.state for i in list_incidents(database_url)) == ["open", "resolved"]


async def test_the_watchdog_and_what_never_fired_open_nothing(store: Store, database_url: str) -> None:
    store.receive(Payload.read(payload(sent("Watchdog"), sent(status="resolved"), sent("Odd", weird="x"))))
    assert await take_in(store, FakeCluster(), ()) == 3
    assert list_incidents(database_url) == []
    assert store.unhandled() == []


EVENTS = st.lists(
    st.tuples(st.sampled_from(["A", "B", "C"]), st.sampled_from(["firing", "resolved"]), st.integers(1, 3)), max_size=12
)


@settings(max_examples=25, deadline=None)
@given(EVENTS)
async def test_redeliveries_change_nothing(events: list[tuple[str, str, int]]) -> None:
    """The same deliveries, each once or several times, leave the same alerts and the same incidents."""
    with TemporaryDirectory() as folder:
        once, often = (Store(f"sqlite:///{folder}/{name}.db", Clock()) for name in ("once", "often"))
        try:
            await _deliver(once, often, events)
            assert _picture(once) == _picture(often)
        finally:
            once.close()
            often.close()


async def _deliver(once: Store, often: Store, events: list[tuple[str, str, int]]) -> None:
    for store in (once, often):
        store.open()
    for name, status, times in events:
        body = payload(sent(name, status=status))
        once.receive(Payload.read(body))
        await take_in(once, FakeCluster(), ())
        for _ in range(times):
            often.receive(Payload.read(body))
            await take_in(often, FakeCluster(), ())


def _picture(store: Store) -> object:
    with store._engine.connect() as connection:
        alerts = connection.exec_driver_sql("select name, status, incident_id from alerts order by 1, 2").all()
        incidents = connection.exec_driver_sql("select id, state from incidents order by 1").all()
        timeline = connection.exec_driver_sql("select event, text from timeline order by id").all()
    return json.dumps([[list(map(str, row)) for row in part] for part in (alerts, incidents, timeline)])

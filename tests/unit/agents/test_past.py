"""Incidents are found by their words, alike in both databases, also those that were there before words were kept."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.unit.agents.conftest import Clock
from tests.unit.agents.payloads import payload, sent
from tests.unit.agents.test_store import VERSION_1, file

from interlock.agents.incidents import show_incident
from interlock.agents.past import search_incidents
from interlock.agents.payload import Payload
from interlock.agents.store import Store


@pytest.fixture
def database_url(url: str) -> str:
    """Of each kind."""
    return url


def incident(store: Store, name: str, clock: Clock) -> str:
    """One about a Deployment of this name, which a person has taken over."""
    store.receive(Payload.read(payload(sent(deployment=name))))
    [opened] = file(store)
    clock.advance(60)
    store.enter(opened, "escalated", f"nobody knows why {name} is slow; ask the Größenwahn team")
    return opened


def test_incidents_are_found_by_all_words_or_their_beginnings(store: Store, url: str, clock: Clock) -> None:
    shop, bank = incident(store, "shop-front", clock), incident(store, "bank-back", clock)
    store.enter(shop, "resolved", "the alerts are over: cured by hand")
    store.enter(bank, "resolved", "the alerts are over")

    def found(words: str) -> list[str]:
        return [past.id for past in search_incidents(url, words)]

    assert found("shop-front") == found("FRONT") == found("cured han") == [shop]
    assert sorted(found("alerts over")) == sorted([shop, bank])
    assert found("front bank") == found("nothing-of-the-kind") == found("") == found("*/'\"():&|!") == []
    [past] = search_incidents(url, shop)
    assert (past.state, past.outcome, past.target.name) == (
        "resolved",
        "the alerts are over: cured by hand",
        "shop-front",
    )


@pytest.mark.parametrize(
    "hostile", ["') OR 1=1 --", 'a" OR "b', "front:*", "NEAR(shop front)", "!shop", "shop & | front", "\0"]
)
def test_what_is_looked_for_is_never_read_as_a_query(store: Store, url: str, clock: Clock, hostile: str) -> None:
    known = incident(store, "shop-front", clock)
    store.enter(known, "resolved", "over")
    assert {past.id for past in search_incidents(url, hostile)} <= {known}


def test_where_nobody_knows_the_cause_the_same_alerts_of_another_object_are_shown(
    store: Store, url: str, clock: Clock
) -> None:
    first = incident(store, "shop-front", clock)
    store.enter(first, "resolved", "cured by hand")
    second = incident(store, "bank-back", clock)
    assert [(past.id, past.outcome) for past in show_incident(url, second).similar] == [(first, "cured by hand")]


def test_incidents_of_an_earlier_version_are_found(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.read_text())
    store = Store(f"sqlite:///{path}", clock)
    for _ in range(2):
        store.open()
    with store._engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM incident_words")).scalar() == 1
    store.close()
    assert [past.id for past in search_incidents(f"sqlite:///{path}", "inc-abcdef")] == ["inc-abcdef"]

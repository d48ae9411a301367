"""Killed at any moment, the agents go on from the store: nothing is lost, nothing is proposed twice.

Between any two things that can be seen from outside (a commit, a call to the API server) a process may die; a run is
repeated once for each of these moments, with everything in memory gone at that point and a new process going on.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session
from tests.support.waiting import eventually
from tests.unit.agents.conftest import Clock
from tests.unit.agents.payloads import payload
from tests.unit.agents.storm import NodeFailure

from interlock.agents.follow import Follower
from interlock.agents.incidents import list_incidents, show_incident
from interlock.agents.intake import take_in
from interlock.agents.payload import Payload
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.work import Worker


class Killed(BaseException):
    """The process is gone; nobody catches this."""


class Trigger:
    """Kills at the n-th moment."""

    def __init__(self, at: int) -> None:
        self.at, self.passed = at, 0

    def moment(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed


class Mortal:
    """A cluster, each of whose calls is a moment before and, where it writes, one after."""

    def __init__(self, cluster: NodeFailure, trigger: Trigger) -> None:
        self._cluster, self._trigger = cluster, trigger

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        call = getattr(self._cluster, name)

        async def mortal(*args: Any, **kwargs: Any) -> Any:
            self._trigger.moment()
            answer = await call(*args, **kwargs)
            if name == "create":
                self._trigger.moment()
            return answer

        return mortal


class Life:
    """The agents on one store and one cluster, life after life."""

    def __init__(self, url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self.clock, self.cluster = url, clock, NodeFailure(workloads=3)
        self.trigger = Trigger(0)
        commit = Session.commit

        def mortal(session: Session) -> None:
            self.trigger.moment()
            commit(session)
            self.trigger.moment()

        monkeypatch.setattr(Session, "commit", mortal)

    async def live(self, at: int) -> bool:
        """A new process until nothing more is to be done; False where it was killed at the moment `at`."""
        self.trigger = Trigger(at)
        cluster: Any = Mortal(self.cluster, self.trigger)
        store = Store(self.url, self.clock)
        try:
            store.open()
            store.receive(Payload.read(payload(*self.cluster.alerts(8), self.cluster.alert_of_its_own())))
            await self._work(store, cluster)
        except Killed:
            return False
        finally:
            self.trigger.at = 0
            store.close()
        return True

    async def _work(self, store: Store, cluster: Any) -> None:
        worker = Worker(AgentSettings(database_url=self.url), store, cluster, None, self.clock)
        follower = Follower(store, cluster, worker)
        for phase in ("", "AwaitingApproval", "Running", "Failed", ""):
            for body in self.cluster.created.values() if phase else ():
                if body["spec"]["runbook"]["name"].rpartition("-")[0] != "escalate":
                    body["status"] = {"phase": phase}
            await take_in(store, cluster, (), now=self.clock())
            for incident in store.due(self.clock()):
                await worker.advance(incident)
                store.release(incident.id)
            await follower.round()
            self.clock.advance(60)

    def outcome(self) -> list[tuple[str, str, int, list[tuple[str, str]]]]:
        """What an observer sees at the end: incidents, and what was asked for about each."""
        every = [show_incident(self.url, one.id) for one in list_incidents(self.url) if one.state != "folded"]
        return sorted(
            (str(one.target), one.state, len(one.alerts), [(e.runbook, e.phase) for e in one.executions])
            for one in every
        )

    def asked(self) -> list[tuple[str, str]]:
        """What stands on the API server."""
        specs = [body["spec"] for body in self.cluster.created.values()]
        return sorted((spec["runbook"]["name"], spec["target"]["name"]) for spec in specs)


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.crash)])
async def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    undisturbed = Life(f"sqlite:///{tmp_path}/undisturbed.db", Clock(), monkeypatch)
    assert await undisturbed.live(0)
    moments = undisturbed.trigger.passed
    expected, asked = undisturbed.outcome(), undisturbed.asked()
    assert len(expected) == 2
    assert moments > 40
    monkeypatch.undo()
    for at in range(1, moments + 1, stride):
        with pytest.MonkeyPatch.context() as patch:
            life = Life(f"sqlite:///{tmp_path}/{at}.db", Clock(), patch)
            if await life.live(at):
                continue
            assert await life.live(0)
            assert life.asked() == asked, f"killed at moment {at} of {moments}"
            assert life.outcome() == expected, f"killed at moment {at} of {moments}"


CHILD = """
import asyncio, sys
from tests.unit.agents.payloads import payload
from tests.unit.agents.storm import NodeFailure
from interlock.agents.inbox import Inbox
from interlock.agents.model import utc_now
from interlock.agents.payload import Payload
from interlock.agents.store import Store

async def main():
    store = Store(sys.argv[1], utc_now)
    store.open()
    inbox = Inbox(store, most_bytes=1 << 20)
    for n, alert in enumerate(NodeFailure(workloads=3).alerts(20_000)):
        await inbox.take(Payload.read(payload(alert)))
        print(n + 1, flush=True)

asyncio.run(main())
"""


def test_what_was_acknowledged_is_there_after_sigkill(tmp_path: Path, clock: Clock) -> None:
    url = f"sqlite:///{tmp_path / 'agents.db'}"
    out = tmp_path / "out"
    with out.open("wb") as written:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, url], stdout=written, env={**os.environ, "PYTHONPATH": "."}
        )
        try:
            eventually("the child to acknowledge some", lambda: out.read_bytes().count(b"\n") > 20)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
    acknowledged = out.read_bytes().count(b"\n")
    store = Store(url, clock)
    store.open()
    kept = len(store.unhandled(limit=1_000_000))
    store.close()
    assert acknowledged <= kept <= acknowledged + 1

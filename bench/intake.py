"""Alerts on their way in: how many are made durable a second, and how long one takes to become a proposal."""

import asyncio
import gc
import itertools
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text
from tests.unit.agents.payloads import payload, sent
from tests.unit.agents.storm import NodeFailure

from bench.figure import Counts, Figure, Goal, Result
from interlock.agents.inbox import Inbox
from interlock.agents.incidents import list_incidents
from interlock.agents.intake import take_in
from interlock.agents.model import utc_now
from interlock.agents.payload import Payload
from interlock.agents.serving import Server
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.tables import IncidentRow
from interlock.agents.webhook import PATH, TokenFile, create_app
from interlock.agents.work import Worker

SECONDS = 3.0
SENDERS = 8
STORM = 500
MOST_ALERTS = 60_000
RUNS = 3
"""Of which the middle one counts."""
READ_SECONDS = 0.01
"""How long the API server of the second measurement takes for a read."""


def figures() -> Iterator[Result]:
    """All of them."""
    with tempfile.TemporaryDirectory() as folder:
        yield from asyncio.run(_durable(Path(folder)))
        yield from asyncio.run(_proposal(Path(folder)))


async def _durable(folder: Path) -> list[Result]:
    store = Store(f"sqlite:///{folder}/alerts.db", utc_now)
    store.open()
    found: list[Result] = []
    try:
        for group in (50, 1):
            commits = await asyncio.to_thread(_commits, store)
            alerts = await _delivered(store, folder, group)
            what = f"alerts made durable by HTTP, {group} a delivery"
            found.append(Figure(what, alerts, commits, "commits of one row", "1/s", Goal(at_least=0.5)))
    finally:
        store.close()
    return found


def _commits(store: Store) -> float:
    """Commits of the same store a second, one after another."""
    done, begun = 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < SECONDS:
        with store._engine.begin() as connection:
            connection.execute(text("UPDATE schema_version SET version = version"))
        done += 1
    return done / spent


async def _delivered(store: Store, folder: Path, group: int) -> float:
    numbers = itertools.count()
    alerts = (sent(namespace="shop", pod=f"g{group}-{next(numbers)}") for _ in itertools.count())
    bodies = [payload(*itertools.islice(alerts, group)) for _ in range(MOST_ALERTS // group)]
    async with _served(store, folder) as port:
        arguments = (str(port), "token", PATH, str(SENDERS), str(SECONDS))
        senders = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.senders", *arguments), stdin=PIPE, stdout=PIPE
        )
        said, _ = await senders.communicate(b"\n".join(bodies))
    return float(said) * group


@asynccontextmanager
async def _served(store: Store, folder: Path) -> AsyncIterator[int]:
    token = folder / "token"
    token.write_text("token")
    app = create_app(Inbox(store, most_bytes=1 << 26), TokenFile(token), body_limit=1 << 23, wake=lambda: None)
    up = asyncio.Event()
    server = Server(app, AgentSettings(token_file=token), 0, up, tls=False)
    serving = asyncio.create_task(server.serve())
    await up.wait()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


class Slow:
    """A cluster whose reads take their time; `reading` is for how long at least one was under way."""

    def __init__(self, cluster: NodeFailure) -> None:
        self._cluster = cluster
        self._under_way = 0
        self._since = 0.0
        self.reading = 0.0

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        call = getattr(self._cluster, name)

        async def slow(*args: Any, **kwargs: Any) -> Any:
            if self._under_way == 0:
                self._since = time.perf_counter()
            self._under_way += 1
            await asyncio.sleep(READ_SECONDS)
            answer = await call(*args, **kwargs)
            self._under_way -= 1
            if self._under_way == 0:
                self.reading += time.perf_counter() - self._since
            return answer

        return slow


async def _proposal(folder: Path) -> list[Result]:
    found: list[Result] = []
    counts: list[tuple[str, tuple[float, ...]]] = []
    url = f"sqlite:///{folder}/agents.db"
    store = Store(url, utc_now)
    store.open()
    gc.freeze()  # as the agents do when they start
    for name, number in (("one alert", 1), (f"a storm of {STORM}", STORM)):
        runs: list[tuple[float, float]] = []
        for _ in range(1 + RUNS):  # statements and patterns are compiled in the first
            _forget(store)
            cluster = NodeFailure()
            alerts = [cluster.alert_of_its_own()] if number == 1 else cluster.alerts(number)
            runs.append(await _worked(store, cluster, alerts))
        spent, reading = sorted(runs[1:])[RUNS // 2]
        goal = Goal(at_most=2) if number == 1 else None
        found.append(Figure(f"{name} to its proposal", spent * 1e3, reading * 1e3, "its reads", "ms", goal))
        live = [one for one in list_incidents(url) if one.state != "folded"]
        counts.append((name, (len(live), len(cluster.created), cluster.reads)))
    store.close()
    return [*found, Counts("What alerts come to", ("incidents", "proposals", "reads"), counts)]


def _forget(store: Store) -> None:
    with store._engine.begin() as connection:
        for table in reversed(IncidentRow.metadata.sorted_tables):
            connection.execute(table.delete())


async def _worked(store: Store, cluster: NodeFailure, alerts: list[dict[str, Any]]) -> tuple[float, float]:
    """Seconds until the proposal stands, and seconds of these in which the API server was asked."""
    slow = Slow(cluster)
    api: Any = slow
    worker = Worker(AgentSettings(), store, api, None, utc_now)
    begun = time.perf_counter()
    store.receive(Payload.read(payload(*alerts)))
    await take_in(store, api, ())
    for incident in store.due(utc_now()):
        await worker.advance(incident)
    return time.perf_counter() - begun, slow.reading

"""The agents as one process: a webhook that takes alerts, a worker that acts on incidents, a follower of executions.

The three share nothing but the store and a bell; each may be interrupted at any point and goes on from the store.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from interlock.agents.cluster import Cluster
from interlock.agents.errors import AccessDeniedError, ClusterUnavailableError, StoreUnavailableError
from interlock.agents.evidence.metrics import Metrics
from interlock.agents.follow import Follower
from interlock.agents.intake import take_in
from interlock.agents.model import utc_now
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.webhook import TokenFile, create_app
from interlock.agents.work import Worker

_log = logging.getLogger(__name__)


async def run(settings: AgentSettings, *, ready: asyncio.Event | None = None) -> None:
    """Serves until SIGTERM or SIGINT, or until the task is cancelled; sets `ready` once alerts are taken.

    Raises:
        StoreUnavailableError: the store cannot be opened.
        OSError: the address cannot be listened on.
    """
    store = Store(settings.database_url, utc_now)
    await asyncio.to_thread(store.open)
    try:
        async with await Cluster.connect(settings.kubeconfig, settings.call_timeout) as cluster:
            await _serve(settings, store, cluster, ready or asyncio.Event())
    finally:
        store.close()


async def _serve(settings: AgentSettings, store: Store, cluster: Cluster, ready: asyncio.Event) -> None:
    metrics = Metrics(settings.prometheus_url, settings.query_timeout) if settings.prometheus_url else None
    worker = Worker(settings, store, cluster, metrics, utc_now)
    follower = Follower(store, cluster, worker)
    bell, stop = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await take_in(store, cluster, settings.namespaces)
        for incident in await asyncio.to_thread(store.due, utc_now()):
            await worker.advance(incident)

    app = create_app(
        store,
        TokenFile(settings.token_file),
        body_limit=settings.body_limit,
        wake=bell.set,
        is_ready=lambda: ready.is_set() and not stop.is_set(),
    )
    with _stopped_by_signals(stop):
        async with asyncio.TaskGroup() as group:
            server = _Server(app, settings, ready)
            tasks = [
                group.create_task(server.serve()),
                group.create_task(_repeat("worker", work, settings.poll, bell)),
                group.create_task(_repeat("follower", follower.round, settings.poll, asyncio.Event())),
            ]
            await _first(stop, tasks[0])
            stop.set()
            server.should_exit = True
            for task in tasks[1:]:
                task.cancel()


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers, saying when it listens."""

    def __init__(self, app: FastAPI, settings: AgentSettings, ready: asyncio.Event) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=5,
                server_header=False,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets=sockets)  # type: ignore[arg-type]
        if self.started:
            self._ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _repeat(name: str, step: Callable[[], Awaitable[None]], seconds: float, bell: asyncio.Event) -> None:
    """Does the step for ever, after the bell or after so many seconds; what is out of reach is tried again."""
    while True:
        bell.clear()
        try:
            await step()
        except (StoreUnavailableError, ClusterUnavailableError, AccessDeniedError) as failure:
            _log.warning("%s: %s", name, failure)
        with suppress(TimeoutError):
            await asyncio.wait_for(bell.wait(), seconds)


async def _first(stop: asyncio.Event, server: asyncio.Task[None]) -> None:
    """Until a stop is asked for or the server ends by itself."""
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({stopped, server}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled = []
    for one in (signal.SIGTERM, signal.SIGINT):
        with suppress(ValueError, RuntimeError, NotImplementedError):  # only the main thread can have them
            loop.add_signal_handler(one, stop.set)
            handled.append(one)
    try:
        yield
    finally:
        for one in handled:
            loop.remove_signal_handler(one)

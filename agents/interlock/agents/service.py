"""The agents as one process: a webhook that takes alerts, intake, a crew that works on incidents, a follower.

They share nothing but the store and bells; each may be interrupted at any point and goes on from the store, in this
process or in another one.
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from starlette.applications import Starlette

from interlock.agents.cluster import Cluster
from interlock.agents.crew import Crew
from interlock.agents.errors import AccessDeniedError, ClusterUnavailableError, StoreUnavailableError
from interlock.agents.evidence.metrics import Metrics
from interlock.agents.follow import Follower
from interlock.agents.inbox import Inbox
from interlock.agents.intake import take_in
from interlock.agents.llm.advice import Adviser
from interlock.agents.llm.start import advising
from interlock.agents.model import utc_now
from interlock.agents.rules import RulesFile
from interlock.agents.serving import Server, renew
from interlock.agents.settings import AgentSettings
from interlock.agents.store import Store
from interlock.agents.webhook import TokenFile, create_app, health
from interlock.agents.work import Worker

_log = logging.getLogger(__name__)


async def run(settings: AgentSettings, *, ready: asyncio.Event | None = None) -> None:
    """Serves until SIGTERM or SIGINT, or until the task is cancelled; sets `ready` once alerts are taken.

    Raises:
        StoreUnavailableError: the store cannot be opened.
        RulesError: the file of rules is missing or wrong.
        OSError: the address cannot be listened on.
    """
    gc.freeze()  # what was imported stays; to walk it again would hold up every incident
    store = Store(settings.database_url, utc_now, lease=settings.lease)
    await asyncio.to_thread(store.open)
    try:
        async with (
            await Cluster.connect(settings.kubeconfig, settings.call_timeout) as cluster,
            advising(
                settings.llm, settings.database_url, cluster, min_confidence=settings.min_confidence, now=utc_now
            ) as adviser,
        ):
            await _serve(settings, store, cluster, adviser, ready or asyncio.Event())
    finally:
        store.close()


async def _serve(
    settings: AgentSettings, store: Store, cluster: Cluster, adviser: Adviser | None, ready: asyncio.Event
) -> None:
    metrics = Metrics(settings.prometheus_url, settings.query_timeout) if settings.prometheus_url else None
    worker = Worker(settings, store, cluster, metrics, utc_now, adviser=adviser)
    follower = Follower(store, cluster, worker)
    crew = Crew(store, worker, parallel=settings.parallel, renew_after=settings.lease / 3)
    rules, flap = RulesFile(settings.rules_file), timedelta(seconds=settings.flap_window)
    bell, stop = asyncio.Event(), asyncio.Event()

    async def intake() -> None:
        if await take_in(store, cluster, settings.namespaces, rules=rules.current(), flap=flap):
            crew.wake()

    app = create_app(
        Inbox(store, most_bytes=settings.inbox_limit),
        TokenFile(settings.token_file),
        body_limit=settings.body_limit,
        wake=bell.set,
        rules=rules.current,
    )
    servers = _servers(settings, app, store, ready, stop)
    with _stopped_by_signals(stop):
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(servers[0].serve()),
                group.create_task(_repeat("intake", intake, settings.poll, bell)),
                group.create_task(_repeat("work", crew.round, settings.poll, crew.bell)),
                group.create_task(_repeat("follower", follower.round, settings.poll, asyncio.Event())),
            ]
            others = [group.create_task(server.serve()) for server in servers[1:]]
            if settings.tls_cert_file is not None:
                key = settings.tls_key_file or settings.tls_cert_file
                tasks.append(group.create_task(renew(servers[0], settings.tls_cert_file, key)))
            await _first(stop, tasks[0])
            stop.set()
            for server in servers:
                server.should_exit = True
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*others)
            await crew.stop()


def _servers(
    settings: AgentSettings, app: Starlette, store: Store, ready: asyncio.Event, stop: asyncio.Event
) -> list[Server]:
    """The webhook, and beside it what the kubelet asks where that has a port of its own."""

    def is_ready() -> bool:
        return ready.is_set() and not stop.is_set()

    webhook = Server(app, settings, settings.port, ready, tls=True)
    if settings.health_port is None:
        app.routes.extend(health(store, is_ready))
        return [webhook]
    apart = Starlette(routes=health(store, is_ready))
    return [webhook, Server(apart, settings, settings.health_port, asyncio.Event(), tls=False)]


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

"""Starts the operator's parts in order, watches over them, and stops them in order."""

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from interlock.crds.celprocess import Evaluator
from interlock.crds.names import AUDIT_FINALIZER
from interlock.crds.types import API_VERSION
from interlock.operator.api import Api, Unavailable
from interlock.operator.archive import Archive
from interlock.operator.archive import migrate as schema
from interlock.operator.archiver import Archiver
from interlock.operator.checks import Checks, Prometheus
from interlock.operator.events import Events
from interlock.operator.facts import Facts
from interlock.operator.health import Health
from interlock.operator.keys import made_once
from interlock.operator.lease import Leadership, NotLeader
from interlock.operator.look import Observer
from interlock.operator.queue import Queue, Worker
from interlock.operator.reconcile import Reconciler
from interlock.operator.record import Recorder
from interlock.operator.runner import Runners
from interlock.operator.session import Rhythm, utc_now
from interlock.operator.settings import OperatorSettings
from interlock.operator.steps import Steps
from interlock.operator.upkeep import Upkeep
from interlock.operator.watch import Watch

log = logging.getLogger(__name__)


class WatchEnded(Exception):
    """The watch is dead: the operator stops rather than sit there and see nothing."""


class Stopped(Exception):
    """Asked to stop, by a signal."""


async def run(settings: OperatorSettings) -> None:
    """Runs until SIGTERM or SIGINT, then stops cleanly: work in hand is left at a durable point, the Lease given back.

    Raises:
        WatchEnded: the watch died and cannot be trusted any more; start the process again.
        ApiError: the API server was never reached.
    """
    async with _operator(settings) as (leadership, queue, health, api, upkeep):
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(leadership.keep(), name="lease")
                group.create_task(_until_signal(), name="signals")
                await leadership.acquired.wait()
                watch = Watch(api.connection, _from_thread(queue))
                health.watch = watch
                watch.start()
                try:
                    group.create_task(_watch_over(watch), name="watch")
                    group.create_task(_sweep(api, queue), name="sweep")
                    group.create_task(upkeep.run(), name="upkeep")
                    await queue.run(settings.workers)
                finally:
                    await asyncio.to_thread(watch.stop)
        except* Stopped:
            log.info("stopping")


@asynccontextmanager
async def _operator(settings: OperatorSettings) -> AsyncIterator[tuple[Leadership, Queue, Health, Api, Upkeep]]:
    identity = settings.identity or f"{socket.gethostname()}-{os.getpid()}"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        api = await Api.connect(settings.kubeconfig, settings.request_timeout_seconds)
        stack.push_async_callback(api.close)
        await asyncio.to_thread(schema.upgrade, settings.archive())
        archive = Archive(settings.archive())
        stack.callback(archive.close)
        evaluator = await stack.enter_async_context(Evaluator())
        runners = Runners(api)
        stack.push_async_callback(runners.close)
        leadership = Leadership(api, identity, settings.lease_seconds)
        upkeep = Upkeep.of(settings, api, leadership, archive)
        stack.push_async_callback(upkeep.heads.last)
        archiver = Archiver(archive)
        stack.push_async_callback(archiver.close)
        observer = Observer(api)
        checks = Checks(evaluator, Prometheus(settings.prometheus_url, settings.request_timeout_seconds))
        reconciler = Reconciler(
            facts=Facts(api, observer, checks, allow_unvetted=settings.allow_unvetted, clock=utc_now),
            steps=Steps(api, runners, evaluator, _redaction_key(settings), leadership.fence),
            runners=runners,
            recorder=Recorder(api, leadership, archiver, Events(api, identity)),
            rhythm=Rhythm(poll=settings.poll_seconds, drift=settings.drift_seconds),
        )
        queue = Queue(_only_as_leader(reconciler))
        health = Health(leadership, queue)
        await stack.enter_async_context(health.serve(settings.health_host, settings.health_port))
        if settings.allow_unvetted:
            log.warning("runbooks run without an attestation: this is for labs only")
        yield leadership, queue, health, api, upkeep


def _only_as_leader(reconciler: Reconciler) -> Worker:
    async def work(key: str) -> float | None:
        try:
            return await reconciler.reconcile(key)
        except NotLeader:
            return 1.0

    return work


def _from_thread(queue: Queue) -> Callable[[str], None]:
    """Keys from the watch's thread into the queue's loop."""
    loop = asyncio.get_running_loop()

    def add(key: str) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(queue.add, key)

    return add


async def _watch_over(watch: Watch) -> None:
    await asyncio.to_thread(watch.ended.wait)
    raise WatchEnded(f"the watch ended: {watch.error or 'without an error'}") from watch.error


async def _until_signal() -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()
    raise Stopped


async def _sweep(api: Api, queue: Queue) -> None:
    """What the watch does not show: finished executions that are not archived yet. Once, at the start."""
    path = await api.path(API_VERSION, "RunbookExecution", None)
    metadata_only = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    query = {"limit": "500"}
    while True:
        try:
            page = await api.request("GET", path, query=query, accept=metadata_only)
        except Unavailable as error:
            log.warning("sweep: %s", error)
            await asyncio.sleep(5)
            continue
        for item in page["items"] or ():
            if AUDIT_FINALIZER in (item["metadata"].get("finalizers") or ()):
                queue.add(f"{item['metadata']['namespace']}/{item['metadata']['name']}")
        if not (token := page["metadata"].get("continue")):
            return
        query["continue"] = token


def _redaction_key(settings: OperatorSettings) -> bytes:
    """The key under which hidden values are compared."""
    return made_once(settings.data_dir / "redaction.key", lambda: secrets.token_bytes(32))

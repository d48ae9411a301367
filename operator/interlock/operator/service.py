"""Starts the operator's parts in order, watches over them, and stops them in order."""

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from interlock.crds.celprocess import Evaluator
from interlock.operator.alarm import Alarm
from interlock.operator.api import Api, connecting
from interlock.operator.archive import Archive
from interlock.operator.archive import migrate as schema
from interlock.operator.archiver import Archiver
from interlock.operator.checks import Checks, Prometheus
from interlock.operator.errors import ApiError
from interlock.operator.events import Events
from interlock.operator.facts import Facts
from interlock.operator.health import Health
from interlock.operator.keys import made_once
from interlock.operator.lease import Leadership
from interlock.operator.ledgers import Ledgers, LedgerStore
from interlock.operator.look import Observer
from interlock.operator.queue import Queue
from interlock.operator.reconcile import Reconciler
from interlock.operator.record import Recorder
from interlock.operator.relist import Relist, Told
from interlock.operator.runner import Runners
from interlock.operator.selfcheck import SelfCheck
from interlock.operator.session import Rhythm, utc_now
from interlock.operator.settings import OperatorSettings
from interlock.operator.shards import Shards
from interlock.operator.steps import Steps
from interlock.operator.trial import IN_EARNEST, Trial
from interlock.operator.trust import Trust
from interlock.operator.upkeep import Upkeep
from interlock.operator.watch import Hear, Heard, Watch
from interlock.operator.work import Work

log = logging.getLogger(__name__)


class Stopped(Exception):
    """Asked to stop, by a signal."""


@dataclass(frozen=True)
class Operator:
    """The parts that run side by side."""

    leadership: Leadership
    queue: Queue
    watch: Watch
    relist: Relist
    upkeep: Upkeep
    guard: SelfCheck
    alarm: Alarm
    gained: asyncio.Queue[str]


@dataclass(frozen=True)
class Acting:
    """What allows this process to act: it leads, and what guards the cluster stands."""

    leadership: Leadership
    guard: SelfCheck

    def check(self) -> None:
        """Called right before each effect.

        Raises:
            NotLeader: somebody else leads, or may lead by now.
            Unguarded: what guards the cluster does not stand.
        """
        self.leadership.check()
        self.guard.check()

    async def until_allowed(self) -> None:
        """Returns when both hold."""
        while not (self.leadership.leads and self.guard.well):
            await self.leadership.until_leading()
            await self.guard.until_well()


async def run(settings: OperatorSettings, trial: Trial = IN_EARNEST) -> None:
    """Runs until SIGTERM or SIGINT, then hands over: no new work, work in hand comes to a durable point, within
    `grace_seconds` and until a second signal; then the Lease is given back. If it does not, the Lease runs out instead.
    Only vetting gives it a trial.

    Raises:
        WatchEnded: the watch died and cannot be trusted any more; start the process again.
        ApiError: the API server was never reached.
    """
    signals = _signals()
    async with _operator(settings, trial) as parts:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(parts.leadership.keep(), name="lease")
                group.create_task(parts.guard.keep(), name="self-check")
                group.create_task(parts.alarm.keep(), name="alarm")
                group.create_task(parts.relist.run(), name="relist")
                group.create_task(_gain(parts), name="gain")
                group.create_task(parts.queue.run(settings.workers), name="queue")
                group.create_task(_watch_when_leading(parts), name="watch")
                group.create_task(parts.upkeep.run(), name="upkeep")
                await signals.get()
                await _hand_over(parts, signals, settings.grace_seconds)
                raise Stopped
        except* Stopped:
            log.info("stopped")


async def _hand_over(parts: Operator, signals: asyncio.Queue[signal.Signals], grace: float) -> None:
    log.info("stopping: work in hand comes to a durable point, within %.0f s", grace)
    parts.leadership.drain()
    drained = asyncio.create_task(parts.queue.drain(grace))
    second = asyncio.create_task(signals.get())
    await asyncio.wait({drained, second}, return_when=asyncio.FIRST_COMPLETED)
    second.cancel()
    drained.cancel()
    if parts.queue.in_work == 0:
        await parts.leadership.release()


def _signals() -> asyncio.Queue[signal.Signals]:
    asked: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.put_nowait, number)
    return asked


async def _watch_when_leading(parts: Operator) -> None:
    await parts.leadership.until_leading()
    await parts.watch.keep()


async def _gain(parts: Operator) -> None:
    """Takes up the executions of namespaces that have become ours."""
    while True:
        namespace = await parts.gained.get()
        try:
            await parts.relist.gain(namespace)
        except ApiError as error:
            log.warning("%s: %s; will be tried again", namespace, error)
            asyncio.get_running_loop().call_later(error.retry_after or 1, parts.gained.put_nowait, namespace)


@asynccontextmanager
async def _operator(settings: OperatorSettings, trial: Trial) -> AsyncIterator[Operator]:
    identity = settings.identity or f"{socket.gethostname()}-{os.getpid()}"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        api = await Api.connect(settings.kubeconfig, settings.request_timeout_seconds)
        stack.push_async_callback(api.close)
        leadership = Leadership(
            api,
            identity,
            settings.lease_seconds,
            shard=settings.shard,
            in_flight=settings.request_timeout_seconds,
        )
        await asyncio.to_thread(schema.upgrade, settings.archive())
        archive = Archive(settings.archive())
        stack.callback(archive.close)
        ledgers = Ledgers(LedgerStore(api, leadership), utc_now)
        trust = _trust(settings, api)
        upkeep = Upkeep.of(settings, api, leadership, archive, ledgers, trust=trust)
        stack.push_async_callback(upkeep.heads.last)
        archiver = Archiver(archive)
        stack.push_async_callback(archiver.close)
        events = Events(api, identity)
        recorder = Recorder(api, leadership, archiver, events, trial)
        guard = SelfCheck(api, settings.check_seconds)
        acting = Acting(leadership, guard)
        reconciler = await _reconciler(
            stack, settings, api, acting, recorder, ledgers=ledgers, trial=trial, trust=trust
        )
        parts = _parts(settings, api, acting, reconciler, upkeep, events=events)
        health = Health(leadership, parts.queue, parts.watch, guard)
        await stack.enter_async_context(health.serve(settings.health_host, settings.health_port))
        log.info("health and metrics on port %d", health.port)
        yield parts


async def _reconciler(
    stack: AsyncExitStack,
    settings: OperatorSettings,
    api: Api,
    acting: Acting,
    recorder: Recorder,
    *,
    ledgers: Ledgers,
    trial: Trial,
    trust: Trust,
) -> Reconciler:
    evaluator = await stack.enter_async_context(Evaluator(time_scale=trial.time_scale))
    runners = Runners(api, trial)
    stack.push_async_callback(runners.close)
    observer = Observer(api)
    checks = Checks(evaluator, Prometheus(settings.prometheus_url, settings.request_timeout_seconds))
    return Reconciler(
        facts=Facts(api, observer, checks, ledgers, trust=trust, clock=utc_now),
        steps=Steps(api, runners, evaluator, _redaction_key(settings), acting.check, trial=trial),
        runners=runners,
        recorder=recorder,
        ledgers=ledgers,
        rhythm=Rhythm(poll=settings.poll_seconds, drift=settings.drift_seconds),
        trial=trial,
    )


def _trust(settings: OperatorSettings, api: Api) -> Trust:
    """Whom to trust; a policy that is wrong from the start is said at once.

    Raises:
        PolicyRefused: it cannot be read.
    """
    trust = Trust(api, settings.trust_policy, utc_now, allow_unvetted=settings.allow_unvetted)
    keys = trust.policy().keys
    if settings.allow_unvetted:
        log.warning("runbooks run without an attestation: this is for labs only")
    elif not keys:
        log.warning("no key is trusted, so no runbook runs: see INTERLOCK_OPERATOR_TRUST_POLICY")
    return trust


def _parts(
    settings: OperatorSettings, api: Api, acting: Acting, reconciler: Reconciler, upkeep: Upkeep, *, events: Events
) -> Operator:
    leadership = acting.leadership
    gained: asyncio.Queue[str] = asyncio.Queue()
    shards = Shards(api, settings.shard, gained.put_nowait)
    work = Work(reconciler.reconcile, reconciler.forget, leadership, shards)
    queue = Queue(work, gate=acting.until_allowed)

    def heard(of: Heard) -> None:
        queue.add(of.key, behind=of.waits, stale=partial(reconciler.knows, of.version))

    watch = Watch(connecting(settings.kubeconfig), Hear(execution=heard, namespace=shards.told))
    relist = Relist(
        api,
        partial(queue.add, behind=True),
        Told(watch.versions, watch.restart),
        seconds=settings.resync_seconds,
        grace=min(10.0, settings.resync_seconds / 2),
        leadership=leadership,
    )
    alarm = Alarm(api, leadership, acting.guard, events, unfinished=watch.versions.keys(), owns=shards.owns)
    return Operator(leadership, queue, watch, relist, upkeep, acting.guard, alarm, gained)


def _redaction_key(settings: OperatorSettings) -> bytes:
    """The key under which hidden values are compared: the one that is given, or one that is made once."""
    if settings.redaction_key is not None:
        return settings.redaction_key.read_bytes()
    return made_once(settings.data_dir / "redaction.key", lambda: secrets.token_bytes(32))

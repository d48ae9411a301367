"""Kopf watches; nothing else in the operator knows it.

It runs in a thread and an event loop of its own, so that neither can block the other, and only says which execution
may have changed, and what shard a namespace is labelled with. Finished executions are kept out by field selectors; one
that finishes arrives as deleted with its old content, so what an event carries is never believed, only its key.

Kopf ends at what it does not expect: an HTTP 410 instead of an event, a credential that is refused twice, a server
that stays away. `Watch` starts it anew, later each time, with the credential as it is on disk by then, and gives up
loudly when that fails often in a row.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import kopf

from interlock.crds.types import GROUP, VERSION
from interlock.operator import metrics
from interlock.operator.api import Connect
from interlock.operator.relist import UNFINISHED

log = logging.getLogger(__name__)

PLURAL = "runbookexecutions"
ATTEMPTS = 10
"""So often in a row the watch may end before it has lived for STEADY_SECONDS; then the process ends."""
STEADY_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.5
LAST_PAUSE_SECONDS = 30.0
_PING_SECONDS = 5.0
_UNANSWERED = 6


class WatchEnded(Exception):
    """The watch is dead beyond restart: the operator stops rather than sit there and see nothing."""


@dataclass(frozen=True)
class Heard:
    """An execution that may have changed."""

    key: str
    version: str
    waits: bool
    """Whether, by what the event carries, it waits for a person and nobody has decided: others go before it."""


@dataclass(frozen=True)
class Hear:
    """Who is told, in the loop of the rest of the operator."""

    execution: Callable[[Heard], None]
    namespace: Callable[[str | None, Mapping[str, Any]], None]


class Watch:
    """Tells of every unfinished execution that may have changed, and of every namespace, for as long as it runs."""

    def __init__(self, connect: Connect, hear: Hear) -> None:
        self._connect = connect
        self._hear = hear
        self._run: _Run | None = None
        self._failures = 0
        self._heard = time.monotonic()
        self._why = ""
        self.versions: dict[str, int] = {}
        self._phases: dict[str, str] = {}

    def count(self, phase: str) -> int:
        """How many unfinished executions are in this phase, by what the watch has told."""
        return list(self._phases.values()).count(phase)

    @property
    def trouble(self) -> str:
        """What is wrong with the watch now; empty while it runs and has listed what there is."""
        run = self._run
        if run is None or not run.thread.is_alive():
            return f"not running, {self._failures} attempts failed: {self._why or 'it was not started yet'}"
        if not run.told:
            return f"started, has told of nothing yet; {self._failures} attempts failed before"
        if run.unanswered >= _UNANSWERED:
            return f"its loop has not answered for {run.unanswered * _PING_SECONDS:.0f} s"
        return ""

    @property
    def hopeless(self) -> bool:
        """Whether it cannot recover by itself."""
        stuck = self._run is not None and self._run.unanswered >= _UNANSWERED
        return stuck or self._failures >= ATTEMPTS

    @property
    def silence(self) -> float:
        """Seconds since it last told of anything."""
        return time.monotonic() - self._heard

    def restart(self, why: str) -> None:
        """Ends the present run, which is followed by a new one."""
        log.warning("the watch is started anew: %s", why)
        if self._run is not None:
            self._run.stop.set()

    async def keep(self) -> NoReturn:
        """Watches until cancelled.

        Raises:
            WatchEnded: it ended too often in a row, or hangs.
        """
        loop = asyncio.get_running_loop()
        while True:
            self.versions.clear()
            self._phases.clear()
            run = self._run = _Run(self._connect, self._told(loop), self.versions, self._phases)
            began = time.monotonic()
            try:
                await self._until_ended(run)
            finally:
                run.stop.set()
                await asyncio.to_thread(run.thread.join, 10)
            self._why = f"{type(run.error).__name__}: {run.error}" if run.error else "it ended without an error"
            self._failures = 1 if time.monotonic() - began > STEADY_SECONDS else self._failures + 1
            if self._failures >= ATTEMPTS:
                raise WatchEnded(f"the watch ended {ATTEMPTS} times in a row, at last: {self._why}") from run.error
            metrics.WATCH_RESTARTS.inc()
            pause = min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1))
            log.warning("the watch ended and is started anew in %.1f s: %s", pause, self._why)
            await asyncio.sleep(pause)

    async def _until_ended(self, run: "_Run") -> None:
        run.thread.start()
        while run.thread.is_alive():
            await asyncio.to_thread(run.thread.join, _PING_SECONDS)
            run.ping()
            if run.unanswered >= 2 * _UNANSWERED:
                raise WatchEnded(f"the watch hangs: {self.trouble}")

    def _told(self, loop: asyncio.AbstractEventLoop) -> Hear:
        """Crosses from the watch's thread into the loop of the rest; what comes after its end is of no interest."""

        def execution(heard: Heard) -> None:
            self._heard = time.monotonic()
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._hear.execution, heard)

        def namespace(event: str | None, body: Mapping[str, Any]) -> None:
            self._heard = time.monotonic()
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._hear.namespace, event, body)

        return Hear(execution, namespace)


class _Run:
    """One life of Kopf."""

    def __init__(self, connect: Connect, hear: Hear, versions: dict[str, int], phases: dict[str, str]) -> None:
        self._connect = connect
        self._hear = hear
        self._versions = versions
        self._phases = phases
        self._loop: asyncio.AbstractEventLoop | None = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._main, name="watch", daemon=True)
        self.error: BaseException | None = None
        self.told = False
        self.unanswered = 0

    def ping(self) -> None:
        """Asks the loop for a sign of life; `unanswered` counts how often in a row it gave none."""
        self.unanswered += 1
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pong)

    def _pong(self) -> None:
        self.unanswered = 0

    def _main(self) -> None:
        try:
            asyncio.run(self._watch())
        except Exception as error:  # noqa: BLE001 - whatever ends the thread is told to the supervisor
            self.error = error

    async def _watch(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await kopf.operator(
                registry=self._registry(), settings=_settings(), clusterwide=True, standalone=True, stop_flag=self.stop
            )
        finally:
            # Kopf leaves a thread that waits for the flag; the loop would wait for that thread, and never end.
            self.stop.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(self._login)
        kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)(self._execution)
        kopf.on.event("", "v1", "namespaces", registry=registry)(self._namespace)
        return registry

    async def _login(self, **_: Any) -> kopf.ConnectionInfo:
        connection = await self._connect()
        key = connection.api_key.get("BearerToken") or connection.api_key.get("authorization") or ""
        return kopf.ConnectionInfo(
            server=connection.host,
            ca_path=connection.ssl_ca_cert,
            token=key.split(" ", 1)[-1] or None,
            certificate_path=connection.cert_file,
            private_key_path=connection.key_file,
        )

    async def _execution(self, *, type: str | None, meta: kopf.Meta, body: kopf.Body, **_: Any) -> None:
        self.told = True
        key = f"{meta['namespace']}/{meta['name']}"
        if type == "DELETED":
            self._versions.pop(key, None)
            self._phases.pop(key, None)
        else:
            self._phases[key] = (body.get("status") or {}).get("phase", "")
            self._versions[key] = int(meta["resourceVersion"])
        self._hear.execution(Heard(key, meta["resourceVersion"], _waits(body)))

    async def _namespace(self, *, type: str | None, body: kopf.Body, **_: Any) -> None:
        self.told = True  # there are always namespaces: the first list has arrived
        self._hear.namespace(type, body)


def _waits(body: Mapping[str, Any]) -> bool:
    spec, status = body.get("spec") or {}, body.get("status") or {}
    offered = (status.get("plan") or {}).get("digest")
    decided = any(decision.get("subject") == offered for decision in spec.get("decisions") or ())
    stopped = spec.get("cancelled") or body["metadata"].get("deletionTimestamp")
    return status.get("phase") == "AwaitingApproval" and not decided and not stopped


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None  # it would kill this process, which only wants to start it anew
    # The API server sends a bookmark each minute: a stream without any event for longer hangs.
    settings.watching.inactivity_timeout = 75
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 10
    settings.watching.reconnect_backoff = 1  # each 410 costs a list: a storm of them must not become one of lists
    settings.networking.request_timeout = 60
    settings.networking.error_backoffs = (1, 2, 4)
    settings.watching.field_selectors[GROUP, PLURAL] = UNFINISHED
    logging.getLogger("kopf").setLevel(logging.WARNING)
    return settings

"""The health port: /livez, /readyz and /metrics say what is so, with reasons as text.

/livez fails where only a new process helps: the watch is dead beyond restart or hangs, or the lease loop is stuck.
If the event loop itself is blocked, nothing answers, which a probe takes for the same. /readyz fails while this process
can neither work nor stand in: the leader must be watching; a standby must see the Lease.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from interlock.operator import metrics
from interlock.operator.lease import Leadership
from interlock.operator.queue import Queue
from interlock.operator.selfcheck import SelfCheck
from interlock.operator.watch import Watch


@dataclass(frozen=True)
class Finding:
    """One aspect of the process, and whether it is well."""

    name: str
    well: bool
    says: str

    def __str__(self) -> str:
        return f"[{'+' if self.well else '-'}] {self.name}: {self.says}"


class Health:
    """Answers probes with the true state."""

    def __init__(self, leadership: Leadership, queue: Queue, watch: Watch, guard: SelfCheck) -> None:
        self._leadership = leadership
        self._queue = queue
        self._watch = watch
        self._guard = guard
        self.port = 0
        metrics.observe(metrics.LEADING, lambda: float(leadership.leads))
        metrics.observe(metrics.EPOCH, lambda: float(leadership.epoch))
        metrics.observe(metrics.UNGUARDED, lambda: float(not guard.well))
        metrics.observe(metrics.QUEUE_DEPTH, lambda: float(queue.waiting))
        metrics.observe(metrics.IN_WORK, lambda: float(queue.in_work))
        metrics.observe(metrics.QUEUE_OLDEST, lambda: queue.oldest)
        metrics.observe(metrics.EVENT_AGE, lambda: watch.silence)
        for phase in ("AwaitingApproval", "AwaitingPerson"):
            metrics.observe(metrics.AWAITING.labels(phase), partial(self._awaiting, phase))

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[None]:
        """Serves until the context ends; port 0 takes a free one and `port` tells which."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    def _awaiting(self, phase: str) -> float:
        return float(self._watch.count(phase)) if self._leadership.leads else 0.0

    async def _livez(self, _: web.Request) -> web.Response:
        return _answer(self.live())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self.ready())

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=metrics.served(), headers={"Content-Type": metrics.CONTENT_TYPE})

    def live(self) -> list[Finding]:
        """What only a new process can mend."""
        trouble = self._watch.trouble if self._leadership.leads else ""
        return [
            Finding("watch", not self._watch.hopeless, trouble or "ok"),
            Finding("lease loop", not self._leadership.stuck, "stuck" if self._leadership.stuck else "ok"),
        ]

    def ready(self) -> list[Finding]:
        """What keeps this process from working, or from standing in."""
        trouble = self._leadership.trouble
        guarded = Finding("self-check", self._guard.well, self._guard.trouble or "ok")
        if not self._leadership.leads:
            return [
                *self.live(),
                guarded,
                Finding("standby", not trouble, trouble or "another leads; waiting to take over"),
            ]
        return [
            *self.live(),
            guarded,
            Finding("leader", True, f"epoch {self._leadership.epoch}, {self._queue.waiting} waiting"),
            Finding("watching", not self._watch.trouble, self._watch.trouble or "ok"),
        ]


def _answer(findings: list[Finding]) -> web.Response:
    well = all(finding.well for finding in findings)
    return web.Response(text="".join(f"{finding}\n" for finding in findings), status=200 if well else 503)

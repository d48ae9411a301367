"""The health endpoint: /livez says whether the watch runs, /readyz whether this process leads and works."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from interlock.operator.lease import Leadership
from interlock.operator.queue import Queue
from interlock.operator.watch import Watch


class Health:
    """Answers probes with the true state."""

    def __init__(self, leadership: Leadership, queue: Queue) -> None:
        self._leadership = leadership
        self._queue = queue
        self.watch: Watch | None = None
        self.port = 0

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[None]:
        """Serves until the context ends; port 0 takes a free one and `port` tells which."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        dead = self.watch is not None and not self.watch.alive
        return web.json_response({"watch": "dead" if dead else "ok"}, status=503 if dead else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        leads = self._leadership.leads
        watching = self.watch is not None and self.watch.alive
        state = {"leads": leads, "watching": watching, "queue": len(self._queue)}
        return web.json_response(state, status=200 if leads and watching else 503)

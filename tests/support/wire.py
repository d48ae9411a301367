"""A wire to the API server on which watches can be disturbed: refused, cut, or left without a word."""

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

Disturbance = Literal["none", "gone", "silent", "refused"]
_OWN = frozenset({"connection", "content-length", "transfer-encoding", "date", "server", "host"})


class Wire:
    """Passes everything on, but for what is done to watches."""

    def __init__(self, server: str, tls: ssl.SSLContext) -> None:
        self._server = server
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.Transport] = set()
        self.watches: Disturbance = "none"
        self.seen: Counter[Disturbance] = Counter()
        self.url = ""

    def disturb(self, watches: Disturbance) -> None:
        """What happens to watches from now on; those that are open are cut."""
        self.watches = watches
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for transport in self._open:
            transport.abort()

    @contextmanager
    def serving(self) -> Iterator["Wire"]:
        """Serves on a free port, in a thread of its own."""
        ready, stop = threading.Event(), asyncio.Event()
        thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(ready, stop),))
        thread.start()
        ready.wait()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(stop.set)
            thread.join()
            self._loop.close()

    async def _serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0), timeout=timeout, auto_decompress=False
        ) as self._session:
            app = web.Application(client_max_size=2**26)
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await stop.wait()
            self._cut()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        watches = "watch" in parse_qs(urlsplit(request.raw_path).query)
        if watches:
            self.seen[self.watches] += 1
            if self.watches == "gone":
                return _status(410, "Expired")
            if self.watches == "refused":
                return _status(401, "Unauthorized")
        transport = request.transport
        if transport is None:
            return web.Response(status=502)
        self._open.add(transport)
        try:
            return await self._pass(request, silent=watches and self.watches == "silent")
        finally:
            self._open.discard(transport)

    async def _pass(self, request: web.Request, *, silent: bool) -> web.StreamResponse:
        body = await request.read()
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _OWN}
        address = URL(self._server + request.raw_path, encoded=True)
        try:
            async with self._session.request(request.method, address, headers=headers, data=body or None) as answer:
                kept = {key: value for key, value in answer.headers.items() if key.lower() not in _OWN}
                response = web.StreamResponse(status=answer.status, headers=kept)
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    if not silent:
                        await response.write(chunk)
                return response
        except (aiohttp.ClientError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)


def _status(code: int, reason: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return web.json_response({**body, "message": f"a test says {reason}"}, status=code)

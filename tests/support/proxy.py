"""A wire between an operator and its API server that can be cut, held, slowed and lied on, one request at a time.

Everything that an operator asks passes through here, under its own account and under its runners', as a runner's client
takes the address of the operator's. Requests that belong to the work on an execution are numbered and named; a test
says what happens to which of them. Watches stream through; nothing is kept, retried or understood.
"""

import asyncio
import base64
import json
import ssl
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import aiohttp
from aiohttp import web

_OWN_HEADERS = frozenset(
    {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "date", "server", "content-type"}
)


_BESIDE = frozenset(
    {
        "leases",
        "subjectaccessreviews",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    }
)
"""What is asked beside the work on executions: leadership, and whether the operator may act at all."""


@dataclass(frozen=True)
class Call:
    """One request that belongs to the work on an execution."""

    number: int
    who: str
    method: str
    what: str
    dry_run: bool
    occurrence: int
    lists: bool

    @property
    def kind(self) -> str:
        """What it is, the same in every run: `runner PATCH deployments`."""
        return f"{self.who} {self.method} {self.what}" + " (dry run)" * self.dry_run

    @property
    def point(self) -> str:
        """Which of its kind it is, from 1: `runner PATCH deployments #2`."""
        return f"{self.kind} #{self.occurrence}"

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET" and not self.dry_run

    def __str__(self) -> str:
        return f"{self.number:3d} {self.point}"


@dataclass
class Exchange:
    """One request on its way: a fault decides whether it arrives and what is answered."""

    call: Call
    _request: web.Request
    _send: Callable[[], Awaitable[web.StreamResponse]]

    async def forward(self) -> web.StreamResponse:
        """The API server's answer, whole."""
        return await self._send()

    def reset(self) -> web.StreamResponse:
        """Cuts the connection; the operator sees no answer."""
        if self._request.transport is not None:
            self._request.transport.abort()
        return web.Response(status=500)

    def refuse(self, status: int, reason: str, headers: dict[str, str] | None = None) -> web.StreamResponse:
        """Answers in the API server's place, in its form."""
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": reason}
        return web.json_response({**body, "message": f"a test says {reason}"}, status=status, headers=headers)


Fault = Callable[[Exchange], Awaitable[web.StreamResponse]]
Disturb = Callable[[Call], Fault | None]


def undisturbed(_: Call) -> None:
    """Lets everything pass."""


@dataclass
class Proxy:
    """The wire. `disturb` is asked about each call; `calls` are those since `begin`."""

    server: str
    tls: ssl.SSLContext = field(repr=False)
    operator_token: str = field(repr=False)
    disturb: Disturb = undisturbed
    calls: list[Call] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)
    """The identifiers of all tokens that were used here, as the audit log names them."""
    lease_looks: int = 0
    """How often the operator has looked at its Lease."""
    severed: bool = False
    port: int = 0
    _seen: Counter[str] = field(default_factory=Counter)
    _streams: set[asyncio.Transport] = field(default_factory=set)
    _sent: set[asyncio.Future[web.StreamResponse]] = field(default_factory=set)
    _about: str = ""
    _loop: asyncio.AbstractEventLoop = field(init=False, repr=False)
    _stop: asyncio.Event = field(init=False, repr=False)

    @property
    def url(self) -> str:
        """Where an operator finds its API server."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self, execution: str, disturb: Disturb = undisturbed) -> None:
        """Counts anew, for the execution of this name."""
        self._about = execution
        self._seen = Counter()
        self.calls = []
        self.disturb = disturb

    def sever(self) -> None:
        """Cuts every connection and takes no new one, until `mend`."""
        self.severed = True
        self._loop.call_soon_threadsafe(self._abort_streams)

    def mend(self) -> None:
        """Takes connections again."""
        self.severed = False

    def _abort_streams(self) -> None:
        for transport in list(self._streams):
            transport.abort()

    @contextmanager
    def serving(self) -> Iterator["Proxy"]:
        """Serves on a free port, in a thread of its own."""
        ready = threading.Event()
        thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),))
        thread.start()
        while not ready.wait(0.1):
            assert thread.is_alive(), "the proxy did not start"
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connector = aiohttp.TCPConnector(ssl=self.tls, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            self._session = session
            app = web.Application(client_max_size=64 * 1024 * 1024)
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.port = runner.addresses[0][1]
            ready.set()
            await self._stop.wait()
            for sent in self._sent:
                sent.cancel()
            await asyncio.gather(*self._sent, return_exceptions=True)
            self._abort_streams()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.severed:
            return _cut(request)
        if "watch" in request.query:
            return await self._stream(request)
        body = await request.read()
        # What was sent arrives, even if the operator has stopped waiting or has died.
        task = asyncio.ensure_future(self._answered(request, body))
        self._sent.add(task)
        task.add_done_callback(self._sent.discard)
        return await asyncio.shield(task)

    async def _answered(self, request: web.Request, body: bytes) -> web.StreamResponse:
        call = self._numbered(request, body)
        fault = self.disturb(call) if call is not None else None
        if call is None or fault is None:
            return await self._send(request, body)

        async def send() -> web.StreamResponse:
            return await self._send(request, body)

        return await fault(Exchange(call, request, send))

    def _numbered(self, request: web.Request, body: bytes) -> Call | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.credentials.add(_credential_id(token))
        self.lease_looks += request.method == "GET" and "/leases/" in request.path
        what = self._what(request.path)
        if what is None:
            return None
        who = "operator" if token == self.operator_token else "runner"
        lists = "limit" in request.query
        dry_run = "dryRun" in request.query or (request.method == "DELETE" and b'"dryRun"' in body)
        call = Call(len(self.calls) + 1, who, request.method, what, dry_run, 0, lists)
        self._seen[call.kind] += 1
        call = replace(call, occurrence=self._seen[call.kind])
        self.calls.append(call)
        return call

    def _what(self, path: str) -> str | None:
        """The resource, if the request belongs to the work on the execution: not discovery, Lease, sweep, or others."""
        parts = path.strip("/").split("/")[2 if path.startswith("/api/") else 3 :]
        namespaced = parts[:1] == ["namespaces"] and len(parts) > 2
        resource, *rest = parts[2:] if namespaced else [*parts, ""]
        if not resource or resource in _BESIDE:
            return None
        name = rest[0] if rest else ""
        if resource == "runbookexecutions" and (not namespaced or name not in ("", self._about)):
            return None
        return "/".join([resource, *rest[1:]]) if namespaced else resource

    async def _send(self, request: web.Request, body: bytes) -> web.StreamResponse:
        try:
            async with self._upstream(request, body) as answer:
                return web.Response(status=answer.status, headers=_passed(answer), body=await answer.read())
        except aiohttp.ClientError:
            return _cut(request)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            return _cut(request)
        self._streams.add(transport)
        try:
            async with self._upstream(request, b"") as answer:
                response = web.StreamResponse(status=answer.status, headers=_passed(answer))
                await response.prepare(request)
                try:
                    async for chunk in answer.content.iter_any():
                        await response.write(chunk)
                finally:
                    if answer.connection is not None and answer.connection.transport is not None:
                        answer.connection.transport.abort()
                return response
        except (aiohttp.ClientError, ConnectionError):
            return _cut(request)
        finally:
            self._streams.discard(transport)

    def _upstream(self, request: web.Request, body: bytes) -> "aiohttp.client._RequestContextManager":
        kept = ("Authorization", "Accept", "Content-Type", "User-Agent", "Accept-Encoding")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        return self._session.request(request.method, self.server + request.raw_path, data=body or None, headers=headers)


def _passed(answer: aiohttp.ClientResponse) -> dict[str, str]:
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OWN_HEADERS}
    return {**kept, "Content-Type": answer.headers.get("Content-Type", "application/json")}


def _credential_id(token: str) -> str:
    payload = token.split(".")[1]
    return f"JTI={json.loads(base64.urlsafe_b64decode(payload + '=' * (-len(payload) % 4)))['jti']}"


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)

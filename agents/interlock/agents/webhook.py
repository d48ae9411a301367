"""Where Alertmanager and others deliver: durable before 2xx, 503 when it cannot be, so that nothing is lost on the way.

Alertmanager sends a delivery again after a 5xx and after nothing else, so every failure that may pass is a 503, and a
429 is never said.
"""

import hmac
import logging
from asyncio import timeout, to_thread
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from interlock.agents.errors import AgentError, StoreUnavailableError
from interlock.agents.inbox import Inbox, InboxFullError
from interlock.agents.payload import Payload, PayloadRefusedError
from interlock.agents.rules import Rules
from interlock.agents.store import Store

PATH = "/api/v1/alertmanager"
SOURCES = "/api/v1/alerts"
"""Below it, by name, the senders whose mapping the rules have."""
BODY_SECONDS = 20.0
_log = logging.getLogger(__name__)


class TokenUnreadableError(AgentError):
    """The file with the webhook's token is missing, empty or may not be read."""


class _BodyTooLargeError(AgentError):
    """The body is larger than allowed."""


class TokenFile:
    """The token that senders must present, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._token = b""

    def admits(self, authorization: str) -> bool:
        """Whether the header carries the token; takes the same time wherever they differ.

        Raises:
            TokenUnreadableError: there is no token to compare with.
        """
        scheme, _, presented = authorization.partition(" ")
        token = self._current()
        given = presented.strip().encode("utf-8", errors="replace")
        return hmac.compare_digest(given, token) and scheme.lower() == "bearer"

    def _current(self) -> bytes:
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if version != self._seen:
                self._token, self._seen = self._path.read_bytes().strip(), version
        except OSError as failure:
            raise TokenUnreadableError(f"token file {self._path}: {failure.strerror}") from failure
        if not self._token:
            raise TokenUnreadableError(f"token file {self._path} is empty")
        return self._token


def create_app(
    inbox: Inbox,
    token: TokenFile,
    *,
    body_limit: int,
    wake: Callable[[], None],
    rules: Callable[[], Rules] = Rules,
) -> Starlette:
    """Where alerts are delivered; `wake` is called after each delivery that says something new."""

    async def take(request: Request, read: Callable[[bytes], Payload]) -> Response:
        try:
            if not token.admits(request.headers.get("authorization", "")):
                return _refuse(401, "the bearer token is missing or wrong", {"WWW-Authenticate": "Bearer"})
            with inbox.room(_size(request, body_limit)):
                payload = read(await _body(request, body_limit))
                news = await inbox.take(payload)
        except _BodyTooLargeError as failure:
            return _refuse(413, str(failure), {"Connection": "close"})
        except PayloadRefusedError as failure:
            return _refuse(400, str(failure))
        except (StoreUnavailableError, TokenUnreadableError, InboxFullError) as failure:
            _log.warning("a delivery could not be taken: %s", failure)
            return _refuse(503, str(failure))
        if news:
            wake()
        return JSONResponse({"alerts": len(payload.alerts), "new": news})

    async def alertmanager(request: Request) -> Response:
        return await take(request, Payload.read)

    async def source(request: Request) -> Response:
        known = rules().sources.get(request.path_params["name"])
        return await take(request, known.read if known is not None else _unknown)

    return Starlette(
        routes=[Route(PATH, alertmanager, methods=["POST"]), Route(f"{SOURCES}/{{name}}", source, methods=["POST"])]
    )


def health(store: Store, is_ready: Callable[[], bool]) -> list[Route]:
    """What the kubelet asks."""

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        try:
            await to_thread(store.ping)
        except StoreUnavailableError as failure:
            return _refuse(503, str(failure))
        return JSONResponse({"status": "ok"}) if is_ready() else _refuse(503, "starting or stopping")

    return [Route("/livez", livez), Route("/readyz", readyz)]


def _unknown(_: bytes) -> Payload:
    raise PayloadRefusedError("there is no such source in the rules")


def _size(request: Request, limit: int) -> int:
    """How many bytes a body will have at most."""
    declared = request.headers.get("content-length", "")
    return min(int(declared), limit) if declared.isdecimal() else limit


async def _body(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _BodyTooLargeError(f"the body has {declared} bytes, more than {limit}")
    body = bytearray()
    try:
        async with timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _BodyTooLargeError(f"the body has more than {limit} bytes")
    except TimeoutError as late:
        raise InboxFullError(f"the body did not come within {BODY_SECONDS:g} seconds") from late
    return bytes(body)


def _refuse(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status_code=status, headers=headers)

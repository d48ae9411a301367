"""Many requests at once as one user: what the measurements themselves need of the API server, and no more."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from tests.support.identity import MERGE, PLAIN, Identity, Json

T = TypeVar("T")
LINE_BYTES = 4 * 1024 * 1024


class Refused(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status


class Wire:
    """Connections of one user, kept open."""

    def __init__(self, identity: Identity, connections: int = 64) -> None:
        self.user = identity.name
        self._root = f"https://{identity.host}"
        self._identity = identity
        self._connections = connections

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._identity.tls, limit=self._connections)
        headers = dict(self._identity.headers)
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(
            connector=connector, headers=headers, timeout=timeout, read_bufsize=LINE_BYTES
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def request(self, method: str, path: str, body: object = None, content_type: str = "") -> Json:
        """One request, once.

        Raises:
            Refused: any answer but success.
        """
        content_type = content_type or (MERGE if method == "PATCH" else PLAIN)
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Accept": PLAIN}
        async with self._session.request(method, self._root + path, data=data, headers=headers) as answer:
            decoded: Json = json.loads(await answer.read())
            if answer.status >= 300:
                raise Refused(answer.status, str(decoded.get("message", "")))
            return decoded

    async def watch(self, path: str, query: str = "") -> AsyncIterator[Json]:
        """Each object of a collection as it is, then as it changes, until nobody listens any more."""
        url = f"{self._root}{path}?watch=true&allowWatchBookmarks=false{query}"
        async with self._session.get(url, headers={"Accept": PLAIN}) as answer:
            if answer.status >= 300:
                raise Refused(answer.status, await answer.text())
            while line := await answer.content.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise Refused(int(event["object"].get("code", 0)), str(event["object"].get("message")))
                yield event


async def each(items: Iterable[T], work: Callable[[T], Awaitable[object]], *, at_once: int = 32) -> None:
    """Does the work for all items, so many at a time."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())

"""The kubelet's side of the API server: list and watch, patch, delete, record Events. JSON in, JSON out."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp
import yaml

from interlock.lab.api import client_context
from interlock.lab.errors import ApiError

Json = dict[str, Any]
LINE_LIMIT = 8 * 2**20
RETRY_SECONDS = 0.5
HTTP_ERRORS = 400


@dataclass(frozen=True)
class Change:
    """An object that is (again), or is no longer, there."""

    kind: Literal["present", "gone", "synchronized"]
    item: Json


class ApiClient:
    """An API server as the user of a kubeconfig that the lab wrote. Use as an async context manager."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        self._server: str = document["clusters"][0]["cluster"]["server"]
        self._tls = client_context(document)

    async def __aenter__(self) -> "ApiClient":
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        timeout = aiohttp.ClientTimeout(total=30)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=LINE_LIMIT, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def request(self, method: str, path: str, body: Json, content_type: str = "application/json") -> Json:
        """The decoded answer; raises ApiError for a refusal."""
        headers = {"Content-Type": content_type}
        async with self._session.request(method, self._server + path, data=json.dumps(body), headers=headers) as answer:
            decoded: Json = await answer.json(content_type=None)
            if answer.status >= HTTP_ERRORS:
                raise ApiError(answer.status, str(decoded.get("message", decoded)))
            return decoded

    async def follow(self, path: str) -> AsyncIterator[Change]:
        """Every object of a kind and every change to it, for ever; starts again when the watch breaks."""
        known: dict[str, Json] = {}
        while True:
            try:
                async for change in self._list_and_watch(path, known):
                    yield change
            except (aiohttp.ClientError, TimeoutError, ApiError):
                await asyncio.sleep(RETRY_SECONDS)

    async def _list_and_watch(self, path: str, known: dict[str, Json]) -> AsyncIterator[Change]:
        listed = await self._list(path)
        present = {item["metadata"]["uid"]: item for item in listed["items"]}
        for uid in known.keys() - present.keys():
            yield Change("gone", known.pop(uid))
        for uid, item in present.items():
            known[uid] = item
            yield Change("present", item)
        yield Change("synchronized", {})
        async for event in self._watch(path, listed["metadata"]["resourceVersion"]):
            item = event["object"]
            if event["type"] == "DELETED":
                known.pop(item["metadata"]["uid"], None)
                yield Change("gone", item)
            elif event["type"] in ("ADDED", "MODIFIED"):
                known[item["metadata"]["uid"]] = item
                yield Change("present", item)

    async def _list(self, path: str) -> Json:
        async with self._session.get(self._server + path) as answer:
            decoded: Json = await answer.json(content_type=None)
            if answer.status >= HTTP_ERRORS:
                raise ApiError(answer.status, str(decoded.get("message", decoded)))
            return decoded

    async def _watch(self, path: str, version: str) -> AsyncIterator[Mapping[str, Any]]:
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        async with self._session.get(
            self._server + path, params=query, timeout=aiohttp.ClientTimeout(total=None)
        ) as answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(int(event["object"].get("code", 500)), str(event["object"].get("message")))
                yield event

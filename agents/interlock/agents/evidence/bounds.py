"""What a look may cost: calls to the API server, and bytes of each item that is kept."""

import json
from typing import Any

from pydantic import JsonValue

from interlock.agents.cluster import Json, Reader
from interlock.agents.errors import AgentError
from interlock.agents.evidence.model import LARGEST_ITEM


class BudgetSpentError(AgentError):
    """The look has made all the calls that it may make."""


class Budgeted:
    """A reader that stops answering after a number of calls."""

    def __init__(self, reader: Reader, calls: int) -> None:
        self._reader = reader
        self._left = calls

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        """As the reader; raises BudgetSpentError when nothing is left."""
        self._spend()
        return await self._reader.get(kind, name, namespace)

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Json]:
        """As the reader; raises BudgetSpentError when nothing is left."""
        self._spend()
        return await self._reader.list(kind, namespace, labels=labels, fields=fields)

    async def logs(self, namespace: str, pod: str, container: str, *, previous: bool, limit_bytes: int) -> str | None:
        """As the reader; raises BudgetSpentError when nothing is left."""
        self._spend()
        return await self._reader.logs(namespace, pod, container, previous=previous, limit_bytes=limit_bytes)

    async def served(self) -> frozenset[str]:
        """As the reader; raises BudgetSpentError when nothing is left."""
        self._spend()
        return await self._reader.served()

    def _spend(self) -> None:
        if self._left <= 0:
            raise BudgetSpentError("this look has made all the calls to the API server that it may make")
        self._left -= 1


def within(content: JsonValue, largest: int = LARGEST_ITEM) -> tuple[JsonValue, bool]:
    """The content in at most `largest` bytes of JSON, and whether something was left out.

    Lists lose their end, text its beginning (the end of a log is what tells), anything else is left out whole.
    """
    if _size(content) <= largest:
        return content, False
    if isinstance(content, list):
        kept: list[Any] = []
        room = largest - 2
        for entry in content:
            room -= _size(entry) + 2
            if room < 0:
                break
            kept.append(entry)
        return kept, True
    if isinstance(content, str):
        return _end(content, largest), True
    return None, True


def _end(text: str, largest: int) -> str:
    """The longest end of a text that fits, by bisection: how long a character is in JSON depends on the character."""
    fits, over = 0, len(text)
    while over - fits > 1:
        middle = (fits + over) // 2
        fits, over = (middle, over) if _size(text[-middle:]) <= largest else (fits, middle)
    return text[-fits:] if fits else ""


def _size(content: JsonValue) -> int:
    return len(json.dumps(content))

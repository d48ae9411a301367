"""The archive on the operator's loop: what ends at the same time shares one transaction and one wait for the disk."""

import asyncio
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from interlock.operator.archive import Archive, row_of
from interlock.operator.archive.store import Row

_MOST_AT_ONCE = 100


class Archiver:
    """Puts finished executions into the archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def put(self, body: dict[str, Any]) -> None:
        """Returns when the execution is durable; the same again is no error.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it is not stored; the object must stay.
            pydantic.ValidationError: it is not an execution of this version.
        """
        row = await asyncio.to_thread(row_of, body)
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((row, stored))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit(), name="archiver")
        await stored

    def __len__(self) -> int:
        """How many wait for the next transaction."""
        return len(self._waiting)

    async def close(self) -> None:
        """Returns when nothing is being stored any more."""
        if self._committing is not None:
            await asyncio.wait([self._committing])

    async def _commit(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                await self._store(batch)
        finally:
            self._committing = None

    async def _store(self, batch: list[tuple[Row, asyncio.Future[None]]]) -> None:
        failure: SQLAlchemyError | None = None
        try:
            await asyncio.to_thread(self._archive.put, *(row for row, _ in batch))
        except SQLAlchemyError as error:
            failure = error
        for _, stored in batch:
            if stored.done():  # whoever waited was cancelled; it looks again
                continue
            if failure is None:
                stored.set_result(None)
            else:
                stored.set_exception(failure)

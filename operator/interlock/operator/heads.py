"""The archive's head leaves the database, signed: onto standard output, and as an AuditHead on the API server.

Whoever can write the database can then not write history anew without it showing. Nothing here needs leadership: a head
is true whoever signs it, and two that sign the same end are both right; only the leader does, to have each once.
"""

import asyncio
import json
import logging
import sys
from collections import deque
from typing import TextIO

from sqlalchemy.exc import SQLAlchemyError

from interlock.crds.audithead import AuditHeadSpec
from interlock.crds.types import API_VERSION, rfc3339
from interlock.operator.api import Api
from interlock.operator.archive import Archive, ArchiveError
from interlock.operator.archive.heads import latest_head, sign_head
from interlock.operator.archive.signing import Signer
from interlock.operator.errors import ApiError, Conflict
from interlock.operator.lease import Leadership
from interlock.operator.session import Clock, utc_now

log = logging.getLogger(__name__)

MARK = "audit-head"
"""The value of `interlock` in the line that is printed, by which it is found in a log."""


class Heads:
    """Signs and publishes the end of the chain when it has moved."""

    def __init__(
        self,
        api: Api,
        leadership: Leadership,
        archive: Archive,
        signer: Signer,
        *,
        out: TextIO | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._api = api
        self._leadership = leadership
        self._archive = archive
        self._signer = signer
        self._out = out or sys.stdout
        self._clock = clock
        self._unpublished: deque[AuditHeadSpec] = deque()

    async def keep(self, seconds: float) -> None:
        """Signs every so many seconds while this process leads, until cancelled."""
        await self._leadership.acquired.wait()
        if latest := await asyncio.to_thread(latest_head, self._archive):
            self._unpublished.append(latest)  # a crash may have come between signing and publishing
        while True:
            if self._leadership.leads:
                await self.sign()
            await asyncio.sleep(seconds)

    async def sign(self) -> None:
        """Signs the end of the chain if it has moved, and publishes what is not published yet; failures are logged."""
        try:
            head = await asyncio.to_thread(sign_head, self._archive, self._signer, rfc3339(self._clock()))
            if head is not None:
                self._print(head)
                self._unpublished.append(head)
            while self._unpublished:
                await self._publish(self._unpublished[0])
                self._unpublished.popleft()
        except ArchiveError as altered:
            log.critical("%s", altered)
        except (ApiError, SQLAlchemyError) as error:
            log.warning("the head of the archive is not published, will try again: %s", error)

    async def last(self) -> None:
        """At the end of this process: nothing that it archived stays unsigned, if it can be helped."""
        if self._leadership.acquired.is_set():
            await self.sign()

    def _print(self, head: AuditHeadSpec) -> None:
        line = {"interlock": MARK, **head.model_dump(mode="json", by_alias=True, exclude_none=True)}
        self._out.write(json.dumps(line) + "\n")
        self._out.flush()

    async def _publish(self, head: AuditHeadSpec) -> None:
        try:
            await self._api.create(await self._api.path(API_VERSION, "AuditHead", None), head.manifest())
        except Conflict:  # its name holds its hash: what is there already is the same head
            return

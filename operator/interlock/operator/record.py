"""The record: status patches under the fence, and the archive before an object may go."""

import contextlib
from collections import OrderedDict
from typing import Any

from interlock.crds.execution import RunbookExecution
from interlock.crds.names import ARCHIVED_AT_ANNOTATION, AUDIT_FINALIZER
from interlock.crds.rules import STALE_WRITER
from interlock.crds.types import API_VERSION, rfc3339
from interlock.operator import metrics
from interlock.operator.api import Api, Object
from interlock.operator.archiver import Archiver
from interlock.operator.errors import Conflict, Invalid, NotFound
from interlock.operator.events import Events
from interlock.operator.lease import Leadership, StaleFence
from interlock.operator.session import Session, utc_now
from interlock.operator.trial import IN_EARNEST, Trial

VERSIONS_KEPT = 4096


class Recorder:
    """Makes durable what happened."""

    def __init__(
        self, api: Api, leadership: Leadership, archive: Archiver, events: Events, trial: Trial = IN_EARNEST
    ) -> None:
        self._api = api
        self._leadership = leadership
        self._archive = archive
        self._events = events
        self._trial = trial
        self._own: OrderedDict[str, None] = OrderedDict()

    def wrote(self, version: str) -> bool:
        """Whether an object has this version by a write of ours, so that its event tells nothing new."""
        return version in self._own

    def _remember(self, body: Object) -> Object:
        self._own[body["metadata"]["resourceVersion"]] = None
        if len(self._own) > VERSIONS_KEPT:
            self._own.popitem(last=False)
        return body

    async def read(self, namespace: str, name: str) -> Object | None:
        """The execution as it is now, or None if it is gone.

        Raises:
            NotLeader: somebody else works on it, or has since we took the Lease.
        """
        self._leadership.fence()
        body = await self._api.find(API_VERSION, "RunbookExecution", namespace, name)
        if body is not None:
            self._leadership.admit(((body.get("status") or {}).get("fence") or {}).get("epoch", 0))
        return body

    async def record(self, session: Session) -> None:
        """Makes all that happened durable. A decision that came in between is no obstacle, another writer is."""
        if not session.pending and not session.unshown:
            return
        for patch in session.patches(self._leadership.fence()):
            before = (session.body.get("status") or {}).get("phase")
            session.body = await self._write(session, patch)
            status = session.body["status"]
            latest = status["journal"][-1]
            self._trial.durable(f"{session.execution.key} {latest['event']} {latest.get('step', '')}")
            if status["phase"] != before:  # most writes change none, and need not be read again for it
                await self._events.phase(RunbookExecution.from_object(session.body), before)
        session.written(session.body)

    async def _write(self, session: Session, patch: dict[str, Any]) -> Object:
        where = session.execution
        path = await self._api.path(API_VERSION, "RunbookExecution", where.namespace, where.name, "status")
        body = session.body
        journal = (body.get("status") or {}).get("journal") or []
        for _ in range(5):
            version = body["metadata"]["resourceVersion"]
            self._leadership.fence()
            try:
                return self._remember(
                    await self._api.merge_patch(path, {**patch, "metadata": {"resourceVersion": version}})
                )
            except Invalid as refused:
                if STALE_WRITER in str(refused):
                    raise StaleFence(patch["status"]["fence"]["epoch"], str(refused)) from refused
                raise
            except Conflict:
                body = await self._api.get(API_VERSION, "RunbookExecution", where.namespace, where.name)
                if ((body.get("status") or {}).get("journal") or []) != journal:
                    raise
        raise Conflict(409, f"{where.key} changes faster than it can be written")

    async def close(self, body: Object) -> None:
        """The end: archive first, then let the object go."""
        meta = body["metadata"]
        finalizers = list(meta.get("finalizers") or ())
        if AUDIT_FINALIZER not in finalizers:
            return
        with metrics.ARCHIVE_FAILURES.count_exceptions():
            await self._archive.put(body)
        metrics.archived((body.get("status") or {}).get("completedAt"))
        rest = [f for f in finalizers if f != AUDIT_FINALIZER]
        path = await self._api.path(API_VERSION, "RunbookExecution", meta["namespace"], meta["name"])
        archived = {ARCHIVED_AT_ANNOTATION: rfc3339(utc_now())}
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": rest, "annotations": archived}}
        with contextlib.suppress(NotFound):
            self._remember(await self._api.merge_patch(path, patch))

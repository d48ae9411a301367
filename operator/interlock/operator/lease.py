"""Leadership: one holder of a Lease at a time, and an epoch that grows with every change of holder.

The Lease only chooses who works; what keeps a stale leader from writing is the fence in every status write, which the
API server enforces.
"""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from interlock.crds.execution import Fence
from interlock.crds.names import OPERATOR_ACCOUNT, SYSTEM_NAMESPACE
from interlock.operator.api import Api, ApiError, Conflict, Object

log = logging.getLogger(__name__)

LEASE = "coordination.k8s.io/v1"


class NotLeader(Exception):
    """Somebody else leads, or may lead by now: nothing may be written."""


@dataclass
class _Observed:
    version: str
    since: float


class Leadership:
    """Takes the Lease when it is free, renews it, and knows at any moment whether it is still ours."""

    def __init__(self, api: Api, identity: str, seconds: float) -> None:
        self._api = api
        self._identity = identity
        self._seconds = seconds
        self._epoch = 0
        self._valid_until = 0.0
        self._observed: _Observed | None = None
        self.acquired = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Whether the Lease is ours now."""
        return time.monotonic() < self._valid_until

    def fence(self) -> Fence:
        """What every status write carries.

        Raises:
            NotLeader: the Lease is not ours, or too old to be sure.
        """
        if not self.leads:
            raise NotLeader(f"{self._identity} does not hold the Lease")
        return Fence(epoch=self._epoch, holder=self._identity)

    async def keep(self) -> None:
        """Takes and renews the Lease until cancelled, then gives it back so that a successor need not wait."""
        try:
            while True:
                try:
                    await self._once()
                except ApiError as error:
                    log.warning("lease: %s", error)
                await asyncio.sleep(self._seconds / 4)
        finally:
            with contextlib.suppress(ApiError):
                await asyncio.shield(self._release())

    async def _once(self) -> None:
        asked = time.monotonic()
        path = await self._api.path(LEASE, "Lease", SYSTEM_NAMESPACE, OPERATOR_ACCOUNT)
        lease = await self._api.find(LEASE, "Lease", SYSTEM_NAMESPACE, OPERATOR_ACCOUNT)
        try:
            if lease is None:
                collection = await self._api.path(LEASE, "Lease", SYSTEM_NAMESPACE)
                lease = await self._api.create(collection, self._claim(None))
            elif self._may_take(lease):
                lease = await self._api.merge_patch(path, self._claim(lease))
            else:
                return
        except Conflict:
            return
        self._epoch = int(lease["spec"]["leaseTransitions"])
        self._valid_until = asked + self._seconds * 0.75
        if not self.acquired.is_set():
            log.info("leading as %s in epoch %d", self._identity, self._epoch)
        self.acquired.set()

    def _may_take(self, lease: Object) -> bool:
        """Ours, given back, or unchanged for as long as its holder promised, by our own clock."""
        holder = lease["spec"].get("holderIdentity")
        if not holder or holder == self._identity:
            return True
        version = lease["metadata"]["resourceVersion"]
        if self._observed is None or self._observed.version != version:
            self._observed = _Observed(version, time.monotonic())
            return False
        return time.monotonic() - self._observed.since > float(lease["spec"].get("leaseDurationSeconds", 15))

    def _claim(self, lease: Object | None) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        held = lease is not None and lease["spec"].get("holderIdentity") == self._identity and self._epoch
        before = int(lease["spec"].get("leaseTransitions") or 0) if lease else 0
        return {
            "apiVersion": LEASE,
            "kind": "Lease",
            "metadata": {
                "name": OPERATOR_ACCOUNT,
                "namespace": SYSTEM_NAMESPACE,
                **({"resourceVersion": lease["metadata"]["resourceVersion"]} if lease else {}),
            },
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": max(1, round(self._seconds)),
                "leaseTransitions": before if held else before + 1,
                "renewTime": now,
                **({} if held else {"acquireTime": now}),
            },
        }

    async def _release(self) -> None:
        if not self.leads:
            return
        self._valid_until = 0.0
        lease = await self._api.find(LEASE, "Lease", SYSTEM_NAMESPACE, OPERATOR_ACCOUNT)
        if lease is None or lease["spec"].get("holderIdentity") != self._identity:
            return
        path = await self._api.path(LEASE, "Lease", SYSTEM_NAMESPACE, OPERATOR_ACCOUNT)
        version = lease["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": None}}
        await self._api.merge_patch(path, body)

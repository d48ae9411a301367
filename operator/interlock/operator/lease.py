"""Leadership: one holder of a shard's Lease at a time, and an epoch that grows with every taking of any Lease.

The Lease only chooses who works. What keeps a stale leader from writing is the fence in every status write, which the
API server enforces: an epoch below the one that is there is refused.

The epoch is the resourceVersion that the Lease had when it was taken. The API server counts these up over all objects
of one resource, in whatever namespace and under whatever name, and from Kubernetes 1.35 on documents that they may be
compared so (KEP-5504, "Comparable Resource Version"); before that they were the same number without the promise, the
revision of etcd. So the epochs of all shards share one order, a restart has a later one, and deleting and recreating
a Lease does not turn it back, which its `leaseTransitions` would not survive; those stay for people to read.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from interlock.crds.execution import Fence
from interlock.crds.names import OPERATOR_ACCOUNT, SYSTEM_NAMESPACE
from interlock.crds.types import rfc3339
from interlock.operator.api import Api, Object
from interlock.operator.errors import ApiError, Conflict, NotFound

log = logging.getLogger(__name__)

LEASE = "coordination.k8s.io/v1"
LAST_EPOCH = 2**53
"""The largest number that every reader of JSON reads exactly; etcd gets there after 285,000 years of 1,000 writes/s."""
STANDBY_LOOK_SECONDS = 2.0
"""How often a standby looks at the Lease at least: so soon it sees that it was given back."""
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Seconds on a clock that nobody sets and that goes on while the process is stopped or the machine asleep.

    Linux counts the sleep in CLOCK_BOOTTIME only. A virtual machine that its host froze sees neither; then what remains
    is that the API server refuses the stale fence and the stale condition of each effect.
    """
    return time.clock_gettime(_CLOCK)


def lease_name(shard: str) -> str:
    """The name of a shard's Lease; the default shard is the empty one."""
    return f"{OPERATOR_ACCOUNT}-{shard}" if shard else OPERATOR_ACCOUNT


class NotLeader(Exception):
    """Somebody else leads, or may lead by now: nothing may be written."""


class StaleFence(NotLeader):
    """A later epoch than ours has written here: who holds which Lease must be looked at again."""

    def __init__(self, epoch: int, message: str) -> None:
        super().__init__(message)
        self.epoch = epoch


@dataclass(frozen=True)
class _Other:
    """Another holder's Lease as it was first seen in this version."""

    version: str
    since: float


@dataclass(frozen=True)
class _Held:
    """Our Lease: the epoch of its taking, and the version of our last write, which a renewal is conditional on."""

    epoch: int
    version: str
    transitions: int


class Leadership:
    """Takes the Lease when it is free, renews it, and knows at any moment whether it is still ours.

    `seconds` is how long the Lease lasts without renewal; for the last `in_flight` seconds of it (at most half) we
    already hold back, so that a request sent in the last moment has come to its end when a successor may begin.
    """

    def __init__(
        self,
        api: Api,
        identity: str,
        seconds: float,
        *,
        shard: str = "",
        in_flight: float = 0.0,
        clock: Callable[[], float] = uptime,
    ) -> None:
        self._api = api
        self._identity = identity
        self._seconds = seconds
        self._name = lease_name(shard)
        self._trusted = seconds - min(in_flight, seconds / 2)
        self._clock = clock
        self._held: _Held | None = None
        self._led = False
        self._sent: deque[str] = deque(maxlen=64)
        self._other: _Other | None = None
        self._valid_until = 0.0
        self._turn = asyncio.Lock()
        self._leading = asyncio.Event()
        self._draining = False
        self.acquired = asyncio.Event()
        self.turned = clock()
        self.trouble = ""

    @property
    def leads(self) -> bool:
        """Whether the Lease is ours now."""
        return self._held is not None and self._clock() < self._valid_until

    @property
    def epoch(self) -> int:
        """The epoch in which we lead, 0 while we do not."""
        return self._held.epoch if self._held and self.leads else 0

    @property
    def interval(self) -> float:
        """Seconds between two renewals."""
        return self._seconds / 6

    @property
    def stuck(self) -> bool:
        """Whether nothing came of a whole Lease's time, neither a renewal nor a look nor an error."""
        return self._clock() - self.turned > 2 * self._seconds

    def fence(self) -> Fence:
        """What every status write carries; costs a look at the clock.

        Raises:
            NotLeader: the Lease is not ours, or too old to be sure.
        """
        if self._held is None or not self.leads:
            raise NotLeader(f"{self._identity} does not hold the Lease {self._name}")
        return Fence(epoch=self._held.epoch, holder=self._identity)

    def admit(self, written: int) -> None:
        """Called with the epoch in which an object was last written, before it is worked on.

        Raises:
            StaleFence: it is later than ours; what we would write would be refused.
        """
        if self._held is not None and written > self._held.epoch:
            raise StaleFence(written, f"epoch {written} has written, and ours is {self._held.epoch}")

    def check(self) -> None:
        """Called right before each effect; costs a look at the clock.

        Raises:
            NotLeader: the Lease is not ours, or too old to be sure, or about to be handed over.
        """
        self.fence()
        if self._draining:
            raise NotLeader(f"{self._identity} is about to give the Lease {self._name} back")

    async def until_leading(self) -> None:
        """Returns when we lead."""
        while not self.leads:
            self._leading.clear()
            await self._leading.wait()

    async def keep(self) -> None:
        """Takes and renews the Lease until cancelled. It stays ours then: give it back with `release`."""
        while True:
            try:
                async with asyncio.timeout(self._seconds / 2), self._turn:
                    await self._once()
                self.trouble = ""
            except (ApiError, TimeoutError) as error:
                self.trouble = f"{type(error).__name__} {error}".strip()
                log.warning("lease %s: %s", self._name, self.trouble)
            self.turned = self._clock()
            await asyncio.sleep(self.interval if self._held else min(self.interval, STANDBY_LOOK_SECONDS))

    async def take_anew(self, above: int) -> None:
        """Takes our own Lease again, unless its epoch is later than `above` already.

        Raises:
            NotLeader: it is not ours any more.
            ApiError: the API server did not answer, or there is no later epoch to be had.
        """
        async with self._turn:
            if self._held is None or not self.leads:
                raise NotLeader(f"{self._identity} does not hold the Lease {self._name}")
            if self._held.epoch > above:
                return
            self._step_down("a later epoch has written; taking the Lease anew")
            await self._once()
            if 0 < self.epoch <= above:
                raise ApiError(
                    0, f"epoch {above} is ahead of what this API server counts ({self.epoch}): restored, or copied?"
                )

    def drain(self) -> None:
        """From now on no effect begins; status may still be written until the Lease is given back."""
        self._draining = True

    async def release(self) -> None:
        """Gives the Lease back, so that a successor need not wait. Only when nothing of ours is under way any more."""
        async with self._turn:
            if (held := self._held) is None or not self.leads:
                return
            self._step_down("given back")
            path = await self._api.path(LEASE, "Lease", SYSTEM_NAMESPACE, self._name)
            body = {"metadata": {"resourceVersion": held.version}, "spec": {"holderIdentity": None}}
            try:
                await self._api.merge_patch(path, body)
            except ApiError as error:
                log.warning("lease %s was not given back, a successor waits it out: %s", self._name, error)

    async def _once(self) -> None:
        if self._held is not None:
            await self._renew(self._held)
        if self._held is None:
            await self._take()

    async def _renew(self, held: _Held) -> None:
        """Conditional on our own last write: whoever wrote in between, even under our name, ends our leadership."""
        asked = self._clock()
        path = await self._api.path(LEASE, "Lease", SYSTEM_NAMESPACE, self._name)
        metadata = {"resourceVersion": held.version}
        try:
            lease = await self._api.merge_patch(path, {"metadata": metadata, "spec": {"renewTime": self._stamp()}})
        except (Conflict, NotFound):
            self._step_down("somebody else wrote the Lease, or an answer was lost")
            return
        self._hold(_Held(held.epoch, lease["metadata"]["resourceVersion"], held.transitions), asked)

    async def _take(self) -> None:
        asked = self._clock()
        path = await self._api.path(LEASE, "Lease", SYSTEM_NAMESPACE, self._name)
        lease = await self._api.find(LEASE, "Lease", SYSTEM_NAMESPACE, self._name)
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
        version, transitions = lease["metadata"]["resourceVersion"], int(lease["spec"]["leaseTransitions"])
        self._hold(_Held(_epoch(version), version, transitions), asked)
        log.info("leading %s as %s in epoch %s, term %d", self._name, self._identity, version, transitions)

    def _hold(self, held: _Held, asked: float) -> None:
        self._held, self._led = held, True
        self._valid_until = asked + self._trusted
        if self.leads:
            self._leading.set()
            self.acquired.set()

    def _step_down(self, why: str) -> None:
        if self._held is not None:
            log.info("lease %s, epoch %d: %s", self._name, self._held.epoch, why)
        self._held = None
        self._valid_until = 0.0

    def _may_take(self, lease: Object) -> bool:
        """Ours, given back, or unchanged for as long as its holder promised, by our own clock.

        What stands under our name is ours if this process wrote it, or has never led: then it is the same one,
        restarted. Otherwise it is a second process under one name, and the later one goes first.
        """
        spec, version = lease["spec"], lease["metadata"]["resourceVersion"]
        holder = spec.get("holderIdentity")
        ours = holder == self._identity and (not self._led or spec.get("renewTime") in self._sent)
        if not holder or ours:
            return True
        if self._other is None or self._other.version != version:
            self._other = _Other(version, self._clock())
            return False
        return self._clock() - self._other.since > float(spec.get("leaseDurationSeconds", 15))

    def _claim(self, lease: Object | None) -> dict[str, Any]:
        before = int(lease["spec"].get("leaseTransitions") or 0) if lease else 0
        now = self._stamp()
        return {
            "apiVersion": LEASE,
            "kind": "Lease",
            "metadata": {
                "name": self._name,
                "namespace": SYSTEM_NAMESPACE,
                **({"resourceVersion": lease["metadata"]["resourceVersion"]} if lease else {}),
            },
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": max(1, round(self._seconds)),
                "leaseTransitions": before + 1,
                "renewTime": now,
                "acquireTime": now,
            },
        }

    def _stamp(self) -> str:
        """The time as it stands in the Lease, by which we know our own write again if its answer is lost."""
        now = rfc3339(datetime.now(UTC), "microseconds")
        self._sent.append(now)
        return now


def _epoch(version: str) -> int:
    """The epoch that begins with this version of the Lease.

    Raises:
        ApiError: the API server's versions are no such numbers; nothing could be fenced with them.
    """
    if not version.isascii() or not version.isdigit() or not 0 < int(version) <= LAST_EPOCH:
        raise ApiError(0, f"resourceVersion {version!r} is no number up to 2**53: nothing can be fenced with it")
    return int(version)

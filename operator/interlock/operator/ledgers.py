"""Ledgers on the API server: taken in one conditional write before the first effect, given back after the last one.

What was read or written last is kept, as the next write is conditional on it anyway: where it lets a start pass, that
write tells whether it was true; a refusal is only given on what has just been read. So a start and an end cost one
write each and no read, and nothing rests on memory. What is asked of a Ledger while it is being written waits, and is
then done in one write together.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast
from weakref import WeakValueDictionary

from interlock.crds.execution import STARTED, TERMINAL, Phase, RunbookExecution
from interlock.crds.ledger import SHARED_LEDGER, Hold, Ledger, LedgerSpec, ledger_of, new_ledger
from interlock.crds.names import SYSTEM_NAMESPACE
from interlock.crds.types import API_VERSION
from interlock.operator.api import Api
from interlock.operator.core import ledger as core
from interlock.operator.core.limits import Asked, Finding, findings, strictest
from interlock.operator.errors import Conflict, Unavailable
from interlock.operator.lease import Leadership
from interlock.operator.relist import UNFINISHED
from interlock.operator.session import Clock

log = logging.getLogger(__name__)

ATTEMPTS = 10
"""How often a write is tried again because another operator's came first; only the shared Ledger has other writers."""


class LedgerStore:
    """Reads and writes Ledgers, each write under the condition that nobody else's came in between."""

    def __init__(self, api: Api, leadership: Leadership) -> None:
        self._api = api
        self._leadership = leadership

    async def read(self, name: str) -> Ledger:
        """A Ledger as it stands. One that is not there is made, with what is under way held in it.

        Raises:
            NotLeader: somebody else works on it.
            ApiError: it could not be read or made.
        """
        found = await self._api.find(API_VERSION, "Ledger", SYSTEM_NAMESPACE, name)
        return Ledger.from_object(found) if found is not None else await self._make(name)

    async def write(self, ledger: Ledger, spec: LedgerSpec) -> Ledger:
        """The Ledger with this content.

        Raises:
            Conflict: somebody else has written since.
            NotLeader: somebody else works on it.
            ApiError: it could not be written, or nobody knows.
        """
        path = await self._api.path(API_VERSION, "Ledger", SYSTEM_NAMESPACE, ledger.name)
        content = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        self._leadership.fence()
        patch = {"metadata": {"resourceVersion": ledger.version}, "spec": content}
        return Ledger.from_object(await self._api.merge_patch(path, patch))

    async def all(self) -> list[Ledger]:
        """Every Ledger."""
        return [Ledger.from_object(body) for body in await self._api.list(API_VERSION, "Ledger", SYSTEM_NAMESPACE)]

    async def phase(self, hold: Hold) -> Phase | None:
        """The phase of what holds something; None where it is gone."""
        found = await self._api.find(API_VERSION, "RunbookExecution", hold.namespace, hold.execution)
        if found is None or found["metadata"]["uid"] != hold.uid:
            return None
        return cast(Phase, (found.get("status") or {}).get("phase") or "Pending")

    async def _make(self, name: str) -> Ledger:
        namespace = None if name == SHARED_LEDGER else name.removeprefix(ledger_of(""))
        bodies = await self._api.list(API_VERSION, "RunbookExecution", namespace, fields=UNFINISHED)
        running = [body for body in bodies if (body.get("status") or {}).get("phase") in STARTED]
        holds = [_hold_of(RunbookExecution.from_object(body)) for body in running]
        log.info("making Ledger %s; %d executions are under way", name, len(holds))
        path = await self._api.path(API_VERSION, "Ledger", SYSTEM_NAMESPACE)
        self._leadership.fence()
        try:
            made = await self._api.create(path, new_ledger(name, SYSTEM_NAMESPACE, LedgerSpec(holds=holds)))
        except Conflict:
            made = await self._api.get(API_VERSION, "Ledger", SYSTEM_NAMESPACE, name)
        return Ledger.from_object(made)


def _hold_of(execution: RunbookExecution) -> Hold:
    """What an execution holds that began when there was no Ledger; the worst is taken of what is not known."""
    spec = execution.spec
    return Hold(
        uid=execution.uid,
        execution=execution.name,
        namespace=execution.namespace,
        target=core.target_name(spec.target),
        family=spec.runbook.family,
        risk="High",
        requester=spec.requested_by,
        digest=spec.runbook.digest,
        at=execution.created_at,
        shared=True,
    )


Change = Callable[[LedgerSpec], LedgerSpec | Finding]
"""The content after a change, or what stands against it."""


@dataclass(eq=False)
class _Order:
    """A change of one Ledger that waits for its turn, and what has become of it."""

    change: Change
    settled: bool = False
    written: bool = False
    refused: Finding | None = None

    def apply(self, spec: LedgerSpec) -> LedgerSpec:
        after = self.change(spec)
        self.refused = after if isinstance(after, Finding) else None
        return after if isinstance(after, LedgerSpec) else spec

    def answer(self) -> Finding | None:
        if not self.written:
            raise Unavailable(0, "a Ledger was to be written for several at once, and nobody knows whether it was")
        return self.refused


class Ledgers:
    """What the limits rest on."""

    def __init__(self, store: LedgerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[str, Ledger] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._orders: defaultdict[str, list[_Order]] = defaultdict(list)

    async def against(self, asked: Asked) -> tuple[Finding, ...]:
        """All that stands against a start now; nothing is taken.

        Raises:
            ApiError: a Ledger could not be read.
        """
        return await self._judge(asked, fresh=False) and await self._judge(asked, fresh=True)

    async def _judge(self, asked: Asked, *, fresh: bool) -> tuple[Finding, ...]:
        own = await self._read(ledger_of(asked.claim.namespace), fresh=fresh)
        shared = await self._read(SHARED_LEDGER, fresh=fresh) if asked.shared else None
        return findings(asked, own.spec, shared.spec if shared else None, self._clock())

    async def own(self, namespace: str) -> LedgerSpec:
        """A namespace's Ledger as it stands.

        Raises:
            ApiError: it could not be read.
        """
        return (await self._read(ledger_of(namespace), fresh=True)).spec

    async def take(self, asked: Asked) -> Finding | None:
        """Takes all that a start needs, or nothing: then the strictest of what stands against it.

        Raises:
            NotLeader: somebody else works on it.
            ApiError: nobody knows; taking it again takes nothing twice.
        """
        if asked.shared:
            return await self._take_of_both(asked)
        return await self._change(ledger_of(asked.claim.namespace), lambda spec: self._started(spec, asked))

    def _started(self, spec: LedgerSpec, asked: Asked) -> LedgerSpec | Finding:
        against = strictest(findings(asked, spec, None, self._clock()))
        return against or self._taken(spec, asked, shared=False)

    async def _take_of_both(self, asked: Asked) -> Finding | None:
        async with self._turn(asked):
            fresh = False
            for _ in range(ATTEMPTS):
                try:
                    found = strictest(await self._judge(asked, fresh=fresh))
                    if found is None:
                        await self._take(asked)
                        return None
                    if fresh:
                        await self._withdraw(asked)
                        return found
                except Conflict:
                    pass
                fresh = True
        raise Conflict(409, f"{asked.claim.execution}: the Ledgers change faster than they can be written")

    @asynccontextmanager
    async def _turn(self, asked: Asked) -> AsyncIterator[None]:
        """In this process one after the other: conflicts are for others."""
        async with self._lock(SHARED_LEDGER), self._lock(ledger_of(asked.claim.namespace)):
            yield

    async def _take(self, asked: Asked) -> None:
        """The shared one first: what it holds in vain, because the other refuses, is withdrawn."""
        for name in (SHARED_LEDGER, ledger_of(asked.claim.namespace)):
            ledger = await self._read(name)
            await self._write(ledger, self._taken(ledger.spec, asked, shared=name == SHARED_LEDGER))

    def _taken(self, spec: LedgerSpec, asked: Asked, *, shared: bool) -> LedgerSpec:
        elsewhere = asked.shared and not shared
        return core.taken(spec, asked.claim, self._clock(), asked.horizon, shared=shared, elsewhere=elsewhere)

    async def _withdraw(self, asked: Asked) -> None:
        """An earlier attempt may have ended between both writes."""
        uid = asked.claim.uid
        own, shared = await self._read(ledger_of(asked.claim.namespace)), await self._read(SHARED_LEDGER)
        if core.held(own.spec, uid) is None:
            await self._write(shared, core.withdrawn(shared.spec, uid, shared=True))

    async def release(self, namespace: str, uid: str, phase: Phase | None) -> None:
        """Gives back what an execution holds that has ended so; nothing where it holds nothing, as far as is known.

        Raises:
            NotLeader: somebody else works on it.
            ApiError: nobody knows; it can be given back again.
        """
        name = ledger_of(namespace)
        hold = core.held((await self._read(name)).spec, uid)
        if hold is None:
            return
        if hold.shared:
            await self._change(SHARED_LEDGER, lambda spec: core.let_go(spec, uid))
        await self._change(name, lambda spec: core.released(spec, uid, phase, self._clock()))

    async def all(self) -> list[Ledger]:
        """Every Ledger as it stands.

        Raises:
            ApiError: they could not be read.
        """
        return await self._store.all()

    async def sweep(self) -> int:
        """Gives back what is held by executions that have ended or are gone; returns how many there were.

        Raises:
            NotLeader: somebody else works on it.
            ApiError: the API server refuses, or does not answer.
        """
        count = 0
        for ledger in await self._store.all():
            for hold in ledger.spec.holds:
                phase = await self._store.phase(hold)
                if phase is None or phase in TERMINAL:
                    count += 1
                    await self._sweep(ledger.name, hold, phase)
        return count

    async def _sweep(self, name: str, hold: Hold, phase: Phase | None) -> None:
        log.info("%s/%s has ended and still held something in Ledger %s", hold.namespace, hold.execution, name)

        def left(spec: LedgerSpec) -> LedgerSpec:
            if name == SHARED_LEDGER:
                return core.let_go(spec, hold.uid)
            return core.released(spec, hold.uid, phase, self._clock())

        self._kept.pop(name, None)
        await self._change(name, left)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._turns.setdefault(name, asyncio.Lock())

    async def _read(self, name: str, *, fresh: bool = False) -> Ledger:
        if fresh or name not in self._kept:
            self._kept[name] = await self._store.read(name)
        return self._kept[name]

    async def _change(self, name: str, change: Change) -> Finding | None:
        """Makes a change surely, also if others write; whoever's turn it is makes those of all who wait as well."""
        order = _Order(change)
        self._orders[name].append(order)
        try:
            async with self._lock(name):
                if not order.settled:
                    await self._carry_out(name, [o for o in self._orders.pop(name) if not o.settled])
        finally:
            order.settled = True  # also if it was cancelled before its turn came
        return order.answer()

    async def _carry_out(self, name: str, orders: Sequence[_Order]) -> None:
        """All of these in one write. What fails is told to its caller; the others know that they do not know."""
        try:
            await self._write_all(name, orders)
            for order in orders:
                order.written = True
        finally:
            for order in orders:
                order.settled = True

    async def _write_all(self, name: str, orders: Sequence[_Order]) -> None:
        fresh = False
        for _ in range(ATTEMPTS):
            ledger = await self._read(name, fresh=fresh)
            spec = ledger.spec
            for order in orders:
                spec = order.apply(spec)
            if fresh or not any(order.refused for order in orders):
                try:
                    return await self._write(ledger, spec)
                except Conflict:
                    log.debug("Ledger %s has changed", name)
            fresh = True
        raise Conflict(409, f"Ledger {name} changes faster than it can be written")

    async def _write(self, ledger: Ledger, spec: LedgerSpec) -> None:
        """What is kept is dropped where nobody knows whether it was written."""
        if spec == ledger.spec:
            return
        try:
            self._kept[ledger.name] = await self._store.write(ledger, spec)
        except BaseException:
            self._kept.pop(ledger.name, None)
            raise

    def forget(self) -> None:
        """Drops what is kept: another leader may have worked in the meantime."""
        self._kept.clear()

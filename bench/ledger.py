"""What the Ledger costs: starts and ends that take and give back, beside as many plain conditional writes of its size.

And whether the past slows it: the same after 10,000 executions that have ended.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from bench.figure import Figure, Goal, Result
from bench.options import Options
from bench.stand import Stand
from interlock.crds.guardrail import Guardrail
from interlock.crds.ledger import Claim, Hold, Ledger, LedgerSpec, ledger_of, new_ledger
from interlock.crds.names import SYSTEM_NAMESPACE
from interlock.crds.types import API_VERSION
from interlock.operator.api import Api
from interlock.operator.core import ledger as core
from interlock.operator.core.ledger import Horizon
from interlock.operator.core.limits import Asked
from interlock.operator.lease import Leadership
from interlock.operator.ledgers import Ledgers, LedgerStore
from interlock.operator.session import utc_now

CYCLES = 30
ROUNDS = 5
"""All in turns, so that what else the machine does slows all of them."""
PAST = 10_000
GUARDRAIL = Guardrail.model_validate(
    {
        "name": "bench",
        "spec": {
            "budgets": [{"per": per, "limit": 1000, "windowSeconds": 3600} for per in ("Namespace", "Target")],
            "concurrency": [{"per": "Namespace", "limit": 64}],
            "breaker": {"failures": 100, "windowSeconds": 3600},
        },
    }
)
HORIZON = Horizon.of([GUARDRAIL])


def results(stand: Stand, _options: Options) -> Iterator[Result]:
    """Take and release against raw writes, with nothing counted and with an hour's work; and with a long past."""
    pasts = {"empty": (0, 5.0), "recent": (20, 5.0), "past": (PAST, 5.0), "busy": (100, 0.5)}
    specs = {name: past(executions, minutes=minutes) for name, (executions, minutes) in pasts.items()}
    rates = asyncio.run(_rates(stand, specs))
    for name, (cycles, raw) in rates.items():
        size = len(specs[name].model_dump_json()) / 1024
        what = f"Ledger writes after {pasts[name][0]:,} executions ({size:.0f} KiB)"
        yield Figure(what, cycles, raw, "raw conditional writes", "/s", Goal(0.8))
    yield Figure(f"the same after {PAST:,}", rates["past"][0], rates["recent"][0], "after 20", "/s", Goal(0.8))


def claim(number: int) -> Claim:
    """A start like many."""
    return Claim(
        uid=f"bench-{number}",
        execution=f"fix-{number}",
        namespace="bench",
        target=f"Deployment.apps/service-{number % 20}",
        family="restart-deployment",
        risk="Low",
        requester="system:serviceaccount:interlock-agents:interlock-agents",
        digest="sha256:" + "a" * 64,
    )


def past(executions: int, *, minutes: float) -> LedgerSpec:
    """What a Ledger holds after so many executions, one every so many minutes until now."""
    spec, now = LedgerSpec(), datetime.now(UTC) - executions * timedelta(minutes=minutes)
    for number in range(executions):
        spec = core.taken(spec, claim(-number - 1), now, HORIZON, shared=False)
        spec = core.released(spec, f"bench-{-number - 1}", "Succeeded", now)
        now += timedelta(minutes=minutes)
    return spec


async def _rates(stand: Stand, specs: Mapping[str, LedgerSpec]) -> dict[str, tuple[float, float]]:
    """Of each Ledger, writes a second: by taking and giving back, and plain ones conditional on the version read."""
    taking, writing = dict.fromkeys(specs, 0.0), dict.fromkeys(specs, 0.0)
    async with _store(stand) as (api, store):
        path = await api.path(API_VERSION, "Ledger", SYSTEM_NAMESPACE)
        for name, spec in specs.items():
            await api.create(path, new_ledger(ledger_of(name), SYSTEM_NAMESPACE, spec))
        for turn in range(ROUNDS):
            for name in specs:
                ledgers = Ledgers(store, utc_now)
                taking[name] += await _cycles(ledgers, name, turn * CYCLES)
                writing[name] += await _raw(store, await store.read(ledger_of(name)))
    writes = 2 * CYCLES * ROUNDS
    return {name: (writes / taking[name], writes / writing[name]) for name in specs}


@asynccontextmanager
async def _store(stand: Stand) -> AsyncIterator[tuple[Api, LedgerStore]]:
    api = await Api.connect(stand.installation.operator_kubeconfig, 10)
    leadership = Leadership(api, "bench", 30, shard="bench", in_flight=10)
    keeping = asyncio.create_task(leadership.keep())
    try:
        await leadership.until_leading()
        yield api, LedgerStore(api, leadership)
    finally:
        keeping.cancel()
        await api.close()


async def _cycles(ledgers: Ledgers, namespace: str, first: int) -> float:
    begun = time.monotonic()
    for number in range(first, first + CYCLES):
        asked = Asked(claim(number).model_copy(update={"namespace": namespace}), (GUARDRAIL,), HORIZON)
        if refused := await ledgers.take(asked):
            raise RuntimeError(refused.message)
        await ledgers.release(namespace, asked.claim.uid, "Succeeded")
    return time.monotonic() - begun


async def _raw(store: LedgerStore, ledger: Ledger) -> float:
    begun = time.monotonic()
    before = ledger.spec
    for number in range(2 * CYCLES):
        holds = [] if number % 2 else [Hold(**claim(number).model_dump(), at="2026-01-01T00:00:00Z")]
        ledger = await store.write(ledger, before.model_copy(update={"holds": holds}))
    return time.monotonic() - begun

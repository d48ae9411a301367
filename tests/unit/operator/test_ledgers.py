"""Ledgers in several hands at once: writes that come too late, answers that are lost, operators that die in between."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operator.test_limits import START, claim, guardrail
from tests.unit.operator.world import NO_API

from interlock.crds.execution import Phase
from interlock.crds.guardrail import Guardrail
from interlock.crds.ledger import Claim, Hold, Ledger, LedgerSpec, ledger_of
from interlock.operator.core.ledger import Horizon
from interlock.operator.core.limits import Asked
from interlock.operator.errors import ApiError, Conflict, Unavailable
from interlock.operator.lease import Leadership
from interlock.operator.ledgers import Ledgers, LedgerStore

RAIL = guardrail(
    budgets=[{"per": "Cluster", "limit": 5, "windowSeconds": 3600}],
    concurrency=[{"per": "Cluster", "limit": 2}, {"per": "Namespace", "limit": 1}],
)


@dataclass
class Cluster(LedgerStore):
    """Ledgers in memory; every request lets others come first, and may fail."""

    chance: Random
    failing: bool = True
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    phases: dict[str, Phase] = field(default_factory=dict)
    most: int = 0
    """So many held something of the shared Ledger at once."""

    def __post_init__(self) -> None:
        super().__init__(NO_API, cast(Leadership, None))

    async def _others(self) -> None:
        for _ in range(self.chance.randint(0, 3)):
            await asyncio.sleep(0)

    async def read(self, name: str) -> Ledger:
        await self._others()
        return self.ledgers.setdefault(name, Ledger(name=name, version="1", spec=LedgerSpec()))

    async def write(self, ledger: Ledger, spec: LedgerSpec) -> Ledger:
        await self._others()
        fate = self.chance.choice(["done", "done", "done", "lost", "unseen"]) if self.failing else "done"
        if fate == "lost":
            raise Unavailable(503, "no answer")
        if self.ledgers[ledger.name].version != ledger.version:
            raise Conflict(409, "the object has been modified")
        written = Ledger(name=ledger.name, version=str(int(ledger.version) + 1), spec=spec)
        self.ledgers[ledger.name] = written
        self.most = max(self.most, len(self.ledgers.get("shared", written).spec.holds))
        if fate == "unseen":
            raise Unavailable(503, "no answer")
        return written

    async def all(self) -> list[Ledger]:
        return list(self.ledgers.values())

    async def phase(self, hold: Hold) -> Phase | None:
        return self.phases.get(hold.uid)


@dataclass
class Slow(Cluster):
    """Writes take their time, are counted, and fail once it `breaks`."""

    writes: int = 0
    breaks: bool = False
    writing: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, ledger: Ledger, spec: LedgerSpec) -> Ledger:
        self.writes += 1
        self.writing.set()
        for _ in range(20):
            await asyncio.sleep(0)
        if self.breaks:
            raise Unavailable(503, "no answer")
        return await super().write(ledger, spec)


def asked(of: Claim, rails: Sequence[Guardrail] = (RAIL,)) -> Asked:
    return Asked(of, rails, Horizon.of(rails))


async def live(cluster: Cluster, ledgers: Ledgers, of: Claim) -> bool:
    """One execution: starts when it may, and gives back unless its operator dies first; whether it started."""
    cluster.phases[of.uid] = "Approved"
    for _ in range(6):
        try:
            if await ledgers.take(asked(of)) is not None:
                continue
        except ApiError:
            continue
        cluster.phases[of.uid] = "Running"
        await asyncio.sleep(0)
        cluster.phases[of.uid] = "Succeeded"
        if cluster.chance.random() < 0.7:
            for _ in range(3):
                try:
                    await ledgers.release(of.namespace, of.uid, "Succeeded")
                    break
                except ApiError:
                    continue
        return True
    cluster.phases[of.uid] = "Expired"
    return False


async def everything(cluster: Cluster, executions: int) -> int:
    """Three operators, each of a namespace of its own, with as many executions; how many started."""
    shards = {place: Ledgers(cluster, lambda: START) for place in ("shop", "bank", "dev")}
    made = [
        live(cluster, ledgers, claim(f"{place}-{number}", namespace=place, target=f"t{number % 2}"))
        for place, ledgers in shards.items()
        for number in range(executions)
    ]
    started = sum(await asyncio.gather(*made))
    cluster.failing = False
    await Ledgers(cluster, lambda: START).sweep()
    return started


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_however_they_race_and_fail_no_limit_is_exceeded_and_nothing_stays_held(seed: int, executions: int) -> None:
    cluster = Cluster(Random(seed))
    started = asyncio.run(everything(cluster, executions))
    assert cluster.most <= 2
    shared = sum(count.times for count in cluster.ledgers["shared"].spec.counts)
    own = {name: ledger.spec for name, ledger in cluster.ledgers.items() if name != "shared"}
    taken = sum(c.times for spec in own.values() for c in spec.counts if c.what == "Started")
    assert started <= taken <= shared <= 5
    assert all(not ledger.spec.holds for ledger in cluster.ledgers.values())


def test_a_start_and_an_end_take_one_write_each_and_no_read() -> None:
    @dataclass
    class Counted(Cluster):
        requests: int = 0

        async def _others(self) -> None:
            self.requests += 1

    cluster = Counted(Random(1), failing=False)
    ledgers, local = Ledgers(cluster, lambda: START), [guardrail(concurrency=[{"per": "Namespace", "limit": 9}])]

    async def run(uid: str) -> int:
        before = cluster.requests
        assert await ledgers.take(asked(claim(uid), local)) is None
        await ledgers.release("shop", uid, "Succeeded")
        return cluster.requests - before

    assert asyncio.run(run("1")) == 3, "the first reads the Ledger"
    assert asyncio.run(run("2")) == 2


def test_what_is_asked_for_while_it_is_written_is_written_together() -> None:
    cluster = Slow(Random(1), failing=False)
    ledgers, three = Ledgers(cluster, lambda: START), [guardrail(concurrency=[{"per": "Namespace", "limit": 3}])]

    async def run() -> list[str | None]:
        await ledgers.take(asked(claim("first", target="first"), three))
        many = [ledgers.take(asked(claim(str(n), target=str(n)), three)) for n in range(5)]
        done = ledgers.release("shop", "first", "Succeeded")
        *found, _ = await asyncio.gather(*many, done)
        return [finding.reason if finding else None for finding in found if not isinstance(finding, BaseException)]

    assert asyncio.run(run()) == [None, None, "ConcurrencyReached", "ConcurrencyReached", "ConcurrencyReached"]
    assert cluster.writes == 3, "the first start, the next alone, and all that came meanwhile"
    assert len(cluster.ledgers[ledger_of("shop")].spec.holds) == 2


def test_who_gives_up_before_its_turn_has_asked_for_nothing() -> None:
    cluster = Slow(Random(1), failing=False)
    ledgers, many = Ledgers(cluster, lambda: START), [guardrail(concurrency=[{"per": "Namespace", "limit": 9}])]

    async def run() -> None:
        first, second = (
            asyncio.create_task(ledgers.take(asked(claim(uid, target=uid), many))) for uid in ("first", "second")
        )
        await cluster.writing.wait()
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert await ledgers.take(asked(claim("third", target="third"), many)) is None

    asyncio.run(run())
    assert [hold.uid for hold in cluster.ledgers[ledger_of("shop")].spec.holds] == ["first", "third"]


def test_whose_write_fails_for_others_too_leaves_all_of_them_in_doubt() -> None:
    cluster = Slow(Random(1), failing=False)
    ledgers, many = Ledgers(cluster, lambda: START), [guardrail(concurrency=[{"per": "Namespace", "limit": 9}])]

    async def run() -> list[object]:
        await ledgers.take(asked(claim("first", target="first"), many))
        cluster.breaks = True
        takes = [ledgers.take(asked(claim(str(n), target=str(n)), many)) for n in range(3)]
        return list(await asyncio.gather(*takes, return_exceptions=True))

    assert [type(outcome) for outcome in asyncio.run(run())] == [Unavailable] * 3
    assert [hold.uid for hold in cluster.ledgers[ledger_of("shop")].spec.holds] == ["first"]


def test_another_operator_finds_the_same_answer() -> None:
    cluster, once = (
        Cluster(Random(1), failing=False),
        [guardrail(budgets=[{"per": "Namespace", "limit": 1, "windowSeconds": 60}])],
    )

    async def take(uid: str) -> str | None:
        found = await Ledgers(cluster, lambda: START).take(asked(claim(uid, target=uid), once))
        return found.reason if found else None

    assert asyncio.run(take("1")) is None
    assert asyncio.run(take("1")) is None, "what it holds already is not asked for again"
    assert asyncio.run(take("2")) == "BudgetExhausted"

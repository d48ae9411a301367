"""The Lease on a real API server: who leads when, and in which epoch."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.installation import Installation
from tests.support.operators import LEASES

from interlock.operator.api import Api, Object
from interlock.operator.errors import Unavailable
from interlock.operator.lease import Leadership, NotLeader, StaleFence

SECONDS = 30.0


@dataclass
class Clock:
    """A clock that the test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class LosingAnswers(Api):
    """The API server does what it is asked and the answer is lost, once."""

    lose = False

    async def merge_patch(self, path: str, patch: Any, *, dry_run: bool = False) -> Object:
        answer = await super().merge_patch(path, patch, dry_run=dry_run)
        if self.lose:
            self.lose = False
            raise Unavailable(0, "lost")
        return answer


@pytest.fixture
async def api(installation: Installation) -> AsyncIterator[LosingAnswers]:
    """The operator's account."""
    made = await LosingAnswers.connect(installation.operator_kubeconfig, 10)
    assert isinstance(made, LosingAnswers)
    yield made
    await made.close()


@pytest.fixture
def shard() -> str:
    return f"t-{secrets.token_hex(4)}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def leading(made: Leadership) -> AsyncIterator[Leadership]:
    """While it keeps the Lease that it has taken."""
    keeping = asyncio.create_task(made.keep())
    try:
        async with asyncio.timeout(20):
            await made.until_leading()
        yield made
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping


def lease(installation: Installation, shard: str) -> Object:
    return installation.admin.get(f"{LEASES}/interlock-operator-{shard}").body


async def test_the_epoch_is_the_version_at_the_taking_and_stays(
    installation: Installation, api: LosingAnswers, shard: str
) -> None:
    made = Leadership(api, "a", SECONDS, shard=shard)
    await made._once()
    taken = lease(installation, shard)
    assert made.fence().epoch == int(taken["metadata"]["resourceVersion"])
    await made._once()
    renewed = lease(installation, shard)
    assert renewed["metadata"]["resourceVersion"] != taken["metadata"]["resourceVersion"]
    assert renewed["spec"]["leaseTransitions"] == 1
    assert made.fence().epoch == int(taken["metadata"]["resourceVersion"])


async def test_a_lease_that_was_given_back_is_taken_at_once_in_a_later_epoch(api: LosingAnswers, shard: str) -> None:
    first, second = (Leadership(api, name, SECONDS, shard=shard) for name in "ab")
    async with leading(first):
        before = first.epoch
        await second._once()
        assert not second.leads
    assert first.leads, "stopping to renew gives nothing back"
    await first.release()
    with pytest.raises(NotLeader):
        first.fence()
    await second._once()
    assert second.fence().epoch > before


async def test_a_silent_leader_is_waited_out_by_the_own_clock(api: LosingAnswers, shard: str, clock: Clock) -> None:
    first = Leadership(api, "a", SECONDS, shard=shard, clock=clock)
    second = Leadership(api, "b", SECONDS, shard=shard, clock=clock)
    await first._once()
    await second._once()
    clock.now += SECONDS
    await second._once()
    assert not second.leads
    clock.now += 1
    await second._once()
    assert second.leads
    assert not first.leads


@pytest.mark.parametrize(("in_flight", "trusted"), [(0.0, 30.0), (10.0, 20.0), (100.0, 15.0)])
async def test_the_last_moments_of_a_lease_are_left_to_requests_under_way(
    api: LosingAnswers, shard: str, clock: Clock, in_flight: float, trusted: float
) -> None:
    made = Leadership(api, "a", SECONDS, shard=shard, in_flight=in_flight, clock=clock)
    await made._once()
    clock.now += trusted - 0.1
    made.check()
    clock.now += 0.2
    for refuses in (made.fence, made.check):
        with pytest.raises(NotLeader):
            refuses()
    assert made.epoch == 0


async def test_a_restart_under_the_same_name_leads_at_once_and_its_former_self_stays_out(
    api: LosingAnswers, shard: str, clock: Clock
) -> None:
    former = Leadership(api, "same", SECONDS, shard=shard, clock=clock)
    await former._once()
    before = former.epoch
    restarted = Leadership(api, "same", SECONDS, shard=shard, clock=clock)
    await restarted._once()
    assert restarted.epoch > before
    for _ in range(3):
        await former._once()
        assert not former.leads
        await restarted._once()
        assert restarted.leads


async def test_a_lost_answer_costs_an_epoch_not_the_lease(api: LosingAnswers, shard: str) -> None:
    made = Leadership(api, "a", SECONDS, shard=shard)
    await made._once()
    before = made.epoch
    api.lose = True
    with pytest.raises(Unavailable):
        await made._once()
    await made._once()
    assert made.fence().epoch > before


async def test_deleting_the_lease_does_not_turn_epochs_back(
    installation: Installation, api: LosingAnswers, shard: str
) -> None:
    made = Leadership(api, "a", SECONDS, shard=shard)
    await made._once()
    before = made.epoch
    assert installation.admin.delete(f"{LEASES}/interlock-operator-{shard}").ok
    await made._once()
    assert made.fence().epoch > before
    assert lease(installation, shard)["spec"]["leaseTransitions"] == 1


async def test_epochs_of_all_shards_share_one_order(api: LosingAnswers, shard: str) -> None:
    epochs = []
    for number in range(3):
        made = Leadership(api, "a", SECONDS, shard=f"{shard}-{number}")
        await made._once()
        epochs.append(made.epoch)
    assert epochs == sorted(set(epochs))


async def test_who_is_overtaken_takes_its_own_lease_anew(api: LosingAnswers, shard: str) -> None:
    here, there = (Leadership(api, "a", SECONDS, shard=f"{shard}-{name}") for name in ("here", "there"))
    await here._once()
    await there._once()
    with pytest.raises(StaleFence) as stale:
        here.admit(there.epoch)
    await here.take_anew(stale.value.epoch)
    assert here.epoch > there.epoch
    here.admit(there.epoch)
    unchanged = here.epoch
    await here.take_anew(stale.value.epoch)
    assert here.epoch == unchanged, "many keys that notice it at once cost one epoch"


async def test_who_does_not_lead_takes_nothing_anew(api: LosingAnswers, shard: str, clock: Clock) -> None:
    made = Leadership(api, "a", SECONDS, shard=shard, clock=clock)
    await made._once()
    clock.now += SECONDS
    with pytest.raises(NotLeader):
        await made.take_anew(1)


async def test_before_a_hand_over_no_effect_begins_but_status_is_written(api: LosingAnswers, shard: str) -> None:
    made = Leadership(api, "a", SECONDS, shard=shard)
    await made._once()
    made.drain()
    made.fence()
    with pytest.raises(NotLeader, match="give the Lease"):
        made.check()

"""The queue, on the loop's own order of events: nothing here waits for a clock."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from interlock.operator import queue
from interlock.operator.errors import Unavailable
from interlock.operator.queue import Queue


class Work:
    """Work that is held until it is let go, and remembers how it was done."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self.begun = asyncio.Event()
        self.two_begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, key: str) -> float | None:
        self.open[key] += 1
        self.most_at_once[key] = max(self.most_at_once[key], self.open[key])
        self.begun.set()
        if self.open.total() == 2:
            self.two_begun.set()
        await self.go.wait()
        self.open[key] -= 1
        self.done[key] += 1
        return None


@asynccontextmanager
async def running(worker: Callable[[str], Awaitable[float | None]], workers: int = 3) -> AsyncIterator[Queue]:
    """A queue that is worked on."""
    made = Queue(worker, spread=lambda: 1.0)
    task = asyncio.create_task(made.run(workers))
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def idle(of: Queue) -> None:
    """Until nothing is queued or worked on."""
    while len(of):  # noqa: ASYNC110 - the queue tells nobody that it is empty, and the loop turns without waiting
        await asyncio.sleep(0)


async def test_many_triggers_before_the_work_are_one_piece_of_work() -> None:
    work = Work()
    work.go.set()
    async with running(work) as of:
        for _ in range(10):
            of.add("a")
        await idle(of)
    assert work.done == {"a": 1}


async def test_many_triggers_during_the_work_are_exactly_one_more() -> None:
    work = Work()
    async with running(work) as of:
        of.add("a")
        await work.begun.wait()
        for _ in range(10):
            of.add("a")
        assert len(of) == 1
        work.go.set()
        await idle(of)
    assert work.done == {"a": 2}
    assert work.most_at_once == {"a": 1}


async def test_the_echo_of_the_work_itself_is_no_trigger() -> None:
    """It is heard before the work knows that it was its own."""
    work, known = Work(), set[str]()
    async with running(work) as queue:
        queue.add("a")
        await work.begun.wait()
        queue.add("a", stale=lambda: "2" in known)
        known.add("2")
        work.go.set()
        await idle(queue)
        assert work.done == Counter(a=1)
        queue.add("a", stale=lambda: "2" in known)
        await idle(queue)
        assert work.done == Counter(a=1)


async def test_news_among_echoes_is_looked_at() -> None:
    work = Work()
    async with running(work) as queue:
        queue.add("a")
        await work.begun.wait()
        for stale in (True, False, True):
            queue.add("a", stale=partial(bool, stale))
        work.go.set()
        await idle(queue)
    assert work.done == Counter(a=2)


async def test_an_echo_leaves_the_appointment_alone() -> None:
    """What wants to be looked at again after a while is, whatever was heard meanwhile."""
    looks = asyncio.Queue[None]()
    at_work = asyncio.Event()

    async def worker(_: str) -> float | None:
        looks.put_nowait(None)
        at_work.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return 0.0

    async with running(worker) as queue:
        queue.add("a")
        await at_work.wait()
        queue.add("a", stale=lambda: True)
        for _ in range(3):
            await looks.get()


async def test_keys_are_worked_on_side_by_side_but_never_one_twice_at_once() -> None:
    work = Work()
    async with running(work, workers=4) as of:
        for key in "abab":
            of.add(key)
        await work.two_begun.wait()
        for key in "abab":
            of.add(key)
        work.go.set()
        await idle(of)
    assert work.done == {"a": 2, "b": 2}
    assert work.most_at_once == {"a": 1, "b": 1}


async def test_what_only_waits_lets_all_others_go_before_it_until_something_happens_to_it() -> None:
    order: list[str] = []

    async def work(key: str) -> float | None:
        order.append(key)
        return None

    of = Queue(work)
    for key in ("waits-1", "waits-2", "waits-3"):
        of.add(key, behind=True)
    for key in ("new", "waits-3", "waits-3", "new"):
        of.add(key)
    of.add("waits-3", behind=True)
    task = asyncio.create_task(of.run(1))
    await idle(of)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert order == ["new", "waits-3", "waits-1", "waits-2"]


async def test_what_fails_is_tried_again_later_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    done = asyncio.Event()

    async def fails_seven_times(key: str) -> float | None:
        if len(delays) < 7:
            raise ConnectionError(key)
        done.set()
        return None

    def at_once(self: Queue, key: str, seconds: float) -> None:
        delays.append(seconds)
        self.add(key)

    monkeypatch.setattr(queue, "LAST_RETRY_SECONDS", 10.0)
    monkeypatch.setattr(Queue, "add_later", at_once)
    async with running(fails_seven_times) as of:
        of.add("a")
        await done.wait()
        await idle(of)
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


async def test_success_forgets_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    outcomes = iter(["fails", "fails", "works", "fails"])

    async def worker(key: str) -> float | None:
        if next(outcomes) == "fails":
            raise ConnectionError(key)
        return 0.25

    def noted(self: Queue, key: str, seconds: float) -> None:
        delays.append(seconds)

    monkeypatch.setattr(Queue, "add_later", noted)
    async with running(worker) as of:
        for _ in range(4):
            of.add("a")
            await idle(of)
    assert delays == [0.5, 1.0, 0.25, 0.5]


async def test_a_failure_of_one_key_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    async def worker(key: str) -> float | None:
        if key == "bad":
            raise ConnectionError(key)
        done.append(key)
        return None

    async with running(worker, workers=1) as of:
        for key in ("bad", "good", "better"):
            of.add(key)
        await idle(of)
    assert done == ["good", "better"]


async def test_a_trigger_during_a_failure_is_not_lost() -> None:
    attempts = 0
    done = asyncio.Event()

    async def worker(key: str) -> float | None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            of.add(key)
            raise ConnectionError(key)
        done.set()
        return None

    async with running(worker) as of:
        of.add("a")
        await done.wait()
        await idle(of)
    assert attempts == 2


async def test_what_asks_for_it_is_looked_at_again_by_itself() -> None:
    looks = 0
    done = asyncio.Event()

    async def worker(_: str) -> float | None:
        nonlocal looks
        looks += 1
        if looks < 3:
            return 0.0
        done.set()
        return None

    async with running(worker) as of:
        of.add("a")
        await done.wait()
    assert looks == 3


async def test_a_trigger_comes_before_the_appointment_and_replaces_it() -> None:
    looks = 0

    async def worker(_: str) -> float | None:
        nonlocal looks
        looks += 1
        return None

    async with running(worker) as of:
        of.add_later("a", 0.0)
        of.add("a")
        await idle(of)
        for _ in range(5):
            await asyncio.sleep(0)
        await idle(of)
    assert looks == 1


@pytest.mark.parametrize(("asked", "waited"), [(None, 0.5), (0.1, 0.5), (7.0, 7.0)])
async def test_the_api_server_says_how_long_it_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, asked: float | None, waited: float
) -> None:
    delays: list[float] = []

    async def worker(key: str) -> float | None:
        raise Unavailable(429, key, asked)

    monkeypatch.setattr(Queue, "add_later", lambda self, key, seconds: delays.append(seconds))
    async with running(worker) as of:
        of.add("a")
        await idle(of)
    assert delays == [waited]


async def test_waits_are_spread_by_chance_and_never_shorter_than_asked() -> None:
    delays = {Queue(Work())._backoff("a", 4.0) for _ in range(50)}
    assert len(delays) > 10
    assert min(delays) >= 4.0
    assert max(delays) <= 4.0 * (1 + queue.SPREAD)


async def test_draining_ends_what_is_under_way_and_begins_nothing() -> None:
    work = Work()
    async with running(work, workers=1) as of:
        of.add("a")
        await work.begun.wait()
        of.add("b")
        drained = asyncio.create_task(of.drain(60))
        await asyncio.sleep(0)
        work.go.set()
        assert await drained
    assert work.done == {"a": 1}


async def test_draining_says_when_something_does_not_come_to_its_end() -> None:
    work = Work()
    async with running(work, workers=1) as of:
        of.add("a")
        await work.begun.wait()
        assert not await of.drain(0)
        assert of.in_work == 1


async def test_behind_a_closed_gate_keys_wait_and_none_is_lost() -> None:
    work, gate = Work(), asyncio.Event()
    work.go.set()

    async def closed() -> None:
        await gate.wait()

    of = Queue(work, gate=closed)
    task = asyncio.create_task(of.run(2))
    for key in "abc":
        of.add(key)
    for _ in range(10):
        await asyncio.sleep(0)
    assert (work.done, of.waiting) == ({}, 3)
    assert of.oldest > 0
    gate.set()
    await idle(of)
    assert work.done == {"a": 1, "b": 1, "c": 1}
    assert of.oldest == 0
    task.cancel()


async def test_a_gate_that_closes_while_workers_are_idle_holds_what_comes() -> None:
    work, gate = Work(), asyncio.Event()
    work.go.set()
    gate.set()

    async def passing() -> None:
        await gate.wait()

    of = Queue(work, gate=passing)
    task = asyncio.create_task(of.run(2))
    for _ in range(10):
        await asyncio.sleep(0)
    gate.clear()
    for key in "abc":
        of.add(key)
    for _ in range(10):
        await asyncio.sleep(0)
    assert (work.done, of.waiting) == ({}, 3)
    gate.set()
    await idle(of)
    assert work.done == {"a": 1, "b": 1, "c": 1}
    task.cancel()


async def test_stopping_cancels_what_is_under_way_and_what_was_to_come() -> None:
    work = Work()
    async with running(work) as of:
        of.add("a")
        of.add_later("b", 3600.0)
        await work.begun.wait()
    assert work.done == {}
    of.add_later("c", 3600.0)
    of.add("c")

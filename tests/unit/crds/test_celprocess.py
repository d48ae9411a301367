import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from interlock.crds.cel import ExpressionError
from interlock.crds.celprocess import Evaluator

NUMBERS: list[JsonValue] = list(range(1000))
ENDLESS = "n.all(a, n.all(b, n.all(c, a + b + c >= 0)))"


@pytest.fixture
async def evaluator() -> AsyncIterator[Evaluator]:
    async with Evaluator(deadline=1.0) as evaluator:
        yield evaluator


def child(evaluator: Evaluator) -> int:
    running = evaluator._child  # the process is the promise that is tested here
    assert running is not None
    return running.pid


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() if sys.platform == "linux" else _answers(pid)


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_values_come_back_as_they_are(evaluator: Evaluator) -> None:
    assert await evaluator.evaluate("{'a': [x, 1.5, null, 'ü']}", {"x": True}) == {"a": [True, 1.5, None, "ü"]}


async def test_errors_name_the_expression(evaluator: Evaluator) -> None:
    with pytest.raises(ExpressionError, match=r"x\.missing"):
        await evaluator.evaluate("x.missing", {"x": {}})


async def test_what_is_not_json_is_an_error(evaluator: Evaluator) -> None:
    for expression in ("b'x'", "timestamp('2026-01-01T00:00:00Z')", "1.0 / 0.0", "x.?y"):
        with pytest.raises(ExpressionError, match="is not a value that a runbook can use"):
            await evaluator.evaluate(expression, {"x": {}})


async def test_only_true_and_false_are_conditions(evaluator: Evaluator) -> None:
    assert await evaluator.holds("1 < 2", {})
    assert not await evaluator.holds("2 < 1", {})
    with pytest.raises(ExpressionError, match="is 1, not true or false"):
        await evaluator.holds("1", {})


async def test_a_runaway_expression_ends_and_the_next_is_answered(evaluator: Evaluator) -> None:
    assert await evaluator.evaluate("1", {}) == 1
    killed = child(evaluator)
    begun = time.monotonic()
    with pytest.raises(ExpressionError, match="longer than 1 s"):
        await evaluator.evaluate(ENDLESS, {"n": NUMBERS})
    assert time.monotonic() - begun < 5
    assert not lives(killed)
    assert await evaluator.evaluate("1 + 1", {}) == 2


async def test_the_loop_goes_on_meanwhile(evaluator: Evaluator) -> None:
    await evaluator.evaluate("1", {})
    runaway = asyncio.create_task(evaluator.evaluate(ENDLESS, {"n": NUMBERS}))
    turns = 0
    while not runaway.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100
    with pytest.raises(ExpressionError):
        await runaway


async def test_many_at_once_each_get_their_own_answer(evaluator: Evaluator) -> None:
    answers = await asyncio.gather(*(evaluator.evaluate("n * 2", {"n": n}) for n in range(50)))
    assert answers == [n * 2 for n in range(50)]


async def test_a_cancelled_evaluation_does_not_answer_the_next(evaluator: Evaluator) -> None:
    await evaluator.evaluate("1", {})
    runaway = asyncio.create_task(evaluator.evaluate(ENDLESS, {"n": NUMBERS}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    runaway.cancel()
    with pytest.raises(asyncio.CancelledError):
        await runaway
    assert await evaluator.evaluate("'next'", {}) == "next"


async def test_cancelled_while_the_process_starts() -> None:
    async with Evaluator(deadline=5.0) as evaluator:
        first = asyncio.create_task(evaluator.evaluate("1", {}))
        while evaluator._child is None:  # noqa: ASYNC110 - there is no event, and it is a few turns of the loop
            await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await evaluator.evaluate("2", {}) == 2


async def test_a_process_that_died_is_replaced(evaluator: Evaluator) -> None:
    await evaluator.evaluate("1", {})
    os.kill(child(evaluator), signal.SIGKILL)
    assert evaluator._child is not None
    await evaluator._child.wait()
    assert await evaluator.evaluate("2", {}) == 2


async def test_no_process_is_left() -> None:
    async with Evaluator() as evaluator:
        await evaluator.evaluate("1", {})
        pid = child(evaluator)
        assert lives(pid)
    assert not lives(pid)


async def test_closing_twice_and_evaluating_again_is_allowed(evaluator: Evaluator) -> None:
    await evaluator.close()
    await evaluator.close()
    assert await evaluator.evaluate("1", {}) == 1

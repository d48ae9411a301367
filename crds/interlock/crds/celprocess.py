"""Evaluates CEL outside the caller's process: a runbook's expression can neither block it nor outlive its deadline.

One child process answers one line for each line; a child that misses the deadline is killed and the next evaluation
starts a new one. A check that cannot be evaluated in time is a failed check.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from pydantic import JsonValue

from interlock.crds.cel import ExpressionError, evaluate

DEADLINE_SECONDS = 2.0
_START_SECONDS = 30.0
_LAST_RESORT_SECONDS = 60
_LINE_LIMIT = 64 * 1024 * 1024


class Evaluator:
    """Evaluates expressions in a child process, each within `deadline` seconds; durations in them are scaled."""

    def __init__(self, deadline: float = DEADLINE_SECONDS, *, time_scale: float = 1) -> None:
        self._deadline = deadline
        self._time_scale = time_scale
        self._turn = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def evaluate(self, expression: str, variables: Mapping[str, JsonValue]) -> JsonValue:
        """The value of the expression.

        Raises:
            ExpressionError: it does not compile, fails on this input, or takes longer than the deadline.
        """
        asked = {"expression": expression, "variables": dict(variables), "timeScale": self._time_scale}
        request = json.dumps(asked).encode() + b"\n"
        async with self._turn:
            answer = await self._ask(request, expression)
        if "error" in answer:
            raise ExpressionError(str(answer["error"]))
        return answer["value"]

    async def holds(self, expression: str, variables: Mapping[str, JsonValue]) -> bool:
        """Whether the expression is true; anything but a boolean is an error.

        Raises:
            ExpressionError: as `evaluate`, or the value is not a boolean.
        """
        value = await self.evaluate(expression, variables)
        if not isinstance(value, bool):
            raise ExpressionError(f"{expression!r} is {value!r}, not true or false")
        return value

    async def _ask(self, request: bytes, expression: str) -> dict[str, JsonValue]:
        if self._child is not None and self._child.returncode is not None:
            await self.close()
        child = self._child or await self._start()
        if child.stdin is None or child.stdout is None:
            raise ExpressionError("the evaluating process has no pipes")
        try:
            child.stdin.write(request)
            await child.stdin.drain()
            line = await asyncio.wait_for(child.stdout.readline(), self._deadline)
        except TimeoutError:
            await self.close()
            raise ExpressionError(f"{expression!r} took longer than {self._deadline:g} s") from None
        except asyncio.CancelledError:
            await self.close()
            raise
        except (BrokenPipeError, ConnectionResetError, ValueError):  # ValueError: an answer beyond the limit
            line = b""
        if not line:
            await self.close()
            raise ExpressionError(f"{expression!r} ended the process that evaluates it")
        answer: dict[str, JsonValue] = json.loads(line)
        return answer

    async def _start(self) -> asyncio.subprocess.Process:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "interlock.crds.celprocess",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
            start_new_session=True,
        )
        try:
            ready = await asyncio.wait_for(self._child.stdout.readline(), _START_SECONDS) if self._child.stdout else b""
        except TimeoutError:
            ready = b""
        except asyncio.CancelledError:
            await self.close()
            raise
        if ready != b"ready\n":
            await self.close()
            raise ExpressionError("the evaluating process did not start")
        return self._child

    async def close(self) -> None:
        """Ends the child process; a later evaluation starts a new one."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            child.kill()
        await child.wait()
        if child.stdin is not None:
            child.stdin.close()


def _answer(line: str) -> dict[str, JsonValue]:
    request = json.loads(line)
    try:
        return {"value": _plain(evaluate(request["expression"], request["variables"], time_scale=request["timeScale"]))}
    except ExpressionError as wrong:
        return {"error": str(wrong)}


def _plain(value: object) -> JsonValue:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise ExpressionError(f"a {type(value).__name__} is not a value that a runbook can use") from None
    return value  # type: ignore[return-value]


def serve() -> None:
    """Answers requests on standard input until it closes; ends itself where nobody is left to keep the deadline."""
    os.write(1, b"ready\n")
    for line in sys.stdin:
        signal.alarm(_LAST_RESORT_SECONDS)
        sys.stdout.write(json.dumps(_answer(line)) + "\n")
        sys.stdout.flush()
        signal.alarm(0)


if __name__ == "__main__":
    serve()

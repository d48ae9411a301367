"""What stands before every call of a model: the answer that is known already, the budget, the time-out, the record."""

import asyncio
import time
from asyncio import to_thread
from collections.abc import Awaitable, Callable

from interlock.agents.llm.exchange import Answer, BudgetExhaustedError, Model, ModelUnavailableError, Request
from interlock.agents.llm.settings import ModelSettings
from interlock.agents.llm.tables import ExchangeRow
from interlock.agents.llm.transcript import Key, Transcript

ATTEMPTS = 2
Pause = Callable[[float], Awaitable[None]]


class Metered:
    """A model that is asked within a budget, and never the same twice in one consultation."""

    def __init__(
        self, model: Model, transcript: Transcript, key: Key, settings: ModelSettings, pause: Pause = asyncio.sleep
    ) -> None:
        self._model = model
        self._transcript = transcript
        self._key = key
        self._settings = settings
        self._pause = pause

    async def answer(self, request: Request) -> Answer:
        """The answer, durable before it is used.

        Raises:
            ModelUnavailableError: two calls gave none, or one call and asking again is of no use.
            BudgetExhaustedError: a limit forbids the call.
        """
        known = await to_thread(self._transcript.answer_to, self._key, request)
        if known is not None:
            return known
        for attempt in range(1, ATTEMPTS + 1):
            row = await to_thread(self._transcript.ask, self._key, request, self._settings)
            try:
                return await self._call(row, request)
            except ModelUnavailableError as failure:
                if attempt == ATTEMPTS or not failure.again:
                    raise
            await self._pause(self._settings.retry_after)
        raise AssertionError("the last attempt returns or raises")

    async def _call(self, row: ExchangeRow, request: Request) -> Answer:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.call_timeout):
                answer = await self._model.answer(request)
        except TimeoutError:
            why = f"no answer within {self._settings.call_timeout:g} s"
            await self._settle(row, began, None, why)
            raise ModelUnavailableError(why, again=True) from None
        except ModelUnavailableError as failure:
            await self._settle(row, began, None, str(failure))
            raise
        await self._settle(row, began, answer, "")
        return answer

    async def _settle(self, row: ExchangeRow, began: float, answer: Answer | None, why: str) -> None:
        seconds = time.monotonic() - began
        await to_thread(self._transcript.settle, row, self._settings, seconds, answer, why)


class Recorded:
    """A model that answers what a transcript holds, and nothing else."""

    def __init__(self, exchanges: list[ExchangeRow]) -> None:
        self._answers = {row.digest: row for row in exchanges}  # of several attempts the last one stands
        self.not_recorded: list[Request] = []

    async def answer(self, request: Request) -> Answer:
        """The recorded answer.

        Raises:
            ModelUnavailableError: there was none, or this was never asked (then it stands in `not_recorded`).
            BudgetExhaustedError: the question was not asked for its cost.
        """
        row = self._answers.get(request.digest)
        if row is None:
            self.not_recorded.append(request)
            raise ModelUnavailableError("this question is not in the transcript", again=False)
        if row.state == "refused":
            raise BudgetExhaustedError(row.message)
        if row.state != "answered":
            raise ModelUnavailableError(row.message, again=False)
        return Answer.model_validate_json(row.answer)

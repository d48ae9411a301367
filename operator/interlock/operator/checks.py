"""Whether conditions hold: preconditions, verification, wait and assert. What cannot be evaluated has failed."""

from collections.abc import Mapping
from typing import Any

import aiohttp
from pydantic import JsonValue

from interlock.crds.cel import ExpressionError
from interlock.crds.celprocess import Evaluator
from interlock.operator.errors import ApiError
from interlock.operator.look import TargetGone, View, mentioned
from interlock.operator.prepared import Condition


class PrometheusFailed(Exception):
    """The query has no usable answer."""


class Prometheus:
    """Instant queries."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=seconds)

    async def query(self, promql: str) -> list[float]:
        """The value of each sample.

        Raises:
            PrometheusFailed: there is no Prometheus, it did not answer, or the query is wrong.
        """
        if not self._url:
            raise PrometheusFailed("no Prometheus is configured")
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.get(f"{self._url}/api/v1/query", params={"query": promql}) as response,
            ):
                answer: dict[str, Any] = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise PrometheusFailed(f"Prometheus did not answer: {error}") from error
        if answer.get("status") != "success":
            raise PrometheusFailed(f"Prometheus refused the query: {answer.get('error')}")
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [float(data["result"][1])]
        if data["resultType"] != "vector":
            raise PrometheusFailed(f"the query gives a {data['resultType']}, not an instant vector")
        return [float(sample["value"][1]) for sample in data["result"]]


class Checks:
    """Evaluates conditions over live objects and metrics."""

    def __init__(self, evaluator: Evaluator, prometheus: Prometheus) -> None:
        self._evaluator = evaluator
        self._prometheus = prometheus

    async def failing(self, conditions: Mapping[str, Condition], view: View) -> dict[str, str]:
        """The conditions that do not hold now, by name, each with why."""
        try:
            variables = await view.variables(mentioned(c.expression for c in conditions.values() if c.expression))
        except (TargetGone, ApiError, ExpressionError) as error:
            return dict.fromkeys(conditions, str(error))
        reasons = {name: await self._reason(condition, variables) for name, condition in conditions.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    async def _reason(self, condition: Condition, variables: Mapping[str, JsonValue]) -> str | None:
        try:
            if condition.expression is not None:
                holds = await self._evaluator.holds(condition.expression, variables)
                return None if holds else f"{condition.expression} is false"
            return await self._query(condition.promql or "", condition.satisfies or "false")
        except (ExpressionError, PrometheusFailed) as error:
            return str(error)

    async def _query(self, promql: str, satisfies: str) -> str | None:
        values = await self._prometheus.query(promql)
        if not values:
            return f"{promql} has no sample"
        for value in values:
            if not await self._evaluator.holds(satisfies, {"value": value}):
                return f"{promql} is {value:g}, which does not satisfy {satisfies}"
        return None

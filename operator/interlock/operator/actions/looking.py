"""Actions that change nothing: wait, assert, and a question to a person."""

from collections.abc import Mapping

from interlock.crds import actions as contract
from interlock.operator.actions.base import Action, Means, Turn
from interlock.operator.prepared import Condition, Prepared, planned_step


class Wait(Action):
    """Waits until an expression holds."""

    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """The expression of `until`."""
        until = contract.Wait.parse(_written(turn)).until
        return _looking(turn, Condition(expression=until), f"waits until {until}")


class Assert(Action):
    """Fails unless a condition holds now."""

    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """The expression or the query."""
        given = contract.Assert.parse(_written(turn))
        condition = Condition(expression=given.expression, promql=given.promql, satisfies=given.satisfies)
        what = given.expression or f"{given.promql} satisfies {given.satisfies}"
        return _looking(turn, condition, f"asserts {what}")


class Manual(Action):
    """Asks a person, who confirms or has everything undone."""

    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """The question; the engine waits for its answer."""
        asks = contract.Manual.parse(_written(turn)).asks
        return Prepared(planned_step(turn.node, note=asks), {"writes": False, "asks": asks})


def _written(turn: Turn) -> Mapping[str, str]:
    """The arguments; those that another step yields stand as they are written until it has."""
    return {**{name: turn.node.step.with_[name] for name in turn.unknown}, **turn.arguments}


def _looking(turn: Turn, condition: Condition, note: str) -> Prepared:
    planned = planned_step(turn.node, note=turn.node.step.description or note)
    return Prepared(planned, {"writes": False}, condition=condition)

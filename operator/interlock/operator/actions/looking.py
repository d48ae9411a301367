"""Actions that change nothing: wait and assert."""

from collections.abc import Mapping

from interlock.crds import actions as contract
from interlock.operator.actions.base import Condition


class Wait:
    """Waits until an expression holds."""

    patient = True

    def condition(self, arguments: Mapping[str, str]) -> Condition:
        """The expression of `until`."""
        return Condition(expression=contract.Wait.parse(arguments).until)


class Assert:
    """Fails unless a condition holds now."""

    patient = False

    def condition(self, arguments: Mapping[str, str]) -> Condition:
        """The expression or the query."""
        parsed = contract.Assert.parse(arguments)
        return Condition(expression=parsed.expression, promql=parsed.promql, satisfies=parsed.satisfies)

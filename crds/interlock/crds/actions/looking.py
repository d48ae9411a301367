"""Actions that change nothing: they wait, check, or ask a person."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from interlock.crds.actions.base import Arguments
from interlock.crds.types import PROSE_PATTERN, Expression, Prose


class Wait(Arguments):
    """Waits until an expression holds."""

    summary = "Waits, at most for the step's timeout, until an expression over live objects is true."
    example = """
name: rolled-out
action: wait
with:
  until: target.status.?updatedReplicas.orValue(0) >= target.spec.replicas
timeoutSeconds: 600
"""
    effect = None
    until: Expression = Field(description="CEL over live objects; evaluated again until it is true.")


class Assert(Arguments):
    """Fails the execution unless a condition holds now."""

    summary = "Fails unless an expression, or every sample of a Prometheus query, holds now."
    example = """
name: error-rate-is-low
action: assert
with:
  promql: sum(rate(http_requests_total{code=~"5..",app="${target.metadata.name}"}[5m]))
  satisfies: value < 0.5
"""
    effect = None
    expression: Expression | None = Field(default=None, description="CEL over live objects.")
    promql: Prose | None = Field(default=None, description="Instant query; no sample counts as failed.")
    satisfies: Expression | None = Field(
        default=None, description="CEL over the number `value` that every sample of promql must satisfy."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.expression is None) == (self.promql is None):
            raise ValueError("needs either expression or promql")
        if (self.promql is None) != (self.satisfies is None):
            raise ValueError("promql and satisfies belong together")
        return self


class Manual(Arguments):
    """Asks a person to do something, or to look, and waits for the answer."""

    summary = "Asks a person: the execution waits until somebody confirms, or has everything undone."
    example = """
name: fail-over
action: manual
with:
  asks: Fail the database of ${target.metadata.name} over to its replica, then confirm.
"""
    notes = (
        "Who may approve the runbook may answer, but not whoever asked for the execution. The question is part of the"
        " plan. Nobody is asked twice: an answer is a decision on the journal as it stands."
    )
    effect = None
    asks: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=PROSE_PATTERN)] = Field(
        description="What the person is asked to do or to look at."
    )

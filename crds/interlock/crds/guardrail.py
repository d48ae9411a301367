"""Guardrail: what the platform's owner allows at all, whatever a runbook or an approver says.

Several may match an execution: the strictest wins, and the answer names it.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from interlock.crds.runbook import Risk
from interlock.crds.types import Message, Model, Name


class Selector(Model):
    """Which executions a guardrail is about; what is empty selects all."""

    namespaces: Annotated[list[Name], Field(max_length=64)] = Field(default=[], description="Namespaces.")
    families: Annotated[list[Name], Field(max_length=64)] = Field(default=[], description="Families of runbooks.")
    risks: Annotated[list[Risk], Field(max_length=3)] = Field(default=[], description="Risks of runbooks.")

    def matches(self, *, namespace: str, family: str, risk: str) -> bool:
        """Whether an execution in `namespace` of a runbook of `family` with `risk` is selected."""
        return (
            (not self.namespaces or namespace in self.namespaces)
            and (not self.families or family in self.families)
            and (not self.risks or risk in self.risks)
        )


class GuardrailSpec(Model):
    """The limits."""

    selector: Selector = Field(default=Selector(), description="Which executions it is about.")
    mode: Literal["Observe", "Propose"] = Field(
        default="Propose", description="Observe plans and records but never acts; Propose acts once approved."
    )
    approvals: Annotated[int, Field(ge=1, le=8)] = Field(
        default=1, description="Distinct approvers needed; the larger of this and the runbook's own number counts."
    )
    stop: bool = Field(default=False, description="Nothing more is written, neither steps nor undo, while it is set.")
    message: Message = Field(default="", description="Why, for those who are refused.")


class Guardrail(Model):
    """A guardrail by its name."""

    name: str
    spec: GuardrailSpec


def matching(guardrails: Iterable[Guardrail], *, namespace: str, family: str, risk: str) -> tuple[Guardrail, ...]:
    """The guardrails that select such an execution, by name."""
    selected = (g for g in guardrails if g.spec.selector.matches(namespace=namespace, family=family, risk=risk))
    return tuple(sorted(selected, key=lambda g: g.name))

"""Guardrail: what the platform's owner allows at all, whatever a runbook or an approver says.

Several may match an execution: the strictest wins, and the answer names it. What has been used up stands in the
Ledgers; the status shows it to people and decides nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints

from interlock.crds.runbook import Risk
from interlock.crds.types import Line, Message, Model, Name, Time

Mode = Literal["Observe", "Propose", "Auto"]
Scope = Literal["Cluster", "Namespace", "Target", "Family", "Requester"]
SHARED: frozenset[str] = frozenset({"Cluster", "Family", "Requester"})
"""Scopes that reach beyond one namespace."""

WindowSeconds = Annotated[int, Field(ge=60, le=604800)]


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


class Budget(Model):
    """So many starts in so much time, among all that the guardrail selects and that share the scope."""

    per: Scope = Field(
        description="What shares the budget: all of the cluster, or what has the same namespace, target, family of"
        " runbooks or requester."
    )
    limit: Annotated[int, Field(ge=0, le=1000)] = Field(description="Starts; 0 lets nothing start.")
    window_seconds: WindowSeconds = Field(description="In so many seconds, whenever they begin.")


class Concurrency(Model):
    """So many at the same time, among all that the guardrail selects and that share the scope."""

    per: Literal["Cluster", "Namespace", "Family", "Requester"] = Field(
        description="What shares the number. A target is always worked on by one at a time."
    )
    limit: Annotated[int, Field(ge=0, le=64)] = Field(
        description="Executions that have started and not ended; a temporary measure ends when it is put back."
    )


class Breaker(Model):
    """Stops the same cure on the same target when it does not help: what follows is a person's."""

    failures: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="Opens after so many runs of one family on one target that failed or were undone."
    )
    repeats: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="Opens after so many runs of one family on one target, however they ended."
    )
    window_seconds: WindowSeconds = Field(description="Within so many seconds; it closes as they pass.")


class Freeze(Model):
    """A time in which nothing starts. What has started goes on, and may be undone and put back."""

    schedule: Annotated[str, StringConstraints(min_length=9, max_length=128)] = Field(
        description="When it begins: five fields of cron (minute, hour, day of month, month, day of week)."
    )
    duration_seconds: Annotated[int, Field(ge=60, le=2678400)] = Field(description="How long it lasts, in seconds.")
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        default="UTC", description="IANA time zone of the schedule, such as Europe/Berlin."
    )
    reason: Line = Field(default="", description="Why, for those who are held up.")


Percent = Annotated[int, Field(ge=1, le=100)]


class BlastRadius(Model):
    """How much may be touched at once, counted over all executions that have started and not ended."""

    replicas_percent: Percent | None = Field(
        default=None, description="Share of the namespace's replicas: those of its Deployments and StatefulSets."
    )
    nodes_percent: Percent | None = Field(default=None, description="Share of the cluster's nodes.")


class Autonomy(Model):
    """The track record that lets a runbook run without an approval; one failure loses it."""

    successes: Annotated[int, Field(ge=1, le=1000)] = Field(
        description="Verified successes of exactly this digest in the same namespace, none failed since."
    )
    within_days: Annotated[int, Field(ge=1, le=90)] = Field(default=30, description="Successes count for so long.")


class GuardrailSpec(Model):
    """The limits."""

    selector: Selector = Field(default=Selector(), description="Which executions it is about.")
    mode: Mode = Field(
        default="Propose",
        description="Observe plans and records but never acts; Propose acts once approved; Auto acts by itself where"
        " autonomy is earned and a precondition proves the fault on live objects, and otherwise once approved.",
    )
    approvals: Annotated[int, Field(ge=1, le=8)] = Field(
        default=1, description="Distinct approvers needed; the larger of this and the runbook's own number counts."
    )
    autonomy: Autonomy | None = Field(default=None, description="What mode Auto demands.")
    budgets: Annotated[list[Budget], Field(max_length=16)] = Field(default=[], description="Starts in a time.")
    concurrency: Annotated[list[Concurrency], Field(max_length=8)] = Field(default=[], description="At one time.")
    cool_down_seconds: Annotated[int, Field(ge=0, le=604800)] = Field(
        default=0, description="Seconds from the end of one execution on a target until the next may start on it."
    )
    breaker: Breaker | None = Field(default=None, description="When a cure is no longer tried on a target.")
    freezes: Annotated[list[Freeze], Field(max_length=16)] = Field(default=[], description="When nothing starts.")
    blast_radius: BlastRadius | None = Field(default=None, description="How much may be touched at once.")
    git_ops: Literal["Allow", "Refuse"] = Field(
        default="Allow",
        description="Whether a target may be changed that Flux or Argo CD manages and would change back.",
    )
    stop: bool = Field(default=False, description="Nothing more is written, neither steps nor undo, while it is set.")
    message: Message = Field(default="", description="Why, for those who are refused.")


class Use(Model):
    """How much of one limit is used now."""

    limit: Line = Field(description="The limit, such as 5 starts in 1 h per Namespace.")
    of: Line = Field(default="", description="What shares it, such as a namespace.")
    used: Annotated[int, Field(ge=0)] = Field(description="So much of it.")
    allowed: Annotated[int, Field(ge=0)] = Field(description="Of so much.")
    frees_at: Time | None = Field(default=None, description="When the next of it frees up; none: nobody knows.")


class GuardrailStatus(Model):
    """What is used up, for people; written by the operator."""

    limits: Line = Field(default="", description="All limits in a line.")
    use: Line = Field(default="", description="The limits that are used most, in a line.")
    uses: Annotated[list[Use], Field(max_length=32)] = Field(default=[], description="The limits that are used most.")
    trouble: Message = Field(
        default="", description="What of it this operator cannot evaluate; it binds as if it held."
    )
    observed_generation: Annotated[int, Field(ge=0)] = Field(default=0, description="Of the spec that this is about.")


class Guardrail(Model):
    """A guardrail by its name."""

    name: str
    spec: GuardrailSpec

    @classmethod
    def from_object(cls, body: Mapping[str, Any]) -> Self:
        """A guardrail from what the API server returns.

        Raises:
            pydantic.ValidationError: the object is not a valid guardrail of this version.
        """
        return cls(name=body["metadata"]["name"], spec=GuardrailSpec.model_validate(body["spec"]))


def matching(guardrails: Iterable[Guardrail], *, namespace: str, family: str, risk: str) -> tuple[Guardrail, ...]:
    """The guardrails that select such an execution, by name."""
    selected = (g for g in guardrails if g.spec.selector.matches(namespace=namespace, family=family, risk=risk))
    return tuple(sorted(selected, key=lambda g: g.name))

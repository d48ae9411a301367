"""Runbook: an immutable, versioned, vetted procedure; the only thing that the operator ever runs."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from interlock.crds.actions import ACTIONS
from interlock.crds.causes import Cause
from interlock.crds.digest import digest
from interlock.crds.graph import in_order, needs_of
from interlock.crds.parameters import Parameter
from interlock.crds.types import (
    API_VERSION,
    PROSE_PATTERN,
    Digest,
    Expression,
    Line,
    Message,
    Model,
    Name,
    Path,
    Prose,
    RunbookName,
    Time,
    Word,
)

Version = Annotated[str, StringConstraints(min_length=5, max_length=32, pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
Risk = Literal["Low", "Medium", "High"]
StepName = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")]
Argument = Annotated[str, StringConstraints(max_length=4096, pattern=PROSE_PATTERN)]
Seconds = Annotated[int, Field(ge=0, le=86400)]

_RbacWord = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-./a-z0-9]*[a-z0-9])?$")]
_ApiGroup = Annotated[str, StringConstraints(max_length=128, pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$")]


class TargetKind(Model):
    """What kind of object the runbook acts on."""

    api_version: Line = Field(description="API version of the target, such as apps/v1.")
    kind: Word = Field(description="Kind of the target, such as Deployment.")


class AlertMatcher(Model):
    """An alert that the runbook can answer."""

    name: Line = Field(description="Value of the alert's label alertname.")


class Addresses(Model):
    """Which diagnoses and alerts the runbook answers; agents match on it, a person still decides."""

    causes: Annotated[list[Cause], Field(max_length=32)] = Field(
        default=[], description="Causes that the runbook cures; a cause covers its refinements."
    )
    alerts: Annotated[list[AlertMatcher], Field(max_length=32)] = Field(
        default=[], description="Alerts that usually accompany these causes."
    )


class PolicyRule(Model):
    """One RBAC rule of the runner's account; wildcards are refused."""

    api_groups: Annotated[list[_ApiGroup], Field(min_length=1, max_length=8)] = Field(
        description="API groups, the core group as an empty string."
    )
    resources: Annotated[list[_RbacWord], Field(min_length=1, max_length=16)] = Field(
        description="Resources or resource/subresource."
    )
    verbs: Annotated[list[_RbacWord], Field(min_length=1, max_length=8)] = Field(description="Verbs.")
    resource_names: Annotated[list[Line], Field(max_length=16)] = Field(
        default=[], description="Names to which the rule is limited; empty for all."
    )


class Precondition(Model):
    """What must be seen on live objects before the runbook may act."""

    name: Name = Field(description="Name, unique in the list.")
    expression: Expression = Field(description="CEL that must be true; an error counts as false.")
    message: Message = Field(description="What it means, for a person, when it is false.")


RetryableError = Literal["Conflict", "Refused", "NotHolding"]


class Retry(Model):
    """When and how often a step that had no effect is tried again; one whose effect happened never is."""

    limit: Annotated[int, Field(ge=1, le=8)] = Field(default=2, description="How often it is tried again.")
    on: Annotated[list[RetryableError], Field(min_length=1, max_length=3)] = Field(
        default=["Conflict", "NotHolding"],
        description="After which failures: Conflict, the object never held still; Refused, by the API server or the"
        " plan; NotHolding, an assert that does not hold or cannot be evaluated.",
    )
    backoff_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=2, description="Seconds before the first time; doubled before each further one."
    )
    max_backoff_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(default=60, description="No longer than this.")
    jitter_percent: Annotated[int, Field(ge=0, le=100)] = Field(
        default=20, description="How much of the time is left to chance, so that many do not come back at once."
    )


LOOPED_NAME = 37
"""Room for the index of an item within the 40 characters of a step's name."""

OnFailure = Literal["Undo", "Stop", "Continue", "Ask"]


class Step(Model):
    """One typed action."""

    name: StepName = Field(description="Name, unique in the runbook; journal and undo refer to it.")
    description: Line = Field(default="", description="What it does, for an approver; without it the plan shows CEL.")
    action: Word = Field(description="Name of the action; the author's guide lists them with their arguments.")
    with_: Annotated[dict[Word, Argument], Field(max_length=16)] = Field(
        default={},
        alias="with",
        description="Arguments of the action; ${…} is CEL over target, parameters and the objects around the target.",
    )
    needs: Annotated[list[StepName], Field(max_length=16)] | None = Field(
        default=None,
        description="Steps that must be done before; without it the step before this one, empty for none at all."
        " Steps that do not need each other run side by side.",
    )
    for_each: Expression | None = Field(
        default=None,
        description="CEL that yields a list of texts or numbers when the plan is made: the step is done for each"
        " `item`, one after the other, as <name>.0, <name>.1 and so on.",
    )
    max_items: Annotated[int, Field(ge=1, le=16)] = Field(
        default=8, description="A longer list than this is refused when the plan is made."
    )
    when: Expression | None = Field(default=None, description="CEL; the step is skipped when it is false.")
    bounds: Expression | None = Field(
        default=None,
        description="CEL over `before` and `after`, the object and its dry run: what the step may make of it at most."
        " Needed where an argument comes from an earlier step, as the plan cannot show the values.",
    )
    until: Expression | None = Field(
        default=None, description="CEL that must come true after the effect and before the timeout, or the step fails."
    )
    outputs: Annotated[dict[Word, Expression], Field(max_length=8)] = Field(
        default={},
        description="What later steps may use as steps.<name>.<output>: CEL, evaluated when the step is done; `result`"
        " is what its action yields.",
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=86400)] = Field(
        default=120, description="How long the step may take from its first intent, all retries included, in seconds."
    )
    retry: Retry | None = Field(default=None, description="Whether a step that had no effect is tried again.")
    on_failure: OnFailure = Field(
        default="Undo",
        description="What a failure of the step means: Undo what was done, Stop and leave it, Continue as if it were"
        " done, or Ask a person.",
    )

    @model_validator(mode="after")
    def _arguments_fit(self) -> Self:
        if self.action not in ACTIONS:
            raise ValueError(f"action {self.action!r} is unknown; known are {', '.join(sorted(ACTIONS))}")
        ACTIONS[self.action].check(self.with_)
        if self.for_each is not None and len(self.name) > LOOPED_NAME:
            raise ValueError(f"step {self.name!r}: with forEach a name has at most {LOOPED_NAME} characters")
        if self.name.rpartition(".")[2].isdigit():
            raise ValueError(f"step {self.name!r}: names that end in a number belong to the items of a loop")
        return self


class Check(Model):
    """One condition of verification: CEL over live objects, or a Prometheus query with a condition on its samples."""

    name: Name = Field(description="Name, unique in the list.")
    description: Line = Field(default="", description="What it means, for an approver; without it the plan shows CEL.")
    expression: Expression | None = Field(default=None, description="CEL over live objects that must be true.")
    promql: Prose | None = Field(
        default=None, description="Instant query; no sample, or Prometheus out of reach, counts as failed."
    )
    satisfies: Expression | None = Field(
        default=None, description="CEL over the number `value` that every sample of promql must satisfy."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.expression is None) == (self.promql is None):
            raise ValueError(f"check {self.name!r} needs either expression or promql")
        if (self.promql is None) != (self.satisfies is None):
            raise ValueError(f"check {self.name!r}: promql and satisfies belong together")
        return self


class Verification(Model):
    """What decides success: all checks true at once, without a break for holdForSeconds, before withinSeconds."""

    checks: Annotated[list[Check], Field(min_length=1, max_length=16)] = Field(description="All must hold.")
    within_seconds: Annotated[int, Field(ge=1, le=86400)] = Field(
        default=300, description="Seconds from the last step until the cure must be proven."
    )
    hold_for_seconds: Seconds = Field(default=0, description="Seconds that all checks must hold without a break.")


class Approval(Model):
    """Who must agree."""

    quorum: Annotated[int, Field(ge=1, le=8)] = Field(
        default=1, description="Distinct approvers of exactly the offered plan; guardrails may demand more."
    )
    expires_after_seconds: Annotated[int, Field(ge=5, le=604800)] = Field(
        default=3600, description="Seconds after which an offered plan without approval expires."
    )


class Attestation(Model):
    """A signed statement that this digest passed its vetting (DSSE envelope, in-toto statement)."""

    key_id: Line = Field(description="Identifier of the signing key.")
    vetted_at: Time = Field(description="When the vetting ended, as the signed statement says.")
    envelope: Annotated[str, StringConstraints(max_length=16384, pattern=r"^[A-Za-z0-9+/=_-]*$")] = Field(
        description="Base64 of the DSSE envelope."
    )


class RunbookSpec(Model):
    """The procedure."""

    family: Name = Field(description="What the runbook does, as verb-object; its versions form a family.")
    version: Version = Field(description="Semantic version; a changed runbook is a new version.")
    title: Line = Field(description="One line for an approver at three in the morning.")
    description: Prose = Field(default="", description="What it does, what it will not do, what to watch.")
    type: Literal["Remediation", "Handover"] = Field(
        default="Remediation",
        description="A Handover has no steps: its plan is the evidence, approving it means taking the incident.",
    )
    risk: Risk = Field(description="Worst case of a wrong run.")
    scope: Literal["Namespaced", "Cluster"] = Field(default="Namespaced", description="Scope of the target.")
    targets: Annotated[list[TargetKind], Field(min_length=1, max_length=16)] = Field(
        description="Kinds of object that the runbook may be pointed at."
    )
    parameters: Annotated[list[Parameter], Field(max_length=16)] = Field(default=[], description="Bounded inputs.")
    addresses: Addresses = Field(default=Addresses(), description="Which diagnoses and alerts it answers.")
    permissions: Annotated[list[PolicyRule], Field(max_length=16)] = Field(
        default=[], description="All that the runner's account may do in the target's namespace."
    )
    allowed_paths: Annotated[list[Path], Field(max_length=32)] = Field(
        default=[], description="JSON Pointers that the steps may write; * is one segment, a final ** any number."
    )
    preconditions: Annotated[list[Precondition], Field(max_length=16)] = Field(
        default=[], description="What must hold on live objects, before the plan and again before the first effect."
    )
    steps: Annotated[list[Step], Field(max_length=16)] = Field(
        default=[], description="Run one after the other, or as their needs say."
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=604800)] = Field(
        default=3600,
        description="Seconds from the first intent, or from a person's decision, until the cure must be proven.",
    )
    verification: Verification | None = Field(default=None, description="What decides success.")
    undo: Literal["OnFailure", "Never"] = Field(
        default="OnFailure", description="Whether a failed step or verification undoes what was done."
    )
    revert_after_seconds: Annotated[int, Field(ge=1, le=604800)] | None = Field(
        default=None, description="Makes it a temporary measure: so long after its proof everything is put back."
    )
    approval: Approval = Field(default=Approval(), description="Who must agree, and for how long the plan is offered.")
    state: Literal["Active", "Retired"] = Field(default="Active", description="A retired runbook never runs again.")
    attestations: Annotated[list[Attestation], Field(max_length=8)] = Field(
        default=[], description="Append-only proofs of vetting."
    )
    digest: Digest | None = Field(default=None, description="Digest of the specification; checked, never trusted.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for field in ("parameters", "preconditions", "steps"):
            names = [item.name for item in getattr(self, field)]
            if len(names) != len(set(names)):
                raise ValueError(f"{field}: names must be unique, got {', '.join(names)}")
        in_order(needs_of((step.name, step.needs) for step in self.steps))
        if self.revert_after_seconds is not None and self.undo == "Never":
            raise ValueError("revertAfterSeconds: what is never undone cannot be put back; leave undo out")
        if self.type == "Handover":
            if self.steps or self.permissions or self.verification:
                raise ValueError("a Handover has no steps, permissions or verification")
        elif not self.steps or self.verification is None:
            raise ValueError("a Remediation needs at least one step and a verification")
        return self

    @field_validator("permissions")
    @classmethod
    def _no_refused_power(cls, rules: list[PolicyRule]) -> list[PolicyRule]:
        for rule in rules:
            if refused := refused_power(rule):
                raise ValueError(f"permissions: no runbook may be granted {refused}")
        return rules


REFUSED_GROUPS = frozenset(
    {
        "rbac.authorization.k8s.io",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "certificates.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "interlock.dev",
    }
)
REFUSED_RESOURCES = frozenset({"secrets", "serviceaccounts", "podtemplates", "bindings"})
REFUSED_SUBRESOURCES = frozenset({"token", "exec", "attach", "portforward", "proxy", "ephemeralcontainers", "binding"})
REFUSED_VERBS = frozenset(
    {"impersonate", "escalate", "bind", "approve", "breakglass", "execute", "loosen", "deletecollection"}
)


def refused_power(rule: PolicyRule) -> str | None:
    """The part of an RBAC rule that no runbook may ever hold, or None."""
    for group in rule.api_groups:
        if group in REFUSED_GROUPS:
            return f"API group {group}"
    for resource in rule.resources:
        kind, _, subresource = resource.partition("/")
        if kind in REFUSED_RESOURCES or subresource in REFUSED_SUBRESOURCES:
            return f"resource {resource}"
        if resource == "pods" and {"create", "update", "patch"} & set(rule.verbs):
            return "writing of bare pods"
    return next((f"verb {verb}" for verb in rule.verbs if verb in REFUSED_VERBS), None)


class Metadata(Model):
    """The part of an object's metadata that a published runbook carries."""

    name: RunbookName


class Runbook(Model):
    """A runbook as a file: what authors write and `interlock runbook publish` applies."""

    api_version: Literal["interlock.dev/v1alpha1"] = API_VERSION
    kind: Literal["Runbook"] = "Runbook"
    metadata: Metadata
    spec: RunbookSpec

    @model_validator(mode="after")
    def _name_says_version(self) -> Self:
        expected = f"{self.spec.family}-{self.spec.version}"
        if self.metadata.name != expected:
            raise ValueError(f"metadata.name is {self.metadata.name!r}, must be <family>-<version>: {expected!r}")
        return self

    @classmethod
    def from_object(cls, body: Mapping[str, Any]) -> Self:
        """A runbook from what the API server returns.

        Raises:
            pydantic.ValidationError: the object is not a valid runbook of this version.
        """
        name = body["metadata"]["name"]
        return cls.model_validate({"metadata": {"name": name}, "spec": body["spec"]})

    def digest(self) -> Digest:
        """The digest that executions pin: the spec with defaults filled, without state, attestations and digest."""
        spec = self.spec.model_dump(
            mode="json", by_alias=True, exclude={"state", "attestations", "digest"}, exclude_none=True
        )
        return digest(spec)


class RunbookCondition(Model):
    """One finding of the operator on a runbook."""

    type: Literal["Valid", "Vetted", "Permitted"] = Field(description="What is judged.")
    status: Literal["True", "False", "Unknown"] = Field(description="The judgment.")
    reason: Word = Field(description="Reason in one CamelCase word.")
    message: Message = Field(default="", description="Reason for a person.")
    last_transition_time: Time | None = Field(default=None, description="When status last changed.")


class TrackRecord(Model):
    """What has become of exactly this digest, as far as Ledgers reach back. A failure takes its namespace's away."""

    successes: Annotated[int, Field(ge=0)] = Field(description="Verified successes.")
    namespaces: Annotated[int, Field(ge=0)] = Field(description="In how many namespaces.")
    last_day: Time | None = Field(default=None, description="The day of the last one, in UTC.")


class RunbookStatus(Model):
    """What the operator found."""

    digest: Digest | None = Field(default=None, description="The digest that executions must pin.")
    conditions: Annotated[list[RunbookCondition], Field(max_length=8)] = Field(default=[], description="Findings.")
    track_record: TrackRecord | None = Field(default=None, description="Verified successes of this digest.")

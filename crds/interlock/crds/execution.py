"""RunbookExecution: a request to run one vetted runbook on one target, and the whole record of what came of it.

The spec is what was asked and who decided; the status is the operator's: the plan that is offered, the journal that
may only grow, and fields for people to read. The rules that the API server enforces on it are in `rules`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, StringConstraints

from interlock.crds.causes import CauseName
from interlock.crds.digest import digest
from interlock.crds.journal import Entry
from interlock.crds.names import AUDIT_FINALIZER
from interlock.crds.runbook import Risk, StepName
from interlock.crds.types import (
    PROSE_PATTERN,
    Digest,
    Expression,
    Line,
    Message,
    Model,
    Name,
    Path,
    Subdomain,
    Time,
    Uid,
    User,
    Word,
)

Phase = Literal[
    "Pending",
    "Planning",
    "AwaitingApproval",
    "Approved",
    "Running",
    "Verifying",
    "Undoing",
    "Reverting",
    "AwaitingPerson",
    "Succeeded",
    "Undone",
    "Failed",
    "Denied",
    "Expired",
    "Cancelled",
    "Refused",
    "NotNeeded",
    "HandedOver",
    "Planned",
    "Observed",
]
STARTED: frozenset[str] = frozenset({"Running", "Verifying", "Undoing", "Reverting", "AwaitingPerson"})
"""Phases in which something may have been done to the cluster."""

# A start without the plan's approvals is impossible whatever the path, so phases in which nothing waits may be
# skipped: one write says "approved and running" just as it says "planned and offered".
_NEVER_STARTED = ("Cancelled", "Refused", "NotNeeded", "Failed")
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "Pending": frozenset({"Planning", "AwaitingApproval", "Expired", "Planned", "Observed", *_NEVER_STARTED}),
    "Planning": frozenset({"AwaitingApproval", "Expired", "Planned", "Observed", *_NEVER_STARTED}),
    "AwaitingApproval": frozenset(
        {"Approved", "Running", "Planning", "Denied", "Expired", "HandedOver", "Observed", *_NEVER_STARTED}
    ),
    "Approved": frozenset({"Running", "Planning", "Denied", "Expired", "Observed", *_NEVER_STARTED}),
    "Running": frozenset({"Verifying", "Undoing", "AwaitingPerson", "Failed", "Cancelled"}),
    "Verifying": frozenset({"Succeeded", "Reverting", "Undoing", "Failed", "Cancelled"}),
    "Undoing": frozenset({"Undone", "AwaitingPerson", "Failed", "Cancelled"}),
    "Reverting": frozenset({"Succeeded", "AwaitingPerson", "Failed"}),
    "AwaitingPerson": frozenset({"Running", "Verifying", "Undoing", "Reverting", "Undone", "Failed", "Cancelled"}),
}
"""Where each phase may go; phases that are not listed are final."""

TERMINAL: frozenset[str] = frozenset(get_args(Phase)) - TRANSITIONS.keys()
"""Phases that an execution never leaves."""

FIRST_PHASES: frozenset[str] = frozenset({"Pending", *TRANSITIONS["Pending"]} - {"Expired"})
"""Phases that the first status may have."""


class RunbookRef(Model):
    """Exactly one runbook."""

    name: Annotated[
        str, StringConstraints(min_length=1, max_length=120, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")
    ] = Field(description="Name of the runbook: <family>-<version>.")
    digest: Digest = Field(description="Digest of the runbook; another content under the same name never runs.")

    @property
    def family(self) -> str:
        """The name without its version."""
        return self.name.rpartition("-")[0]


class Target(Model):
    """The object to act on."""

    api_version: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[-./a-z0-9]+$")] = Field(
        description="API version, such as apps/v1."
    )
    kind: Word = Field(description="Kind, such as Deployment.")
    namespace: Name | None = Field(default=None, description="Namespace; none for a cluster-scoped object.")
    name: Subdomain = Field(description="Name.")

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


class Citation(Model):
    """One piece of evidence that the reason rests on."""

    id: Line = Field(description="Identifier of the evidence within its incident.")
    source: Line = Field(description="Where it was read: an object, a log, a query.")
    excerpt: Message = Field(default="", description="The telling part, redacted.")
    digest: Digest | None = Field(default=None, description="Digest of the whole evidence as it was stored.")


class Reason(Model):
    """Why it is asked for."""

    summary: Message = Field(description="What is broken and why this should help, in a sentence or two.")
    incident: Line = Field(default="", description="Identifier of the incident, empty for a request by hand.")
    cause: CauseName | None = Field(default=None, description="The diagnosed cause.")
    confidence: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Confidence in the cause, 0 to 1."
    )
    citations: Annotated[list[Citation], Field(max_length=8)] = Field(default=[], description="Evidence.")


class Decision(Model):
    """What one person decided about one thing that was shown to them."""

    by: User = Field(description="Who decided: the user name that the API server knows.")
    subject: Digest = Field(
        description="What it is about: the plan's digest, or while a person is awaited that of the journal's head."
    )
    verdict: Literal["Approve", "BreakGlass", "Deny", "Confirm", "Resume", "Undo"] = Field(
        description="Approve or Deny a plan; BreakGlass to approve one's own, of low risk, in an emergency; Confirm"
        " that the step happened, Resume with it, or Undo."
    )
    comment: Message = Field(default="", description="Why; demanded of BreakGlass.")


class Cancellation(Model):
    """A request to stop; set once."""

    by: User = Field(description="Who asked: the user name that the API server knows.")
    reason: Message = Field(default="", description="Why.")


ParameterText = Annotated[str, StringConstraints(max_length=1024, pattern=PROSE_PATTERN)]
"""The value of a parameter as an approver reads it."""


class RunbookExecutionSpec(Model):
    """What is asked for. Immutable but for decisions, which grow, and cancelled, which is set once."""

    runbook: RunbookRef = Field(description="The runbook to run.")
    target: Target = Field(description="The object to act on.")
    parameters: Annotated[dict[Word, ParameterText], Field(max_length=16)] = Field(
        default={}, description="Values of the runbook's parameters, as strings."
    )
    reason: Reason = Field(description="Why it is asked for.")
    requested_by: User = Field(description="Who asks: the user name that the API server knows.")
    dry_run: bool = Field(default=False, description="Plan only; ends as Planned.")
    amends: Subdomain | None = Field(
        default=None, description="Name of the execution in this namespace that this one takes the place of."
    )
    decisions: Annotated[list[Decision], Field(max_length=32)] = Field(
        default=[], description="Append-only, at most one by each person on each subject."
    )
    cancelled: Cancellation | None = Field(
        default=None, description="Set to stop it; what was done is undone if the runbook undoes."
    )

    def request_digest(self) -> Digest:
        """The digest of what was asked, without what was decided about it since."""
        return digest(
            self.model_dump(mode="json", by_alias=True, exclude={"decisions", "cancelled"}, exclude_none=True)
        )


Shown = Annotated[str, StringConstraints(max_length=400, pattern=PROSE_PATTERN)]
"""JSON of a value; above 256 bytes an excerpt with its SHA-256, a redacted one as an HMAC."""


class Change(Model):
    """One path that a step writes."""

    path: Path = Field(description="JSON Pointer into the object.")
    before: Shown | None = Field(default=None, description="Value now, as JSON; absent if there is none.")
    after: Shown | None = Field(default=None, description="Value afterwards, as JSON; absent if it is removed.")


class PlannedObject(Model):
    """An object that a step writes, as it was when the plan was made."""

    api_version: Line = Field(description="API version.")
    kind: Word = Field(description="Kind.")
    name: Subdomain = Field(description="Name.")
    uid: Uid = Field(description="Its identity; another object under the same name is not written.")


class PlannedStep(Model):
    """What one step will do."""

    name: StepName = Field(description="Name of the step.")
    action: Word = Field(description="Its action.")
    object: PlannedObject | None = Field(default=None, description="What it writes; none if it only looks.")
    changes: Annotated[list[Change], Field(max_length=32)] = Field(
        default=[], description="All paths that it writes, from the API server's own dry run."
    )
    deferred: Annotated[list[Path], Field(max_length=32)] | None = Field(
        default=None,
        description="Set when the step builds on an earlier one: the paths that its own dry run must stay inside.",
    )
    bounds: Expression | None = Field(
        default=None, description="What a deferred step may make of its object at most: CEL over before and after."
    )
    item: Shown | None = Field(default=None, description="What a step of a loop is done for, as JSON.")
    note: Line = Field(default="", description="What it waits for or checks, or why it is skipped.")


class Earned(Model):
    """The track record by which a plan needs no approval."""

    successes: Annotated[int, Field(ge=1)] = Field(description="Verified successes of this digest in this namespace.")
    within_days: Annotated[int, Field(ge=1, le=90)] = Field(description="In so many days, and none failed since.")


class Plan(Model):
    """Exactly what will be done; an approval names its digest and nothing else may run."""

    digest: Digest = Field(description="Digest of execution, runbook, parameters, target and all steps.")
    target_uid: Uid = Field(description="Identity of the target.")
    made_at: Time = Field(description="When it was made; times that steps write are this one.")
    expires_at: Time = Field(description="When the offer ends.")
    quorum: Annotated[int, Field(ge=0, le=8)] = Field(description="Approvals needed; 0 only where autonomy is earned.")
    autonomy: Earned | None = Field(default=None, description="Why it needs no approval.")
    managed_by: Line = Field(
        default="", description="Who puts the target back to what Git says, and so will revert what is changed there."
    )
    risk: Risk = Field(default="High", description="Risk of the runbook.")
    steps: Annotated[list[PlannedStep], Field(max_length=32)] = Field(description="In the order in which they run.")
    verification: Annotated[list[Line], Field(max_length=16)] = Field(
        default=[], description="What must hold afterwards, or everything is undone."
    )
    revert_after_seconds: Annotated[int, Field(ge=1, le=604800)] | None = Field(
        default=None, description="Seconds after which a temporary measure is put back."
    )


class Fence(Model):
    """Who may write the status: a leader of an older epoch is refused."""

    epoch: Annotated[int, Field(ge=0, le=2**53)] = Field(description="Grows with each change of leader.")
    holder: Line = Field(description="The leader of that epoch.")


class Condition(Model):
    """One aspect of an execution."""

    type: Literal["Drifted", "Held", "Progressing", "BreakGlass", "Archived"] = Field(
        description="Drifted: the cluster differs from the plan. Held: approved, but something keeps it from starting,"
        " or a stop or a pause from going on. Progressing: how far a long step has come."
        " BreakGlass: who asked has approved it as well."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it is so.")
    reason: Word = Field(description="Reason in one CamelCase word.")
    message: Message = Field(default="", description="Reason for a person.")
    last_transition_time: Time | None = Field(default=None, description="When status last changed.")


class RunbookExecutionStatus(Model):
    """What has happened. Only the operator writes it, and a finished one is final."""

    phase: Phase = Field(description="Where it stands.")
    reason: Word | None = Field(default=None, description="Why it stands there, in one CamelCase word.")
    message: Message = Field(default="", description="Why it stands there, for a person.")
    step: Annotated[str, StringConstraints(max_length=64)] = Field(default="", description="The current step.")
    approvals: Annotated[str, StringConstraints(max_length=16)] = Field(
        default="", description="Approvals of the offered plan, given/needed."
    )
    replans: Annotated[int, Field(ge=0, le=3)] = Field(
        default=0, description="How often a plan was voided because the cluster had changed."
    )
    plan: Plan | None = Field(default=None, description="The plan that is or was offered; frozen while it is.")
    journal: Annotated[list[Entry], Field(max_length=256)] = Field(
        default=[], description="All that happened, append-only and hash-chained."
    )
    fence: Fence = Field(description="The writer.")
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(default=[], description="Aspects.")
    completed_at: Time | None = Field(default=None, description="When it ended.")


class RunbookExecution(Model):
    """An execution as the API server returns it, without the metadata that nothing here depends on."""

    name: Subdomain
    namespace: str
    uid: str
    resource_version: str
    created_at: Time
    deleted: bool = False
    finalizers: tuple[str, ...] = ()
    spec: RunbookExecutionSpec
    status: RunbookExecutionStatus | None = None

    @classmethod
    def from_object(cls, body: Mapping[str, Any]) -> Self:
        """An execution from what the API server returns.

        Raises:
            pydantic.ValidationError: the object is not a valid execution of this version.
        """
        meta = body["metadata"]
        return cls(
            name=meta["name"],
            namespace=meta["namespace"],
            uid=meta["uid"],
            resource_version=meta["resourceVersion"],
            created_at=meta["creationTimestamp"],
            deleted=bool(meta.get("deletionTimestamp")),
            finalizers=tuple(meta.get("finalizers") or ()),
            spec=RunbookExecutionSpec.model_validate(body["spec"]),
            status=RunbookExecutionStatus.model_validate(body["status"]) if body.get("status") else None,
        )

    @property
    def key(self) -> str:
        """`namespace/name`, for people and logs."""
        return f"{self.namespace}/{self.name}"

    @property
    def journal(self) -> tuple[Entry, ...]:
        """The journal, empty before the first status."""
        return tuple(self.status.journal) if self.status else ()


def new_execution(
    *, name: str, namespace: str, spec: RunbookExecutionSpec, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The object to create: the audit finalizer is demanded, so that nothing is deleted before it is archived."""
    return {
        "apiVersion": "interlock.dev/v1alpha1",
        "kind": "RunbookExecution",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "finalizers": [AUDIT_FINALIZER],
            **({"labels": dict(labels)} if labels else {}),
        },
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=False),
    }

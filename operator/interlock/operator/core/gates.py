"""The gates: small pure functions, each `(case) → refusal or None`, passed before the plan and before the first effect.

The first that objects speaks. A refusal ends the execution; a hold keeps an approved one from starting until the gate
opens.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from interlock.crds.attestation import Verdict
from interlock.crds.execution import RunbookExecutionSpec
from interlock.crds.guardrail import Guardrail
from interlock.crds.names import OPT_IN_LABEL, OPT_IN_VALUE, PAUSED_VALUE
from interlock.crds.parameters import ParameterRefused, parse_parameters
from interlock.crds.runbook import Runbook
from interlock.operator.core.gitops import manager_of
from interlock.operator.core.limits import LASTING, Finding, strictest


@dataclass(frozen=True)
class Case:
    """What the gates judge, as it stands in the cluster now."""

    execution: str
    namespace: str
    spec: RunbookExecutionSpec
    runbook: Runbook | None
    runbook_error: str
    namespace_labels: Mapping[str, str]
    guardrails: Sequence[Guardrail]
    target: Mapping[str, Any] | None
    ungranted: str
    """What the runbook's account lacks, where no plan is offered yet."""
    unmet: Sequence[str]
    limits: Sequence[Finding]
    """What stands against a start now, where no plan is offered yet."""
    vetted: Verdict
    allow_unvetted: bool


@dataclass(frozen=True)
class Objection:
    """Why an execution may not go on, and what the reader can do."""

    verdict: Literal["Refused", "NotNeeded"]
    reason: str
    message: str


Gate = Callable[[Case], Objection | None]


def runbook_exists(case: Case) -> Objection | None:
    """The runbook is published, and one that this operator understands."""
    if case.runbook is None:
        return Objection("Refused", "RunbookUnknown", f"runbook {case.spec.runbook.name}: {case.runbook_error}")
    return None


def runbook_is_pinned(case: Case) -> Objection | None:
    """Its content is exactly what was asked for."""
    if case.runbook and case.runbook.digest() != case.spec.runbook.digest:
        message = f"runbook {case.spec.runbook.name} has digest {case.runbook.digest()}, not the one requested"
        return Objection("Refused", "DigestDiffers", message)
    return None


def runbook_is_active(case: Case) -> Objection | None:
    """It is not retired."""
    if case.runbook and case.runbook.spec.state != "Active":
        return Objection("Refused", "RunbookRetired", f"runbook {case.spec.runbook.name} is retired")
    return None


def runbook_is_vetted(case: Case) -> Objection | None:
    """A trusted key attests its vetting, or the installation openly does without; what is revoked never runs."""
    if case.vetted.trusted or (case.allow_unvetted and case.vetted.reason != "DigestRevoked"):
        return None
    return Objection("Refused", "RunbookNotVetted", f"{case.vetted.reason}: {case.vetted.message}")


def namespace_opted_in(case: Case) -> Objection | None:
    """The target's namespace lets itself be remediated, if not just now."""
    consent = case.namespace_labels.get(OPT_IN_LABEL)
    if case.spec.target.namespace and consent not in (OPT_IN_VALUE, PAUSED_VALUE):
        message = f"namespace {case.spec.target.namespace} is not labelled {OPT_IN_LABEL}={OPT_IN_VALUE}"
        return Objection("Refused", "NotOptedIn", message)
    return None


def target_in_place(case: Case) -> Objection | None:
    """The target lies where the execution does, and is of a kind that the runbook is for."""
    target = case.spec.target
    if case.runbook and (case.runbook.spec.scope == "Namespaced") != (target.namespace is not None):
        message = (
            f"the runbook is for a {case.runbook.spec.scope.lower()} target; spec.target.namespace does not fit that"
        )
        return Objection("Refused", "TargetScopeDiffers", message)
    if target.namespace is not None and target.namespace != case.namespace:
        return Objection("Refused", "TargetElsewhere", f"the target is in {target.namespace}, not in {case.namespace}")
    kinds = {(t.api_version, t.kind) for t in case.runbook.spec.targets} if case.runbook else set()
    if case.runbook and (target.api_version, target.kind) not in kinds:
        wanted = ", ".join(f"{kind} ({version})" for version, kind in sorted(kinds))
        message = f"the runbook is for {wanted}, not for {target.kind} ({target.api_version})"
        return Objection("Refused", "TargetKindDiffers", message)
    return None


def runner_granted(case: Case) -> Objection | None:
    """The runbook's account may do what the runbook says, and the operator may act as it."""
    return Objection("Refused", "NotGranted", case.ungranted[:1000]) if case.ungranted else None


def target_exists(case: Case) -> Objection | None:
    """The target exists."""
    if case.target is None:
        return Objection("Refused", "TargetNotFound", f"{case.spec.target} does not exist")
    return None


def parameters_fit(case: Case) -> Objection | None:
    """All parameters are known and inside their bounds."""
    if case.runbook is None:
        return None
    try:
        parse_parameters(case.runbook.spec.parameters, case.spec.parameters)
    except ParameterRefused as refused:
        return Objection("Refused", "ParameterRefused", str(refused))
    return None


def fault_is_proven(case: Case) -> Objection | None:
    """Every precondition holds on live objects."""
    if case.unmet:
        return Objection("NotNeeded", "PreconditionNotMet", "; ".join(case.unmet)[:1000])
    return None


def not_stopped(case: Case) -> Objection | None:
    """No guardrail has its stop switch on."""
    message = stopped_by(case.guardrails)
    return Objection("Refused", "Stopped", message) if message else None


def stopped_by(guardrails: Iterable[Guardrail]) -> str:
    """Which guardrail stops all writes and why, for a person; empty if none does."""
    stops = (g for g in guardrails if g.spec.stop)
    said = (f"guardrail {g.name} has stopped all writes: {g.spec.message or 'no reason given'}" for g in stops)
    return next(said, "")


def not_paused(case: Case) -> Objection | None:
    """The namespace's owner lets it go on just now."""
    if case.namespace_labels.get(OPT_IN_LABEL) == PAUSED_VALUE:
        message = f"namespace {case.namespace} is paused: nothing is written until {OPT_IN_LABEL}={OPT_IN_VALUE} again"
        return Objection("Refused", "NamespacePaused", message)
    return None


def not_managed_elsewhere(case: Case) -> Objection | None:
    """Nobody puts back what would be changed, or no guardrail minds."""
    manager = manager_of(case.target) if case.target else ""
    refusing = [guardrail.name for guardrail in case.guardrails if guardrail.spec.git_ops == "Refuse"]
    if manager and refusing and case.runbook and case.runbook.spec.allowed_paths:
        message = f"guardrail {refusing[0]}: {manager} manages {case.spec.target} and would revert it; change it in Git"
        return Objection("Refused", "ManagedByGitOps", message)
    return None


def within_limits(case: Case) -> Objection | None:
    """What could not start for long is not offered; what will soon be over is looked at when it is approved."""
    found = strictest(finding for finding in case.limits if finding.reason in LASTING)
    return Objection("Refused", found.reason, found.message) if found else None


REQUEST_GATES: tuple[Gate, ...] = (
    runbook_exists,  # published, and understood
    runbook_is_pinned,  # exactly the content that was asked for
    runbook_is_active,  # not retired
    runbook_is_vetted,  # proven before it is trusted
    namespace_opted_in,  # the owners of the namespace want this
    target_in_place,  # no reach into other namespaces, no other kinds
    runner_granted,  # nobody is asked to approve what its account may not do
    target_exists,  # the alert's word is a hint
    parameters_fit,  # the worst allowed value is survivable
    fault_is_proven,  # the cure would help
    not_managed_elsewhere,  # it would last
    within_limits,  # nobody is asked to approve what may not start
)
"""What must hold before a plan is offered and again before the first effect, in this order."""

HOLD_GATES: tuple[Gate, ...] = (
    not_stopped,  # nobody pulled the switch
    not_paused,  # the owners of the namespace want it now
)
"""What keeps an approved execution from starting for now; locks and limits are the Ledger's to judge."""


def objection(gates: Sequence[Gate], case: Case) -> Objection | None:
    """The first objection, or None if all gates are open."""
    return next((found for gate in gates if (found := gate(case)) is not None), None)

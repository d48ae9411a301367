"""The plan: all steps by dry run, and the digest that an approval names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from interlock.crds.digest import canonical, digest
from interlock.crds.execution import Plan, PlannedObject, PlannedStep, RunbookExecution
from interlock.crds.guardrail import Guardrail
from interlock.crds.parameters import parse_parameters
from interlock.crds.runbook import Check, Runbook
from interlock.operator.steps import Prepared, StepRefused, Steps, Subject

PLAN_BYTES = 8192


@dataclass(frozen=True)
class Draft:
    """A plan with what is needed to begin its first step."""

    plan: Plan
    first: Prepared | None


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def quorum(runbook: Runbook, guardrails: tuple[Guardrail, ...]) -> int:
    """The approvals needed: the strictest of the runbook and all guardrails."""
    return max([runbook.spec.approval.quorum, *(g.spec.approvals for g in guardrails)])


def subject(execution: RunbookExecution, runbook: Runbook, target_uid: str, made_at: str) -> Subject:
    """What all steps of an execution share; parameters are those of the request, typed and with defaults."""
    values: dict[str, JsonValue] = dict(parse_parameters(runbook.spec.parameters, execution.spec.parameters))
    return Subject(execution, runbook, values, target_uid, made_at)


async def draft_plan(
    steps: Steps, about: Subject, *, needed: int, now: datetime, attempt: int = 1, expires_at: str | None = None
) -> Draft:
    """The plan as the cluster stands now. Computed again with the same `made_at`, it is the same unless that changed.

    Raises:
        StepRefused: a step cannot or must not be done, or the plan is too large to be shown.
        ApiError: a dry run was refused or not answered.
    """
    prepared: list[Prepared] = []
    written: frozenset[PlannedObject] = frozenset()
    for step in about.runbook.spec.steps:
        ready = await steps.prepare(about, step, attempt=attempt, written=written)
        prepared.append(ready)
        if ready.planned.object is not None and not ready.skipped:
            written |= {ready.planned.object}
    planned = [p.planned for p in prepared]
    offered_for = timedelta(seconds=about.runbook.spec.approval.expires_after_seconds)
    plan = Plan(
        digest=plan_digest(about, planned, needed),
        target_uid=about.target_uid,
        made_at=about.made_at,
        expires_at=expires_at or timestamp(now + offered_for),
        quorum=needed,
        steps=planned,
        verification=_verification(about.runbook),
    )
    size = len(canonical(plan.model_dump(mode="json", by_alias=True, exclude_none=True)))
    if size > PLAN_BYTES:
        raise StepRefused(f"the plan has {size} bytes, more than {PLAN_BYTES}: too much for a person to approve")
    return Draft(plan, prepared[0] if prepared else None)


def plan_digest(about: Subject, planned: list[PlannedStep], needed: int) -> str:
    """What an approval names: the execution, its runbook, parameters, target and every step's effect."""
    execution = about.execution
    content: Mapping[str, JsonValue] = {
        "execution": execution.uid,
        "request": execution.spec.request_digest(),
        "runbook": about.runbook.digest(),
        "target": about.target_uid,
        "parameters": dict(about.parameters),
        "madeAt": about.made_at,
        "quorum": needed,
        "steps": [step.model_dump(mode="json", by_alias=True, exclude_none=True) for step in planned],
    }
    return digest(content)


def _verification(runbook: Runbook) -> list[str]:
    checks = runbook.spec.verification.checks if runbook.spec.verification else []
    return [_line(check) for check in checks]


def _line(check: Check) -> str:
    text = check.description or check.expression or f"{check.promql} satisfies {check.satisfies}"
    return f"{check.name}: {' '.join(text.split())}"[:256]

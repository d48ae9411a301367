"""The plan: all steps by dry run, and the digest that an approval names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from interlock.crds.digest import canonical, digest
from interlock.crds.execution import Earned, Plan, PlannedObject, PlannedStep, RunbookExecution
from interlock.crds.guardrail import Guardrail
from interlock.crds.parameters import parse_parameters
from interlock.crds.rules import PLAN_BYTES
from interlock.crds.runbook import Check, Runbook
from interlock.operator.core.nodes import Node, unrolled
from interlock.operator.look import View
from interlock.operator.prepared import Prepared, StepRefused, Subject
from interlock.operator.steps import Steps

PLAN_STEPS = 32


@dataclass(frozen=True)
class Draft:
    """A plan with what is needed to begin it."""

    plan: Plan
    first: tuple[Prepared, ...]
    """The steps that need no other and whose effects the plan shows: all that may begin at once."""


def quorum(runbook: Runbook, guardrails: tuple[Guardrail, ...]) -> int:
    """The approvals needed: the strictest of the runbook and all guardrails."""
    return max([runbook.spec.approval.quorum, *(g.spec.approvals for g in guardrails)])


def parameters(execution: RunbookExecution, runbook: Runbook) -> dict[str, JsonValue]:
    """The parameters of the request, typed and with defaults."""
    return dict(parse_parameters(runbook.spec.parameters, execution.spec.parameters))


def subject(execution: RunbookExecution, runbook: Runbook, view: View, target_uid: str, made_at: str) -> Subject:
    """What all steps of an execution share while its plan is made."""
    return Subject(execution, runbook, parameters(execution, runbook), target_uid, made_at, view)


@dataclass(frozen=True)
class Terms:
    """What is offered beside the steps."""

    quorum: int
    expires_at: str
    autonomy: Earned | None = None
    manager: str = ""
    """Who would put the target back."""


async def draft_plan(steps: Steps, about: Subject, terms: Terms) -> Draft:
    """The plan as the cluster stands now. Computed again with the same `made_at`, it is the same unless that changed.

    Raises:
        StepRefused: a step cannot or must not be done, or the plan is too large to be shown.
        ApiError: a dry run was refused or not answered.
    """
    spec = about.runbook.spec
    nodes = unrolled(spec.steps, {step.name: await steps.items(about, step) for step in spec.steps})
    if len(nodes) > PLAN_STEPS:
        raise StepRefused(f"the plan has {len(nodes)} steps, more than {PLAN_STEPS}: loop over less at a time")
    prepared = await _prepare(steps, about, nodes)
    planned = [p.planned for p in prepared]
    touched = any(step.object is not None and step.object.uid == about.target_uid for step in planned)
    manager = terms.manager if touched else ""
    plan = Plan(
        digest=plan_digest(about, planned, terms.quorum, manager),
        target_uid=about.target_uid,
        made_at=about.made_at,
        expires_at=terms.expires_at,
        quorum=terms.quorum,
        risk=spec.risk,
        autonomy=terms.autonomy,
        managed_by=manager,
        steps=planned,
        verification=_verification(about.runbook),
        revert_after_seconds=spec.revert_after_seconds,
    )
    size = len(canonical(plan.model_dump(mode="json", by_alias=True, exclude_none=True)))
    if size > PLAN_BYTES:
        raise StepRefused(f"the plan has {size} bytes, more than {PLAN_BYTES}: too much for a person to approve")
    roots = {node.name for node in nodes if not node.needs}
    first = tuple(p for p in prepared if p.planned.name in roots and p.planned.deferred is None)
    if nodes and not first:
        raise StepRefused("no step could begin: each that needs no other uses what steps yield")
    return Draft(plan, first)


async def _prepare(steps: Steps, about: Subject, nodes: Sequence[Node]) -> list[Prepared]:
    prepared: list[Prepared] = []
    written: frozenset[PlannedObject] = frozenset()
    for node in nodes:
        ready = await steps.prepare(about, node, attempt=1, written=written)
        prepared.append(ready)
        if ready.planned.object is not None and not ready.skipped:
            written |= {ready.planned.object}
    return prepared


def plan_digest(about: Subject, planned: list[PlannedStep], needed: int, manager: str = "") -> str:
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
        **({"managedBy": manager} if manager else {}),
        "steps": [step.model_dump(mode="json", by_alias=True, exclude_none=True) for step in planned],
    }
    return digest(content)


def _verification(runbook: Runbook) -> list[str]:
    checks = runbook.spec.verification.checks if runbook.spec.verification else []
    return [_line(check) for check in checks]


def _line(check: Check) -> str:
    text = check.description or check.expression or f"{check.promql} satisfies {check.satisfies}"
    return f"{check.name}: {' '.join(text.split())}"[:256]

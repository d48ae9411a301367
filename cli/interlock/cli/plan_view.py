"""A plan as an approver reads it: everything that will happen, and nothing that could pretend to be something else."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from rich.text import Text

from interlock.cli import screen
from interlock.cli.executions import Seen
from interlock.cli.spans import duration
from interlock.cli.step_view import step_terms, whole_terms
from interlock.cli.text import safe, safe_lines
from interlock.crds.execution import Change, PlannedStep, Reason
from interlock.crds.runbook import Runbook

_WHATEVER = "decided when its turn comes, only within:"


def show_plan(found: Seen, runbook: Runbook | None = None) -> None:
    """Prints the plan, with the terms of its runbook where that is known; raises CommandError where there is none."""
    out = screen.console()
    for line in plan_lines(found, runbook):
        out.print(line, soft_wrap=True)


def plan_lines(found: Seen, runbook: Runbook | None = None) -> Iterator[Text]:
    """The plan, line by line; every string of the cluster is escaped."""
    plan, spec = found.plan, found.execution.spec
    yield _line(f"Plan of {found.execution.key}", "bold")
    yield from _fields(_request(found))
    yield from _reason(spec.reason)
    yield _line("")
    yield _line(
        "What will be done" if plan.steps else "Nothing will be changed: approving means that you take it.", "bold"
    )
    for number, step in enumerate(plan.steps, start=1):
        yield from _step(number, step)
        yield from (_line(f"     {term}", "dim") for term in (step_terms(runbook, step) if runbook else ()))
    if plan.verification:
        yield _line("")
        yield _line("What must hold afterwards", "bold")
        yield from (_line(f"  - {check}") for check in plan.verification)
    yield _line("")
    yield from _fields(whole_terms(runbook) if runbook else ())
    yield from _fields(_offer(found))


def _request(found: Seen) -> Iterator[tuple[str, str]]:
    spec, status = found.execution.spec, found.execution.status
    yield "phase", found.phase + (f" ({status.reason}: {status.message})" if status and status.reason else "")
    yield "runbook", spec.runbook.name
    yield "target", f"{spec.target} ({spec.target.api_version})"
    given = ", ".join(f"{name}={value}" for name, value in sorted(spec.parameters.items()))
    yield "parameters", given or "defaults"
    yield "asked by", spec.requested_by
    yield "amends", spec.amends or ""
    if spec.dry_run:
        yield "dry run", "this plan will not be carried out"


def _reason(reason: Reason) -> Iterator[Text]:
    yield from _fields([("reason", reason.summary), ("incident", reason.incident)])
    if reason.cause is not None:
        sure = f", confidence {reason.confidence:.2f}" if reason.confidence is not None else ""
        yield from _fields([("cause", f"{reason.cause}{sure}")])
    for citation in reason.citations:
        yield Text.assemble((f"  [{safe(citation.id)}] ", "cyan"), safe(citation.source))
        yield from (_line(f"      {line}", "dim") for line in citation.excerpt.split("\n") if line.strip())


def _step(number: int, step: PlannedStep) -> Iterator[Text]:
    on = f" on {step.object.kind} {step.object.name}" if step.object else ""
    item = f", for {step.item}" if step.item is not None else ""
    yield _line(f"  {number}. {step.name}: {step.action}{on}{item}")
    if step.note:
        yield _line(f"     {step.note}", "dim")
    for change in step.changes:
        yield from _change(change)
    if step.deferred is not None:
        yield _line(f"     {_WHATEVER}")
        yield from (_line(f"       {path}") for path in step.deferred)
    if step.bounds is not None:
        yield _line(f"     and only if {' '.join(step.bounds.split())}")


def _change(change: Change) -> Iterator[Text]:
    yield _line(f"     {change.path}")
    before = "(not set)" if change.before is None else change.before
    after = "(removed)" if change.after is None else change.after
    yield _line(f"       - {before}", "red")
    yield _line(f"       + {after}", "green")


def _offer(found: Seen) -> Iterator[tuple[str, str]]:
    plan, status = found.plan, found.execution.status
    if plan.revert_after_seconds is not None:
        yield "temporary", f"everything is put back {duration(plan.revert_after_seconds)} after it has been proven"
    yield "plan", plan.digest
    yield "made", plan.made_at + (f", after {status.replans} voided" if status and status.replans else "")
    left = (datetime.fromisoformat(plan.expires_at) - datetime.now(UTC)).total_seconds()
    yield "offered until", f"{plan.expires_at} ({duration(left) + ' left' if left > 0 else 'over'})"
    if plan.managed_by:
        yield "managed", f"{plan.managed_by} manages the target and will revert it: change Git as well"
    if plan.autonomy is not None:
        proven = f"{plan.autonomy.successes} verified successes here in {plan.autonomy.within_days} days"
        yield "by itself", f"it needs no approval: {proven}, none failed since"
    decisions = found.execution.spec.decisions
    given = [d.by for d in decisions if d.subject == plan.digest and d.verdict in {"Approve", "BreakGlass"}]
    yield "break glass", "; ".join(f"{d.by}: {d.comment}" for d in decisions if d.verdict == "BreakGlass")
    yield "approvals", f"{len(given)} of {plan.quorum}" + (f": {', '.join(given)}" if given else "")


def _fields(pairs: Iterable[tuple[str, str]]) -> Iterator[Text]:
    for name, value in pairs:
        if value:
            first, *rest = safe_lines(value)
            yield Text.assemble((f"{name:<14}", "bold"), first)
            yield from (Text(" " * 14 + line) for line in rest)


def _line(text: str, style: str = "") -> Text:
    return Text(safe(text), style=style)

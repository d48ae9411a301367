"""What a runbook says about its steps beyond their effects, in words: order, waiting, trying again, failing."""

from collections.abc import Iterator

from interlock.cli.spans import duration
from interlock.crds.execution import PlannedStep
from interlock.crds.graph import needs_of
from interlock.crds.runbook import OnFailure, Runbook, Step

_FAILURE: dict[OnFailure, str] = {
    "Undo": "",
    "Stop": "if it fails, the execution ends and what was done stays",
    "Continue": "if it fails, what follows goes on all the same",
    "Ask": "if it fails, a person decides: confirm, resume or undo",
}


def step_terms(runbook: Runbook, planned: PlannedStep) -> Iterator[str]:
    """The terms of one step of a plan, a line each."""
    steps = runbook.spec.steps
    name = planned.name.rpartition(".")[0] if planned.item is not None else planned.name
    step = next((step for step in steps if step.name == name), None)
    if step is None:
        return
    if any(other.needs is not None for other in steps):
        needed = needs_of((other.name, other.needs) for other in steps)[name]
        yield f"begins after {', '.join(sorted(needed))}" if needed else "begins at once"
    yield from _conduct(step)
    if step.on_failure != "Undo":
        yield _FAILURE[step.on_failure]


def _conduct(step: Step) -> Iterator[str]:
    if step.when is not None:
        yield f"only if {_flat(step.when)}"
    if step.until is not None:
        yield f"done when {_flat(step.until)}"
    if step.until is not None or step.action == "wait":
        yield f"waits at most {duration(step.timeout_seconds)}"
    if step.outputs:
        yield f"yields {', '.join(sorted(step.outputs))}"
    if retry := step.retry:
        often = "once" if retry.limit == 1 else f"up to {retry.limit} times"
        yield f"tried again {often}, first after {duration(retry.backoff_seconds)}, upon {', '.join(retry.on)}"


def whole_terms(runbook: Runbook) -> Iterator[tuple[str, str]]:
    """The terms of the whole runbook, each with its name."""
    if runbook.spec.type == "Handover":
        return
    yield "time", f"{duration(runbook.spec.timeout_seconds)} from the first step, then it counts as failed"
    if runbook.spec.undo == "Never":
        yield "if it fails", "what was done stays"


def _flat(expression: str) -> str:
    return " ".join(expression.split())

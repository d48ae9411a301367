"""What a runbook will do, in words: for whoever is to approve it, and for its author to see whether that is meant."""

from collections.abc import Iterator

from interlock.crds.actions import ACTIONS
from interlock.crds.parameters import Parameter
from interlock.crds.runbook import Check, Runbook, RunbookSpec, Step

_ON_FAILURE = {
    "Undo": "",
    "Stop": "if it fails, what was done stays",
    "Continue": "if it fails, the rest goes on",
    "Ask": "if it fails, a person is asked",
}


def explain(runbook: Runbook) -> Iterator[str]:
    """The lines of an explanation, without an end of line; empty ones separate its parts."""
    spec = runbook.spec
    yield f"{runbook.metadata.name}: {spec.title}"
    yield f"It is asked for about {_listed([t.kind for t in spec.targets], 'or')}."
    yield from map(_parameter, spec.parameters)
    yield ""
    if spec.preconditions:
        yield "It begins only if each of these is true, and refuses otherwise:"
        yield from (f"  {condition.name}, or it says: {condition.message}" for condition in spec.preconditions)
    yield from _approval(spec)
    if spec.type == "Handover":
        yield "Approving it means taking the incident over; it does nothing to the cluster."
        return
    yield ""
    yield "Then it does, as an account that may do nothing else:"
    yield from (f"  {number}. {_step(step)}" for number, step in enumerate(spec.steps, start=1))
    yield from _powers(spec)
    yield ""
    yield from _verification(spec)
    yield from _way_back(spec)


def _parameter(parameter: Parameter) -> str:
    match parameter.type:
        case "integer":
            bounds = f"{parameter.minimum} to {parameter.maximum}"
        case "boolean":
            bounds = "true or false"
        case "string":
            bounds = _listed(parameter.allowed, "or") if parameter.allowed else f"text like {parameter.pattern}"
    default = "" if parameter.default is None else f", {parameter.default} if nothing is said"
    return f"  {parameter.name}: {parameter.description} ({bounds}{default})"


def _approval(spec: RunbookSpec) -> Iterator[str]:
    approval = spec.approval
    people = "one person" if approval.quorum == 1 else f"{approval.quorum} people"
    yield f"At least {people} must approve exactly the plan that it offers, within {approval.expires_after_seconds} s."


def _step(step: Step) -> str:
    said = [step.description or ACTIONS[step.action].summary.rstrip("."), f"[{step.action}]"]
    if step.for_each is not None:
        said.append(f"for each of {step.for_each}, at most {step.max_items}")
    if step.when is not None:
        said.append(f"only where {step.when}")
    if step.bounds is not None:
        said.append(f"within the bounds {step.bounds}")
    if step.until is not None:
        said.append(f"until {step.until}")
    said.append(f"in at most {step.timeout_seconds} s")
    return ", ".join(filter(None, [" ".join(said[:2]), *said[2:], _ON_FAILURE[step.on_failure]]))


def _powers(spec: RunbookSpec) -> Iterator[str]:
    for rule in spec.permissions:
        yield f"     it may {_listed(rule.verbs, 'and')} {_listed(rule.resources, 'and')}"
    if spec.allowed_paths:
        yield f"     it may write {_listed(spec.allowed_paths, 'and')}, and no other field"


def _verification(spec: RunbookSpec) -> Iterator[str]:
    if spec.verification is None:
        return
    held = f" for {spec.verification.hold_for_seconds} s without a break" if spec.verification.hold_for_seconds else ""
    yield f"It has succeeded only if within {spec.verification.within_seconds} s all of this is true{held}:"
    yield from (f"  {_check(check)}" for check in spec.verification.checks)


def _check(check: Check) -> str:
    return check.description or (check.expression or f"{check.promql}: {check.satisfies}").strip()


def _way_back(spec: RunbookSpec) -> Iterator[str]:
    if spec.undo == "Never":
        yield "If not, what was done stays, as going back would be worse."
    else:
        yield "If not, or if a step fails, it puts back what it wrote, where that still stands as written."
    if spec.revert_after_seconds is not None:
        yield f"It is a temporary measure: {spec.revert_after_seconds} s later everything is put back."


def _listed(words: list[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"

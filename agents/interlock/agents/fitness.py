"""Whether a runbook would do anything about what was seen: its own preconditions, asked of the evidence.

The operator asks them of live objects before it acts, so nothing depends on this; but a proposal that is bound to be
refused is no help to anybody. What was not seen speaks neither for nor against, but for what would be put back: where
nobody saw what that is, nobody can say that it cures.
"""

from collections.abc import Mapping

from pydantic import JsonValue

from interlock.agents.facts import Facts
from interlock.agents.views import views
from interlock.crds.cel import ExpressionError, evaluate
from interlock.crds.celobjects import LAST_APPLIED
from interlock.crds.parameters import parse_parameters
from interlock.crds.redact import HIDDEN
from interlock.crds.runbook import Runbook

_SOURCES = ("lastApplied", "intended")
"""What expressions call to learn what an object should be."""


def objection(runbook: Runbook, facts: Facts, parameters: Mapping[str, str]) -> str | None:
    """What the first precondition says that is seen to be false; None where none is."""
    seen = views(facts)
    if not seen:
        return None
    variables: dict[str, JsonValue] = {
        **seen,
        "parameters": dict(parse_parameters(runbook.spec.parameters, parameters)),
    }
    for precondition in runbook.spec.preconditions:
        if "lastApplied(" in precondition.expression and _is_hidden(seen["target"]):
            continue
        try:
            holds = evaluate(precondition.expression, variables)
        except ExpressionError:  # it asks for something that was not seen
            if any(f"{source}(" in precondition.expression for source in _SOURCES):
                return precondition.message
            continue
        if holds is False:
            return precondition.message
    return None


def _is_hidden(target: JsonValue) -> bool:
    """Whether the target has a manifest that was applied last, and it was not collected."""
    metadata = target.get("metadata") if isinstance(target, dict) else None
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return isinstance(annotations, dict) and annotations.get(LAST_APPLIED) == HIDDEN

"""The expressions that a runbook's author wrote, each with its place and the names that it may use there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from interlock.crds.actions import RAW, TEMPLATE
from interlock.crds.cel import ExpressionError, variables_of
from interlock.crds.runbook import Step
from interlock.runbooks.loading import Loaded
from interlock.runbooks.source import Location, Problem, Source

LIVE_VARIABLES: frozenset[str] = frozenset(
    {
        *("target", "pods", "revisions", "owner", "workloads", "configMaps", "claims", "warnings"),
        *("jobs", "nodes", "endpointSlices", "services"),
    }
)
"""What the operator reads from the cluster for an expression."""

VARIABLES: frozenset[str] = LIVE_VARIABLES | {"parameters", "now"}
"""What the operator offers to every expression over live objects."""

STEP_VARIABLES: frozenset[str] = frozenset({"item", "steps"})
"""What it offers to a step beside these: what a loop is done for, and what earlier steps yielded."""

RESULT_VARIABLES: frozenset[str] = frozenset({"result"})
"""What it offers once a step is done: what its action yields."""

BOUND_VARIABLES: frozenset[str] = frozenset({"before", "after"})
"""What it offers to `bounds`: the object, and what the dry run made of it."""

SAMPLE_VARIABLES: frozenset[str] = frozenset({"value"})
"""What it offers to `satisfies`, the condition on a sample of a Prometheus query."""

_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*\(\s*([A-Za-z_]\w*)\s*,")
_TEXT = re.compile(r"""r?"(?:\\.|[^"\\])*"|r?'(?:\\.|[^'\\])*'""")
_YIELDED = re.compile(
    r"""\bsteps\s*(?:\.\??\s*(?P<name>[A-Za-z_]\w*)|\[\??\s*(?P<quote>['"])(?P<quoted>[^'"]+)(?P=quote)\s*\])"""
    r"""(?:\s*\.\??\s*(?P<output>[A-Za-z_]\w*))?"""
)


@dataclass(frozen=True)
class Written:
    """One expression."""

    place: Location
    text: str
    known: frozenset[str]
    step: int | None = None
    """The step that it belongs to, by its position."""

    @property
    def bare(self) -> str:
        """Without what stands in quotes."""
        return _TEXT.sub("''", self.text)

    def yielded(self) -> Iterator[tuple[str, str]]:
        """The outputs of steps that it names: the step, and the output or nothing."""
        for match in _YIELDED.finditer(self.text):
            yield match["name"] or match["quoted"], match["output"] or ""


def misnamed(source: Source, written: Written) -> Iterator[Problem]:
    """What keeps an expression from being evaluated: it does not compile, or names what it is not offered."""
    try:
        mentioned = variables_of(written.text)
    except ExpressionError as wrong:
        yield source.problem(written.place, str(wrong), "Correct the CEL expression.")
        return
    for name in sorted(mentioned - written.known - frozenset(_BOUND.findall(written.bare))):
        way_out = f"Known are {', '.join(sorted(written.known))}."
        yield source.problem(written.place, f"unknown name {name!r}", way_out)


def expressions(loaded: Loaded) -> Iterator[Written]:
    """Every expression of the runbook."""
    spec = loaded.runbook.spec
    for index, condition in enumerate(spec.preconditions):
        yield Written(("spec", "preconditions", index, "expression"), condition.expression, VARIABLES)
    for index, step in enumerate(spec.steps):
        yield from _of_step(index, step)
    for index, check in enumerate(spec.verification.checks if spec.verification else ()):
        place = ("spec", "verification", "checks", index)
        if check.expression is not None:
            yield Written((*place, "expression"), check.expression, VARIABLES | {"steps"})
        if check.satisfies is not None:
            yield Written((*place, "satisfies"), check.satisfies, SAMPLE_VARIABLES)


def _of_step(index: int, step: Step) -> Iterator[Written]:
    place = ("spec", "steps", index)
    known = VARIABLES | (STEP_VARIABLES if step.for_each else STEP_VARIABLES - {"item"})
    if step.for_each is not None:
        yield Written((*place, "forEach"), step.for_each, VARIABLES, index)
    if step.when is not None:
        yield Written((*place, "when"), step.when, known, index)
    if step.bounds is not None:
        yield Written((*place, "bounds"), step.bounds, BOUND_VARIABLES, index)
    yield from arguments(index, step, known)
    if step.until is not None:
        yield Written((*place, "until"), step.until, known | RESULT_VARIABLES, index)
    for name, text in step.outputs.items():
        yield Written((*place, "outputs", name), text, known | RESULT_VARIABLES, index)


def arguments(index: int, step: Step, known: frozenset[str] = VARIABLES | STEP_VARIABLES) -> Iterator[Written]:
    """The expressions in the arguments of a step."""
    for name, text in step.with_.items():
        place = ("spec", "steps", index, "with", name)
        if name in RAW:
            yield Written(place, text, SAMPLE_VARIABLES if name == "satisfies" else known, index)
        else:
            yield from (Written(place, found, known, index) for found in TEMPLATE.findall(text))

"""Rules about what has no limit, or is there for nothing: permissions, parameters, expressions, the way back."""

import re
from collections.abc import Iterator

from interlock.crds.actions import ACTIONS, Drain
from interlock.crds.runbook import RunbookSpec, Step
from interlock.runbooks.loading import Loaded
from interlock.runbooks.source import Problem
from interlock.runbooks.written import expressions

DEEPEST = 3
"""So many lists may be walked inside each other: pods, their containers, what these list."""
_ANYTHING = ("x" * 300, "$(rm -r /); ünsinn\t")
_WALK = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*(?=\()|[()]")

Power = tuple[str, str]
"""A resource and a verb."""


def permissions_are_needed(loaded: Loaded) -> Iterator[Problem]:
    """No rule grants what no step does: everything is read with the operator's own rights."""
    spec = loaded.runbook.spec
    needed = powers_needed(spec)
    if needed is None:
        return
    for index, rule in enumerate(spec.permissions):
        for resource in rule.resources:
            for verb in rule.verbs:
                if (resource, verb) not in needed:
                    way_out = "Remove it: conditions and checks are read with the operator's own rights."
                    place = ("spec", "permissions", index)
                    yield loaded.source.problem(place, f"no step needs to {verb} {resource}", way_out)


def powers_needed(spec: RunbookSpec) -> frozenset[Power] | None:
    """What the steps do as the runner; None where only the plan will show it."""
    found: set[Power] = set()
    for step in spec.steps:
        powers = _of_step(spec, step)
        if powers is None:
            return None
        found |= powers
    return frozenset(found)


def _of_step(spec: RunbookSpec, step: Step) -> set[Power] | None:
    model = ACTIONS[step.action]
    match model.effect:
        case "patch":
            kinds = [step.with_["kind"]] if "kind" in step.with_ else [target.kind for target in spec.targets]
            return None if any("${" in kind for kind in kinds) else {(plural(kind), "patch") for kind in kinds}
        case "delete":
            return {("pods", "delete")}
        case "evict":
            return {("pods/eviction", "create")} | ({("pods", "list")} if model is Drain else set())
        case "create":
            undo = {("jobs", "delete")} if spec.undo == "OnFailure" else set()
            return {("jobs", "create"), ("pods/log", "get")} | undo
        case None:
            return set()


def plural(kind: str) -> str:
    """The resource of a kind, as Kubernetes names its own."""
    name = kind.lower()
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return name + ("es" if name.endswith(("s", "x", "ch")) else "s")


def parameters_are_bounded(loaded: Loaded) -> Iterator[Problem]:
    """A pattern that takes any text is none."""
    for index, parameter in enumerate(loaded.runbook.spec.parameters):
        if parameter.pattern and any(re.fullmatch(parameter.pattern, text) for text in _ANYTHING):
            place = ("spec", "parameters", index, "pattern")
            yield loaded.source.problem(place, "takes any text", "Say how long it may be, and of what.")


def expressions_end(loaded: Loaded) -> Iterator[Problem]:
    """An expression walks few lists inside each other: each one multiplies its cost by what is in the cluster."""
    for written in expressions(loaded):
        if nesting(written.bare) > DEEPEST:
            message = f"walks more than {DEEPEST} lists inside each other"
            yield loaded.source.problem(written.place, message, "Split it, or filter first.")


def nesting(bare: str) -> int:
    """How many lists an expression without its texts walks inside each other at most."""
    deepest, walks, opens_walk = 0, list[bool](), False
    for part in _WALK.findall(bare):
        if part == "(":
            walks.append(opens_walk)
            deepest = max(deepest, sum(walks))
        elif part == ")" and walks:
            walks.pop()
        opens_walk = part not in "()"
    return deepest


def undo_is_thought_of(loaded: Loaded) -> Iterator[Problem]:
    """What is not undone says why not."""
    spec = loaded.runbook.spec
    writes = any(ACTIONS[step.action].effect in ("patch", "create") for step in spec.steps)
    if writes and spec.undo == "Never" and not spec.description.strip():
        way_out = "Use undo: OnFailure, or say in spec.description why going back is worse than staying."
        yield loaded.source.problem(("spec", "undo"), "is never undone, and does not say why", way_out)

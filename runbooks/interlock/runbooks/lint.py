"""Judges a runbook that is valid by its schema: would it do what its author means, and no more?

Each rule is one function from a loaded runbook to findings; `RULES` lists them with what each makes sure.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from interlock.crds.actions import ACTIONS
from interlock.crds.cel import ExpressionError, compile_expression
from interlock.runbooks.bound_rules import (
    expressions_end,
    parameters_are_bounded,
    permissions_are_needed,
    undo_is_thought_of,
)
from interlock.runbooks.loading import Loaded
from interlock.runbooks.scenario_rules import scenarios_fit
from interlock.runbooks.source import Problem
from interlock.runbooks.step_rules import (
    actions_fit_the_scope,
    drains_are_cordoned,
    effects_are_permitted,
    plans_can_be_shown,
    waits_end,
    what_is_not_known_is_bounded,
    what_is_used_was_yielded,
)
from interlock.runbooks.written import LIVE_VARIABLES, expressions, misnamed

_PARAMETER = re.compile(r"\bparameters\.([A-Za-z_]\w*)")


Rule = Callable[[Loaded], Iterable[Problem]]


def lint(loaded: Loaded) -> tuple[Problem, ...]:
    """Everything that is wrong with a runbook and its scenarios, by file and line; none if it may be published."""
    found = [problem for rule in RULES for problem in rule(loaded)]
    own = loaded.source.path
    return tuple(sorted(found, key=lambda problem: (problem.path != own, problem.path, problem.line, problem.column)))


def _expressions_compile(loaded: Loaded) -> Iterator[Problem]:
    for written in expressions(loaded):
        yield from misnamed(loaded.source, written)


def _parameters_exist(loaded: Loaded) -> Iterator[Problem]:
    declared = {parameter.name for parameter in loaded.runbook.spec.parameters}
    used: set[str] = set()
    for written in expressions(loaded):
        named = set(_PARAMETER.findall(written.bare))
        used |= named
        for name in sorted(named - declared):
            yield loaded.source.problem(
                written.place, f"unknown parameter {name!r}", "Declare it under spec.parameters."
            )
    for index, parameter in enumerate(loaded.runbook.spec.parameters):
        if parameter.name not in used:
            where = ("spec", "parameters", index, "name")
            yield loaded.source.problem(where, "no expression uses this parameter", "Use it or remove it.")


def _writes_are_bounded(loaded: Loaded) -> Iterator[Problem]:
    spec = loaded.runbook.spec
    writing = [index for index, step in enumerate(spec.steps) if ACTIONS[step.action].effect == "patch"]
    if writing and not spec.allowed_paths:
        step = ("spec", "steps", writing[0], "action")
        yield loaded.source.problem(step, "writes, but the runbook allows no path", "List them in spec.allowedPaths.")
    if not writing and spec.allowed_paths:
        yield loaded.source.problem(("spec", "allowedPaths"), "no step writes to an object", "Remove the list.")
    for index, path in enumerate(spec.allowed_paths):
        if path in ("/**", "/*", "/spec/**", "/metadata/**") or not path.startswith("/"):
            place = ("spec", "allowedPaths", index)
            yield loaded.source.problem(place, "bounds nothing", "Name the paths that the steps write.")


def _no_wildcards(loaded: Loaded) -> Iterator[Problem]:
    for index, rule in enumerate(loaded.runbook.spec.permissions):
        if any("*" in word for word in (*rule.api_groups, *rule.resources, *rule.verbs)):
            place = ("spec", "permissions", index)
            yield loaded.source.problem(place, "a wildcard is not a permission", "Name groups, resources and verbs.")


def _fault_is_proven(loaded: Loaded) -> Iterator[Problem]:
    spec = loaded.runbook.spec
    if spec.type == "Remediation" and not spec.preconditions:
        way_out = "Add a precondition that is false on a healthy target."
        yield loaded.source.problem(("spec", "steps"), "acts without proof of a fault", way_out)


def _verification_can_fail(loaded: Loaded) -> Iterator[Problem]:
    verification = loaded.runbook.spec.verification
    for index, check in enumerate(verification.checks if verification else ()):
        if check.expression is None:
            continue
        try:
            mentioned = compile_expression(check.expression).variables()
        except ExpressionError:
            continue
        if not LIVE_VARIABLES & set(mentioned):
            place = ("spec", "verification", "checks", index, "expression")
            yield loaded.source.problem(place, "does not look at the cluster", "Check the target or its pods.")


def _page_exists(loaded: Loaded) -> Iterator[Problem]:
    if not loaded.page.strip():
        way_out = "Write when to use it, what it does, what it will not do, how to undo it, what if it fails."
        yield loaded.source.problem((), "there is no README.md for the on-call", way_out)


RULES: tuple[Rule, ...] = (
    _expressions_compile,  # CEL parses and mentions only what the operator offers
    _parameters_exist,  # every parameter is declared, and every declared one is used
    _fault_is_proven,  # nothing acts on a healthy target
    _writes_are_bounded,  # what the steps may write is listed, and the list says something
    _no_wildcards,  # permissions name what they permit; refused powers are refused by the contract already
    effects_are_permitted,  # the runner may do what the steps do
    permissions_are_needed,  # and nothing else
    parameters_are_bounded,  # no parameter takes any text
    expressions_end,  # what is evaluated has an end
    undo_is_thought_of,  # the way back is there, or is refused with a reason
    actions_fit_the_scope,  # nodes are for cluster-scoped runbooks, all else is for namespaces
    what_is_used_was_yielded,  # outputs exist, and are there by then
    what_is_not_known_is_bounded,  # what an approver cannot see is held in
    plans_can_be_shown,  # loops stay inside what a plan can hold
    drains_are_cordoned,  # what is drained is not filled again
    waits_end,  # a wait looks at something that changes
    _verification_can_fail,  # success is read from the cluster
    _page_exists,  # the on-call has a page
    scenarios_fit,  # what it is tried with is valid, and shows both that it cures and that it leaves alone
)

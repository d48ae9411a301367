from dataclasses import replace
from typing import Any, cast

import pytest
from tests.unit.operator.making import execution, request, runbook

from interlock.crds.execution import Change, PlannedObject, PlannedStep
from interlock.crds.guardrail import Guardrail, GuardrailSpec
from interlock.crds.parameters import ParameterRefused
from interlock.operator.look import Observer, View
from interlock.operator.planning import plan_digest, quorum, subject

MADE_AT = "2026-01-01T00:00:00.000Z"
PARAMETER = {
    "name": "replicas",
    "description": "How many.",
    "type": "integer",
    "minimum": 1,
    "maximum": 9,
    "default": "3",
}
RUNBOOK = runbook(parameters=[PARAMETER])
VIEW = View(cast(Observer, None), request(RUNBOOK).target, "1b3c", {})
ABOUT = subject(execution(RUNBOOK), RUNBOOK, VIEW, "1b3c", MADE_AT)
OBJECT = PlannedObject(api_version="apps/v1", kind="Deployment", name="web", uid="1b3c")
STEP = PlannedStep(
    name="scale", action="scale", object=OBJECT, changes=[Change(path="/spec/replicas", before="1", after="3")]
)


def changed(**changes: Any) -> list[PlannedStep]:
    return [STEP.model_copy(update=changes)]


def test_the_same_plan_has_the_same_digest() -> None:
    again = subject(execution(RUNBOOK), runbook(parameters=[PARAMETER]), VIEW, "1b3c", MADE_AT)
    assert plan_digest(again, changed(), 1) == plan_digest(ABOUT, [STEP], 1)


OTHER_RUNBOOK = runbook(parameters=[PARAMETER], title="Scale it")
DIFFERENT = {
    "execution": (subject(execution(RUNBOOK, uid="another"), RUNBOOK, VIEW, "1b3c", MADE_AT), [STEP], 1),
    "request": (subject(execution(RUNBOOK, reason={"summary": "x"}), RUNBOOK, VIEW, "1b3c", MADE_AT), [STEP], 1),
    "runbook": (replace(ABOUT, runbook=OTHER_RUNBOOK), [STEP], 1),
    "parameters": (replace(ABOUT, parameters={"replicas": 4}), [STEP], 1),
    "target": (replace(ABOUT, target_uid="2c4d"), [STEP], 1),
    "time": (replace(ABOUT, made_at="2026-01-01T00:00:00.001Z"), [STEP], 1),
    "quorum": (ABOUT, [STEP], 2),
    "no step": (ABOUT, [], 1),
    "a step twice": (ABOUT, [STEP, STEP], 1),
    "name": (ABOUT, changed(name="scale-up"), 1),
    "action": (ABOUT, changed(action="patch"), 1),
    "object": (ABOUT, changed(object=OBJECT.model_copy(update={"uid": "2c4d"})), 1),
    "before": (ABOUT, changed(changes=[Change(path="/spec/replicas", before="2", after="3")]), 1),
    "after": (ABOUT, changed(changes=[Change(path="/spec/replicas", before="1", after="4")]), 1),
    "added": (ABOUT, changed(changes=[Change(path="/spec/replicas", after="3")]), 1),
    "path": (ABOUT, changed(changes=[Change(path="/spec/paused", before="1", after="3")]), 1),
    "deferred": (ABOUT, changed(changes=[], deferred=["/spec/replicas"]), 1),
    "bounds": (ABOUT, changed(changes=[], deferred=["/spec/**"]), 1),
    "note": (ABOUT, changed(note="to revision 3"), 1),
}


def test_whatever_differs_in_a_plan_differs_in_its_digest() -> None:
    digests = {what: plan_digest(*inputs) for what, inputs in DIFFERENT.items()}
    assert len({*digests.values(), plan_digest(ABOUT, [STEP], 1)}) == len(DIFFERENT) + 1


def test_what_was_decided_since_does_not_change_the_digest() -> None:
    decision = {"by": "bob", "verdict": "Approve", "subject": plan_digest(ABOUT, [STEP], 1)}
    decided = execution(RUNBOOK, decisions=[decision], cancelled={"by": "bob"})
    assert plan_digest(replace(ABOUT, execution=decided), [STEP], 1) == plan_digest(ABOUT, [STEP], 1)


def test_parameters_are_typed_and_defaults_are_part_of_them() -> None:
    assert ABOUT.parameters == {"replicas": 3}
    with pytest.raises(ParameterRefused, match="1 to 9"):
        subject(execution(RUNBOOK, parameters={"replicas": "99"}), RUNBOOK, VIEW, "1b3c", MADE_AT)


@pytest.mark.parametrize(("own", "rails", "needed"), [(1, [], 1), (3, [1, 2], 3), (1, [2, 4, 1], 4)])
def test_the_strictest_quorum_counts(own: int, rails: list[int], needed: int) -> None:
    guardrails = tuple(Guardrail(name=f"g{n}", spec=GuardrailSpec(approvals=n)) for n in rails)
    assert quorum(runbook(approval={"quorum": own}), guardrails) == needed

"""An approver reads the terms of each step, and an old request is made anew without a slip."""

import re
from typing import Any

import pytest
from tests.unit.cli.test_plan import DIGEST, PLAN, execution

from interlock.cli import decisions
from interlock.cli.amending import amended
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.executions import Seen, seen
from interlock.cli.journal_view import entry_line
from interlock.cli.plan_view import plan_lines
from interlock.crds.journal import Event, extend, genesis
from interlock.crds.runbook import Runbook

NOW = "2026-03-01T12:00:00.000Z"
LOOK = {"expression": "true"}
RUNBOOK = Runbook.model_validate(
    {
        "metadata": {"name": "cure-1.0.0"},
        "spec": {
            "family": "cure",
            "version": "1.0.0",
            "title": "cure",
            "risk": "Low",
            "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "parameters": [{"name": "replicas", "description": "n", "type": "integer", "minimum": 1, "maximum": 9}],
            "timeoutSeconds": 900,
            "undo": "Never",
            "steps": [
                {"name": "pods", "action": "assert", "with": LOOK, "forEach": "[1]", "onFailure": "Ask"},
                {"name": "look", "action": "assert", "with": LOOK, "needs": [], "outputs": {"n": "1"}, "retry": {}},
                {
                    "name": "scale",
                    "action": "scale",
                    "with": {"replicas": "${steps.look.n}"},
                    "needs": ["pods", "look"],
                    "when": "steps.look.n > 0",
                    "bounds": "after.spec.replicas <= 3",
                    "until": "target.status.readyReplicas\n  == 3",
                    "onFailure": "Stop",
                },
                {"name": "last", "action": "assert", "with": LOOK, "onFailure": "Continue"},
            ],
            "verification": {"checks": [{"name": "x", "expression": "true"}]},
        },
    }
)
STEPS = [
    {"name": "pods.0", "action": "assert", "item": '"web-1"'},
    {"name": "look", "action": "assert"},
    {"name": "scale", "action": "scale", "deferred": ["/spec/replicas"], "bounds": "after.spec.replicas <= 3"},
    {"name": "last", "action": "assert"},
]


def test_a_plan_is_shown_with_the_terms_of_its_steps() -> None:
    found = seen(execution(status={"plan": {**PLAN, "steps": STEPS, "revertAfterSeconds": 7200}}))
    text = "\n".join(line.plain for line in plan_lines(found, RUNBOOK))
    steps = {part.partition(":")[0]: part for part in re.split(r"\n  (?=[0-9])", text)}
    assert 'assert, for "web-1"' in text
    for step, said in (
        ("1. pods.0", "begins at once"),
        ("1. pods.0", "a person decides: confirm, resume or undo"),
        ("2. look", "begins at once"),
        ("2. look", "tried again up to 2 times, first after 2s, upon Conflict, NotHolding"),
        ("2. look", "yields n"),
        ("3. scale", "begins after look, pods"),
        ("3. scale", "and only if after.spec.replicas <= 3"),
        ("3. scale", "only if steps.look.n > 0"),
        ("3. scale", "done when target.status.readyReplicas == 3"),
        ("3. scale", "waits at most 2m"),
        ("3. scale", "what was done stays"),
        ("4. last", "begins after scale"),
        ("4. last", "what follows goes on all the same"),
    ):
        assert said in steps[step], (step, said)
    for said in ("15m from the first step", "what was done stays", "put back 2h after it has been proven"):
        assert said in text


def test_without_its_runbook_a_plan_shows_what_it_holds() -> None:
    found = seen(execution(status={"plan": {**PLAN, "steps": STEPS}}))
    text = "\n".join(line.plain for line in plan_lines(found))
    assert "and only if after.spec.replicas <= 3" in text
    assert "begins" not in text


def awaiting(*events: Event, phase: str = "AwaitingPerson") -> Seen:
    start = genesis("e-1", seen(execution()).execution.spec.request_digest())
    entries = [e.model_dump(mode="json", exclude_none=True) for e in extend(start, (), events, NOW)]
    return seen(execution(status={"phase": phase, "journal": entries}))


NEEDED = Event(event="PersonNeeded", step="check", data={"message": "look at it", "verdicts": ["Confirm", "Undo"]})


def test_only_what_is_asked_for_may_be_answered() -> None:
    asked = decisions.question(awaiting(Event(event="Requested"), NEEDED))
    assert asked == decisions.Question("check", "look at it", ("Confirm", "Undo"))
    decisions.demand_possible(awaiting(NEEDED), asked, "Undo")
    with pytest.raises(CommandError, match="shop/web-1 waits for confirm or undo, not for resume") as caught:
        decisions.demand_possible(awaiting(NEEDED), asked, "Resume")
    assert "kubectl interlock confirm web-1 -n shop, or kubectl interlock undo web-1 -n shop" in caught.value.way_out


def test_where_nobody_is_asked_nothing_is_answered() -> None:
    with pytest.raises(CommandError, match="only in AwaitingPerson"):
        decisions.question(awaiting(NEEDED, phase="Running"))


@pytest.mark.parametrize(
    ("event", "data", "said"),
    [
        ("StepActed", {"resourceVersion": "7"}, "written: resourceVersion 7; waits for what follows"),
        ("StepSucceeded", {"outputs": {"n": 3}}, 'holds; yields {"n": 3}'),
        (
            "StepFailed",
            {"error": "NotHolding", "message": "no", "then": "Retry", "retryAt": "2026-03-01T12:00:04.500Z"},
            "NotHolding: no; tried again at 12:00:04.500",
        ),
        ("StepFailed", {"error": "Refused", "message": "no", "then": "Ask"}, "Refused: no; a person decides"),
        ("StepFailed", {"error": "TimedOut", "message": "no", "then": "Undo"}, "TimedOut: no; undone if"),
        ("StepFailed", {"error": "TimedOut", "message": "no", "then": "Stop"}, "TimedOut: no; it stops"),
        ("StepFailed", {"error": "TimedOut", "message": "no", "then": "Continue"}, "TimedOut: no; it goes on"),
        ("StepUnclear", {"message": "hm", "verdicts": ["Confirm", "Undo"]}, "hm; a person may confirm or undo"),
        ("PersonNeeded", {"message": "hm", "verdicts": ["Confirm"]}, "hm; a person may confirm"),
        ("Halted", {"reason": "JournalFull", "message": "no room"}, "JournalFull: no room"),
        ("VerificationPassed", {"checks": ["a"], "revertAt": NOW}, "a; put back at 12:00:00.000"),
    ],
)
def test_the_journal_is_told_in_words(event: Any, data: dict[str, Any], said: str) -> None:
    (entry,) = extend("0" * 64, (), [Event(event=event, step="check", data=data)], NOW)
    assert said in entry_line(entry).plain


def asked(**spec: Any) -> Seen:
    spec = {"parameters": {"replicas": "3"}, "runbook": {"name": "cure-1.0.0", "digest": RUNBOOK.digest()}, **spec}
    return seen(execution(spec=spec))


def test_an_amended_request_differs_in_what_was_said_and_in_nothing_else() -> None:
    before = asked(cancelled={"by": "bob"}).execution.spec
    spec = amended(asked(cancelled={"by": "bob"}), RUNBOOK, ["replicas=5"], "", "carol")
    assert (spec.parameters, spec.requested_by, spec.amends) == ({"replicas": "5"}, "carol", "web-1")
    assert (spec.runbook, spec.target, spec.reason, spec.dry_run) == (
        before.runbook,
        before.target,
        before.reason,
        before.dry_run,
    )
    assert (spec.decisions, spec.cancelled) == ([], None)
    assert before.decisions[0].subject == DIGEST


def test_another_reason_keeps_incident_and_evidence() -> None:
    reason = amended(asked(), RUNBOOK, ["replicas=5"], "three were too few", "carol").reason
    assert (reason.summary, reason.incident, reason.citations[0].id) == ("three were too few", "inc-1", "E1")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("replicas=10", "--set: parameter replicas: 10 is outside 1 to 9"),
        ("replicas=many", "--set: parameter replicas: 'many' is not an integer"),
        ("size=5", "--set: parameter size is unknown; known are replicas"),
        ("replicas", "--set: 'replicas' is not NAME=VALUE"),
        ("replicas=3", "--set: the parameters would be the same"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_bounds(given: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        amended(asked(), RUNBOOK, [given], "", "carol")
    assert said in caught.value.message

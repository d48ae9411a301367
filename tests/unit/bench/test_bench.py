"""What the measurements conclude from what they see; that they see it is shown by running them."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from bench.arrivals import Arrivals
from bench.audit import AuditLog, of_kopf, of_operator
from bench.figure import Counts, Figure, Goal
from bench.loop import Rhythm, closed_loop
from bench.raw import patches
from bench.show import show
from bench.throughput import quantile
from rich.console import Console
from tests.unit.operator.making import body, digest, plan, runbook

from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import Entry, Event, extend, genesis
from interlock.crds.names import OPERATOR_USER, RUNNERS_NAMESPACE

RUNNER = f"system:serviceaccount:{RUNNERS_NAMESPACE}:scale.shop"
WRITES = (
    ("10", [Event(event="Requested"), Event(event="Planned", data={"plan": digest(1)})]),
    ("11", [Event(event="Approved"), Event(event="StepStarted", step="scale", data={"writes": False})]),
    (
        "12",
        [
            Event(event="StepSucceeded", step="scale"),
            Event(event="VerificationStarted"),
            Event(event="VerificationPassed"),
            Event(event="Ended", data={"phase": "Succeeded", "reason": "Verified"}),
        ],
    ),
)


def finished() -> dict[str, Any]:
    """An execution that succeeded by three decisions to write, one of which needed two writes."""
    made = body(runbook())
    execution = RunbookExecution.from_object(made)
    journal: tuple[Entry, ...] = ()
    for second, events in WRITES:
        start = genesis(execution.uid, execution.spec.request_digest())
        journal = extend(start, journal, events, f"2026-01-01T00:00:{second}.000Z")
    offered = plan(1, quorum=1, expires_at="2026-01-01T01:00:00.000Z")
    status = {
        "phase": "Succeeded",
        "reason": "Verified",
        "message": "",
        "approvals": "1/1",
        "plan": offered.model_dump(mode="json", by_alias=True, exclude_none=True),
        "journal": [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in journal],
        "fence": {"epoch": 1, "holder": "one"},
        "completedAt": "2026-01-01T00:00:12.000Z",
    }
    return {**made, "status": status}


def test_the_writes_of_an_execution_are_found_in_its_journal_with_the_stop_that_the_graph_needs() -> None:
    made = patches(finished())
    assert [patch["phase"] for patch in made] == ["AwaitingApproval", "Running", "Verifying", "Succeeded"]
    assert [len(patch["journal"]) for patch in made] == [2, 4, 7, 8]
    assert ["plan" in patch for patch in made] == [True, False, False, False]
    assert [patch.get("completedAt") for patch in made] == [None, None, None, "2026-01-01T00:00:12.000Z"]


@pytest.mark.parametrize(
    ("goal", "reached", "missed", "said"),
    [
        (Goal(at_least=0.5), 0.5, 0.49, "≥ 0.5"),
        (Goal(at_most=1.1), 1.1, 1.11, "≤ 1.1"),
        (Goal(at_least=1, at_most=1), 1, 1.01, "1"),
    ],
)
def test_a_goal_is_reached_or_missed(goal: Goal, reached: float, missed: float, said: str) -> None:
    assert goal.reached(reached)
    assert not goal.reached(missed)
    assert str(goal) == said


def test_a_missed_goal_is_not_shown_as_reached() -> None:
    said = io.StringIO()
    show(
        Console(width=150, file=said),
        [
            Counts("requests", ["a"], [("status", [8.0])]),
            Figure("share", 4, 10, "raw", "/s", Goal(at_least=0.5)),
            Figure("flat", 10, 10, "before", "/s", Goal(at_least=0.9)),
        ],
    )
    table = [line.split() for line in said.getvalue().splitlines() if "goal stands" not in line]
    assert ["status", "8.00"] in table
    assert ["share", "4", "/s", "10", "/s", "raw", "0.40", "≥", "0.5", "missed"] in table
    assert ["flat", "10", "/s", "10", "/s", "before", "1.00", "≥", "0.9", "reached"] in table


def entry(user: str, verb: str, resource: str, *, uri: str = "/", code: int = 200, agent: str = "") -> dict[str, Any]:
    plural, _, subresource = resource.partition("/")
    return {
        "user": {"username": user},
        "verb": verb,
        "objectRef": {"resource": plural, "subresource": subresource},
        "requestURI": uri,
        "responseStatus": {"code": code},
        "userAgent": agent,
    }


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (entry(OPERATOR_USER, "patch", "runbookexecutions/status"), "status"),
        (entry(OPERATOR_USER, "patch", "runbookexecutions/status", code=409), "status (409)"),
        (entry(OPERATOR_USER, "patch", "runbookexecutions"), "finalizer"),
        (entry(OPERATOR_USER, "create", "serviceaccounts/token"), "token"),
        (entry(OPERATOR_USER, "get", "deployments"), "get deployments"),
        (entry(OPERATOR_USER, "patch", "leases"), None),
        (entry(OPERATOR_USER, "watch", "runbookexecutions"), None),
        (entry(RUNNER, "patch", "deployments", uri="/x?dryRun=All"), "dry run deployments"),
        (entry(RUNNER, "patch", "deployments"), "effect deployments"),
        (entry("erin", "create", "runbookexecutions"), None),
    ],
)
def test_requests_are_named_by_what_they_are_for(seen: dict[str, Any], kind: str | None) -> None:
    assert of_operator(seen) == kind


def test_only_what_is_asked_after_the_mark_is_counted(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(entry(OPERATOR_USER, "patch", "runbookexecutions")) + "\n")
    mark = AuditLog.mark(log)
    with log.open("a") as file:
        file.write(json.dumps(entry("admin", "patch", "fives/status", agent="kopf/1.45")) + "\n")
        file.write(json.dumps(entry("admin", "patch", "fives/status", agent="kubectl")) + "\n")
        file.write('{"half of a')
    assert mark.counted(of_kopf) == {"patch fives/status": 1}
    assert mark.counted(of_operator) == {}


def test_quantiles() -> None:
    values = [float(number) for number in range(100)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([7.0], 0.99)) == (50.0, 99.0, 7.0)


async def test_a_closed_loop_keeps_as_many_in_flight_as_it_is_told_and_counts_what_ends_while_it_measures() -> None:
    flying, most = 0, 0

    async def once(slot: int) -> int:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1
        return slot

    sample = await closed_loop(Rhythm(slots=3, warm=0.01, seconds=0.05), once)
    assert most == 3
    assert set(sample.results) == {0, 1, 2}
    assert sample.total > len(sample.results)
    assert sample.rate == len(sample.results) / 0.05


async def test_an_arrival_is_heard_once_and_others_are_left_alone() -> None:
    arrivals = Arrivals(lambda body: body.get("phase"))
    arrivals.expect("one")
    for name, phase in (("other", "Done"), ("one", None), ("one", "Done"), ("one", "Later")):
        arrivals.hear({"object": {"metadata": {"name": name}, "phase": phase}})
    assert await arrivals.of("one") == "Done"

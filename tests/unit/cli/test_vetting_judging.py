"""Each way of trying a runbook has an end that it must come to; every other end is a finding that says what it was."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.test_vetting_changes import KEY, PLURALS, WEB, request, web

from interlock.cli.vetting import judging
from interlock.cli.vetting.judging import Seen
from interlock.cli.vetting.procedure import Candidate
from interlock.crds.execution import Change, Plan, PlannedObject, PlannedStep, RunbookExecution
from interlock.crds.journal import Event, extend
from interlock.crds.runbook import Runbook
from interlock.runbooks.loading import load
from interlock.runbooks.scenario import LoadedScenario, load_scenarios
from interlock.runbooks.skeleton import begin

ZERO = "0" * 64
DONE = [
    Event(event="StepStarted", step="scale", data={"writes": True}),
    Event(event="StepSucceeded", step="scale", data={}),
]
PLAN = Plan(
    digest=f"sha256:{ZERO}",
    target_uid="u",
    made_at="2026-03-01T12:00:00Z",
    expires_at="2026-03-01T13:00:00Z",
    quorum=1,
    steps=[
        PlannedStep(
            name="scale",
            action="scale",
            object=PlannedObject(api_version="apps/v1", kind="Deployment", name="web", uid="u"),
            changes=[Change(path="/spec/replicas", before="0", after="1")],
        )
    ],
)


@pytest.fixture
def runbook(tmp_path: Path) -> Runbook:
    begin("restart-cache", tmp_path / "new")
    return load(tmp_path / "new")[0].runbook


def execution(phase: str, reason: str, message: str = "", events: Sequence[Event] = DONE) -> RunbookExecution:
    journal = extend(ZERO, [], events, "2026-03-01T12:00:00Z")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ns", "name": "web"}
    body: dict[str, Any] = {
        "metadata": {
            "name": "x",
            "namespace": "ns",
            "uid": "u",
            "resourceVersion": "1",
            "creationTimestamp": "2026-03-01T12:00:00Z",
        },
        "spec": {
            "runbook": {"name": "restart-cache-0.1.0", "digest": f"sha256:{ZERO}"},
            "target": target,
            "reason": {"summary": "s"},
            "requestedBy": "erin",
        },
        "status": {
            "phase": phase,
            "reason": reason,
            "message": message,
            "fence": {"epoch": 1, "holder": "h"},
            "journal": [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in journal],
        },
    }
    return RunbookExecution.from_object(body)


def seen(runbook: Runbook, ended: RunbookExecution, after: int = 1) -> Seen:
    requests = [request()] if judging.acted(ended.journal) else []
    return Seen(runbook, ended, PLAN, {WEB: web(0)}, {WEB: web(after)}, requests, PLURALS, KEY)


def test_a_cure_ends_succeeded_with_what_was_planned(runbook: Runbook) -> None:
    good = seen(runbook, execution("Succeeded", "Verified"))
    assert list(judging.cured(good)) == []
    assert list(judging.cured(replace(good, after={WEB: web(2)}))) == [
        "plan: Deployment/web /spec/replicas became 2 instead of 1"
    ]
    (found,) = judging.cured(seen(runbook, execution("Failed", "StepFailed", "no")))
    assert found == "cure: ended as Failed (StepFailed): no"


def test_an_undo_leaves_nothing_behind(runbook: Runbook) -> None:
    undone = execution("Undone", "VerificationFailed")
    assert list(judging.undone(seen(runbook, undone, after=0))) == []
    assert list(judging.undone(seen(runbook, undone))) == ["undo: Deployment/web /spec/replicas is 1, and was 0"]
    (found,) = judging.undone(seen(runbook, execution("Failed", "UndoFailed", "conflict"), after=0))
    assert found.startswith("undo: should have ended as Undone (VerificationFailed), and did as Failed (UndoFailed)")


def test_what_is_never_undone_fails_and_stays(runbook: Runbook) -> None:
    never = runbook.model_copy(update={"spec": runbook.spec.model_copy(update={"undo": "Never"})})
    assert list(judging.undone(seen(never, execution("Failed", "VerificationFailed")))) == []
    assert list(judging.undone(seen(never, execution("Undone", "VerificationFailed"))))


def test_a_control_is_refused_by_the_precondition_that_it_names(runbook: Runbook) -> None:
    refused = execution("NotNeeded", "PreconditionNotMet", "It has replicas. (x is false)", [])
    assert list(judging.refused(seen(runbook, refused, after=0), "has-no-replicas")) == []
    other = execution("NotNeeded", "PreconditionNotMet", "Something else.", [])
    (found,) = judging.refused(seen(runbook, other, after=0), "has-no-replicas")
    assert found == "control: has-no-replicas did not refuse it, but: Something else."
    ran = list(judging.refused(seen(runbook, execution("Succeeded", "Verified")), "has-no-replicas"))
    assert [line.partition(",")[0] for line in ran] == [
        "control: its preconditions should have refused it",
        "control: the runner did 'patch deployments web'",
        "control: Deployment/web /spec/replicas is 1",
    ]


def test_a_temporary_measure_is_put_back(runbook: Runbook) -> None:
    put_back = execution("Succeeded", "Reverted")
    assert list(judging.reverted(seen(runbook, put_back, after=0))) == []
    assert len(list(judging.reverted(seen(runbook, put_back)))) == 1
    assert len(list(judging.reverted(seen(runbook, execution("Failed", "RevertFailed"), after=0)))) == 1


def test_of_two_equal_requests_one_acts(runbook: Runbook) -> None:
    won = seen(runbook, execution("Succeeded", "Verified"))
    lost = seen(runbook, execution("NotNeeded", "PreconditionNotMet", events=[]))
    assert list(judging.one_of([lost, won])) == []
    assert next(judging.one_of([won, won])).startswith("twice: 2 of 2 equal requests acted")
    assert next(judging.one_of([lost, lost])).startswith("twice: 0 of 2 equal requests acted")


def test_every_scenario_is_tried_and_each_cure_with_its_undo(tmp_path: Path) -> None:
    begin("restart-cache", tmp_path / "new")
    (loaded,) = load(tmp_path / "new")
    control, cure = load_scenarios(loaded)
    later = LoadedScenario(cure.scenario, replace(cure.source, path=Path("z.yaml")))
    kubelet = LoadedScenario(
        control.scenario.model_copy(update={"substrate": "kubelet"}), replace(control.source, path=Path("k.yaml"))
    )
    candidate = Candidate(loaded.runbook, (cure, control, later, kubelet))
    plays = [(p.name, p.way, p.kill, p.twice) for p in candidate.plays("simulated")]
    assert plays == [
        ("scaled-to-zero", "Cure", True, False),
        ("scaled-to-zero-undo", "Undo", False, False),
        ("runs", "Control", False, False),
        ("z", "Cure", False, True),
        ("z-undo", "Undo", False, False),
    ]
    assert candidate.left_out("simulated") == ("k",)
    assert candidate.left_out("kubelet") == ()


def test_real_kubelets_do_not_stand_behind_nodes_that_a_scenario_brings(tmp_path: Path) -> None:
    begin("restart-cache", tmp_path / "new")
    (loaded,) = load(tmp_path / "new")
    control, cure = load_scenarios(loaded)
    node: Any = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "${namespace}-node"}}
    simulated = LoadedScenario(
        cure.scenario.model_copy(update={"objects": [*cure.scenario.objects, node]}), cure.source
    )
    candidate = Candidate(loaded.runbook, (control, simulated))
    assert [play.name for play in candidate.plays("kubelet")] == [control.name]
    assert candidate.left_out("kubelet") == (cure.name,)

"""What a failure means is the runbook's word, and where it says so a person's."""

import pytest
from tests.support.executions import allowed, refused
from tests.support.identity import Json
from tests.support.scene import Scene, happened, labelling, runbook, signalled, waiting

FAILING = {"name": "check", "action": "assert", "with": {"expression": signalled("ok")}}
SCALING: Json = {"name": "scale", "action": "scale", "with": {"replicas": "3"}}


def test_broken_glass_is_marked_for_ever(scene: Scene) -> None:
    scene.installation.bind(scene.requester.name, "interlock-break-glass", scene.namespace)
    scene.ask(runbook("test-glass", [SCALING]))
    decision = {"by": scene.requester.name, "subject": scene.offered().digest, "verdict": "BreakGlass"}
    allowed(scene.append_decision({**decision, "comment": "nobody else is awake"}, scene.requester))
    done = scene.reaches("Succeeded")
    approved = next(entry.details() for entry in done.journal if entry.event == "Approved")
    assert (approved["by"], approved["breakGlass"]) == ([scene.requester.name], scene.requester.name)
    assert approved["reason"] == "nobody else is awake"
    assert done.status is not None
    marks = [c for c in done.status.conditions if c.type == "BreakGlass"]
    assert [(c.status, c.reason) for c in marks] == [("True", "SelfApproved")]
    path = f"/apis/events.k8s.io/v1/namespaces/{scene.namespace}/events"
    alarms = [e for e in scene.admin.get(path).body["items"] if e["reason"] == "BreakGlass"]
    assert [(e["type"], e["regarding"]["name"]) for e in alarms] == [("Warning", done.name)]


def test_stop_leaves_what_was_done(scene: Scene) -> None:
    scene.ask(runbook("test-stop", [SCALING, {**FAILING, "onFailure": "Stop"}, labelling("after")]))
    scene.approve()
    assert scene.ends("Failed").reason == "StepFailed"
    live = scene.workload()
    assert live["spec"]["replicas"] == 3
    assert "by" not in live["metadata"]["labels"]


def test_continue_goes_on_as_if_it_were_done(scene: Scene) -> None:
    scene.ask(runbook("test-continue", [{**FAILING, "onFailure": "Continue"}, SCALING]))
    scene.approve()
    done = scene.reaches("Succeeded")
    assert happened(done, "StepFailed") == [("StepFailed", "check")]
    assert scene.workload()["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("verdict", "ending", "replicas", "tries"),
    [("Confirm", "Succeeded", 3, 1), ("Resume", "Succeeded", 3, 2), ("Undo", "Undone", 1, 1)],
)
def test_ask_lets_another_person_choose(scene: Scene, verdict: str, ending: str, replicas: int, tries: int) -> None:
    scene.installation.bind(scene.requester.name, "interlock-approver", scene.namespace)
    scene.ask(runbook("test-ask", [SCALING, {**FAILING, "onFailure": "Ask"}, labelling("after")]))
    scene.approve()
    asked = scene.reaches("AwaitingPerson")
    assert asked.status is not None
    assert (asked.status.reason, asked.status.step) == ("PersonNeeded", "check")
    assert asked.journal[-1].details()["verdicts"] == ["Confirm", "Resume", "Undo"]

    refused(scene.answer(verdict, by=scene.requester), "who asked does not decide")
    scene.signal("ok")
    allowed(scene.answer(verdict))
    done = scene.reaches(ending)
    decided = [(e.details()["by"], e.details()["verdict"]) for e in done.journal if e.event == "PersonDecided"]
    assert decided == [(scene.approver.name, verdict)]
    assert len([e for e in done.journal if (e.event, e.step) == ("StepStarted", "check")]) == tries
    live = scene.workload()
    assert live["spec"]["replicas"] == replicas
    assert ("by" in live["metadata"]["labels"]) == (ending == "Succeeded")


def test_who_resumes_is_asked_again_when_it_fails_again(scene: Scene) -> None:
    scene.ask(runbook("test-ask-again", [{**FAILING, "onFailure": "Ask"}]))
    scene.approve()
    before = scene.reaches("AwaitingPerson").journal[-1]
    allowed(scene.answer("Resume"))
    scene.happens("PersonDecided")
    again = scene.reaches("AwaitingPerson").journal[-1]
    assert again.seq > before.seq
    allowed(scene.answer("Undo"))
    assert scene.ends("Failed").reason == "UndoDecided"


def test_a_branch_that_waits_goes_on_once_a_person_has_decided(scene: Scene) -> None:
    asking = {**FAILING, "onFailure": "Ask", "needs": []}
    scene.ask(runbook("test-ask-branch", [waiting("left"), asking]))
    scene.approve()
    asked = scene.reaches("AwaitingPerson")
    assert happened(asked, "StepFailed", "StepSucceeded") == [("StepFailed", "check")]
    scene.signal("left")
    allowed(scene.answer("Confirm"))
    done = scene.reaches("Succeeded")
    assert happened(done, "PersonDecided", "StepSucceeded") == [("PersonDecided", "check"), ("StepSucceeded", "left")]

"""Time and room: another try, waiting for what follows an effect, and a journal that would not hold it all."""

from itertools import pairwise

from tests.support.identity import Json
from tests.support.scene import Scene, happened, labelling, runbook, signalled, waiting
from tests.support.waiting import eventually

from interlock.operator.core.decide import JOURNAL_ENTRIES
from interlock.operator.core.state import parse_time


def checking(name: str, **step: object) -> Json:
    """A step that looks once whether somebody has signalled `ok`."""
    return {"name": name, "action": "assert", "with": {"expression": signalled("ok")}, **step}


def test_a_step_that_had_no_effect_is_tried_again_until_it_holds(scene: Scene) -> None:
    scene.ask(runbook("test-retry", [checking("check", retry={"limit": 8, "backoffSeconds": 1})]))
    scene.approve()
    first = scene.happens("StepFailed", "check").details()
    assert (first["error"], first["then"]) == ("NotHolding", "Retry")
    scene.signal("ok")
    done = scene.reaches("Succeeded")
    tries = [e for e in done.journal if e.step == "check"]
    assert {e.event for e in tries[::2]} == {"StepStarted"}
    assert [e.event for e in tries][-1] == "StepSucceeded"
    for failed, again in pairwise(tries[1:]):
        if failed.event == "StepFailed":
            assert parse_time(failed.at) < parse_time(str(failed.details()["retryAt"])) <= parse_time(again.at)


def test_after_the_last_try_the_failure_counts(scene: Scene) -> None:
    scene.ask(runbook("test-retry-in-vain", [labelling("label"), checking("check", retry={"limit": 1})]))
    scene.approve()
    done = scene.reaches("Undone")
    failures = [e.details()["then"] for e in done.journal if e.event == "StepFailed"]
    assert failures == ["Retry", "Undo"]
    assert "by" not in scene.workload()["metadata"]["labels"]


def test_a_step_is_done_when_what_follows_its_effect_has_come_true(scene: Scene) -> None:
    scene.ask(runbook("test-until", [labelling("label", until=signalled("go"))]))
    scene.approve()
    scene.happens("StepActed", "label")

    def progress() -> str:
        status = scene.execution().status
        found = [c for c in status.conditions if c.type == "Progressing" and c.status == "True"] if status else []
        return found[0].message if found else ""

    assert eventually("it to say for what it waits", progress).startswith("label: waits until")
    assert scene.workload()["metadata"]["labels"]["by"] == "web"
    scene.signal("go")
    done = scene.reaches("Succeeded")
    steps = ["StepStarted", "StepActed", "StepSucceeded"]
    assert [event for event, _ in happened(done, *steps)] == steps


def test_what_does_not_come_true_in_time_is_undone(scene: Scene) -> None:
    step = labelling("label", until="false", timeoutSeconds=1, retry={"on": ["Refused", "Conflict", "NotHolding"]})
    scene.ask(runbook("test-until-late", [step]))
    scene.approve()
    done = scene.reaches("Undone")
    assert [e.details()["error"] for e in done.journal if e.event == "StepFailed"] == ["TimedOut"]
    assert "by" not in scene.workload()["metadata"]["labels"]


def test_an_execution_has_a_time_of_its_own(scene: Scene) -> None:
    scene.ask(runbook("test-time", [labelling("label"), waiting("never")], timeoutSeconds=2))
    scene.approve()
    done = scene.reaches("Undone")
    assert done.status is not None
    assert done.status.reason == "TimedOut"
    assert "not done within 2 s" in done.status.message
    assert "by" not in scene.workload()["metadata"]["labels"]


def test_a_journal_without_room_for_more_stops_and_undoes(scene: Scene) -> None:
    restless = {"limit": 8, "backoffSeconds": 1, "maxBackoffSeconds": 1, "jitterPercent": 0}
    # What is tried again and again, side by side, fills the journal long before the tries are used up.
    steps = [labelling("label"), *(checking(f"check-{n}", needs=["label"], retry=restless) for n in range(15))]
    scene.ask(runbook("test-journal", steps))
    scene.approve()
    done = scene.reaches("Undone")
    assert done.status is not None
    assert done.status.reason == "JournalFull"
    halted = next(e.seq for e in done.journal if e.event == "Halted")
    assert JOURNAL_ENTRIES // 2 < halted < len(done.journal) < JOURNAL_ENTRIES
    assert happened(done, "UndoSucceeded") == [("UndoSucceeded", "label")]
    assert "by" not in scene.workload()["metadata"]["labels"]

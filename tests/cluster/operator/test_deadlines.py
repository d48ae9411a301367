"""Times are instants in the journal: no restart of the operator gives anything more time, or forgets it.

These tests kill the operator that leads, so they have a lab of their own.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.installation import Installation
from tests.support.processes import operator, own_scene
from tests.support.scene import deployment, labelling, runbook, scaling, waiting
from tests.support.waiting import eventually

from interlock.operator.core.state import parse_time

SECONDS = 30
"""Long beside an operator's first look: what counted anew from its start would show."""


def test_deadlines_pass_while_no_operator_runs(own_installation: Installation, tmp_path: Path) -> None:
    scene = own_scene(own_installation, "deadlines", tmp_path)
    scene.create(deployment("api"))
    of_step = runbook("test-step-late", [labelling("label"), waiting("never", timeoutSeconds=SECONDS)])
    of_all = runbook("test-late", [labelling("label", on="api"), waiting("never")], timeoutSeconds=SECONDS)
    with operator(own_installation, tmp_path):
        scene.ask(of_step)
        scene.ask(of_all, name="all", target="api")
        for name in ("fix", "all"):
            scene.approve(name)
        begun = [scene.happens("StepStarted", name=name) for name in ("fix", "all")]
        scene.happens("StepStarted", "never")
        scene.happens("StepStarted", "never", name="all")
    over = max(parse_time(entry.at) for entry in begun) + timedelta(seconds=SECONDS)
    eventually("the time to be over", lambda: datetime.now(UTC) > over)
    with operator(own_installation, tmp_path):
        anew = datetime.now(UTC)
        late = [
            next(e for e in scene.reaches("Undone", name=name).journal if e.event == said)
            for name, said in (("fix", "StepFailed"), ("all", "Halted"))
        ]
    for entry in late:
        assert over <= parse_time(entry.at) < anew + timedelta(seconds=SECONDS)
    for name in ("web", "api"):
        assert "by" not in scene.workload(name)["metadata"]["labels"]


def test_a_measure_is_put_back_by_an_operator_that_did_not_see_it_begin(
    own_installation: Installation, tmp_path: Path
) -> None:
    scene = own_scene(own_installation, "measure", tmp_path)
    with operator(own_installation, tmp_path):
        scene.ask(scaling("test-timer", revertAfterSeconds=SECONDS), {"replicas": "3"})
        scene.approve()
        scene.reaches("Reverting")
    revert_at = parse_time(str(scene.happens("VerificationPassed").details()["revertAt"]))
    eventually("the time to put it back", lambda: datetime.now(UTC) > revert_at)
    assert scene.workload()["spec"]["replicas"] == 3
    with operator(own_installation, tmp_path):
        anew = datetime.now(UTC)
        done = scene.reaches("Succeeded")
    back = next(parse_time(e.at) for e in done.journal if e.event == "UndoStarted")
    assert revert_at <= back < anew + timedelta(seconds=SECONDS)
    assert scene.workload()["spec"]["replicas"] == 1

"""The author's guide shows a runbook that does what the guide says, and its commands lead to one that is vetted."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.guide import commands, example
from tests.support.scene import Scene, happened

from interlock.cli.attesting import read_lines
from interlock.crds.attestation import Statement
from interlock.lab.kubeconfig import CONTEXT


def test_the_example_of_the_guide_is_a_measure_that_is_taken_and_put_back(scene: Scene) -> None:
    scene.ask(example(), {"extra": "2"})
    planned = {step.name: step for step in scene.offered().steps}
    assert list(planned) == ["measure", "pods.0", "scale"]
    assert planned["scale"].bounds == "after.spec.replicas <= before.spec.replicas + 5"
    scene.approve()
    taken = scene.reaches("Reverting")
    assert happened(taken, "StepStarted")[-1] == ("StepStarted", "scale")
    assert scene.workload()["spec"]["replicas"] == 3
    scene.cancel()
    assert scene.ends("Succeeded").reason == "Reverted"
    assert scene.workload()["spec"]["replicas"] == 1


def test_its_commands_lead_from_nothing_to_a_runbook_that_is_vetted_and_planned(scene: Scene, tmp_path: Path) -> None:
    """On an existing cluster, by its context: vetting goes by the runner client's own record, and says so."""

    def interlock(*words: str, code: int = 0) -> str:
        command = [sys.executable, "-P", "-m", "interlock.cli", *words]
        around = {**os.environ, "KUBECONFIG": str(scene.installation.lab.kubeconfig)}
        done = subprocess.run(command, cwd=tmp_path, env=around, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    *written, vet = commands()
    for words in written:
        interlock(*words)
    assert "Passed" in interlock(*vet, "--context", CONTEXT)
    [found] = read_lines(tmp_path / "vetting.jsonl", Statement)
    assert (found.predicate.result, found.predicate.permissions) == ("Passed", "OwnRecord")
    assert "<testsuite" in (tmp_path / "vetting.xml").read_text()

    scene.installation.opt_in(scene.namespace)
    interlock("runbook", "publish", "restart-cache", "--grant", scene.namespace)
    plan = ("runbook", "plan", "restart-cache-0.1.0", "--target", "Deployment/web", "-n", scene.namespace)
    assert "It has replicas." in interlock(*plan, code=1)
    scene.change({"spec": {"replicas": 0}})
    planned = interlock(*plan, "-p", "replicas=2")
    assert "/spec/replicas" in planned
    assert scene.workload()["spec"]["replicas"] == 0

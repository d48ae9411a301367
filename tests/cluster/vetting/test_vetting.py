"""Vetting passes a good runbook, and finds in bad ones what is bad about each, on a real API server."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from tests.support.installation import Installation

from interlock.cli.vetting.procedure import Candidate, vet
from interlock.cli.vetting.stage import standing
from interlock.runbooks.loading import load
from interlock.runbooks.scenario import load_scenarios
from interlock.runbooks.skeleton import begin
from interlock.runbooks.vetting.report import Vetted

AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 3,
        "maxReplicas": 5,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
            }
        ],
    },
}
Change = Callable[[dict[str, Any]], None]


def candidate(
    folder: Path, family: str, change: Change = lambda _: None, *kinds: str, scenario: Change = lambda _: None
) -> Candidate:
    """A new runbook with a change, tried with its scenarios of these kinds, or with all."""
    begin(f"{family}-{secrets.token_hex(3)}", folder / family)
    rewrite(folder / family / "runbook.yaml", change)
    rewrite(folder / family / "scenarios" / "scaled-to-zero.yaml", scenario)
    (loaded,) = load(folder / family)
    found = tuple(item for item in load_scenarios(loaded) if not kinds or item.scenario.kind in kinds)
    return Candidate(loaded.runbook, found)


def rewrite(file: Path, change: Change) -> None:
    body = yaml.safe_load(file.read_text())
    change(body)
    file.write_text(yaml.safe_dump(body))


def without_permissions(body: dict[str, Any]) -> None:
    body["spec"]["permissions"] = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}]


def with_more_permissions(body: dict[str, Any]) -> None:
    body["spec"]["permissions"].append({"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]})


def against_an_autoscaler(body: dict[str, Any]) -> None:
    """Succeeds only once somebody else has changed what it wrote."""
    body["spec"]["verification"]["checks"] = [{"name": "three", "expression": "target.spec.replicas == 3"}]


def autoscaled(body: dict[str, Any]) -> None:
    body["objects"].append(AUTOSCALER)
    body["after"] = []


def with_a_verification_that_proves_nothing(body: dict[str, Any]) -> None:
    body["spec"]["verification"]["checks"] = [{"name": "any", "expression": "size(pods) >= 0"}]


def with_a_blunt_precondition(body: dict[str, Any]) -> None:
    body["spec"]["preconditions"][0]["expression"] = "target.spec.replicas >= 0"


async def test_finds_what_is_wrong_and_nothing_else(installation: Installation, tmp_path: Path) -> None:
    candidates = [
        candidate(tmp_path, "good"),
        candidate(tmp_path, "insufficient", without_permissions, "Cure"),
        candidate(tmp_path, "superfluous", with_more_permissions, "Cure"),
        candidate(tmp_path, "not-restored", against_an_autoscaler, "Cure", scenario=autoscaled),
        candidate(tmp_path, "not-refused", with_a_blunt_precondition, "Control"),
        candidate(tmp_path, "unproven", with_a_verification_that_proves_nothing, "Cure"),
    ]
    audit_log, shard = installation.lab.audit_log, f"vet-{secrets.token_hex(4)}"
    async with standing(installation.lab.kubeconfig, tmp_path, 0.1, audit_log=audit_log, shard=shard) as stage:
        results = await vet(stage, candidates, jobs=6, substrate="simulated", told=lambda _, __: None)
        assert stage.permissions == "Minimal"
    good, insufficient, superfluous, not_restored, not_refused, unproven = results

    assert good.findings == ()
    assert good.passed
    assert {trial.name: trial.way for trial in good.trials} == {
        "scaled-to-zero": "Cure",
        "scaled-to-zero-undo": "Undo",
        "runs": "Control",
    }
    # It dies with the offer, the approval, the intent, the effect, its outcome, and the proof at least.
    assert max(trial.kills for trial in good.trials) >= 5

    assert insufficient.permissions[0].startswith("insufficient: the runner was refused to patch deployments.apps")
    assert not any(trial.passed for trial in insufficient.trials)

    assert superfluous.permissions == ("superfluous: nothing needed to delete pods; remove it from spec.permissions",)
    assert all(trial.passed for trial in superfluous.trials)
    assert not superfluous.passed

    assert found(not_restored, "Undo").startswith("undo: should have ended as Undone")
    assert "/spec/replicas became 3 instead of 2" in found(not_restored, "Cure")

    assert found(not_refused, "Control").startswith("control: its preconditions should have refused it, but")

    assert found(unproven, "Cure").startswith("cure: its verification holds before anything is done")


async def test_without_an_audit_log_the_runners_client_bears_witness(
    installation: Installation, tmp_path: Path
) -> None:
    tried = [candidate(tmp_path, "insufficient", without_permissions, "Cure")]
    kubeconfig, shard = installation.lab.kubeconfig, f"vet-{secrets.token_hex(4)}"
    async with standing(kubeconfig, tmp_path, 0.1, audit_log=None, shard=shard) as stage:
        (vetted,) = await vet(stage, tried, jobs=2, substrate="simulated", told=lambda _, __: None)
        assert stage.permissions == "OwnRecord"
    assert vetted.permissions[0].startswith("insufficient: the runner was refused to patch deployments.apps")


def found(vetted: Vetted, way: str) -> str:
    (trial,) = [trial for trial in vetted.trials if trial.way == way]
    return trial.findings[0] if trial.findings else ""

"""Runbooks about what kubelets do cure, undo and refuse on real ones."""

import sys
from pathlib import Path

import pytest
from tests.support.installation import Installation

from interlock.cli.runbooks import from_names
from interlock.cli.vetting.procedure import Candidate, vet
from interlock.cli.vetting.stage import standing
from interlock.crds.runbook import Runbook
from interlock.runbooks.scenario import load_scenarios
from interlock.runbooks.vetting.report import Trial

# Kills for memory, probes, pulls and crashes, settings, a node that takes pods again, one whose pods have to leave it.
FAMILIES = (
    "raise-memory-limit",
    "fix-probe",
    "rollback-deployment",
    "restore-config",
    "uncordon-node",
    "cordon-and-drain-node",
)


def told(runbook: Runbook, trial: Trial) -> None:
    print(f"{runbook.metadata.name} {trial.name} {trial.seconds:.1f} s", file=sys.stderr)


@pytest.mark.timeout(1500)  # many trials, and three operators that die again and again
async def test_runbooks_are_proven_on_kubelets(installation: Installation, tmp_path: Path) -> None:
    candidates = [Candidate(item.runbook, load_scenarios(item)) for item in from_names(FAMILIES)]
    lab = installation.lab
    async with standing(lab.kubeconfig, tmp_path, 0.1, audit_log=lab.audit_log, shard="") as stage:
        results = await vet(stage, candidates, jobs=4, substrate="kubelet", told=told)
    assert {one.runbook.spec.family: one.findings for one in results if one.findings} == {}
    assert all(one.passed for one in results)

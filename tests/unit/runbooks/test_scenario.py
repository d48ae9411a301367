"""A scenario that cannot be carried out is refused where it stands, before anything is set up for it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from interlock.runbooks.lint import lint
from interlock.runbooks.loading import Loaded, catalogue_folder, load, load_file
from interlock.runbooks.scenario import load_scenarios, placed_in
from interlock.runbooks.scenario_rules import OWN_TAINT, shared_names
from interlock.runbooks.source import RunbookRefused

FAMILY = catalogue_folder() / "rollback-deployment"
CURE = (FAMILY / "scenarios" / "image-not-found.yaml").read_text()
CONTROL = (FAMILY / "scenarios" / "healthy.yaml").read_text()


def family(tmp_path: Path, **scenarios: str) -> Loaded:
    (tmp_path / "runbook.yaml").write_text((FAMILY / "runbook.yaml").read_text())
    (tmp_path / "README.md").write_text("A page.")
    (tmp_path / "scenarios").mkdir()
    for name, text in scenarios.items():
        (tmp_path / "scenarios" / f"{name}.yaml").write_text(text)
    return load_file(tmp_path / "runbook.yaml")


def said(tmp_path: Path, **scenarios: str) -> list[str]:
    return [str(problem).replace(f"{tmp_path}/", "") for problem in lint(family(tmp_path, **scenarios))]


def test_loads_scenarios_by_name(tmp_path: Path) -> None:
    found = load_scenarios(family(tmp_path, b=CONTROL, a=CURE))
    assert [(item.name, item.scenario.kind) for item in found] == [("a", "Cure"), ("b", "Control")]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("broken: >-", "brokn: >-", "Did you mean 'broken'?"),
        ("kind: Cure", "kind: Kure", "'Cure' or 'Control'"),
        ("  - patch:\n", "  - wait: 'true'\n    patch:\n", "exactly one of apply, patch, delete, wait"),
        ("metadata: {name: web}", "metadata: {name: web, namespace: shop}", "must not name a namespace"),
        ("metadata: {name: web}", "metadata: {labels: {}}", "an object needs metadata.name"),
        ("kind: Cure", "kind: Cure\nrefusedBy: older-revision-exists", "a Cure has none"),
        ("kind: Cure", "kind: Cure\nparameters: {toRevision: '-1'}", "-1 is outside 0 to 1000000"),
        (
            "target: {apiVersion: apps/v1, kind: Deployment",
            "target: {apiVersion: apps/v1, kind: StatefulSet",
            "no target",
        ),
        ("objects['Deployment/other'].status", "object.status", "unknown name 'object'"),
        ("condition(target, 'Available') ==", "condition(target, 'Available') =", "does not compile"),
    ],
)
def test_refuses_what_cannot_be_carried_out(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in CURE
    findings = said(tmp_path, cure=CURE.replace(old, new, 1), control=CONTROL)
    assert [says in finding for finding in findings] == [True], findings
    assert findings[0].startswith("scenarios/cure.yaml:")


def test_points_at_the_line(tmp_path: Path) -> None:
    line = CURE.split("\n").index("kind: Cure") + 1
    (finding,) = said(tmp_path, cure=CURE.replace("kind: Cure", "kind: Kure"), control=CONTROL)
    assert finding.startswith(f"scenarios/cure.yaml:{line}:7: kind:")


def test_a_control_names_the_precondition_that_refuses(tmp_path: Path) -> None:
    text = CONTROL.replace("refusedBy: newest-revision-fails", "refusedBy: newest-fails")
    (finding,) = said(tmp_path, cure=CURE, control=text)
    assert "is no precondition of the runbook" in finding
    assert "newest-revision-fails" in finding


@pytest.mark.parametrize(("scenarios", "kind"), [({"cure": CURE}, "Control"), ({"control": CONTROL}, "Cure")])
def test_both_kinds_are_needed(tmp_path: Path, scenarios: dict[str, str], kind: str) -> None:
    assert [f"no scenario of kind {kind}" in finding for finding in said(tmp_path, **scenarios)] == [True]


def test_what_others_see_is_the_scenarios_own(tmp_path: Path) -> None:
    document: dict[str, Any] = yaml.safe_load(CURE)
    node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
    document["objects"].append(node)
    pods, name = said(tmp_path, cure=yaml.safe_dump(document), control=CONTROL)
    assert "seen by scenarios beside this one" in name
    assert "takes pods of scenarios beside it" in pods
    node["metadata"], node["spec"] = {"name": "${namespace}-1"}, {"taints": [OWN_TAINT]}
    (tmp_path / "scenarios" / "cure.yaml").write_text(yaml.safe_dump(document))
    assert not lint(load_file(tmp_path / "runbook.yaml"))


def test_all_problems_of_all_scenarios_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunbookRefused) as refused:
        load_scenarios(family(tmp_path, a="kind: Cure", b=""))
    assert {problem.path.name for problem in refused.value.problems} == {"a.yaml", "b.yaml"}


def test_the_namespace_is_put_in_wherever_it_is_meant() -> None:
    written = {"metadata": {"name": "${namespace}-1"}, "list": [{"x": "a ${namespace}"}], "n": 1}
    assert placed_in(written, "vet-a") == {"metadata": {"name": "vet-a-1"}, "list": [{"x": "a vet-a"}], "n": 1}


def test_only_on_kubelets_a_scenario_may_take_a_node_that_stands_for_others_too() -> None:
    (loaded,) = load(catalogue_folder() / "uncordon-node")
    (real,) = [item for item in load_scenarios(loaded) if item.scenario.substrate == "kubelet"]
    assert real.scenario.takes_a_standing_node
    assert not real.scenario.fits("simulated")
    assert list(shared_names(real)) == []
    simulated = replace(real, scenario=real.scenario.model_copy(update={"substrate": "simulated"}))
    assert {problem.message for problem in shared_names(simulated)} == {
        "the name of a Node is seen by scenarios beside this one"
    }

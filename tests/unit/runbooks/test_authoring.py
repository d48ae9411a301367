"""A new runbook lints as it is, and what any runbook will do can be said in words."""

from pathlib import Path

import pytest
from tests.support.guide import example

from interlock.crds.runbook import Runbook
from interlock.runbooks.explain import explain
from interlock.runbooks.lint import lint
from interlock.runbooks.loading import load, load_catalogue
from interlock.runbooks.scenario import load_scenarios
from interlock.runbooks.skeleton import begin


def test_a_new_runbook_has_no_findings(tmp_path: Path) -> None:
    begin("restart-cache", tmp_path / "restart-cache")
    (loaded,) = load(tmp_path / "restart-cache")
    assert loaded.runbook.metadata.name == "restart-cache-0.1.0"
    assert lint(loaded) == ()
    assert {item.scenario.kind for item in load_scenarios(loaded)} == {"Cure", "Control"}


def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileExistsError):
        begin("mine", tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def said(runbook: Runbook) -> str:
    return "\n".join(explain(runbook))


@pytest.mark.parametrize("runbook", [item.runbook for item in load_catalogue()], ids=lambda r: r.spec.family)
def test_every_condition_step_and_check_is_said(runbook: Runbook) -> None:
    text = said(runbook)
    spec = runbook.spec
    checks = spec.verification.checks if spec.verification else []
    for words in (
        *(p.message for p in spec.preconditions),
        *(s.description for s in spec.steps),
        *(c.description for c in checks),
        *(p.description for p in spec.parameters),
        *spec.allowed_paths,
    ):
        assert words in text


def test_what_makes_a_step_special_is_said() -> None:
    text = said(example())
    assert "for each of pods.map(p, p.metadata.name), at most 10" in text
    assert "if it fails, a person is asked" in text
    assert "within the bounds after.spec.replicas <= before.spec.replicas + 5" in text
    assert "It is a temporary measure: 3600 s later everything is put back." in text


def test_what_is_never_undone_is_said() -> None:
    runbook = example()
    spec = runbook.spec.model_copy(update={"undo": "Never", "revert_after_seconds": None})
    text = said(runbook.model_copy(update={"spec": spec}))
    assert "what was done stays" in text
    assert "puts back" not in text

"""Lint says what the schema cannot see, each rule at its line."""

from pathlib import Path

import pytest

from interlock.runbooks.lint import VARIABLES, lint
from interlock.runbooks.loading import catalogue_folder, load_file

SCALE = (catalogue_folder() / "scale-deployment" / "runbook.yaml").read_text()


def findings(tmp_path: Path, text: str, page: str = "A page.") -> list[str]:
    (tmp_path / "README.md").write_text(page)
    file = tmp_path / "runbook.yaml"
    file.write_text(text)
    return [str(problem).replace(f"{file}:", "") for problem in lint(load_file(file))]


def test_a_good_runbook_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, SCALE) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("${parameters.replicas}", "${parameters.replicas +}", "does not compile"),
        ("expression: target.spec.?replicas", "expression: object.spec.?replicas", "unknown name 'object'"),
        ("${parameters.replicas}", "${parameters.replica}", "unknown parameter 'replica'"),
        ("  allowedPaths:\n    - /spec/replicas\n", "", "writes, but the runbook allows no path"),
        ("    - /spec/replicas", "    - /spec/**", "bounds nothing"),
        ("verbs: [get, patch]", "verbs: [get]", "a step writes, but no rule allows it"),
    ],
)
def test_finds(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SCALE
    assert any(said in finding for finding in findings(tmp_path, SCALE.replace(old, new, 1)))


def test_finds_an_unused_parameter(tmp_path: Path) -> None:
    extra = "    - {name: spare, description: Unused, type: boolean}\n"
    text = SCALE.replace("  parameters:\n", "  parameters:\n" + extra)
    assert ["no expression uses this parameter" in finding for finding in findings(tmp_path, text)] == [True]


def test_finds_a_verification_that_cannot_fail(tmp_path: Path) -> None:
    start = SCALE.index("      - name: all-replicas-available")
    text = SCALE[:start] + "      - {name: hope, expression: 1 < 2}\n" + SCALE[SCALE.index("    withinSeconds") :]
    assert any("does not look at the cluster" in finding for finding in findings(tmp_path, text))


def test_finds_that_nothing_proves_the_fault(tmp_path: Path) -> None:
    text = SCALE[: SCALE.index("  preconditions:")] + SCALE[SCALE.index("  steps:") :]
    assert any("acts without proof of a fault" in finding for finding in findings(tmp_path, text))


def test_finds_a_missing_page(tmp_path: Path) -> None:
    assert any("no README.md" in finding for finding in findings(tmp_path, SCALE, page=""))


def test_names_bound_by_macros_are_known(tmp_path: Path) -> None:
    text = SCALE.replace("target.spec.?replicas.orValue(1) < parameters.replicas", "pods.all(pod, pod != 'unknown.x')")
    assert findings(tmp_path, text) == []


def test_offers_what_the_operator_offers() -> None:
    from interlock.operator import look

    assert VARIABLES == look.VARIABLES

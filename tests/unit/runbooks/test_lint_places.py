"""Whatever lint catches, it names file, line and column of what is wrong, and the way out."""

from pathlib import Path

import pytest

from interlock.runbooks.lint import lint
from interlock.runbooks.loading import catalogue_folder, load_file
from interlock.runbooks.source import Problem, RunbookRefused

SCALE = (catalogue_folder() / "scale-deployment" / "runbook.yaml").read_text()
DEEP = "pods.all(a, pods.all(b, pods.all(c, pods.exists(d, a != d))))"
CYCLE = """    - {name: one, action: rolloutRestart, needs: [two]}
    - {name: two, action: rolloutRestart, needs: [one]}
"""

HOPE = "      - {name: hope, expression: 1 < 2}\n"
NOTE = "    - {name: note, description: N, pattern: '.*'}\n"
UNUSED = "    - {apiGroups: [''], resources: [pods], verbs: [delete]}\n"

# What is caught: how it comes about, where the culprit stands in the file, and the way out.
CAUGHT = {
    "an unknown field": ("risk: Medium", "rsik: Medium", "rsik: |Medium", "Did you mean 'risk'?"),
    "an argument": ("  replicas: ${", "  replicsa: ${", "replicsa: |${", "Did you mean 'replicas'?"),
    "an action": ("action: scale", "action: scael", "action: |scael", "Did you mean 'scale'?"),
    "CEL": ("${parameters.replicas}", "${parameters.replicas +}", "|${parameters.replicas +}", "Correct the CEL"),
    "a name": ("target.spec.?replicas", "object.spec.?replicas", "|object.spec", "Known are claims"),
    "nesting": ("target.spec.?replicas.orValue(1) <", f"{DEEP} && 1 <", f"|{DEEP}", "Split it, or filter first."),
    "a cycle": ("  steps:\n", f"  steps:\n{CYCLE}", "{name: |one", "Take one of them out of `needs`."),
    "missing undo": ("  undo: OnFailure", "  undo: Never", "undo: |Never", "or say in spec.description why"),
    "hope": ("    checks:\n", f"    checks:\n{HOPE}", "expression: |1 < 2", "Check the target or its pods."),
    "an open text": ("  parameters:\n", f"  parameters:\n{NOTE}", "pattern: |'.*'", "Say how long"),
    "a needless right": ("  allowedPaths:\n", f"{UNUSED}  allowedPaths:\n", "- |{apiGroups: ['']", "Remove it"),
    "a refused power": ("[deployments]", "[secrets]", "resources: [|secrets", "Do without it"),
}


@pytest.mark.parametrize("what", CAUGHT)
def test_it_is_named_with_its_place_and_the_way_out(tmp_path: Path, what: str) -> None:
    old, new, culprit, way_out = CAUGHT[what]
    assert old in SCALE
    text = SCALE.replace(old, new, 1)
    if what == "missing undo":
        text = text[: text.index("  description: |")] + text[text.index("  risk: Medium") :]
    file, problems = caught(tmp_path, text)
    before = text[: text.index(culprit.replace("|", "", 1)) + culprit.index("|")]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    found = [p for p in problems if (p.path, p.line, p.column) == (file, line, column) and way_out in p.way_out]
    assert found, [str(problem) for problem in problems]


def caught(tmp_path: Path, text: str) -> tuple[Path, tuple[Problem, ...]]:
    (tmp_path / "README.md").write_text("A page.")
    file = tmp_path / "runbook.yaml"
    file.write_text(text)
    try:
        return file, lint(load_file(file))
    except RunbookRefused as refused:
        return file, refused.problems

"""A file that is no runbook is refused with its line, its field, its value and the way out."""

from pathlib import Path

import pytest

from interlock.runbooks.loading import catalogue_folder, load, load_file
from interlock.runbooks.source import RunbookRefused

GOOD = (catalogue_folder() / "rollback-deployment" / "runbook.yaml").read_text()


def refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "runbook.yaml"
    file.write_text(text)
    with pytest.raises(RunbookRefused) as caught:
        load_file(file)
    return str(caught.value).replace(str(tmp_path), "")


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  risk: Medium", "  risk: Grave", ["spec.risk", "'Grave'", "'Low', 'Medium' or 'High'"]),
        ("  risk: Medium", "  rsik: Medium", ["spec.rsik", "Did you mean 'risk'?"]),
        ('      default: "0"', "      default: 0", ["spec.parameters[0].default", "Put the value in quotes."]),
        ("action: rolloutUndo", "action: rolloutUndon", ["spec.steps[0]", "'rolloutUndon'", "known are", "patch"]),
        (
            "        toRevision:",
            "        revision:",
            ["spec.steps[0]", "'revision' is unknown; known are", "toRevision"],
        ),
        ("resources: [deployments]", "resources: [secrets]", ["spec.permissions", "resource secrets"]),
        ("version: 1.1.0", "version: 1.1.1", ["metadata.name", "rollback-deployment-1.1.1"]),
        ("- workload.image.not-found\n", "- workload.imag\n", ["spec.addresses.causes[0]", "workload.imag"]),
    ],
)
def test_names_field_value_and_way_out(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert old in GOOD
    message = refused(tmp_path, GOOD.replace(old, new, 1))
    assert all(word in message for word in said), message


def test_names_the_line(tmp_path: Path) -> None:
    text = GOOD.replace("risk: Medium", "risk: Grave")
    assert refused(tmp_path, text).startswith(f"/runbook.yaml:{line_of(text, 'risk: Grave')}:9: spec.risk:")


def test_names_all_problems_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("risk: Medium", "risk: Grave").replace("quorum: 1", "quorum: 0")
    assert len(refused(tmp_path, text).splitlines()) == 2


def test_refuses_a_key_that_is_given_twice(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("  risk: Medium", "  risk: Medium\n  risk: Low"))
    assert "risk: is given twice" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ("a: [1", "is not YAML"), ("- 1", "valid dictionary"), ("a: 1\n---\nb: 2", "is not YAML")],
)
def test_refuses_what_is_no_document(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_refuses_a_folder_without_runbooks(tmp_path: Path) -> None:
    with pytest.raises(RunbookRefused, match="there is no runbook"):
        load(tmp_path)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunbookRefused, match="cannot be read"):
        load_file(tmp_path / "runbook.yaml")


def test_loads_a_file_a_family_and_a_catalogue() -> None:
    family = catalogue_folder() / "rollback-deployment"
    assert load(family / "runbook.yaml")[0].runbook == load(family)[0].runbook
    names = [item.runbook.metadata.name for item in load(catalogue_folder())]
    assert names == sorted(names)
    assert "rollback-deployment-1.1.0" in names

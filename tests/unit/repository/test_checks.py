"""That the checks check: each is shown something wrong and must say so."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from tools.check_types import checked_files, expected_files
from tools.reference import drifted, generated, with_block

ROOT = Path(__file__).parents[3]
FOLDERS = ("crds", "operator", "agents", "runbooks", "cli", "lab")


def lint_imports(root: Path) -> tuple[int, str]:
    # Without `site` the editable installation of this checkout is not seen, only the copy.
    path = ":".join([*(str(root / folder) for folder in FOLDERS), sysconfig.get_path("purelib")])
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=root,
        env={"PYTHONPATH": path, "PATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code and its configuration, to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder / "interlock", tmp_path / folder / "interlock")
    return tmp_path


def test_the_import_contracts_hold_and_see_every_file(copy: Path) -> None:
    status, said = lint_imports(copy)
    files = sum(1 for folder in FOLDERS for _ in (copy / folder).rglob("*.py"))
    analyzed = re.search(r"Analyzed (\d+) files", said)
    assert status == 0, said
    assert analyzed, said
    # The namespace itself is a module without a file.
    assert int(analyzed[1]) >= files


@pytest.mark.parametrize(
    ("file", "statement", "contract"),
    [
        ("operator/interlock/operator/api.py", "import interlock.agents.model", "never each other"),
        ("agents/interlock/agents/model.py", "import interlock.runbooks.lint", "never each other"),
        ("runbooks/interlock/runbooks/lint.py", "import interlock.operator.api", "never each other"),
        ("crds/interlock/crds/names.py", "import interlock.operator.api", "layers"),
        ("operator/interlock/operator/api.py", "import interlock.lab.api", "layers"),
        ("agents/interlock/agents/model.py", "import interlock.cli.main", "layers"),
        ("lab/interlock/lab/errors.py", "import interlock.agents.model", "the lab is a Kubernetes"),
        ("operator/interlock/operator/api.py", "import kopf", "one module watches with kopf"),
        ("crds/interlock/crds/types.py", "import interlock.crds.runbook", "no import cycles"),
    ],
)
def test_a_forbidden_import_is_found(copy: Path, file: str, statement: str, contract: str) -> None:
    with (copy / file).open("a") as source:
        source.write(f"\n{statement}\n")
    status, said = lint_imports(copy)
    assert status == 1, said
    assert re.search(rf"{contract}.* BROKEN", said), said


def test_mypy_is_given_every_folder_with_code() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    outside = [name for name in listed.stdout.split() if not name.startswith(tuple(f"{f}/" for f in configured))]
    assert outside == []


def test_files_that_mypy_did_not_judge_are_missed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.mypy]\nfiles = ["a", "b"]\n')
    for name in ("a/one.py", "b/two.py", "b/deeper/three.py", "c/four.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert expected_files(tmp_path) == 3
    assert checked_files("Success: no issues found in 2 source files\n") == 2
    assert checked_files("Found 1 error in 1 file (checked 3 source files)\n") == 3
    assert checked_files("mypy: can't read file 'b'\n") == 0


def test_generated_pages_are_current() -> None:
    assert drifted(ROOT) == []


def test_a_page_that_drifted_is_found(tmp_path: Path) -> None:
    for path, text in generated(ROOT).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert drifted(tmp_path) == []
    architecture = tmp_path / "docs/architecture.md"
    architecture.write_text(architecture.read_text().replace("Pending --> Planning", "Pending --> Succeeded"))
    assert drifted(tmp_path) == [Path("docs/architecture.md")]


def test_a_page_without_its_block_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected one block"):
        with_block("no block", "phases", "x")

"""What a user installs: the wheel, without a checkout around it and without the extras of the deployables."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock.crds.manifests import Manifests, resources
from interlock.runbooks.loading import load_catalogue

ROOT = Path(__file__).parents[3]

Run = Callable[..., str]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".bootstrap/bin/uv")
    assert Path(found).exists(), "uv is neither on PATH nor in .bootstrap: start the tests by make"
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a program of an environment that holds the wheel and what it needs by itself."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = folder / "environment"
    run(uv(), "build", "--wheel", "--out-dir", folder, cwd=ROOT)
    locked = ("sync", "--locked", "--no-dev", "--no-install-project")
    run(uv(), *locked, cwd=ROOT, UV_PROJECT_ENVIRONMENT=str(environment))
    (wheel,) = folder.glob("*.whl")
    run(uv(), "pip", "install", "--no-deps", "--python", environment / "bin/python", wheel, cwd=folder)

    def program(name: str, *arguments: str) -> str:
        return run(environment / "bin" / name, *arguments, cwd=folder, PYTHONPATH="", COLUMNS="200")

    return program


# One module-wide environment: all of it in one xdist worker.
pytestmark = pytest.mark.xdist_group("wheel")


def test_the_command_line_starts(installed: Run) -> None:
    assert "runbook" in installed("interlock", "--help")
    assert "approve" in installed("kubectl-interlock", "--help")


def test_the_catalogue_is_inside(installed: Run) -> None:
    listed = installed("interlock", "runbook", "list")
    for runbook in load_catalogue():
        assert runbook.runbook.metadata.name in listed


@pytest.mark.parametrize("kind", ["crds", "install"])
def test_the_manifests_are_inside_and_the_same(installed: Run, kind: Manifests) -> None:
    code = (
        "from interlock.crds.manifests import resources\n"
        f"for path in resources({kind!r}): print(path.name, 'interlock/crds/data' in str(path))"
    )
    assert installed("python", "-c", code).split("\n")[:-1] == [f"{path.name} True" for path in resources(kind)]

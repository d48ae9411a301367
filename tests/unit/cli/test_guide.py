"""The commands of the author's guide do what it says, one after the other."""

import re
from pathlib import Path

import pytest
from tests.support.guide import commands
from typer.testing import CliRunner

from interlock.cli.main import app


def test_an_authors_first_runbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = {}
    for arguments in commands()[:-1]:  # the last one needs a cluster
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, (arguments, result.output)
        said[arguments[1]] = result.output
    assert "restart-cache/runbook.yaml" in said["new"]
    assert "1 runbooks, 0 problems" in said["lint"]
    assert "It begins only if" in said["explain"]
    assert re.search(r"restart-cache-0\.1\.0 +sha256:[0-9a-f]{64}", said["digest"])
    assert "interlock-runner.restart-cache" in said["rbac"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["Restart_Cache"], "is no name"), (["restart-cache"], "is there already")],
)
def test_a_name_that_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "restart-cache").mkdir()
    result = CliRunner().invoke(app, ["runbook", "new", *arguments])
    assert result.exit_code == 2
    assert says in result.stderr

"""kind is asked for a cluster once, and what is missing for it is named with the way out."""

from pathlib import Path

import pytest

from interlock.lab.errors import LabError
from interlock.lab.kind import CONTEXT, ensure_kind_cluster
from interlock.lab.tools import silent


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_what_is_missing_is_named(programs: Path) -> None:
    with pytest.raises(LabError, match=r"--kind: no docker on PATH; install it from https://docs\.docker\.com"):
        ensure_kind_cluster(silent)
    install(programs, "docker", "exit 1")
    with pytest.raises(LabError, match=r"--kind: no kind on PATH; install it from https://kind\.sigs\.k8s\.io"):
        ensure_kind_cluster(silent)
    install(programs, "kind", "exit 0")
    with pytest.raises(LabError, match="docker info: Docker does not run here"):
        ensure_kind_cluster(silent)


def test_a_cluster_is_made_once(programs: Path, tmp_path: Path) -> None:
    clusters, asked = tmp_path / "clusters", tmp_path / "asked"
    clusters.touch()
    install(programs, "docker", "exit 0")
    install(
        programs,
        "kind",
        f'echo "$@" >> {asked}; if [ "$1" = get ]; then while read -r c; do echo "$c"; done < {clusters};'
        f" else echo interlock > {clusters}; fi",
    )
    assert [ensure_kind_cluster(silent), ensure_kind_cluster(silent)] == [CONTEXT, CONTEXT]
    assert asked.read_text().splitlines() == [
        "get clusters",
        "create cluster --name interlock --wait 120s",
        "get clusters",
    ]


def test_kinds_own_words_reach_the_user(programs: Path) -> None:
    install(programs, "docker", "exit 0")
    install(programs, "kind", '[ "$1" = get ] || { echo "ERROR: no space left" >&2; exit 1; }')
    with pytest.raises(LabError, match=r"kind create cluster .*: ERROR: no space left"):
        ensure_kind_cluster(silent)

"""Lanes for operators that are killed, cut off and frozen, on a lab of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.installation import Installation, install
from tests.support.lane import Lane, lane

from interlock.cli.releases import definitions
from interlock.lab import Lab, lab_up

SETTINGS = {
    "INTERLOCK_OPERATOR_POLL_SECONDS": "0.6",
    "INTERLOCK_OPERATOR_DRIFT_SECONDS": "60",
    "INTERLOCK_OPERATOR_HEAD_SECONDS": "3600",
    "INTERLOCK_OPERATOR_SWEEP_SECONDS": "3600",
    "INTERLOCK_OPERATOR_SHOW_SECONDS": "3600",
    "INTERLOCK_OPERATOR_CHECK_SECONDS": "3600",
    "INTERLOCK_OPERATOR_KEEP_NEWEST": "10000",
    "INTERLOCK_OPERATOR_IDENTITY": "operator-under-test",
}


def small_lab(directory: Path, worker_id: str) -> Lab:
    """As little of a cluster as an operator needs; it dies with the test run."""
    owner = os.getpid() if worker_id == "master" else os.getppid()
    return lab_up(directory, nodes=1, monitoring=False, releases=(definitions(),), owner_pid=owner)


@pytest.fixture(scope="session")
def crash_lab(lab_directory: Path, worker_id: str) -> Iterator[Installation]:
    """The contract in force on a lab whose operators die all the time."""
    lab = small_lab(lab_directory.with_name("crash-lab"), worker_id)
    yield install(lab)
    if worker_id == "master":
        lab.stop()


@pytest.fixture
def own_lane(crash_lab: Installation) -> Iterator[Lane]:
    """A namespace and its only operator."""
    with lane(crash_lab, crash_lab.lab.directory, SETTINGS) as made:
        yield made


@pytest.fixture
def lane_on_own_lab(tmp_path: Path, worker_id: str) -> Iterator[Lane]:
    """A lane whose API server nobody else needs."""
    lab = small_lab(tmp_path / "lab", worker_id)
    try:
        with lane(install(lab), tmp_path, SETTINGS) as made:
            yield made
    finally:
        lab.stop()

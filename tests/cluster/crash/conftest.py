"""Lanes for operators that are killed, cut off and frozen, on a lab of their own."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.installation import Installation, install
from tests.support.lane import Lane, lane

from interlock.cli.releases import definitions
from interlock.lab import lab_up

SETTINGS = {
    "INTERLOCK_OPERATOR_POLL_SECONDS": "0.6",
    "INTERLOCK_OPERATOR_DRIFT_SECONDS": "60",
    "INTERLOCK_OPERATOR_HEAD_SECONDS": "3600",
    "INTERLOCK_OPERATOR_SWEEP_SECONDS": "3600",
    "INTERLOCK_OPERATOR_KEEP_NEWEST": "10000",
    "INTERLOCK_OPERATOR_IDENTITY": "operator-under-test",
}


@pytest.fixture(scope="session")
def crash_lab(lab_directory: Path, worker_id: str) -> Iterator[Installation]:
    """The contract in force on a lab whose operators die all the time."""
    alone = worker_id == "master"
    owner = os.getpid() if alone else os.getppid()
    directory = lab_directory.with_name("crash-lab")
    lab = lab_up(directory, nodes=1, monitoring=False, releases=(definitions(),), owner_pid=owner)
    yield install(lab)
    if alone:
        lab.stop()


@pytest.fixture
def own_lane(crash_lab: Installation, worker_id: str) -> Iterator[Lane]:
    """A namespace and the lab's only operator, for one test at a time."""
    with (crash_lab.lab.directory / "lane.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with lane(crash_lab, crash_lab.lab.directory / f"lane-{worker_id}", SETTINGS) as made:
            yield made

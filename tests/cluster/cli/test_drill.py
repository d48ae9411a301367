"""Many faults at once, each by a real alert: its runbook cures it, or a person is asked, and nothing else is done."""

import subprocess
import sys
from functools import partial

import pytest

from interlock.lab.tools import CONTROL_PLANE, MONITORING, ensure_helm, ensure_tools

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    """The first compilation takes minutes, and is no part of the drill."""
    for ensure in (partial(ensure_tools, (*CONTROL_PLANE, *MONITORING)), ensure_helm):
        ensure(lambda line: print(line, file=sys.__stderr__, flush=True))


def test_every_fault_is_cured_by_its_runbook_or_left_to_a_person() -> None:
    command = [sys.executable, "-P", "-m", "interlock.cli", "drill", "--timeout", "600"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fault_that_no_drill_knows_is_refused_by_name() -> None:
    command = [sys.executable, "-P", "-m", "interlock.cli", "drill", "no-such-fault"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no-such-fault" in done.stderr
    assert "image-not-found" in done.stderr

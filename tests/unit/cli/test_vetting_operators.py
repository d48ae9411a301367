"""Operators under trial end with the vetting that started them, even where that is killed."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import eventually

VETTING = """
import multiprocessing
import signal

from interlock.cli.vetting.operators import end_with_vetting


def live():
    end_with_vetting()
    signal.pause()


if __name__ == "__main__":
    process = multiprocessing.get_context("forkserver").Process(target=live)
    process.start()
    print(process.pid, flush=True)
    process.join()
"""


def test_an_operator_does_not_outlive_a_vetting_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "vetting.py"
    script.write_text(VETTING)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as vetting:
        assert vetting.stdout is not None
        operator = int(vetting.stdout.readline())
        assert lives(operator)
        vetting.kill()
    eventually("the operator to be gone", lambda: not lives(operator))


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

"""Runs the operator and the agents beside a lab, and ends with it: `python -m interlock.cli.demo.household DIRECTORY`.

The demo starts it with the settings of both in the environment. It ends both when it is told to, when one of them
ends, or when the lab is down, whoever took it down; so a kept demo is stopped by `interlock lab down` alone.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from interlock.lab import Lab

LOOK_SECONDS = 0.5
STOP_SECONDS = 10.0
PARTS = ("operator", "agents")


class Ended(Exception):
    """Told to end."""


def main(directory: Path) -> int:
    """Runs until told to end, until the lab is down or a part ends; 1 if a part ended by itself."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    parts: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in PARTS:
            parts[name] = _start(name, directory)
        while Lab.load(directory) is not None:
            for name, process in parts.items():
                if process.poll() is not None:
                    sys.stderr.write(f"the {name} ended with code {process.returncode}\n")
                    return 1
            time.sleep(LOOK_SECONDS)
    except Ended:
        pass
    finally:
        _stop(list(parts.values()))
    return 0


def log_of(directory: Path, name: str) -> Path:
    """What a part printed."""
    return directory / "logs" / f"interlock-{name}.log"


def _start(name: str, directory: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "interlock.cli", name, "run"]
    with log_of(directory, name).open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end(_number: int, _frame: FrameType | None) -> None:
    raise Ended


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

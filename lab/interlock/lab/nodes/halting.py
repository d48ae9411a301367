"""Stops the kubelet of a real node and lets it go on: what a node looks like whose machine hangs."""

import os
import signal
from pathlib import Path

from interlock.lab.errors import LabError
from interlock.lab.layout import Layout


def halt(directory: Path, node: str) -> str:
    """Stops it; its lease runs out, its containers go on. Raises LabError where no such kubelet runs."""
    os.kill(_kubelet(directory, node), signal.SIGSTOP)
    return f"the kubelet of {node} is stopped"


def resume(directory: Path, node: str) -> str:
    """Lets it go on; raises LabError where no such kubelet runs."""
    os.kill(_kubelet(directory, node), signal.SIGCONT)
    return f"the kubelet of {node} goes on"


def _kubelet(directory: Path, node: str) -> int:
    own = f"--kubeconfig={Layout(directory).identity(node)}".encode()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if own in words:
            return int(command.parent.name)
    raise LabError(f"no kubelet of {node} runs in the lab in {directory}")

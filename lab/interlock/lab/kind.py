"""A cluster of kind, where Docker runs: made when it is not there yet, then used by its context like any other."""

import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from interlock.lab.errors import LabError
from interlock.lab.settings import LabSettings
from interlock.lab.tools import Progress

CLUSTER: Final = "interlock"
CONTEXT: Final = f"kind-{CLUSTER}"
_INSTALL: Final = {
    "docker": "https://docs.docker.com/engine/install",
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
}


def ensure_kind_cluster(progress: Progress) -> str:
    """The context of the cluster, which is made where there is none; it stays until kind is told to delete it.

    Raises LabError without Docker or kind, and with their words when they fail.
    """
    for program, where in _INSTALL.items():
        if shutil.which(program, path=LabSettings().path) is None:
            raise LabError(f"--kind: no {program} on PATH; install it from {where}, or leave --kind out")
    _run(("docker", "info"), "Docker does not run here; start it, or leave --kind out")
    if CLUSTER not in _run(("kind", "get", "clusters"), "").split():
        progress(f"kind creates the cluster {CLUSTER}; remove it by: kind delete cluster --name {CLUSTER}")
        _run(("kind", "create", "cluster", "--name", CLUSTER, "--wait", "120s"), "")
    return CONTEXT


def _run(command: Sequence[str], way_out: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {way_out or done.stderr.strip()}")
    return done.stdout

"""Says whether this machine allows real nodes, and what it lacks, before anything is compiled for them."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from interlock.lab.errors import LabError
from interlock.lab.nodes import cgroups
from interlock.lab.nodes.place import HIDDEN, Place
from interlock.lab.settings import LabSettings

NAMESPACES: Final = ("--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc")
_PROGRAMS: Final = ("unshare", "mount", "ip", "cc")
# What nodes do in their namespaces: mounts, a bridge with pods at it, packets passed on.
_TRIAL: Final = """
mount -n -t tmpfs none /run
ip link add probe type bridge
ip link add near type veth peer name far
echo 1 > /proc/sys/net/ipv4/ip_forward
"""


class RealNodesImpossibleError(LabError):
    """This machine does not allow real nodes; the message says what it lacks."""


def real_nodes_possible(directory: Path | None = None) -> str | None:
    """None where a lab (of this folder) can have real nodes, else the reason why not. Takes some milliseconds."""
    return next(_reasons(directory), None)


def demand_real_nodes(directory: Path) -> None:
    """Raises RealNodesImpossibleError with the reason where a lab of this folder cannot have real nodes."""
    if (reason := real_nodes_possible(directory)) is not None:
        raise RealNodesImpossibleError(f"no real nodes here: {reason}; simulated nodes need none of this")


def _reasons(directory: Path | None) -> Iterator[str]:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        yield f"they run on Linux on x86_64, this is {platform.system()} on {platform.machine()}"
        return
    if os.geteuid() != 0:
        yield "they need root"
    for program in _PROGRAMS:
        if shutil.which(program, path=LabSettings().path) is None:
            yield f"there is no {program} on PATH"
    yield from _missing_groups()
    yield from _missing_namespaces()
    yield from _hidden_paths(directory)


def _missing_groups() -> Iterator[str]:
    roots = cgroups.hierarchies()
    if not {"cpu", "cpuset", "memory", "pids"} <= {root.name for root in roots}:
        yield f"{cgroups.MOUNT} has no version 1 hierarchies of control groups, and version 2 is not supported"
    for root in roots:
        try:
            Path(tempfile.mkdtemp(prefix="interlock-probe-", dir=root)).rmdir()
        except OSError as refused:
            yield f"no control group can be made in {root}: {refused.strerror}"
            return


def _missing_namespaces() -> Iterator[str]:
    command = ["unshare", *NAMESPACES, "sh", "-ec", _TRIAL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"namespaces of their own are refused: {done.stderr.strip()}"


def _hidden_paths(directory: Path | None) -> Iterator[str]:
    places = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__), LabSettings().cache]
    if directory is not None:
        places.append(directory)
        try:
            Place(directory).demand_short()
        except ValueError as too_long:
            yield str(too_long)
    for path in (place.resolve() for place in places):
        for hidden in HIDDEN:
            if path.is_relative_to(hidden):
                yield f"{path} is below {hidden}, which nodes hide"

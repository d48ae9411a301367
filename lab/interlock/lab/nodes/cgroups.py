"""The control groups of real nodes: made before a kubelet starts, which makes those of its pods below.

Version 1 hierarchies only: there is one folder for each controller.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MOUNT: Final = Path("/sys/fs/cgroup")
_PREFIX: Final = "interlock-"
_HOLDER: Final = b"interlock.lab.nodes.outside"
_CPUSET_FILES: Final = ("cpuset.cpus", "cpuset.mems")


def hierarchies() -> list[Path]:
    """The roots of this machine's version 1 hierarchies, by controller; none where it has version 2 alone."""
    return sorted(entry.parent for entry in MOUNT.glob("*/tasks") if not entry.parent.is_symlink())


def group_of(process: int) -> str:
    """The path, in every hierarchy, below which the nodes that this process holds have theirs."""
    return f"/{_PREFIX}{process}"


def make_groups(group: str, nodes: list[str]) -> None:
    """Makes a group for each node in every hierarchy; raises OSError where that is not allowed."""
    for root in hierarchies():
        top = root / group.removeprefix("/")
        for folder in (top, *(top / node for node in nodes)):
            folder.mkdir(exist_ok=True)
            for name in _CPUSET_FILES:
                if (folder / name).exists():  # a new cpuset is empty and takes no process
                    (folder / name).write_text((root / name).read_text())


def remove_left() -> bool:
    """Removes the groups of processes that are gone; False while the kernel still empties one of them."""
    return sum(not _remove(folder) for folder in _left()) == 0


def _left() -> Iterator[Path]:
    for folder in MOUNT.glob(f"*/{_PREFIX}*"):  # runc makes one in version 2, too, where both are mounted
        process = folder.name.removeprefix(_PREFIX)
        if process.isdigit() and not _holds_nodes(process):
            yield folder


def _holds_nodes(process: str) -> bool:
    """False also for one that is dead and unburied, and for a stranger who was given its number."""
    try:
        return _HOLDER in Path("/proc", process, "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _remove(top: Path) -> bool:
    for folder, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):  # in use for a moment more, or removed by another lab
            Path(folder).rmdir()
    return not top.exists()

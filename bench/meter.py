"""What processes have used, from /proc: processor seconds and memory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Meter:
    """Processes by the name under which their use is told; children count with their parent, but for our own."""

    processes: Mapping[str, int]

    def cpu(self) -> dict[str, float]:
        """Processor seconds so far, by name."""
        children = _children()
        return {name: sum(_cpu(pid) for pid in _family(pid, children)) for name, pid in self.processes.items()}


def resident(pid: int) -> int:
    """The resident memory of one process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _cpu(pid: int) -> float:
    try:
        fields = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # utime, stime, and those of children that have been waited for: fields 14 to 17 of proc(5)
    return sum(map(int, fields[11:15])) / _TICKS


def _stat(pid: int) -> list[str]:
    """The fields after the command's name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def _family(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    if pid == os.getpid():
        return [pid]
    return [pid, *(member for child in children.get(pid, ()) for member in _family(child, children))]

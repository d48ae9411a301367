"""What logs say: of each log and each folded pattern the lines that sound like trouble, without repetition.

A log line is data of whoever wrote it. It supports what objects show, and alone it is worth little.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from interlock.agents.analyzers.objects import Pod
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.analyzers.world import Group, World

END_OF_LOG = 12 * 1024
MOST_LINES = 40
LONGEST_LINE = 1000
_TROUBLE = re.compile(
    r"(?i)error|fail|fatal|panic|exception|refused|denied|forbidden|unauthori|timeout|timed out|deadline|unavailable"
    r"|no such|not found|unable|cannot|can't|could not|couldn't|invalid|expired|exceeded|reset by peer|too many|no space"
    r"|read-only|unreachable|unresolv|unhealthy|rejected|x509|certificate|out of memory|oom|killed|in use|deadlock"
    r"|circuit|overload|throttl|slow|lag|not permitted|unknown|wrong|mismatch|missing|does not exist|dns|lookup"
)
_NUMBERS = re.compile(r"[0-9a-f]{8,}|\d+")


@dataclass(frozen=True)
class Line:
    """One thing that a workload says; `group` is None where no workload goes by the name."""

    group: Group | None
    name: str
    text: str
    where: str
    count: int


def lines(world: World) -> Iterator[Line]:
    """What sounds like trouble, from logs and from folded patterns."""
    for group in world.groups:
        for pod in _telling(group.pods):
            yield from _of_pod(world, group, pod)
    by_name = {group.ref.name: group for group in world.groups}
    for entry in records(world.source.document("log-patterns")):
        name = str(entry.get("service"))
        if entry.get("namespace") in (None, "", *world.focus):
            yield from _of_patterns(entry, by_name.get(name), name)


def _telling(pods: tuple[Pod, ...]) -> list[Pod]:
    return sorted(pods, key=lambda pod: pod.ready)[:3]


def _of_pod(world: World, group: Group, pod: Pod) -> Iterator[Line]:
    seen: dict[str, int] = {}
    kept: dict[str, tuple[str, str]] = {}
    for log in world.logs(pod):
        for line in log.text[-END_OF_LOG:].splitlines():
            if _TROUBLE.search(line):
                shape = _NUMBERS.sub("#", line[:200])
                seen[shape] = seen.get(shape, 0) + 1
                kept[shape] = line[:LONGEST_LINE], log.where
    for shape in list(kept)[-MOST_LINES:]:
        text, where = kept[shape]
        yield Line(group, group.ref.name, text, where, seen[shape])


def _of_patterns(entry: dict[str, Any], group: Group | None, name: str) -> Iterator[Line]:
    for pattern in records(entry.get("patterns"))[:MOST_LINES]:
        sample, count = pattern.get("sample"), pattern.get("count")
        if isinstance(sample, str) and _TROUBLE.search(sample):
            yield Line(group, name, sample[:LONGEST_LINE], "log-patterns.json", count if isinstance(count, int) else 1)

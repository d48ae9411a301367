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
OFTEN = 3
"""What is said so many times is said again and again."""
_SOUNDS = (
    "error|fail|fatal|panic|exception|refused|denied|forbidden|unauthori|timeout|timed out|deadline|"
    "unavailable|no such|not found|unable|cannot|can't|could not|couldn't|invalid|expired|exceeded|"
    "reset by peer|too many|no space|read-only|unreachable|unresolv|unhealthy|rejected|x509|certificate|"
    "out of memory|oom|killed|in use|deadlock|circuit|overload|throttl|slow|lag|not permitted|unknown|wrong|"
    "mismatch|missing|cancel|does not exist|dns|lookup|insufficient|not enough|blocked|alarm|behind"
)
_WORDS = tuple(_SOUNDS.split("|"))
_TROUBLE = re.compile(_SOUNDS, re.IGNORECASE)
_NUMBERS = re.compile(r"[0-9a-f]{8,}|\d+")


@dataclass(frozen=True)
class Line:
    """One thing that a workload says; `group` is None where no workload goes by the name."""

    group: Group | None
    name: str
    text: str
    where: str
    count: int
    share: float = 1.0
    """Of all that is said there, the part that sounds like this."""


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
    every = 0
    for log in world.logs(pod):
        tail = log.text[-END_OF_LOG:]
        every += max(1, tail.count("\n"))
        loud = list(_troubled(tail))
        for line, shape in zip(loud, _shapes(loud), strict=False):
            seen[shape] = seen.get(shape, 0) + 1
            kept[shape] = line[:LONGEST_LINE], log.where
    for shape in list(kept)[-MOST_LINES:]:
        text, where = kept[shape]
        yield Line(group, group.ref.name, text.replace('\\"', '"'), where, seen[shape], seen[shape] / every)


def _troubled(text: str) -> Iterator[str]:
    """The lines that sound like trouble. Looking for words is many times faster than one pattern of all of them."""
    if not text.isascii():  # lower case may be longer or shorter then
        yield from (line for line in text.splitlines() if _TROUBLE.search(line))
        return
    lowered = text.lower()
    words = sorted((word for word in _WORDS if word in lowered), key=lowered.count, reverse=True)
    for line, low in zip(text.splitlines(), lowered.splitlines(), strict=True) if words else ():
        for word in words:  # the most frequent first
            if word in low:
                yield line
                break


def _shapes(loud: list[str]) -> list[str]:
    """The beginnings of lines without their numbers, by which they are the same."""
    return _NUMBERS.sub("#", "\n".join(line[:200] for line in loud)).split("\n")


def _of_patterns(entry: dict[str, Any], group: Group | None, name: str) -> Iterator[Line]:
    for pattern in records(entry.get("patterns"))[:MOST_LINES]:
        sample, count = pattern.get("sample"), pattern.get("count")
        if isinstance(sample, str) and _TROUBLE.search(sample):
            share = ratio if isinstance(ratio := pattern.get("ratio"), int | float) else 1.0
            yield Line(group, name, sample[:LONGEST_LINE], "log-patterns.json", _count(count), share)


def _count(count: object) -> int:
    return count if isinstance(count, int) else 1

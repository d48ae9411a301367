"""A program that ends repeats a piece of its configuration: that piece is what it cannot live with.

What stands in a log is data of its writer; it counts only where the same words stand in a ConfigMap that it reads.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.crash import crashes
from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.settings import Setting
from interlock.agents.analyzers.world import Group

SHORTEST = 6
MOST_QUOTED = 20
_WRONG = re.compile(
    r"(?i)error|fatal|emerg|invalid|unknown|unrecogni[sz]ed|unexpected|bad|illegal|unsupported|not allowed"
)
_QUOTED = re.compile(r"'([^'\n]{6,120})'|\"([^\"\n]{6,120})\"|`([^`\n]{6,120})`")
_PLACE = re.compile(r"://|^[\w.-]+:\d{2,5}$|\.svc\b|^[/~]|^\s|\s$")


def analyze(land: Landscape) -> Iterator[Finding]:
    """One finding for each workload that ends over something that a ConfigMap of its says."""
    for group in land.groups:
        if any(crashes(status) for _, status in group.statuses() if not status.ready):
            told = [s for s in land.settings[group.ref] if s.place == "config"]
            found = _echo(land, group, told) if told else None
            if found is not None:
                yield found


def _echo(land: Landscape, group: Group, told: list[Setting]) -> Finding | None:
    for line in land.lines:
        if line.group is not group or not _WRONG.search(line.text):
            continue
        for quoted in list(_QUOTED.finditer(line.text))[:MOST_QUOTED]:
            words = next(part for part in quoted.groups() if part)
            setting = next((s for s in told if len(words) >= SHORTEST and words in s.value), None)
            if setting is not None and not _PLACE.search(words):
                return Finding(
                    cause="workload.config.value-invalid",
                    object=setting.owner,
                    confidence=0.82,
                    summary=f"{group.ref} ends over {words} in {setting.owner}: {line.text[:200]}",
                    quotes=(
                        Quote(id=line.where, excerpt=line.text[:300]),
                        *land.quote(setting.owner, f"{setting.name}: {words}"),
                    ),
                )
    return None

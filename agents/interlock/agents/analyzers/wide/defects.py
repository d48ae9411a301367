"""Programs that run and fail at their work: an error in the program since its release, a store that reads everything.

Nobody restarts them and no probe fails; what tells are their own words and those of whom they fail.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.outside import complaints
from interlock.agents.analyzers.wide.relevance import is_well
from interlock.agents.analyzers.wide.speech import OFTEN, Line
from interlock.agents.analyzers.wide.stores import is_store
from interlock.agents.analyzers.world import Group

_DEFECT = re.compile(
    r"panic recovered|runtime error:|nil pointer|NullPointerException|NullReferenceException|IndexOutOfRange"
    r"|index out of range|ClassCastException|NoSuchMethodError|NoSuchFieldError|TypeError:|AttributeError:|KeyError:"
    r"|UnboundLocalError|undefined method|is not a function|Cannot read propert|assertion failed|unwrap\(\)` on"
)
_PASSED_ON = re.compile(
    r"rpc error: code =|StatusRuntimeException|RPC that terminated|RpcException|\b\d{1,2} [A-Z_]{6,}: "
)
_SLOW_QUERY = re.compile(
    r"(?i)slow query\b.*\bduration(?:Millis|_ms)?\W{1,3}\d{4,}|\bduration: \d{4,}\.\d+ ms"
    r"|# Query_time: (?:[1-9]|\d{2,})"
)
_WAITS = re.compile(r"(?i)timed? ?out|time-?out|deadline exceeded")


def analyze(land: Landscape) -> Iterator[Finding]:
    """A finding for each workload that is well and whose words tell of such a failure."""
    for line in land.lines:
        if line.group is None or line.count < OFTEN or not is_well(land, line.group):
            continue
        if _DEFECT.search(line.text) and not _PASSED_ON.search(line.text):
            yield from _released(land, line, line.group)
        elif is_store(line.group) and _SLOW_QUERY.search(line.text):
            yield from _slow(land, line, line.group)


def _released(land: Landscape, line: Line, group: Group) -> Iterator[Finding]:
    """What the program gets wrong since another image was brought to it a short while ago."""
    brought = [d for d in land.drifted(group.ref, "/image") if d.witness == "revision"]
    if brought:
        felt = complaints(land, group)
        yield Finding(
            cause="workload.errors.regressed-after-change",
            object=group.ref,
            confidence=0.8 if felt else 0.72,
            summary=f"{group.ref} was given another image and fails at its work: {line.text[:200]}",
            quotes=(Quote(id=line.where, excerpt=line.text[:300]), *land.quote(group.ref, brought[0].words), *felt),
            introduced="yes",
        )


def _slow(land: Landscape, line: Line, store: Group) -> Iterator[Finding]:
    """What a store takes its time for, while those who call it wait in vain."""
    heard = (line for g in land.callers_of(store.ref) for line in land.lines_of.get(g.ref, ()))
    waiting = [line for line in heard if line.count >= OFTEN and _WAITS.search(line.text)]
    if waiting:
        yield Finding(
            cause="workload.dependency.slow",
            object=store.ref,
            confidence=0.76,
            summary=f"{store.ref} takes seconds for a query, and {waiting[0].name} waits in vain: {line.text[:200]}",
            quotes=(
                Quote(id=line.where, excerpt=line.text[:300]),
                Quote(id=waiting[0].where, excerpt=waiting[0].text[:300]),
            ),
            introduced="no",
        )

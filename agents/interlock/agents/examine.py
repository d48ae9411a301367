"""A whole look without a target: every workload that is not well is judged by itself, then what they share.

The analyzers of one workload and those of a world say findings in the same words; `diagnose.rank` weighs them together.
"""

from collections.abc import Iterator

from interlock.agents.analyzers import ANALYZERS, Finding, Scene
from interlock.agents.analyzers.looks import look_at
from interlock.agents.analyzers.wide import WIDE, Landscape, reach
from interlock.agents.analyzers.world import Group, World
from interlock.agents.diagnose import Diagnosis, conclude
from interlock.agents.evidence import Evidence
from interlock.agents.model import ObjectRef


def examine(world: Landscape, min_confidence: float) -> Diagnosis:
    """The ranked hypotheses about a world, and the verdict if one of them reaches `min_confidence`."""
    kept: dict[ObjectRef, frozenset[ObjectRef]] = {}

    def within(ref: ObjectRef) -> frozenset[ObjectRef]:
        if ref not in kept:
            suffering = reach(world, ref)
            before = {s.ref for one in suffering for s in world.services_of.get(one, ())}
            kept[ref] = suffering | before
        return kept[ref]

    return conclude(findings(world), min_confidence, within)


def findings(world: Landscape) -> Iterator[Finding]:
    """What the analyzers say, unweighed."""
    for group in world.groups:
        if troubled(group):
            scene = Scene(look_at(world, group))
            for analyze in ANALYZERS:
                yield from (f for f in analyze(scene) if f.cause != "none.recovered")
    yield from wide_findings(world)


def wide_findings(world: Landscape) -> Iterator[Finding]:
    """What the wide analyzers say, unweighed."""
    for wide in WIDE:
        yield from wide(world)


def troubled(group: Group) -> bool:
    """Whether a workload is not as it should be, or was not a moment ago."""
    if not group.whole or group.wanted == 0 or group.refused:
        return True
    return any(status.restart_count > 0 for _, status in group.statuses())


def evidence_about(world: World, diagnosis: Diagnosis) -> Evidence | None:
    """The evidence about the workload that is to be changed; None when it is no workload."""
    best = diagnosis.best
    group = world.group(best.object) if best is not None else None
    return look_at(world, group) if group is not None else None

"""A whole look without a target: every workload that is not well is judged by itself, then what they share.

The analyzers of one workload and those of a world say findings in the same words; `diagnose.rank` weighs them together.
"""

from collections.abc import Iterator
from datetime import timedelta

from interlock.agents.analyzers import ANALYZERS, Finding, Scene
from interlock.agents.analyzers.kinds import Claim
from interlock.agents.analyzers.looks import look_at
from interlock.agents.analyzers.wide import WIDE, Landscape, reach
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.analyzers.world import Group, World
from interlock.agents.diagnose import Diagnosis, conclude
from interlock.agents.evidence import Evidence
from interlock.agents.model import ObjectRef, moment

REST = timedelta(days=1)


def examine(world: Landscape, min_confidence: float) -> Diagnosis:
    """The ranked hypotheses about a world, and the verdict if one of them reaches `min_confidence`."""
    kept: dict[ObjectRef, frozenset[ObjectRef]] = {}

    def within(ref: ObjectRef) -> frozenset[ObjectRef]:
        if ref not in kept:
            suffering = reach(world, ref)
            before = {s.ref for one in suffering for s in world.services_of.get(one, ())}
            kept[ref] = suffering | before | _claims(world, ref)
        return kept[ref]

    return conclude(findings(world), min_confidence, within)


def _claims(world: Landscape, ref: ObjectRef) -> frozenset[ObjectRef]:
    """The claims that wait for what a StorageClass provides."""
    if ref.kind != "StorageClass":
        return frozenset()
    return frozenset(claim.ref for claim in world.every(Claim) if claim.spec.storage_class_name == ref.name)


def findings(world: Landscape) -> Iterator[Finding]:
    """What the analyzers say, unweighed."""
    for group in world.groups:
        if troubled(group):
            scene = Scene(look_at(world, group))
            for analyze in ANALYZERS:
                found = (_of_job(f) for f in analyze(scene) if f.cause != "none.recovered")
                yield from (_at_rest(world, group, f) for f in found)
    yield from wide_findings(world)


def _of_job(finding: Finding) -> Finding:
    """What a program does wrong in a Job is the Job's failure, by the name that Jobs have for it."""
    program = finding.object.kind == "Job" and finding.cause == "workload.crash.application-error"
    return finding.model_copy(update={"cause": "job.failed.application"}) if program else finding


def _at_rest(world: Landscape, group: Group, finding: Finding) -> Finding:
    """What has had no replicas since longer than a day, by all that wrote it, is more likely meant to have none."""
    if finding.cause != "workload.replicas.zero":
        return finding
    body = world.raw(type(group.workload), group.ref.namespace, group.ref.name) or {"metadata": {}}
    written = [moment(entry.get("time")) for entry in records(body["metadata"].get("managedFields"))]
    times = [time for time in written if time is not None]
    if not times or world.now - max(times) < REST:
        return finding
    why = "nobody wrote to it since more than a day"
    return finding.model_copy(update={"confidence": 0.45, "against": (*finding.against, why)})


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

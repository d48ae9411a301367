"""Who scales what, and how many may be missing: autoscalers, disruption budgets, rollouts that cannot begin, Jobs."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.kinds import Autoscaler, Budget, Node
from interlock.agents.analyzers.told import Event
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.workloads import CronJob, Deployment, Job, StatefulSet
from interlock.agents.analyzers.world import Group, selects
from interlock.agents.model import ObjectRef

_BUDGET = re.compile(r"(?i)disruption ?budget|\bpdb\b")
_CORDONED = "node.kubernetes.io/unschedulable"
_DRAIN = timedelta(minutes=15)
_SKIPPED_RUNS = 3


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each autoscaler, budget, strategy and Job."""
    for scaler in land.every(Autoscaler):
        yield from _autoscaler(land, scaler)
    for budget in land.every(Budget):
        yield from _budget(land, budget)
    for group in land.groups:
        yield from _strategy(land, group)
    for job in land.every(Job):
        yield from _job(land, job)
    for cron in land.every(CronJob):
        yield from _cron(land, cron)


def _autoscaler(land: Landscape, scaler: Autoscaler) -> Iterator[Finding]:
    target, place = scaler.spec.scale_target_ref, scaler.metadata.namespace
    conditions = {c.type: c for c in scaler.status.conditions}
    able, active = conditions.get("AbleToScale"), conditions.get("ScalingActive")
    limited = conditions.get("ScalingLimited")
    kind = {"Deployment": Deployment, "StatefulSet": StatefulSet}.get(target.kind)
    gone = kind is not None and land.known(kind, place) and land.find(kind, place, target.name) is None
    if gone or (able is not None and able.status == "False" and "not found" in able.message):
        words = f"scales {target.kind} {target.name}, which does not exist"
        yield _scaled(land, scaler, "autoscaling.hpa.target-wrong", 0.93, words)
    elif active is not None and active.status == "False" and active.reason != "ScalingDisabled":
        words = f"has no metrics: {active.reason} {active.message}"
        mine = {(scaler.kind, scaler.name), *_scaled_by(land, scaler)}
        elsewhere = any(one not in mine and one[0] != "Namespace" for one in land.hurt)
        own = "missing request" in active.message or bool(land.symptoms)  # else there may never have been metrics
        sure = 0.48 if elsewhere else 0.85 if own else 0.65
        yield _scaled(land, scaler, "autoscaling.hpa.metrics-missing", sure, words)
    elif limited is not None and limited.status == "True" and limited.reason == "TooManyReplicas":
        group = next((g for g in land.groups if (g.ref.kind, g.ref.name) == (target.kind, target.name)), None)
        if group is None or group.whole or scaler.status.current_replicas >= scaler.spec.max_replicas:
            words = f"is at its maximum of {scaler.spec.max_replicas}: {limited.message}"
            yield _scaled(land, scaler, "autoscaling.hpa.at-maximum", 0.8, words)
    rescales = [e for e in land.events if e.object.name == scaler.name and e.reason == "SuccessfulRescale"]
    if sum(e.count for e in rescales) >= 8 or len(rescales) >= 6:
        yield _scaled(land, scaler, "autoscaling.hpa.flapping", 0.75, f"scaled {sum(e.count for e in rescales)} times")


def _scaled_by(land: Landscape, scaler: Autoscaler) -> Iterator[tuple[str, str]]:
    """Kinds and names of what an autoscaler scales, and of the Services before it."""
    target = scaler.spec.scale_target_ref
    yield target.kind, target.name
    ref = ObjectRef(kind=target.kind, namespace=scaler.metadata.namespace, name=target.name)
    for service in land.services_of.get(ref, ()):
        yield service.kind, service.name


def _scaled(land: Landscape, scaler: Autoscaler, cause: str, sure: float, words: str) -> Finding:
    drifted = land.drifted(scaler.ref)
    return Finding(
        cause=cause,
        object=scaler.ref,
        confidence=min(0.96, sure + (0.05 if drifted else 0)),
        summary=f"{scaler.ref} {words[:250]}.",
        quotes=(*land.quote(scaler, words), *(q for d in drifted[:2] for q in land.quote(scaler, d.words))),
    )


def _budget(land: Landscape, budget: Budget) -> Iterator[Finding]:
    groups = [
        g
        for g in land.groups
        if g.ref.namespace == budget.metadata.namespace and selects(budget.spec.selector, g.labels)
    ]
    if not groups or budget.status.disruptions_allowed > 0:
        return
    replicas = sum(g.wanted for g in groups)
    never = str(budget.spec.max_unavailable) in ("0", "0%") or str(budget.spec.min_available) == "100%"
    at_least = budget.spec.min_available
    never = never or (str(at_least).isdigit() and int(str(at_least)) >= replicas > 0)
    refused = [e for e in _evictions_refused(land) if _is_about(e, budget, groups)]
    drained = bool(refused) or _is_drained(land, groups)
    if never:
        yield Finding(
            cause="disruption.budget.blocks-drain" if drained else "disruption.budget.unsatisfiable",
            object=budget.ref,
            confidence=0.9 if refused else 0.78 if drained else 0.4,
            summary=f"{budget.ref} never lets one of {replicas} pods go.",
            quotes=(
                *land.quote(
                    budget, f"minAvailable {at_least}, maxUnavailable {budget.spec.max_unavailable}, allowed 0"
                ),
                *(q for e in refused[:1] for q in land.quote(budget, e.message)),
            ),
        )
    elif refused:
        yield Finding(
            cause="disruption.budget.blocks-drain",
            object=budget.ref,
            confidence=0.7,
            summary=f"{budget.ref} lets no pod go now.",
            quotes=land.quote(budget, refused[0].message),
        )


def _evictions_refused(land: Landscape) -> Iterator[Event]:
    """What drains and autoscalers say of budgets: about pods, or about nodes, whose events are kept in `default`."""
    for event in (*land.events, *land.events_in("default")):
        if _BUDGET.search(event.message):
            yield event


def _is_about(event: Event, budget: Budget, groups: list[Group]) -> bool:
    """Whether a refusal names the budget or one of its pods; one about a pod names it by its object."""
    pods = (pod.name for group in groups for pod in group.pods)
    return any(name in f"{event.object.name} {event.message}" for name in (budget.name, *pods))


def _is_drained(land: Landscape, groups: list[Group]) -> bool:
    """Whether one of the pods is on a node that takes no more pods, and has been for longer than a drain takes."""
    taints = ((node, taint) for node in land.within(Node).values() for taint in node.spec.taints)
    old = {
        node.name
        for node, taint in taints
        if taint.key == _CORDONED and taint.time_added is not None and land.now - taint.time_added > _DRAIN
    }
    return any(pod.spec.node_name in old for group in groups for pod in group.pods)


def _strategy(land: Landscape, group: Group) -> Iterator[Finding]:
    workload = group.workload
    rolling: Any = workload.spec.strategy.get("rollingUpdate") or {}
    status = workload.status
    if workload.kind == "Deployment" and isinstance(rolling, dict):
        surge, away = str(rolling.get("maxSurge", "25%")), str(rolling.get("maxUnavailable", "25%"))
        stuck = status.updated_replicas < group.wanted and status.observed_generation >= workload.metadata.generation
        if stuck and surge in ("0", "0%") and away in ("0", "0%"):
            yield _rolled(
                land, group, "workload.rollout.max-unavailable-blocked", 0.9, "may neither add a pod nor take one away"
            )
    update: Any = workload.spec.update_strategy.get("rollingUpdate") or {}
    partition = update.get("partition") if isinstance(update, dict) else None
    if (
        workload.kind == "StatefulSet"
        and isinstance(partition, int)
        and partition > 0
        and status.updated_replicas < group.wanted
    ):
        held = min(partition, group.wanted)
        yield _rolled(
            land,
            group,
            "workload.rollout.partition-held",
            0.8,
            f"holds back its first {held} pods (partition {partition})",
        )
    if workload.spec.paused and status.updated_replicas < group.wanted and land.drifted(group.ref, "/spec/paused"):
        yield _rolled(land, group, "workload.rollout.paused", 0.9, "is paused")
    meant = land.drifted(group.ref, "/spec/replicas")
    if meant and isinstance(meant[0].meant, int) and group.wanted < meant[0].meant and not _is_scaled(land, group):
        cause = "workload.replicas.zero" if group.wanted == 0 else "workload.replicas.too-few"
        yield _rolled(
            land,
            group,
            cause,
            0.95 if group.wanted == 0 else 0.7,
            f"has {group.wanted} replicas and was meant to have {meant[0].meant}",
        )


def _is_scaled(land: Landscape, group: Group) -> bool:
    targets = {(s.spec.scale_target_ref.kind, s.spec.scale_target_ref.name) for s in land.every(Autoscaler)}
    return group.wanted > 0 and (group.ref.kind, group.ref.name) in targets


def _rolled(land: Landscape, group: Group, cause: str, sure: float, words: str) -> Finding:
    return Finding(
        cause=cause,
        object=group.ref,
        confidence=sure,
        summary=f"{group.ref} {words}.",
        quotes=land.quote(group.ref, words),
    )


_JOBS = {
    "DeadlineExceeded": "job.failed.deadline",
    "BackoffLimitExceeded": "job.failed.backoff",
    "PodFailurePolicy": "job.failed.application",
}


def _job(land: Landscape, job: Job) -> Iterator[Finding]:
    over = land.jobs_over(job.metadata.namespace)
    for condition in job.status.conditions:
        if condition.type == "Failed" and condition.status == "True" and job.name not in over:
            words = f"failed: {condition.reason} {condition.message}"
            yield Finding(
                cause=_JOBS.get(condition.reason, "job.failed"),
                object=job.ref,
                confidence=0.78,
                summary=f"{job.ref} {words}"[:300],
                quotes=land.quote(job, words),
                role="symptom",
            )
    if job.status.active > max(20, 3 * job.spec.parallelism):
        yield Finding(
            cause="job.runaway",
            object=job.ref,
            confidence=0.8,
            summary=f"{job.ref} has {job.status.active} pods at a time.",
            quotes=land.quote(job, f"active {job.status.active}, parallelism {job.spec.parallelism}"),
        )


def _cron(land: Landscape, cron: CronJob) -> Iterator[Finding]:
    mine = [
        j
        for j in land.every(Job)
        if any(o.kind == "CronJob" and o.name == cron.name for o in j.metadata.owner_references)
    ]
    active = [j for j in mine if j.status.active]
    if len(active) >= 5:
        yield _cronned(land, cron, "job.runaway", 0.85, f"has {len(active)} Jobs at a time")
    missed = [
        e
        for e in land.events
        if e.object.name == cron.name and e.reason in ("MissSchedule", "TooManyMissedTimes", "FailedNeedsStart")
    ]
    skipped = [e for e in land.events if e.object.name == cron.name and e.reason == "JobAlreadyActive"]
    drifted = land.drifted(cron.ref, "/spec/suspend")
    last = cron.status.last_schedule_time
    late = last is not None and land.now - last > timedelta(days=2)
    if cron.spec.suspend and (drifted or late or land.symptoms):
        yield _cronned(land, cron, "job.cron.suspended", 0.93 if drifted else 0.6, "is suspended")
    elif missed:
        yield _cronned(land, cron, "job.cron.missed", 0.82, missed[0].message)
    elif active and sum(e.count for e in skipped) >= _SKIPPED_RUNS:
        words = f"cannot begin while {active[0].name} still runs: {skipped[0].message}"
        yield _cronned(land, cron, "job.cron.missed", 0.82, words)


def _cronned(land: Landscape, cron: CronJob, cause: str, sure: float, words: str) -> Finding:
    return Finding(
        cause=cause,
        object=cron.ref,
        confidence=sure,
        summary=f"{cron.ref} {words}."[:300],
        quotes=land.quote(cron, words),
    )

"""What hurts, wherever it comes from: said only to know that something does, and where.

A symptom is no hypothesis. Where there is none, and all that would show one was seen, the application is well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from interlock.agents.analyzers.findings import Quote
from interlock.agents.analyzers.kinds import Claim, Node
from interlock.agents.analyzers.networking import Service
from interlock.agents.analyzers.objects import ContainerStatus, Pod
from interlock.agents.analyzers.wide.endpoints import reaches_somebody
from interlock.agents.analyzers.world import Group, World
from interlock.agents.model import ObjectRef

RECENT_SECONDS = 900
QUIET_ALERTS = frozenset({"Watchdog", "InfoInhibitor", "DeadMansSwitch"})


STARTING = timedelta(minutes=2)
_BEGINNING = frozenset({"", "ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class Symptom:
    """One thing that is not as it should be."""

    object: ObjectRef
    words: str
    quotes: tuple[Quote, ...] = ()


def symptoms(world: World) -> Iterator[Symptom]:
    """Everything that is seen to hurt."""
    yield from _workloads(world)
    yield from _services(world)
    yield from _ground(world)
    for alert in firing(world):
        labels = alert.get("labels") or {}
        yield Symptom(_named(world, labels), f"alert {labels.get('alertname')}")
    for check in failed_checks(world):
        yield Symptom(service_ref(check), f"connections to port {check.get('port')} fail")
    for pattern in loud(world):
        yield Symptom(service_ref(pattern), f"{pattern.get('total_errors')} errors in its logs")


def _workloads(world: World) -> Iterator[Symptom]:
    for group in world.groups:
        if is_starting(world, group):
            continue
        if group.ready < group.wanted:
            yield Symptom(group.ref, f"{group.ready} of {group.wanted} pods are ready")
        elif group.refused:
            yield Symptom(group.ref, "its rollout makes no progress")
        elif not group.whole:
            yield Symptom(group.ref, "has pods that are not ready")
        for pod, status in group.statuses():
            if restarted(world, status):
                yield Symptom(group.ref, f"{pod.name} restarted a moment ago")


def is_starting(world: World, group: Group) -> bool:
    """Whether all that a workload lacks are pods made a moment ago, of which none has failed: a rollout on its way."""
    late = [pod for pod in group.pods if not pod.ready]
    available = group.workload.condition("Available")
    enough = available is not None and available.status == "True" and not group.refused
    return bool(late) and enough and all(_is_young(world, pod) for pod in late)


def _is_young(world: World, pod: Pod) -> bool:
    made = pod.metadata.creation_timestamp
    failed = any(s.ended is not None or s.waiting.reason not in _BEGINNING for s in pod.statuses())
    return made is not None and world.now - made < STARTING and bool(pod.spec.node_name) and not failed


def restarted(world: World, status: ContainerStatus) -> bool:
    """Whether a container failed a moment ago."""
    past = status.last_state.terminated
    if past is None or (past.exit_code == 0 and not status.fails_again):
        return False
    return past.finished_at is None or (world.now - past.finished_at).total_seconds() < RECENT_SECONDS


def _services(world: World) -> Iterator[Symptom]:
    for service in world.every(Service):
        if not service.spec.selector:
            continue
        if reaches_somebody(world, service) is False:
            yield Symptom(service.ref, "has no ready endpoint")


def _ground(world: World) -> Iterator[Symptom]:
    for claim in world.every(Claim):
        if claim.status.phase in ("Pending", "Lost"):
            yield Symptom(claim.ref, f"is {claim.status.phase}")
    for node in world.within(Node).values():
        if not node.ready:
            yield Symptom(node.ref, "is not ready")


def records(content: Any) -> list[dict[str, Any]]:
    """The objects of a list, whatever else it holds."""
    return [entry for entry in content if isinstance(entry, dict)] if isinstance(content, list) else []


def alerts(world: World) -> list[dict[str, Any]]:
    """All alerts that were collected."""
    content = world.source.document("alerts")
    sent = records(content.get("alerts") if isinstance(content, dict) else content)
    return [{**alert, "labels": _texts(alert["labels"])} for alert in sent if isinstance(alert.get("labels"), dict)]


def _texts(labels: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, text in labels.items() if isinstance(text, str)}


def firing(world: World) -> Iterator[dict[str, Any]]:
    """Alerts that fire and are meant for somebody."""
    for alert in alerts(world):
        labels = alert["labels"]
        state = alert.get("status") or alert.get("state")
        state = state.get("state") if isinstance(state, dict) else state
        silent = labels.get("alertname") in QUIET_ALERTS or labels.get("severity") in ("info", "none")
        if state in (None, "firing", "active") and not silent and _concerns(world, labels):
            yield alert


def _concerns(world: World, labels: Mapping[str, Any]) -> bool:
    return labels.get("namespace") in (None, "", *world.focus, "kube-system")


def failed_checks(world: World) -> Iterator[dict[str, Any]]:
    """Connection checks that failed."""
    for check in records(world.source.document("connectivity")):
        if check.get("succeeded") is False and check.get("namespace") in (None, *world.focus):
            yield check


def loud(world: World) -> Iterator[dict[str, Any]]:
    """Services in whose logs errors are common."""
    for entry in records(world.source.document("log-patterns")):
        ratio = entry.get("total_error_ratio")
        if isinstance(ratio, int | float) and ratio >= 0.2 and entry.get("namespace") in (None, *world.focus):
            yield entry


def service_ref(entry: Mapping[str, Any]) -> ObjectRef:
    """The Service that a document's entry is about."""
    namespace = entry.get("namespace")
    return ObjectRef(kind="Service", namespace=str(namespace) if namespace else None, name=str(entry.get("service")))


def _named(world: World, labels: Mapping[str, Any]) -> ObjectRef:
    namespace = str(labels.get("namespace") or (world.focus[0] if world.focus else ""))
    for label, kind in (
        ("deployment", "Deployment"),
        ("statefulset", "StatefulSet"),
        ("daemonset", "DaemonSet"),
        ("service_name", "Service"),
        ("service", "Service"),
        ("job_name", "Job"),
        ("cronjob", "CronJob"),
        ("horizontalpodautoscaler", "HorizontalPodAutoscaler"),
        ("ingress", "Ingress"),
        ("persistentvolumeclaim", "PersistentVolumeClaim"),
        ("pod", "Pod"),
        ("node", "Node"),
    ):
        if labels.get(label):
            place = None if kind == "Node" else namespace
            return ObjectRef(kind=kind, namespace=place, name=str(labels[label]))
    return ObjectRef(kind="Namespace", namespace=None, name=namespace)

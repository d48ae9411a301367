"""Which causes have a cure: cause by cause the runbooks and alerts, or why only a person can help, or that it is open.

That a person decides is an answer of its own, with a reason; what is neither cured nor rightly a person's is a gap,
and is shown as one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from interlock.crds.causes import CAUSES, covers
from interlock.crds.runbook import Runbook

Answer = Literal["runbook", "report", "person", "open"]

ONLY_A_PERSON: Mapping[str, str] = {
    "autoscaling.cluster": "the cluster's size is bought, not repaired",
    "autoscaling.vpa": "an autoscaler's policy is its owner's decision",
    "certificate": "keys and issuers are out of every runbook's reach",
    "autoscaling.hpa.flapping": "its bounds and windows are its owner's decision",
    "autoscaling.hpa.metrics-missing": "the metrics are missing elsewhere",
    "autoscaling.hpa.target-wrong": "what it should scale is its owner's decision",
    "change.config": "says when, not what: the cause behind it has the cure",
    "change.unrelated": "says when, not what: the cause behind it has the cure",
    "control-plane": "Interlock never acts on what it stands on",
    "database": "data may be lost",
    "gateway": "routes are decisions about traffic, made elsewhere",
    "gitops": "what Git says is changed in Git",
    "job.cron.missed": "whether a missed run is made up for is its owner's decision",
    "job.cron.suspended": "somebody suspended it, and knows why",
    "job.failed.application": "the program says that trying again will not help",
    "namespace.limit-range": "a limit is somebody's decision",
    "namespace.pod-security": "a guard is not lowered to let something pass",
    "namespace.quota.objects-exceeded": "too many objects are cleaned up, not made room for",
    "namespace.quota.services-exceeded": "load balancers and ports cost money",
    "namespace.quota.storage-exceeded": "storage costs money",
    "namespace.terminating": "forcing a deletion loses what its finalizers guard",
    "node.certificate": "keys are out of every runbook's reach",
    "node.clock": "is mended on the machine",
    "node.kube-proxy": "is mended on the machine",
    "node.kubelet": "who does not answer cannot be drained: controllers replace its pods by themselves",
    "node.network": "is mended on the machine",
    "node.not-ready": "who does not answer cannot be drained: controllers replace its pods by themselves",
    "none": "nothing is wrong",
    "queue": "the messages are the application's",
    "rbac": "no runbook touches rights",
    "scheduling.gate": "whoever set the gate removes it",
    "scheduling.priority": "who goes first is the owners' decision",
    "scheduling.volume-zone": "data lies where it lies",
    "service.session-affinity": "how callers are spread is its owner's decision",
    "service.external-name": "names outside of the cluster are decided there",
    "storage.claim": "a claim cannot be changed, and making it anew may lose data",
    "storage.class": "a class of storage is the platform's decision",
    "storage.provisioner": "is mended where the storage is",
    "storage.snapshot": "data may be lost",
    "storage.volume.already-bound": "data may be lost",
    "storage.volume.full": "storage costs money, and growing it cannot be undone",
    "traffic": "who may call is decided at the edge",
    "unknown": "whoever is not sure does not act",
    "workload.database": "credentials and addresses of databases are out of every runbook's reach",
    "workload.dependency": "the fault is the other's",
    "workload.dns": "how names resolve is the platform's",
    "workload.crash.application-error": "the program has to be mended",
    "workload.errors.upstream": "the fault is the other's",
    "workload.image.rate-limited": "the registry decides",
    "workload.image.registry-unreachable": "is mended on the network or at the registry",
    "workload.latency.upstream": "the fault is the other's",
    "workload.network.delay": "is mended on the machine or the network",
    "workload.network.packet-loss": "is mended on the machine or the network",
    "workload.rollout.partition-held": "somebody holds it, and knows why",
    "workload.rollout.paused": "somebody paused it, and knows why",
    "workload.volume.full": "storage costs money, and growing it cannot be undone",
    "workload.volume.permission-denied": "who may read data is not a runbook's decision",
    "workload.volume.read-only": "data may be lost",
    "workload.security": "a guard is not lowered to let something pass",
    "workload.service-account": "no runbook touches accounts",
}
"""Causes and families that rightly have no runbook, each with why."""


@dataclass(frozen=True)
class Row:
    """What answers one cause."""

    cause: str
    answer: Answer
    runbooks: tuple[str, ...] = ()
    """Families, remediations before hand-overs."""
    alerts: tuple[str, ...] = ()
    """Alerts that usually accompany it, as the runbooks say."""
    why: str = ""
    """Why only a person can help."""


def coverage(runbooks: Iterable[Runbook]) -> tuple[Row, ...]:
    """A row for each cause, by name."""
    known = sorted(runbooks, key=lambda runbook: (runbook.spec.type == "Handover", runbook.spec.family))
    return tuple(_row(cause, known) for cause in sorted(CAUSES))


def _row(cause: str, runbooks: Iterable[Runbook]) -> Row:
    found = [r for r in runbooks if any(covers(general, cause) for general in r.spec.addresses.causes)]
    families = tuple(dict.fromkeys(runbook.spec.family for runbook in found))
    alerts = tuple(sorted({alert.name for runbook in found for alert in runbook.spec.addresses.alerts}))
    if any(runbook.spec.steps for runbook in found):
        return Row(cause, "runbook", families, alerts)
    why = next((why for general, why in ONLY_A_PERSON.items() if covers(general, cause)), "")
    if found and "escalate" not in families:
        return Row(cause, "report", families, alerts, why)
    return Row(cause, "person", ("escalate",), alerts, why) if why else Row(cause, "open")


def summary(rows: Iterable[Row]) -> dict[Answer, int]:
    """How many causes have each answer."""
    counted: dict[Answer, int] = {"runbook": 0, "report": 0, "person": 0, "open": 0}
    for row in rows:
        counted[row.answer] += 1
    return counted

"""Which object an alert is about, and which incident it belongs to. Pure; `intake` asks the cluster and the store.

Labels are the sender's data: they name candidates, and only the cluster says which of them exists. One target and one
time make one incident, however many alerts tell of it: several alerts of one fault, one alert for each pod or
ReplicaSet of a rollout, or a straggler that began before the incident was over.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime

from interlock.agents.model import Alert, ObjectRef, Record
from interlock.crds.names import OWN_ALERT_LABEL

# The label that names the object, the kind, and whether the kind lives in a namespace; the first that is there wins.
_LABELS: tuple[tuple[str, str, bool], ...] = (
    ("deployment", "Deployment", True),
    ("statefulset", "StatefulSet", True),
    ("daemonset", "DaemonSet", True),
    ("horizontalpodautoscaler", "HorizontalPodAutoscaler", True),
    ("persistentvolumeclaim", "PersistentVolumeClaim", True),
    ("resourcequota", "ResourceQuota", True),
    ("cronjob", "CronJob", True),
    ("job_name", "Job", True),
    ("replicaset", "ReplicaSet", True),
    ("pod", "Pod", True),
    ("node", "Node", False),
)
_OWN_WORKLOAD = frozenset({"ReplicaSet", "Pod", "Job"})
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_GENERATED = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}")
_SILENT = frozenset({"Watchdog", "InfoInhibitor"})
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"


def opens_nothing(alert: Alert) -> str | None:
    """Why this alert is no incident, None when it may be one."""
    if alert.name in _SILENT:
        return f"{alert.name} tells that alerting works"
    if alert.labels.get(OWN_ALERT_LABEL):
        return "it is about Interlock itself"
    if alert.labels.get("severity", "").lower() in {"info", "none"}:
        return f"severity {alert.labels['severity']}"
    return None


def candidates(alert: Alert) -> tuple[ObjectRef, ...]:
    """The objects that the labels name, the most telling first; names that cannot be names are passed over."""
    namespace = alert.labels.get("namespace", "")
    in_namespace = _NAME.fullmatch(namespace) is not None
    found: list[ObjectRef] = []
    for label, kind, namespaced in _LABELS:
        name = alert.labels.get(label, "")
        if _NAME.fullmatch(name) and (in_namespace or not namespaced):
            found.append(ObjectRef(kind=kind, namespace=namespace if namespaced else None, name=name))
            found.extend(_former_owner(found[-1]))
    return tuple(found)


def _former_owner(ref: ObjectRef) -> tuple[ObjectRef, ...]:
    """The ReplicaSet that a pod's generated name points to, for a pod that is already gone."""
    generated = _GENERATED.search(ref.name[-6:]) if ref.kind == "Pod" else None
    return (ObjectRef(kind="ReplicaSet", namespace=ref.namespace, name=ref.name[:-6]),) if generated else ()


def has_owner(ref: ObjectRef) -> bool:
    """Whether the object is usually part of a workload, which is then what the incident is about."""
    return ref.kind in _OWN_WORKLOAD


class Known(Record):
    """An incident that an alert may belong to."""

    id: str
    target: ObjectRef
    opened_at: datetime
    closed_at: datetime | None


def incident_of(target: ObjectRef, starts_at: datetime, known: Iterable[Known]) -> str | None:
    """The incident that an alert on `target` belongs to: one that is not over, or was not over when it began."""
    fitting = [i for i in known if i.target == target and (i.closed_at is None or starts_at <= i.closed_at)]
    return max(fitting, key=lambda i: (i.closed_at is None, i.opened_at, i.id)).id if fitting else None


def new_incident_id(target: ObjectRef, alert: Alert, taken: Iterable[str] = ()) -> str:
    """`inc-` and six letters, the same for the same target and alert; others only where those are taken."""
    used = set(taken)
    for attempt in range(1000):
        seed = f"{target}\n{alert.identity}\n{attempt}".encode()
        number = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
        letters = ""
        for _ in range(6):
            number, position = divmod(number, len(_LETTERS))
            letters += _LETTERS[position]
        if f"inc-{letters}" not in used:
            return f"inc-{letters}"
    raise RuntimeError("no identifier is free among a thousand")

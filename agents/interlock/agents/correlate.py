"""Which objects an alert may be about. Pure; `intake` asks the cluster which of them exists, `fold` puts them together.

Labels are the sender's data: they name candidates, no more.
"""

import hashlib
import re
from collections.abc import Iterable

from interlock.agents.model import Alert, ObjectRef
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
_EXPORTER = re.compile(r"(.*-)?(kube-state-metrics|node-exporter)-[a-z0-9-]+$")
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
    exported = alert.labels.get("node") and _EXPORTER.match(alert.labels.get("pod", ""))
    for label, kind, namespaced in _LABELS:
        name = alert.labels.get(label, "")
        if exported and namespaced:
            continue  # the namespace and the pod are those of whoever measured the node
        if _NAME.fullmatch(name) and (in_namespace or not namespaced):
            found.append(ObjectRef(kind=kind, namespace=namespace if namespaced else None, name=name))
            found.extend(_former_owner(found[-1]))
    return tuple(found)


def _former_owner(ref: ObjectRef) -> tuple[ObjectRef, ...]:
    """The ReplicaSet that a pod's generated name points to, for a pod that is already gone."""
    generated = _GENERATED.search(ref.name[-6:]) if ref.kind == "Pod" else None
    return (ObjectRef(kind="ReplicaSet", namespace=ref.namespace, name=ref.name[:-6]),) if generated else ()


def is_name(text: str) -> bool:
    """Whether an object may have this name."""
    return _NAME.fullmatch(text) is not None


def has_owner(ref: ObjectRef) -> bool:
    """Whether the object is usually part of a workload, which is then what the incident is about."""
    return ref.kind in _OWN_WORKLOAD


def new_incident_id(target: ObjectRef, identity: str, taken: Iterable[str] = ()) -> str:
    """`inc-` and six letters, the same for the same target and alert; others only where those are taken."""
    used = set(taken)
    for attempt in range(1000):
        seed = f"{target}\n{identity}\n{attempt}".encode()
        number = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
        letters = ""
        for _ in range(6):
            number, position = divmod(number, len(_LETTERS))
            letters += _LETTERS[position]
        if f"inc-{letters}" not in used:
            return f"inc-{letters}"
    raise RuntimeError("no identifier is free among a thousand")

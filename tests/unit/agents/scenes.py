"""Evidence by hand: a healthy Deployment `shop/web` whose rollout from revision 1 to 2 is described by what differs.

Objects are as the API server writes them, cut to what collectors keep; tests change one thing and see what is said.
"""

import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from interlock.agents.evidence import Evidence, Item, Missing
from interlock.agents.evidence.revisions import changes
from interlock.agents.model import ObjectRef

Json = dict[str, Any]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TARGET = ObjectRef(kind="Deployment", namespace="shop", name="web")
OLD, NEW = "5d8f7c9b4d", "7b6c5d4f8f"

CONTAINER: Json = {
    "name": "app",
    "image": "registry.example/shop/web:1.0.0",
    "ports": [{"name": "http", "containerPort": 8080}],
    "env": [{"name": "PAYMENTS_URL", "value": "http://payments:8080"}],
    "resources": {"limits": {"memory": "256Mi"}},
    "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "timeoutSeconds": 1},
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "timeoutSeconds": 1},
}


def container(**fields: Any) -> Json:
    """The container of web, with other fields; None removes one."""
    merged = {**copy.deepcopy(CONTAINER), **fields}
    return {key: value for key, value in merged.items() if value is not None}


def template(one: Json | None = None, **spec: Any) -> Json:
    """A pod template of web."""
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [one or container()], **spec}}


def at(seconds_ago: float) -> str:
    """A time before the look."""
    return (NOW - timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")


def ready(name: str, revision: str = OLD, made_from: Json | None = None) -> Json:
    """A pod that serves."""
    status = {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": at(3000)}}}
    return _pod(name, revision, made_from, [status], phase="Running", is_ready="True")


def waiting(name: str, reason: str, message: str = "", *, revision: str = NEW, made_from: Json | None = None) -> Json:
    """A pod whose container does not start."""
    status = {
        "name": "app",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": reason, "message": message}},
    }
    return _pod(name, revision, made_from, [status], phase="Pending", is_ready="False")


def crashing(
    name: str,
    exit_code: int = 1,
    reason: str = "Error",
    *,
    revision: str = NEW,
    ran: float = 2,
    made_from: Json | None = None,
    message: str = "",
) -> Json:
    """A pod whose container ends again and again."""
    ended = {
        "exitCode": exit_code,
        "reason": reason,
        "message": message,
        "startedAt": at(10 + ran),
        "finishedAt": at(10),
    }
    status = {
        "name": "app",
        "ready": False,
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        "lastState": {"terminated": ended},
    }
    return _pod(name, revision, made_from, [status], phase="Running", is_ready="False")


def running_unready(name: str, *, revision: str = NEW, made_from: Json | None = None, restarts: int = 0) -> Json:
    """A pod that runs but takes no traffic."""
    status: Json = {
        "name": "app",
        "ready": False,
        "restartCount": restarts,
        "state": {"running": {"startedAt": at(20)}},
    }
    if restarts:
        status["lastState"] = {"terminated": {"exitCode": 137, "startedAt": at(60), "finishedAt": at(21)}}
    return _pod(name, revision, made_from, [status], phase="Running", is_ready="False")


def unschedulable(name: str, message: str, *, made_from: Json | None = None) -> Json:
    """A pod that no node takes."""
    pod = _pod(name, NEW, made_from, [], phase="Pending", is_ready="False")
    pod["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    ]
    return pod


def event(reason: str, message: str, about: str, container_name: str = "app") -> Json:
    """A warning about a pod's container."""
    involved = {"kind": "Pod", "name": about, "fieldPath": f"spec.containers{{{container_name}}}"}
    return {"reason": reason, "type": "Warning", "message": message, "count": 3, "object": involved, "last": at(5)}


def log(pod: str, text: str, *, previous: bool = True) -> Json:
    """The end of a log."""
    return {"pod": pod, "container": "app", "previous": previous, "text": text}


def look(
    *,
    pods: Sequence[Json],
    new: Json | None = None,
    old: Json | None = None,
    events: Sequence[Json] = (),
    logs: Sequence[Json] = (),
    replicas: int = 2,
    status: Mapping[str, Any] | None = None,
    conditions: Sequence[Json] = (),
    new_age: float = 120,
    extra: Sequence[tuple[str, Any]] = (),
    missing: Sequence[Missing] = (),
) -> Evidence:
    """One look. `new` is the template of revision 2, None where there was no rollout; `old` that of revision 1."""
    before = old or template()
    revisions = [_revision(1, OLD, before, pods, 90_000)]
    if new is not None:
        revisions.insert(0, _revision(2, NEW, new, pods, new_age))
    count = sum(1 for pod in pods if _is_ready(pod))
    target = {
        "metadata": {"name": "web", "uid": "u", "generation": 2},
        "spec": {"replicas": replicas, "template": new or before},
        "status": {
            "replicas": len(pods),
            "updatedReplicas": len(pods),
            "readyReplicas": count,
            "availableReplicas": count,
            "conditions": list(conditions),
            **(status or {}),
        },
    }
    contents: list[tuple[str, Any]] = [("target", target), ("replica-sets", revisions), ("pods", list(pods))]
    contents += [("events", list(events))]
    if new is not None:
        contents.append(("change", changes(before, new)))
    contents += [("log", entry) for entry in logs]
    contents += list(extra)
    items = tuple(
        Item(id=f"E{n}", kind=kind, source=kind, collected_at=NOW, content=content)
        for n, (kind, content) in enumerate(contents, start=1)
    )
    return Evidence(target=TARGET, collected_at=NOW, items=items, missing=tuple(missing))


def _revision(number: int, name: str, made_from: Json, pods: Sequence[Json], age: float) -> Json:
    mine = [pod for pod in pods if pod["metadata"]["labels"]["pod-template-hash"] == name]
    return {
        "name": f"web-{name}",
        "revision": number,
        "hash": name,
        "created": at(age),
        "wanted": len(mine),
        "replicas": len(mine),
        "ready": sum(1 for pod in mine if _is_ready(pod)),
        "template": made_from,
    }


def _is_ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])


def _pod(name: str, revision: str, made_from: Json | None, statuses: list[Json], *, phase: str, is_ready: str) -> Json:
    return {
        "metadata": {
            "name": name,
            "labels": {"app": "web", "pod-template-hash": revision},
            "creationTimestamp": at(100),
        },
        "spec": copy.deepcopy((made_from or template())["spec"]),
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": is_ready}],
            "containerStatuses": statuses,
        },
    }

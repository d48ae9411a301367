"""Which parts of Kubernetes objects tell something, and which of many objects to look at first."""

from collections.abc import Iterable, Iterator
from typing import Any

from interlock.agents.cluster import Json

MOST_EVENTS = 100
REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH, CONTROLLER_HASH = "pod-template-hash", "controller-revision-hash"


def owned_by(objects: Iterable[Json], uid: str) -> list[Json]:
    """Those whose controller has this uid."""
    return [o for o in objects if any(r.get("uid") == uid for r in o["metadata"].get("ownerReferences") or ())]


def revision_of(body: Json) -> int:
    """The revision of a ReplicaSet or Deployment, 0 when it says none."""
    text = (body["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def sorted_revisions(sets: Iterable[Json]) -> list[Json]:
    """ReplicaSets, the newest revision first."""
    return sorted(sets, key=revision_of, reverse=True)


def as_replica_set(revision: Json) -> Json | None:
    """A ControllerRevision in the form of a ReplicaSet; None where it holds no pod template."""
    meta, template = revision["metadata"], ((revision.get("data") or {}).get("spec") or {}).get("template")
    if not isinstance(template, dict):
        return None
    # The pods of a StatefulSet are labelled with the revision's name, those of a DaemonSet with its hash.
    of_pods = (meta.get("labels") or {}).get(CONTROLLER_HASH, meta["name"])
    told = {"labels": {TEMPLATE_HASH: of_pods}, "annotations": {REVISION: str(revision.get("revision", 0))}}
    return {
        "metadata": {**meta, **told},
        "spec": {"template": {key: value for key, value in template.items() if key != "$patch"}},
    }


def replica_set_view(body: Json) -> Json:
    """A ReplicaSet as a revision of its Deployment."""
    meta, status = body["metadata"], body.get("status") or {}
    return {
        "name": meta["name"],
        "revision": revision_of(body),
        "created": meta.get("creationTimestamp"),
        "hash": (meta.get("labels") or {}).get(TEMPLATE_HASH, ""),
        "wanted": body["spec"].get("replicas", 0),
        "replicas": status.get("replicas", 0),
        "ready": status.get("readyReplicas", 0),
        "template": body["spec"]["template"],
        "conditions": status.get("conditions") or [],
    }


def pod_view(body: Json) -> Json:
    """A pod without what the API server fills in for its own use."""
    meta = body["metadata"]
    kept = ("name", "labels", "creationTimestamp", "deletionTimestamp", "ownerReferences")
    spec = {k: v for k, v in body["spec"].items() if k not in ("tolerations", "schedulerName", "priority")}
    return {"metadata": {k: meta[k] for k in kept if k in meta}, "spec": spec, "status": body.get("status") or {}}


def worst_first(pods: Iterable[Json]) -> list[Json]:
    """Pods that are not ready before those that are, the newest first; pods that have completed or leave come last."""

    def rank(pod: Json) -> tuple[int, str]:
        status = pod.get("status") or {}
        if pod["metadata"].get("deletionTimestamp") or status.get("phase") == "Succeeded":
            return 2, ""
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
        return int(ready), ""

    newest = sorted(pods, key=lambda p: p["metadata"].get("creationTimestamp") or "", reverse=True)
    return sorted(newest, key=rank)


def failing_containers(pod: Json) -> Iterator[tuple[str, bool]]:
    """Containers whose log may tell why, with whether the previous run's is meant; that one first."""
    for entry in _statuses(pod):
        if entry.get("ready") or (entry.get("state", {}).get("terminated") or {}).get("exitCode") == 0:
            continue
        if entry.get("lastState", {}).get("terminated"):
            yield entry["name"], True
        if entry.get("state", {}).get("running") or entry.get("state", {}).get("terminated"):
            yield entry["name"], False


def runs_of(pod: Json) -> Iterator[tuple[str, bool]]:
    """All runs of its containers that may have left a log, with whether the previous one is meant; that one first."""
    for entry in _statuses(pod):
        for previous in (True, False):
            state = entry.get("lastState" if previous else "state") or {}
            if "terminated" in state or "running" in state:
                yield entry["name"], previous


def _statuses(pod: Json) -> tuple[Json, ...]:
    """What is said of all containers of a pod, those that run before it among them."""
    status = pod.get("status") or {}
    return (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))


def events_of(events: Iterable[Json], most: int = MOST_EVENTS) -> list[Json]:
    """Events as what was said about whom, the newest first, at most `most`."""
    views = [
        {
            "reason": event.get("reason") or "",
            "type": event.get("type") or "Normal",
            "message": (event.get("message") or event.get("note") or "")[:1024],
            "count": _count(event),
            "object": {k: _involved(event).get(k) or "" for k in ("kind", "name", "fieldPath")},
            "last": _last(event),
            "from": (event.get("source") or {}).get("component") or event.get("reportingComponent") or "",
        }
        for event in events
    ]
    return sorted(views, key=lambda view: str(view["last"] or ""), reverse=True)[:most]


def _involved(event: Json) -> Json:
    """Whom an event is about; `regarding` where it was read as events.k8s.io/v1."""
    return event.get("involvedObject") or event.get("regarding") or {}


def _last(event: Json) -> Any:
    """When it was said last; of a series the `eventTime` is the first time."""
    last = event.get("lastTimestamp") or (event.get("series") or {}).get("lastObservedTime")
    return last or event.get("eventTime") or event["metadata"].get("creationTimestamp")


def _count(event: Json) -> int:
    count = event.get("count") or (event.get("series") or {}).get("count")
    return count if isinstance(count, int) else 1


def referenced_config_maps(body: Json) -> Iterator[str]:
    """Names of the ConfigMaps that a workload's or a pod's containers and volumes refer to."""
    spec = body.get("spec") or {}
    pod: dict[str, Any] = (spec.get("template") or {}).get("spec") or spec
    for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        for source in container.get("envFrom") or ():
            yield from _name(source.get("configMapRef"))
        for variable in container.get("env") or ():
            yield from _name((variable.get("valueFrom") or {}).get("configMapKeyRef"))
    for volume in pod.get("volumes") or ():
        yield from _name(volume.get("configMap"))
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _name(source.get("configMap"))


def _name(reference: Any) -> Iterator[str]:
    if reference and reference.get("name") and reference["name"] != "kube-root-ca.crt":
        yield reference["name"]

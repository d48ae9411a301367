"""Which objects belong to the target of an expression: pure answers over what was listed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interlock.crds.celobjects import references
from interlock.operator.api import Object

REVISION_ANNOTATION = "deployment.kubernetes.io/revision"

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
"""The kinds of `workloads`, all of apps/v1."""

OWNERS: Mapping[str, str] = {**dict.fromkeys((*WORKLOADS, "ReplicaSet"), "apps/v1"), "Job": "batch/v1"}
"""Controllers of pods that are followed to find whose pod one is, with their API versions."""

_SUFFIX = re.compile(r"(.+)-(?:[bcdfghjklmnpqrstvwxz2456789]{10}|v?[0-9]{1,10}|(?=[a-f]*[0-9])[0-9a-f]{5,40})")
"""A hash of Kustomize (github.com/kubernetes-sigs/kustomize, api/hasher/hasher.go), a number, a digest."""


SERVICE_LABEL = "kubernetes.io/service-name"
"""What an EndpointSlice says whose it is by."""


def selector(target: Mapping[str, Any]) -> str | None:
    """What the target selects pods by, in the API's query form; None for objects that select none.

    An empty selector of a NetworkPolicy selects all pods of the namespace: the empty query.
    """
    spec, kind = target.get("spec") or {}, target.get("kind")
    if kind == "NetworkPolicy":
        return _query(spec.get("podSelector") or {})
    if kind == "Service":
        return _query({"matchLabels": spec.get("selector")}) or None
    return _query(spec.get("selector") or {}) or None


def _query(spec: Mapping[str, Any]) -> str:
    labels = spec.get("matchLabels") or {}
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    for term in spec.get("matchExpressions") or ():
        key, values = term["key"], ",".join(sorted(term.get("values") or ()))
        match term["operator"]:
            case "In":
                terms.append(f"{key} in ({values})")
            case "NotIn":
                terms.append(f"{key} notin ({values})")
            case "Exists":
                terms.append(key)
            case "DoesNotExist":
                terms.append(f"!{key}")
    return ",".join(terms)


def is_unready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod should be ready and is not; one that has ended or is going should not."""
    status = pod.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed") or pod["metadata"].get("deletionTimestamp"):
        return False
    return all(c["type"] != "Ready" or c["status"] != "True" for c in status.get("conditions") or ())


def owned(objects: Iterable[Object], owners: Iterable[str]) -> list[Object]:
    """Those of the objects that one of these uids owns."""
    uids = frozenset(owners)
    return [o for o in objects if any(r["uid"] in uids for r in o["metadata"].get("ownerReferences") or ())]


def controller(child: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What controls an object, as its owner reference says."""
    owners = child["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def referring(objects: Iterable[Object], kind: str, name: str) -> list[Object]:
    """Those of the objects whose pods refer to this ConfigMap or PersistentVolumeClaim."""
    return [o for o in objects if name in references(o, kind)]


def referred(objects: Iterable[Object], kind: str) -> list[str]:
    """The names that the objects refer to, in their order, each once."""
    return list(dict.fromkeys(name for o in objects for name in references(o, kind)))


def versions(name: str, others: Iterable[str]) -> list[str]:
    """Those of the names that are another version of this one: the same but for a hash or a number at the end."""
    mine = _SUFFIX.fullmatch(name)
    if mine is None:
        return []
    return [o for o in others if o != name and (its := _SUFFIX.fullmatch(o)) is not None and its[1] == mine[1]]


def revision_number(revision: Mapping[str, Any]) -> int:
    """The number of a ReplicaSet or ControllerRevision, 0 where it has none."""
    if "revision" in revision:
        return int(revision["revision"])
    text = (revision["metadata"].get("annotations") or {}).get(REVISION_ANNOTATION, "0")
    return int(text) if str(text).isdigit() else 0


def newest_first(revisions: Sequence[Object]) -> list[Object]:
    """Revisions by number, the highest first."""
    return sorted(revisions, key=revision_number, reverse=True)


def youngest_first(objects: Sequence[Object]) -> list[Object]:
    """Objects by the time of their creation, the latest first."""
    return sorted(objects, key=lambda o: str(o["metadata"]["creationTimestamp"]), reverse=True)

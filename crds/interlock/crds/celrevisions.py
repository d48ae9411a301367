"""Which revision a rollback goes back to, and what of a revision decides where its pods may stand."""

from typing import Any

from interlock.crds.celobjects import pod_spec

REVISION = "deployment.kubernetes.io/revision"
_PLACED_BY = ("nodeSelector", "nodeName", "affinity", "tolerations", "topologySpreadConstraints", "schedulerName")


def previous(revisions: Any, number: Any) -> dict[str, Any]:
    """The last revision before the first one whose pod spec differs from its; with a number only the one of it.

    Revisions are ReplicaSets of a Deployment, the newest first. An empty mapping where there is none.
    """
    known = list(revisions or ())
    for one in known[1:]:
        numbered = ((one.get("metadata") or {}).get("annotations") or {}).get(REVISION)
        if pod_spec(one) != pod_spec(known[0]) and (not number or numbered == str(int(number))):
            return dict(one)
    return {}


def placement(container: Any) -> dict[str, Any]:
    """What the scheduler goes by, of a pod, a workload or a revision: selectors, tolerations, spread and requests."""
    spec = pod_spec(container)
    found = {name: spec[name] for name in _PLACED_BY if spec.get(name)}
    requests = {c["name"]: (c.get("resources") or {}).get("requests") or {} for c in spec.get("containers") or ()}
    return {**found, "requests": requests}


def pods_of(pods: Any, owner: Any) -> list[dict[str, Any]]:
    """Those of the pods that an object owns, such as a ReplicaSet; without those that are being deleted."""
    uid = ((owner or {}).get("metadata") or {}).get("uid")
    return [
        dict(pod)
        for pod in pods or ()
        if not pod["metadata"].get("deletionTimestamp")
        and any(o.get("uid") == uid for o in pod["metadata"].get("ownerReferences") or ())
    ]

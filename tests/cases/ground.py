"""Mechanisms of what stands under and around workloads: taints, cordons, ranges, certificates, deliveries."""

from tests.cases.apps import App
from tests.cases.builder import Cluster, Json, at
from tests.cases.library import Expected, decoy, mechanism


def _waits(c: Cluster, name: str, why: str) -> None:
    words = f"0/3 nodes are available: {why}. preemption: 0/3 nodes are available: 3 Preemption is not helpful."
    c.state(name, lambda i: None)

    def edit(pod: Json, index: int) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}, condition]

    c.pod_edits[name] = edit


TAINT = "1 node(s) had untolerated taint {maintenance: disk}, 2 node(s) didn't match Pod's node affinity/selector"


@mechanism
def taint_that_came_lately(c: Cluster, a: App) -> Expected:
    taint = {"key": "maintenance", "value": "disk", "effect": "NoExecute", "timeAdded": at(400)}
    c.get("nodes", "node-2", None)["spec"]["taints"] = [taint]
    _waits(c, a.leaf, TAINT)
    return Expected("scheduling.taint.untolerated", "Node", "node-2")


@mechanism
def taint_that_keeps_out_several(c: Cluster, a: App) -> Expected:
    c.get("nodes", "node-1", None)["spec"]["taints"] = [{"key": "maintenance", "value": "disk", "effect": "NoSchedule"}]
    for name in (a.leaf, a.middle, a.store):
        _waits(c, name, TAINT)
    return Expected("scheduling.taint.untolerated", "Node", "node-1")


def _range_says(c: Cluster, a: App, words: str) -> None:
    c.no_pods.add(a.leaf)
    message = f'pods "{a.leaf}-x" is forbidden: {words}'
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    c.get("deployments", a.leaf)["status"] = {"conditions": [condition]}


@mechanism
def range_in_conditions_only(c: Cluster, a: App) -> Expected:
    for name, most in (("bounds", "128Mi"), ("wide-bounds", "64Gi")):
        limits = [{"type": "Container", "max": {"memory": most}}]
        c.put(c.namespace, "limitranges", {"metadata": {"name": name}, "spec": {"limits": limits}})
    _range_says(c, a, "maximum memory usage per Container is 128Mi, but limit is 256Mi")
    return Expected("namespace.limit-range.violated", "LimitRange", "bounds")


@mechanism
def quota_in_conditions_only(c: Cluster, a: App) -> Expected:
    hard = {"limits.cpu": "1"}
    body = {"metadata": {"name": "budget"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": {}}}
    c.put(c.namespace, "resourcequotas", body)
    _range_says(
        c, a, "exceeded quota: budget, requested: limits.cpu=500m, used: limits.cpu=900m, limited: limits.cpu=1"
    )
    return Expected("namespace.quota.cpu-exceeded", "ResourceQuota", "budget")


@decoy
def taints_and_ranges_of_old(c: Cluster, a: App) -> None:
    """A tainted node that nobody needs, and a range that everybody keeps to."""
    c.get("nodes", "node-1", None)["spec"]["taints"] = [
        {"key": "dedicated", "value": "x", "effect": "PreferNoSchedule"}
    ]
    limits = [{"type": "Container", "max": {"memory": "16Gi"}}]
    c.put(c.namespace, "limitranges", {"metadata": {"name": "roomy"}, "spec": {"limits": limits}})

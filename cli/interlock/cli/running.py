"""What runs, and whether it can work: versions, workloads, the operator's rights, the archive. Changes nothing."""

import importlib.metadata
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from interlock.cli.cluster import Cluster, Object, executions_path
from interlock.cli.diagnosis import INSTALL, Finding, allowed, opted_in
from interlock.cli.executions import is_held
from interlock.cli.manifests import COUNTED
from interlock.cli.spans import duration
from interlock.crds.execution import TERMINAL
from interlock.crds.names import (
    AGENTS_NAMESPACE,
    CLOSED,
    OPERATOR_USER,
    RUNNERS_NAMESPACE,
    SYSTEM_NAMESPACE,
)
from interlock.crds.powers import OPERATOR_GROUPS, Right
from interlock.crds.types import API_VERSION

OLDEST_KUBERNETES = (1, 32)
"""Selectable fields of custom resources and the CEL libraries that the policies use are all there since then."""
ARCHIVE_SECONDS = 60.0
_WORKLOADS = (
    ("operator", SYSTEM_NAMESPACE, "interlock-operator"),
    ("agents", AGENTS_NAMESPACE, "interlock-agents"),
)
_NAME = "app.kubernetes.io/name"
_VERSION = "app.kubernetes.io/version"
_CLOSED_KIND = "validatingadmissionpolicybindings"
_CLOSED = f"/apis/admissionregistration.k8s.io/v1/{_CLOSED_KIND}/{CLOSED}"
OPERATOR_MUST = (
    Right("list", "runbookexecutions", "interlock.dev"),
    Right("patch", "runbookexecutions", "interlock.dev"),
    Right("patch", "runbookexecutions", "interlock.dev", subresource="status"),
    Right("delete", "runbookexecutions", "interlock.dev"),
    Right("list", "runbooks", "interlock.dev"),
    Right("list", "guardrails", "interlock.dev"),
    Right("create", "auditheads", "interlock.dev"),
    Right("patch", "ledgers", "interlock.dev", SYSTEM_NAMESPACE),
    Right("list", "namespaces"),
    Right("create", "subjectaccessreviews", "authorization.k8s.io"),
    Right("patch", "leases", "coordination.k8s.io", SYSTEM_NAMESPACE),
    Right("create", "secrets", namespace=RUNNERS_NAMESPACE),
    Right("delete", "secrets", namespace=RUNNERS_NAMESPACE),
)


def running(cluster: Cluster) -> Iterator[Finding]:
    """All findings, in the order in which one would mend them."""
    yield _kubernetes(cluster)
    yield _operator_may_work(cluster)
    for part, namespace, name in _WORKLOADS:
        yield from _workload(cluster, part, namespace, name)
    for namespace in opted_in(cluster):
        yield _quota(cluster, namespace)
    if cluster.find(f"/apis/{API_VERSION}") is not None:
        yield _archive(cluster)
        yield _heads(cluster)
    if cluster.find(_CLOSED) is not None:
        fix = f"Finish it: interlock uninstall --context NAME; or take it back: kubectl delete {_CLOSED_KIND} {CLOSED}"
        yield Finding("requests", False, "an uninstall was interrupted: all are refused", fix)


def _kubernetes(cluster: Cluster) -> Finding:
    served = cluster.get("/version")
    numbers = [re.match(r"\d+", str(served.get(part, ""))) for part in ("major", "minor")]
    version = tuple(int(number[0]) for number in numbers if number)
    ok = version >= OLDEST_KUBERNETES
    wanted = ".".join(map(str, OLDEST_KUBERNETES))
    fix = "" if ok else f"Upgrade the cluster to {wanted} or later: older ones do not enforce all policies."
    return Finding("kubernetes", ok, f"{served.get('gitVersion')}, needs {wanted}", fix)


def _operator_may_work(cluster: Cluster) -> Finding:
    missing = [str(right) for right in OPERATOR_MUST if not allowed(cluster, OPERATOR_USER, OPERATOR_GROUPS, right)]
    says = (
        "may not " + "; may not ".join(missing) if missing else f"{len(OPERATOR_MUST)} rights asked of the authorizer"
    )
    return Finding("operator may work", not missing, says, INSTALL if missing else "")


def _workload(cluster: Cluster, part: str, namespace: str, name: str) -> Iterator[Finding]:
    selector = f"{_NAME}={name}"
    found = cluster.items(f"/apis/apps/v1/namespaces/{namespace}/deployments", labelSelector=selector)
    if not found:
        yield Finding(part, True, "is not run by the chart on this cluster")
    for item in found:
        wanted, status = item["spec"].get("replicas", 1), item.get("status") or {}
        ready = status.get("availableReplicas", 0)
        says = f"{ready} of {wanted} ready"
        if ready < wanted:
            pods = cluster.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)
            says += "".join(f"; {why}" for pod in pods for why in _waits(pod))
        fix = f"kubectl -n {namespace} describe deployment,pods -l {selector}"
        yield Finding(item["metadata"]["name"], ready >= wanted, says, "" if ready >= wanted else fix)
        yield _current(item)


def _waits(pod: Object) -> Iterator[str]:
    """Why a pod does not run, in the kubelet's and the scheduler's words."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield f"{pod['metadata']['name']}: {condition.get('message', condition.get('reason'))}"
    for container in status.get("containerStatuses") or ():
        if waiting := (container.get("state") or {}).get("waiting"):
            yield f"{pod['metadata']['name']}: {waiting.get('reason')} {waiting.get('message', '')}".rstrip()


def _current(deployment: Object) -> Finding:
    name, ours = deployment["metadata"]["name"], importlib.metadata.version("interlock")
    installed = (deployment["metadata"].get("labels") or {}).get(_VERSION, "unknown")
    fix = "Bring both to one version: " + INSTALL
    says = f"version {installed}, this command is {ours}"
    return Finding(f"{name} version", installed == ours, says, "" if installed == ours else fix)


def _quota(cluster: Cluster, namespace: str) -> Finding:
    """Without a quota that has been counted, the API server admits no request."""
    found = cluster.find(f"/api/v1/namespaces/{namespace}/resourcequotas/interlock") or {}
    status = found.get("status") or {}
    most, used = ((status.get(part) or {}).get(COUNTED) for part in ("hard", "used"))
    ok = most is not None and used is not None
    says = f"{used} of {most} executions" if ok else "has no counted ResourceQuota interlock: no request is admitted"
    return Finding(f"quota of {namespace}", ok, says, "" if ok else f"interlock namespace opt-in {namespace} --apply")


def _archive(cluster: Cluster) -> Finding:
    """What has ended must be archived soon, or it stays and fills the quotas."""
    now, late = datetime.now(UTC), []
    for body in cluster.items(executions_path()):
        status = body.get("status") or {}
        if is_held(body) and status.get("phase") in TERMINAL and status.get("completedAt"):
            late.append((now - datetime.fromisoformat(status["completedAt"])).total_seconds())
    if not late or max(late) < ARCHIVE_SECONDS:
        return Finding("archive", True, "nothing that has ended waits for it")
    says = f"{len(late)} finished executions are not archived, one for {duration(max(late))}"
    return Finding("archive", False, says, "The operator's log has the database's words; mend the database.")


def _heads(cluster: Cluster) -> Finding:
    heads = [item["spec"] for item in cluster.items(f"/apis/{API_VERSION}/auditheads")]
    if not heads:
        return Finding("audit heads", True, "none is signed yet: nothing was archived")
    last = max(heads, key=lambda spec: int(spec["seq"]))
    return Finding("audit heads", True, f"{len(heads)}, the last up to entry {last['seq']}, signed {last['signedAt']}")

"""Takes one look at a namespace under the caller's own identity: what it may read is collected, the rest is missing."""

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote

from interlock.agents.evidence.parts import runs_of
from interlock.agents.evidence.source import RunLog
from interlock.agents.evidence.survey import HEARTBEATS, NAMESPACED, OF_NODES, OF_THE_CLUSTER, OF_THE_SYSTEM, Surveyed
from interlock.cli.cluster import Cluster, Object
from interlock.cli.errors import Refused, UsageError
from interlock.crds.redact import redact_text

SYSTEM = "kube-system"
TAIL_LINES = 500
MOST_PODS = 60
MOST_ADDED = 100
"""Kinds of other projects that are looked at."""
OF_CLUSTER_ADDED = frozenset({"clusterissuers"})
QUERY_SECONDS = 15
# Groups that belong to Kubernetes itself, or whose objects say nothing of an incident.
_BUILT_IN = re.compile(
    r"apps|batch|autoscaling|policy|extensions|events\.k8s\.io|interlock\.dev|.*metrics\.k8s\.io"
    r"|(?:admissionregistration|apiextensions|apiregistration|authentication|(?:rbac\.)?authorization|certificates"
    r"|coordination|discovery|flowcontrol\.apiserver|internal\.apiserver|networking|node|resource|scheduling|storage"
    r"|storagemigration)\.k8s\.io"
)
Note = Callable[[str], None]


def survey(cluster: Cluster, namespace: str, note: Note, *, logs: bool = True, prometheus: str = "") -> Surveyed:
    """What the caller may see of a namespace and of what it stands on; `note` hears what could not be read.

    Raises:
        UsageError: there is no such namespace.
        Refused: the API server does not answer.
    """
    found = Surveyed(datetime.now(UTC), namespace)
    if cluster.find(f"/api/v1/namespaces/{quote(namespace, safe='')}") is None:
        raise UsageError(f"NAMESPACE: there is no namespace {namespace}", "See `kubectl get namespaces`.")
    for plural, root, place in (*_wanted(namespace), *_added(cluster, namespace)):
        items = _items(cluster, plural, root, place, note)
        if items is not None:
            found.keep(plural, place, [*(found.objects(plural, place) or ()), *items])
        if items is not None and place == namespace:
            found.remember(plural, items)
    if namespace != OF_NODES:
        _events_of_nodes(cluster, found, note)
    if prometheus:
        asyncio.run(_measured(prometheus, found, namespace, note))
    if logs:
        for pod in _worst_first(found.objects("pods", namespace) or [])[:MOST_PODS]:
            found.texts[namespace, pod["metadata"]["name"]] = tuple(_logs(cluster, namespace, pod))
    return found


def _wanted(namespace: str) -> Iterator[tuple[str, str, str | None]]:
    for plural, root in OF_THE_CLUSTER.items():
        yield plural, root, None
    for plural, root in NAMESPACED.items():
        yield plural, root, namespace
    for plural in OF_THE_SYSTEM if namespace != SYSTEM else ():
        yield plural, NAMESPACED[plural], SYSTEM
    yield "leases", NAMESPACED["leases"], HEARTBEATS


def _added(cluster: Cluster, namespace: str) -> Iterator[tuple[str, str, str | None]]:
    """Kinds that other projects brought, as far as they are served; a name that Kubernetes has itself stays its own."""
    known = {*NAMESPACED, *OF_THE_CLUSTER}
    left = MOST_ADDED
    for group in cluster.get("/apis").get("groups") or ():
        if _BUILT_IN.fullmatch(str(group.get("name"))):
            continue
        root = f"/apis/{group['preferredVersion']['groupVersion']}"
        served = (cluster.find(root) or {}).get("resources") or ()
        for one in served:
            plural, wanted = str(one["name"]), one.get("namespaced") or one["name"] in OF_CLUSTER_ADDED
            if wanted and left and "/" not in plural and plural not in known and "list" in (one.get("verbs") or ()):
                left -= 1
                yield plural, root, namespace if one.get("namespaced") else None


def _events_of_nodes(cluster: Cluster, found: Surveyed, note: Note) -> None:
    path = f"/api/v1/namespaces/{OF_NODES}/events"
    try:
        found.keep("events", OF_NODES, cluster.items(path, fieldSelector="involvedObject.kind=Node"))
    except Refused as refused:
        note(f"events of nodes: {refused.message}")


async def _measured(url: str, found: Surveyed, namespace: str, note: Note) -> None:
    """What Prometheus knows of the namespace: series, who calls whom, and alerts."""
    from interlock.agents.evidence.metrics import Metrics  # noqa: PLC0415 - its client weighs more than the rest

    metrics = Metrics(url, QUERY_SECONDS)
    (files, calls), alerts = await asyncio.gather(metrics.around(namespace, found.collected_at), metrics.alerts())
    found.folders["metrics"] = files
    found.papers["service-dependencies"] = calls
    found.papers["alerts"] = {"alerts": alerts}
    if not files:
        note("metrics: Prometheus has none of the series that are asked for, or does not answer")


def _items(cluster: Cluster, plural: str, root: str, place: str | None, note: Note) -> list[Object] | None:
    inside = f"/namespaces/{quote(place, safe='')}" if place else ""
    try:
        return cluster.items(f"{root}{inside}/{plural}")
    except Refused as refused:
        if refused.status not in (401, 403, 404, 405):
            raise
        note(f"{place + '/' if place else ''}{plural}: {refused.message}")
        return None


def _worst_first(pods: list[Object]) -> list[Object]:
    def ready(pod: Object) -> bool:
        conditions = (pod.get("status") or {}).get("conditions") or ()
        return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)

    return sorted(pods, key=ready)


def _logs(cluster: Cluster, namespace: str, pod: Object) -> Iterator[RunLog]:
    name = pod["metadata"]["name"]
    for container, previous in runs_of(pod):
        query = {"container": container, "tailLines": str(TAIL_LINES), "previous": str(previous).lower()}
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}/log"
        try:
            text = cluster.text(path, query)
        except Refused:
            continue  # the container was replaced, or its node does not answer
        yield RunLog(namespace, name, container, previous, redact_text(text), f"{namespace}/{name}")

"""Takes one look at a namespace under the caller's own identity: what it may read is collected, the rest is missing."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote

from interlock.agents.evidence.source import RunLog
from interlock.agents.evidence.survey import NAMESPACED, OF_THE_CLUSTER, OF_THE_SYSTEM, Surveyed, last_applied
from interlock.cli.cluster import Cluster, Object
from interlock.cli.errors import Refused, UsageError
from interlock.crds.redact import redact_text

SYSTEM = "kube-system"
TAIL_LINES = 500
MOST_PODS = 60
Note = Callable[[str], None]


def survey(cluster: Cluster, namespace: str, note: Note, *, logs: bool = True) -> Surveyed:
    """What the caller may see of a namespace and of what it stands on; `note` hears what could not be read.

    Raises:
        UsageError: there is no such namespace.
        Refused: the API server does not answer.
    """
    found = Surveyed(datetime.now(UTC), namespace)
    if cluster.find(f"/api/v1/namespaces/{quote(namespace, safe='')}") is None:
        raise UsageError(f"NAMESPACE: there is no namespace {namespace}", "See `kubectl get namespaces`.")
    meant: list[Object] = []
    for plural, root, place in _wanted(namespace):
        items = _items(cluster, plural, root, place, note)
        if items is not None:
            found.keep(plural, place, items)
            meant += [m for item in items if place == namespace and (m := last_applied(plural, item)) is not None]
    if meant:
        found.folders["manifests"] = {"last-applied": json.loads(json.dumps(meant))}
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
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        for previous in (True, False):
            wanted = (container.get("lastState") or {}) if previous else (container.get("state") or {})
            if "terminated" not in wanted and "running" not in wanted:
                continue
            query = {"container": container["name"], "tailLines": str(TAIL_LINES), "previous": str(previous).lower()}
            path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}/log"
            try:
                text = cluster.text(path, query)
            except Refused:
                continue  # the container was replaced, or its node does not answer
            yield RunLog(namespace, name, container["name"], previous, redact_text(text), f"{namespace}/{name}")

"""Looks around an incident: the namespace as a landscape, through the agents' own reading identity.

The look at the target comes first and is kept; this one is taken where that does not suffice, and of it only what a
finding cites is kept. It sees what `interlock snapshot` writes, but for what agents may not read: Secrets, and of the
system more than its workloads.
"""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime

from interlock.agents.cluster import ADDED, CLUSTER_SCOPED, KINDS, Json, Reader
from interlock.agents.errors import AccessDeniedError, ClusterUnavailableError
from interlock.agents.evidence.bounds import Budgeted, BudgetSpentError
from interlock.agents.evidence.parts import runs_of, worst_first
from interlock.agents.evidence.source import RunLog
from interlock.agents.evidence.survey import HEARTBEATS, NAMESPACED, OF_NODES, OF_THE_CLUSTER, OF_THE_SYSTEM, Surveyed
from interlock.crds.redact import redact_text

SYSTEM = "kube-system"
MOST_LOGGED = 12
"""Pods whose logs are read."""
LARGEST_LOG = 16 * 1024
NOT_FOR_AGENTS = frozenset({"secrets", "leases"})
NOT_OF_THE_SYSTEM = frozenset({"configmaps", "leases", "endpointslices"})
_KIND_OF = {plural: kind for kind, (_, plural) in KINDS.items()}
WAYS = (
    "Pod",
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "Service",
    "ConfigMap",
    "NetworkPolicy",
    "PersistentVolumeClaim",
)
Wanted = tuple[str, str | None, str]
"""Kind, namespace, and a field selector."""


async def look_around(
    reader: Reader, namespace: str, *, now: datetime, calls: int, seconds: float, logs: bool = False
) -> Surveyed:
    """What may be read of a namespace and of what it stands on; what may not, or not in time, is not collected."""
    found, bounded = Surveyed(now, namespace), Budgeted(reader, calls)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(_lists(bounded, _wanted(namespace), found), _added(bounded, namespace, found))
            if logs:
                await _logs(bounded, namespace, found)
    except TimeoutError:
        pass  # what has come by then is what was collected
    return found


async def look_at_ways(reader: Reader, namespace: str, *, now: datetime, seconds: float) -> Surveyed:
    """What tells who stands on what in a namespace, as far as it may be read and comes in time; it is not redacted."""
    found = Surveyed(now, namespace)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(_way(reader, kind, namespace, found) for kind in WAYS))
    except TimeoutError:
        pass
    return found


async def _way(reader: Reader, kind: str, namespace: str, found: Surveyed) -> None:
    bodies = await _read(reader, kind, namespace, "")
    if bodies is not None:
        found.hold(KINDS[kind][1], namespace, bodies)


def _wanted(namespace: str) -> Iterator[Wanted]:
    yield from ((_KIND_OF[plural], namespace, "") for plural in NAMESPACED if plural not in NOT_FOR_AGENTS)
    yield from ((_KIND_OF[plural], None, "") for plural in OF_THE_CLUSTER)
    if namespace != SYSTEM:
        yield from ((_KIND_OF[plural], SYSTEM, "") for plural in OF_THE_SYSTEM if plural not in NOT_OF_THE_SYSTEM)
    yield "Lease", HEARTBEATS, ""
    if namespace != OF_NODES:
        yield "Event", OF_NODES, "involvedObject.kind=Node"


async def _lists(reader: Reader, wanted: Iterable[Wanted], found: Surveyed) -> None:
    await asyncio.gather(*(_list(reader, one, found, past=one[1] == found.namespace) for one in wanted))


async def _list(reader: Reader, wanted: Wanted, found: Surveyed, *, past: bool) -> None:
    """Keeps the objects of a kind, with what they say of their past where that is wanted."""
    kind, place, fields = wanted
    bodies = await _read(reader, kind, place, fields)
    if bodies is None:
        return
    _, plural = KINDS.get(kind) or ADDED[kind]
    found.keep(plural, None if kind in CLUSTER_SCOPED else place, bodies)
    if past:
        found.remember(plural, bodies)


async def _read(reader: Reader, kind: str, place: str | None, fields: str) -> list[Json] | None:
    try:
        return await reader.list(kind, place, fields=fields)
    except (AccessDeniedError, ClusterUnavailableError, BudgetSpentError):
        return None


async def _added(reader: Reader, namespace: str, found: Surveyed) -> None:
    """Objects of other projects' kinds, where the cluster has them."""
    try:
        served = await reader.served()
    except (AccessDeniedError, ClusterUnavailableError, BudgetSpentError):
        return
    there = [kind for kind, (root, _) in ADDED.items() if root.removeprefix("/apis/") in served]
    await _lists(reader, ((kind, namespace, "") for kind in there), found)


async def _logs(reader: Reader, namespace: str, found: Surveyed) -> None:
    """The ends of the logs of the pods that are worst off, then of the others."""
    pods = worst_first(found.objects("pods", namespace) or ())[:MOST_LOGGED]
    wanted = ((pod["metadata"]["name"], *run) for pod in pods for run in runs_of(pod))
    runs = await asyncio.gather(*(_run(reader, namespace, one) for one in wanted))
    for run in runs:
        if run is not None:
            found.texts[namespace, run.pod] = (*found.texts.get((namespace, run.pod), ()), run)


async def _run(reader: Reader, namespace: str, wanted: tuple[str, str, bool]) -> RunLog | None:
    pod, container, previous = wanted
    try:
        text = await reader.logs(namespace, pod, container, previous=previous, limit_bytes=LARGEST_LOG)
    except (AccessDeniedError, ClusterUnavailableError, BudgetSpentError):
        return None
    where = f"{namespace}/{pod}/{container}{', previous run' if previous else ''}"
    return RunLog(namespace, pod, container, previous, redact_text(text), where) if text else None

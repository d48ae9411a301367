"""Looks around an incident: the namespace as a landscape, through the agents' own reading identity.

The look at the target comes first and is kept; this one is taken where that does not suffice, and of it only what a
finding cites is kept.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from interlock.agents.cluster import CLUSTER_SCOPED, KINDS, Reader
from interlock.agents.errors import AccessDeniedError, ClusterUnavailableError
from interlock.agents.evidence.bounds import Budgeted, BudgetSpentError
from interlock.agents.evidence.survey import Surveyed

SYSTEM = "kube-system"
AROUND = (
    "Pod",
    "Service",
    "Endpoints",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "ConfigMap",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "LimitRange",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Ingress",
    "Event",
    "Node",
    "Namespace",
    "PersistentVolume",
    "StorageClass",
)
OF_THE_SYSTEM = ("Pod", "Deployment", "DaemonSet")


async def look_around(reader: Reader, namespace: str, *, now: datetime, calls: int, seconds: float) -> Surveyed:
    """What may be read of a namespace and of what it stands on; what may not, or not in time, is not collected."""
    found = Surveyed(now, namespace)
    bounded = Budgeted(reader, calls)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(_list(bounded, kind, place, found) for kind, place in _wanted(namespace)))
    except TimeoutError:
        pass  # what has come by then is what was collected
    return found


def _wanted(namespace: str) -> Iterable[tuple[str, str | None]]:
    yield from ((kind, None if kind in CLUSTER_SCOPED else namespace) for kind in AROUND)
    yield from ((kind, SYSTEM) for kind in OF_THE_SYSTEM)


async def _list(reader: Reader, kind: str, place: str | None, found: Surveyed) -> None:
    try:
        bodies = await reader.list(kind, place)
    except (AccessDeniedError, ClusterUnavailableError, BudgetSpentError):
        return
    found.keep(KINDS[kind][1], place, bodies)

"""Where alerts are: the objects that their labels name, as the cluster knows them, and what these stand on.

A storm asks about the same namespaces again and again, so a namespace is looked at once per batch of alerts, and single
objects are asked for only where that look does not tell.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.cluster import CLUSTER_SCOPED, KINDS, LIST_LIMIT, Json, Reader
from interlock.agents.correlate import has_owner
from interlock.agents.errors import AccessDeniedError, ClusterUnavailableError
from interlock.agents.evidence.around import look_at_ways
from interlock.agents.evidence.survey import Surveyed
from interlock.agents.model import ObjectRef, Record
from interlock.agents.topology import Topology, topology_of
from interlock.crds.names import OPT_IN_LABEL, OPT_IN_VALUE

LONGEST_CHAIN = 5
LOOK_SECONDS = 20.0


class Place(Record):
    """What an alert is about; `closed` says why nothing may be done there."""

    target: ObjectRef
    closed: str = ""


class Map:
    """What was seen of the namespaces that a batch of alerts names."""

    def __init__(self, reader: Reader, namespaces: tuple[str, ...]) -> None:
        """`namespaces` are those to act in; none for all that opted in."""
        self._reader = reader
        self._acted_in = namespaces
        self._closed: dict[str | None, str] = {None: ""}
        self._seen: dict[str, Surveyed] = {}
        self._asked: dict[tuple[str, str, str | None], Json | None] = {}
        self._lists: dict[tuple[str, str | None], dict[str, Json]] = {}

    async def look(self, namespaces: Iterable[str], now: datetime) -> Topology:
        """Looks at these namespaces, as far as something may be done there; what stands on what in them.

        Raises:
            ClusterUnavailableError: it cannot be told which of them opted in.
        """
        places = sorted(set(namespaces))
        for place, problem in zip(places, await asyncio.gather(*map(self._problem, places)), strict=True):
            self._closed[place] = problem
        looked = [place for place in places if not self._closed[place]]
        looks = (look_at_ways(self._reader, place, now=now, seconds=LOOK_SECONDS) for place in looked)
        nodes, *seen = await asyncio.gather(self._nodes(now), *looks)
        self._seen.update(zip(looked, seen, strict=True))
        bodies = nodes.objects("nodes", None) or ()
        self._lists = {("Node", None): {body["metadata"]["name"]: body for body in bodies}}
        for one in seen:
            one.hold("nodes", None, bodies)
        return await asyncio.to_thread(_topology, [nodes, *seen])

    async def _nodes(self, now: datetime) -> Surveyed:
        found = Surveyed(now, None)
        with suppress(AccessDeniedError, ClusterUnavailableError):  # then nothing is put down to a node
            found.hold("nodes", None, await self._reader.list("Node"))
        return found

    async def _problem(self, namespace: str) -> str:
        try:
            return await opt_in_problem(self._reader, namespace, self._acted_in)
        except AccessDeniedError as failure:
            return f"the agents may not read it: {failure}"[:300]

    async def locate(self, named: tuple[ObjectRef, ...]) -> Place:
        """The workload at the top of the owner chain of the first object that exists; `named` is not empty.

        Raises:
            ClusterUnavailableError: the cluster does not answer.
        """
        if problem := self._closed.get(named[0].namespace, ""):
            return Place(target=named[0], closed=problem)
        for ref in named:
            try:
                if (top := await self._top(ref)) is not None:
                    return Place(target=top)
            except AccessDeniedError as failure:
                return Place(target=ref, closed=f"the agents may not read it: {failure}"[:300])
        return Place(target=named[0], closed=f"{named[0]} does not exist")

    async def _top(self, ref: ObjectRef) -> ObjectRef | None:
        body = await self._get(ref.kind, ref.name, ref.namespace)
        if body is None:
            return None
        for _ in range(LONGEST_CHAIN):
            owners = body["metadata"].get("ownerReferences") or () if has_owner(ref) else ()
            owner = next((o for o in owners if o.get("controller") and o.get("kind") in KINDS), None)
            above = await self._get(owner["kind"], owner["name"], ref.namespace) if owner else None
            if owner is None or above is None or above["metadata"].get("uid") != owner.get("uid"):
                break
            ref, body = ObjectRef(kind=owner["kind"], namespace=ref.namespace, name=owner["name"]), above
        return ref

    async def _get(self, kind: str, name: str, namespace: str | None) -> Json | None:
        key = (kind, name, namespace)
        if key not in self._asked:
            listed = self._listed(kind, None if kind in CLUSTER_SCOPED else namespace)
            if name in listed:
                self._asked[key] = listed[name]
            elif 0 < len(listed) < LIST_LIMIT:
                self._asked[key] = None
            else:
                self._asked[key] = await self._reader.get(kind, name, namespace)
        return self._asked[key]

    def _listed(self, kind: str, namespace: str | None) -> dict[str, Json]:
        key = (kind, namespace)
        if key not in self._lists:
            seen = self._seen.get(namespace or "")
            bodies = seen.objects(KINDS[kind][1], namespace) if seen is not None else None
            self._lists[key] = {body["metadata"]["name"]: body for body in bodies or ()}
        return self._lists[key]


def _topology(looks: Iterable[Surveyed]) -> Topology:
    whole = Topology()
    for look in looks:
        whole |= topology_of(Landscape(look))
    return whole


async def opt_in_problem(cluster: Reader, namespace: str | None, namespaces: tuple[str, ...]) -> str:
    """Why nothing may be done in this namespace, empty when it may.

    Raises:
        ClusterUnavailableError, AccessDeniedError: it cannot be told.
    """
    if namespace is None:
        return ""
    body = await cluster.get("Namespace", namespace)
    if body is None:
        return f"namespace {namespace} does not exist"
    if (body["metadata"].get("labels") or {}).get(OPT_IN_LABEL) != OPT_IN_VALUE:
        return f"namespace {namespace} has not opted in by the label {OPT_IN_LABEL}={OPT_IN_VALUE}"
    if namespaces and namespace not in namespaces:
        return f"namespace {namespace} is not one that these agents act in"
    return ""

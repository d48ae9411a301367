"""What stands on what, and what is not well: the facts by which alerts are put together. Pure, like what reads it.

Only what live objects say enters here; alerts are hints, and their labels are their sender's words.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from interlock.agents.analyzers.kinds import Claim, ConfigMap, Node
from interlock.agents.analyzers.networking import NetworkPolicy, Service
from interlock.agents.analyzers.objects import ContainerStatus, Pod, Resource
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.analyzers.wide.settings import config_maps_of
from interlock.agents.analyzers.world import Group, selects
from interlock.agents.model import ObjectRef

State = Literal["well", "changed", "unwell", "faulty"]
"""`changed` is well but not as it was; `unwell` may be another's fault; `faulty` is nobody else's."""

_OWN_FAULTS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_WAITS_FOR_CONFIGURATION = frozenset({"CreateContainerConfigError", "ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class Standing:
    """How an object is, and since when it is so."""

    state: State = "well"
    since: datetime | None = None


@dataclass(frozen=True)
class Topology:
    """Objects that are not well, and what each object stands on."""

    standings: Mapping[ObjectRef, Standing] = field(default_factory=dict)
    rests_on: Mapping[ObjectRef, frozenset[ObjectRef]] = field(default_factory=dict)

    def standing(self, ref: ObjectRef) -> Standing:
        """How the object is; well where nothing is known against it."""
        return self.standings.get(ref, Standing())

    def __or__(self, other: "Topology") -> "Topology":
        """Both."""
        refs = {*self.rests_on, *other.rests_on}
        both = {r: self.rests_on.get(r, frozenset()) | other.rests_on.get(r, frozenset()) for r in refs}
        return Topology({**self.standings, **other.standings}, both)


def topology_of(land: Landscape) -> Topology:
    """The facts of one look at a namespace."""
    nodes = {node.ref: _node(node) for node in land.within(Node).values()}
    standings = {**nodes, **dict(_around(land))}
    rests_on: dict[ObjectRef, frozenset[ObjectRef]] = {}
    for group in land.groups:
        standings[group.ref] = _workload(group)
        rests_on[group.ref] = frozenset(_supports(land, group, nodes)) - {group.ref}
    for service in land.every(Service):
        if service.spec.selector:
            rests_on[service.ref] = frozenset(group.ref for group in land.behind(service))
            standings[service.ref] = Standing("well" if land.behind(service) else "faulty")
    kept = {ref: standing for ref, standing in standings.items() if standing.state != "well"}
    return Topology(kept, {ref: below for ref, below in rests_on.items() if below})


def _node(node: Node) -> Standing:
    ready = node.condition("Ready")
    if ready is None or ready.status == "True":
        return Standing()
    return Standing("faulty", ready.last_transition_time)


def _around(land: Landscape) -> Iterator[tuple[ObjectRef, Standing]]:
    for claim in land.every(Claim):
        lost = claim.status.phase == "Lost"
        yield claim.ref, Standing("faulty") if lost else _changed(claim)
    for policy in land.every(NetworkPolicy):
        yield policy.ref, _changed(policy)
    for config_map in land.every(ConfigMap):
        yield config_map.ref, _changed(config_map)
    for group in land.groups:
        for missing in _missing(land, group):
            yield missing, Standing("faulty")


def _changed(resource: Resource) -> Standing:
    return Standing("changed", resource.metadata.creation_timestamp)


def _workload(group: Group) -> Standing:
    if group.whole and not group.refused:
        return Standing()
    own = any(_own_fault(status) for _, status in group.statuses())
    failing = (pod.condition("Ready") for pod in group.pods if not pod.ready)
    times = [c.last_transition_time for c in failing if c is not None and c.last_transition_time is not None]
    return Standing("faulty" if own else "unwell", min(times, default=None))


def _own_fault(status: ContainerStatus) -> bool:
    out_of_memory = status.ended is not None and status.ended.reason == "OOMKilled"
    return out_of_memory or status.waiting.reason in _OWN_FAULTS


def _supports(land: Landscape, group: Group, nodes: Mapping[ObjectRef, Standing]) -> Iterator[ObjectRef]:
    """What a workload stands on: what it calls, reads, mounts and passes, and a node that its troubled pods are on."""
    namespace = group.ref.namespace or ""
    yield from land.callees.get(group.ref, ())
    yield from (c.service.ref for c in land.calls_of.get(group.ref, ()) if c.service is not None)
    yield from (ObjectRef(kind="ConfigMap", namespace=namespace, name=name) for name in config_maps_of(group))
    claims = (volume.persistent_volume_claim for volume in group.spec.volumes)
    yield from (ObjectRef(kind="PersistentVolumeClaim", namespace=namespace, name=c.claim_name) for c in claims if c)
    yield from (p.ref for p in land.every(NetworkPolicy) if selects(p.spec.pod_selector, group.labels))
    yield from _failing_nodes(land, group, nodes)


def _failing_nodes(land: Landscape, group: Group, nodes: Mapping[ObjectRef, Standing]) -> Iterator[ObjectRef]:
    """The nodes that are not well, if all pods in trouble are on one: another pod's trouble has another cause."""
    troubled = {pod.spec.node_name for pod in _all_pods(land, group) if pod.spec.node_name and not _fine(pod)}
    failing = {ref.name for ref, standing in nodes.items() if standing.state != "well"}
    if troubled <= failing:
        yield from (ObjectRef(kind="Node", namespace=None, name=name) for name in sorted(troubled))


def _all_pods(land: Landscape, group: Group) -> Iterable[Pod]:
    """The workload's pods, and those that leave: what a dead node held is being deleted for long."""
    yield from group.pods
    for pod in land.within(Pod, group.ref.namespace).values():
        mine = bool(group.labels) and group.labels.items() <= pod.metadata.labels.items()
        if mine and pod.metadata.deletion_timestamp is not None:
            yield pod


def _fine(pod: Pod) -> bool:
    return pod.ready and pod.metadata.deletion_timestamp is None


def _missing(land: Landscape, group: Group) -> Iterator[ObjectRef]:
    """ConfigMaps that are not there and that a pod waits for."""
    waits = any(status.waiting.reason in _WAITS_FOR_CONFIGURATION for _, status in group.statuses())
    namespace = group.ref.namespace or ""
    if waits and land.within(ConfigMap, namespace):
        for name in config_maps_of(group):
            if land.find(ConfigMap, namespace, name) is None:
                yield ObjectRef(kind="ConfigMap", namespace=namespace, name=name)

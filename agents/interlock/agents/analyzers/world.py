"""A namespace and what it stands on, as analyzers read it: typed objects, who belongs to whom, who calls whom.

Made once per look over a source, and lazily: an object is typed when somebody asks for its kind. What does not parse is
left out, so that one strange object does not keep the rest from being judged.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from pydantic import ValidationError

from interlock.agents.analyzers.findings import Quote
from interlock.agents.analyzers.objects import PARTIAL, ContainerStatus, Metadata, Owner, Pod, PodSpec, Resource
from interlock.agents.analyzers.told import Event
from interlock.agents.analyzers.workloads import (
    BarePod,
    DaemonSet,
    Deployment,
    Job,
    JobPods,
    LabelSelector,
    ReplicaSet,
    StatefulSet,
    Template,
    Workload,
    WorkloadSpec,
)
from interlock.agents.cluster import Json
from interlock.agents.evidence.parts import events_of
from interlock.agents.evidence.source import DOCUMENTS, FOLDERS, RunLog, Source
from interlock.agents.model import ObjectRef

R = TypeVar("R", bound=Resource)
EXCERPT = 300
MOST_EVENTS = 20_000
_WORKLOADS: tuple[type[Workload], ...] = (Deployment, StatefulSet, DaemonSet)
_NAMED: tuple[type[Workload], ...] = (*_WORKLOADS, ReplicaSet, JobPods, BarePod)
_BY_KIND: Mapping[str, type[Workload]] = {kind.kind: kind for kind in _NAMED}
SYSTEM = "kube-system"


@dataclass(frozen=True)
class Group:
    """A workload and the pods that it has."""

    workload: Workload
    pods: tuple[Pod, ...]

    @cached_property
    def ref(self) -> ObjectRef:
        """The workload."""
        return self.workload.ref

    @cached_property
    def spec(self) -> PodSpec:
        """What its pods ask for."""
        return self.workload.spec.template.spec

    @cached_property
    def labels(self) -> dict[str, str]:
        """What its pods are labelled with."""
        return self.workload.spec.template.labels

    @cached_property
    def wanted(self) -> int:
        """How many pods it should have."""
        if self.workload.kind == "DaemonSet":
            return self.workload.status.desired_number_scheduled
        if self.workload.metadata.partial and not self.pods:
            return 0  # how many there are was not seen
        return 1 if self.workload.spec.replicas is None else self.workload.spec.replicas

    @cached_property
    def ready(self) -> int:
        """How many of its pods take traffic; by its own word where its pods were not seen."""
        seen = sum(1 for pod in self.pods if pod.ready)
        return seen if self.pods else max(self.workload.status.ready_replicas, self.workload.status.number_ready)

    @cached_property
    def whole(self) -> bool:
        """Whether all that should be ready is; a pod that ended for good counts no more, once it is replaced."""
        return self.ready >= self.wanted and all(pod.ready or pod.status.phase == "Failed" for pod in self.pods)

    @cached_property
    def refused(self) -> bool:
        """Whether pods that it should have cannot be made, or its rollout makes no progress."""
        failing = self.workload.condition("ReplicaFailure")
        progressing = self.workload.condition("Progressing")
        stuck = progressing is not None and progressing.reason == "ProgressDeadlineExceeded"
        held = self.workload.spec.paused and self.workload.status.updated_replicas < self.wanted
        return stuck or held or (failing is not None and failing.status == "True")

    def statuses(self) -> Iterator[tuple[Pod, ContainerStatus]]:
        """The containers of all its pods."""
        for pod in self.pods:
            for status in pod.statuses():
                yield pod, status


class World:
    """One look at a namespace, or at a whole cluster."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._typed: dict[tuple[type[Resource], str | None], dict[str, Any]] = {}

    @property
    def now(self) -> datetime:
        """When it was seen."""
        return self.source.collected_at

    @cached_property
    def focus(self) -> tuple[str, ...]:
        """The namespaces that are judged: the incident's, or all but the system's where none is named."""
        if self.source.namespace is not None:
            return (self.source.namespace,)
        mine = tuple(n for n in self.source.namespaces() if not n.startswith("kube-"))
        return mine or self.source.namespaces() or ("default",)

    def load(self) -> None:
        """Reads and types what every look needs, so that what follows is analysis alone."""
        for namespace in (*self.focus, SYSTEM):
            for kind in loaded():
                self.within(kind, namespace)
            self.events_in(namespace)
            self.source.plurals(namespace)
        self.source.plurals(None)
        for pod in self.pods:
            self.logs(pod)
        for name in DOCUMENTS:
            self.source.document(name)
        for folder in FOLDERS:
            self.source.documents(folder)

    def known(self, kind: type[Resource], namespace: str | None = None) -> bool:
        """Whether this kind was collected, so that what is not there is absent."""
        return self.source.objects(kind.plural, namespace if kind.namespaced else None) is not None

    def within(self, kind: type[R], namespace: str | None = None) -> dict[str, R]:
        """The objects of one kind in one namespace by name; none where they were not collected."""
        place = namespace if kind.namespaced else None
        if (kind, place) not in self._typed:
            bodies = self.source.objects(kind.plural, place) or ()
            self._typed[kind, place] = {one.name: one for one in _parsed(kind, bodies)}
        return self._typed[kind, place]

    def every(self, kind: type[R]) -> Iterator[R]:
        """The objects of one kind in all namespaces that are judged."""
        for namespace in self.focus if kind.namespaced else (None,):
            yield from self.within(kind, namespace).values()

    def find(self, kind: type[R], namespace: str | None, name: str) -> R | None:
        """One object."""
        return self.within(kind, namespace).get(name)

    def raw(self, ref_kind: type[Resource], namespace: str | None, name: str) -> Json | None:
        """An object as it was written."""
        bodies = self.source.objects(ref_kind.plural, namespace if ref_kind.namespaced else None) or ()
        return next((body for body in bodies if body["metadata"].get("name") == name), None)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """All pods that are judged and not leaving."""
        return tuple(pod for pod in self.every(Pod) if not pod.leaving)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All workloads that are judged."""
        return tuple(group for namespace in self.focus for group in self.groups_of(namespace))

    def groups_of(self, namespace: str) -> tuple[Group, ...]:
        """The workloads of a namespace, each with its pods."""
        if namespace not in self._groups:
            over = self.jobs_over(namespace)
            pods = [p for p in self.within(Pod, namespace).values() if not p.leaving and not _is_of(p, over)]
            sets = {r.name: r.metadata.owner_references for r in self.within(ReplicaSet, namespace).values()}
            workloads = [w for kind in _WORKLOADS for w in self.within(kind, namespace).values()]
            owned = list(_owned(workloads, pods, sets))
            taken = {pod.name for group in owned for pod in group.pods}
            rest = [pod for pod in pods if pod.name not in taken]
            self._groups[namespace] = (*owned, *_unowned(rest, {g.ref for g in owned}))
        return self._groups[namespace]

    def jobs_over(self, namespace: str) -> frozenset[str]:
        """The Jobs that came to their end, and those that a later one of their CronJob made good."""
        jobs = self.within(Job, namespace).values()
        done = {job.name for job in jobs if _is_complete(job)}
        latest: dict[str, str] = {}
        for job in jobs:
            if job.name in done and job.cron:
                latest[job.cron] = max(latest.get(job.cron, ""), job.began)
        return frozenset(done | {job.name for job in jobs if job.began < latest.get(job.cron, "")})

    @cached_property
    def _groups(self) -> dict[str, tuple[Group, ...]]:
        return {}

    def group(self, ref: ObjectRef) -> Group | None:
        """The workload of this name."""
        named = (ref.kind, ref.name)
        return next((g for g in self.groups_of(ref.namespace or "") if (g.ref.kind, g.ref.name) == named), None)

    @cached_property
    def group_of(self) -> Mapping[tuple[str, str], Group]:
        """Which workload a pod belongs to, by namespace and name."""
        return {(pod.metadata.namespace, pod.name): group for group in self.groups for pod in group.pods}

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What components said in the namespaces that are judged, the newest first."""
        return tuple(event for namespace in self.focus for event in self.events_in(namespace))

    def events_in(self, namespace: str) -> tuple[Event, ...]:
        """What components said in one namespace, the newest first."""
        if namespace not in self._events:
            bodies = self.source.objects("events", namespace) or ()
            views = events_of((b for b in bodies), MOST_EVENTS)
            self._events[namespace] = tuple(_events(views))
        return self._events[namespace]

    @cached_property
    def _events(self) -> dict[str, tuple[Event, ...]]:
        return {}

    @cached_property
    def said_of(self) -> Mapping[str, tuple[Event, ...]]:
        """What was said about each object of the namespaces that are judged, by its name."""
        found: dict[str, list[Event]] = {}
        for event in self.events:
            found.setdefault(event.object.name, []).append(event)
        return {name: tuple(events) for name, events in found.items()}

    def events_about(self, ref: ObjectRef) -> Iterator[Event]:
        """What was said about one object."""
        for event in self.events_in(ref.namespace or "default"):
            if event.object.name == ref.name and event.object.kind in ("", ref.kind):
                yield event

    def logs(self, pod: Pod) -> tuple[RunLog, ...]:
        """The logs of a pod, the previous run's first."""
        return tuple(self.source.logs(pod.metadata.namespace, pod.name))

    def quote(self, about: Resource | ObjectRef, excerpt: str) -> tuple[Quote, ...]:
        """A quote from an object."""
        ref = about.ref if isinstance(about, Resource) else about
        return (Quote(id=str(ref), excerpt=excerpt[:EXCERPT]),)


def loaded(kind: type[Resource] = Resource) -> Iterator[type[Resource]]:
    """All kinds that are known by a plural."""
    for inner in kind.__subclasses__():
        if inner.plural:
            yield inner
        yield from loaded(inner)


def _is_complete(job: Job) -> bool:
    return any(c.type == "Complete" and c.status == "True" for c in job.status.conditions)


def _is_of(pod: Pod, jobs: frozenset[str]) -> bool:
    return any(owner.kind == "Job" and owner.name in jobs for owner in pod.metadata.owner_references)


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels belong to a selector; an empty one selects all."""
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    return all(_expression(dict(e), labels) for e in selector.match_expressions)


def _expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), [str(v) for v in expression.get("values") or ()]
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


def _owned(
    workloads: Iterable[Workload], pods: Iterable[Pod], sets: Mapping[str, tuple[Owner, ...]]
) -> Iterator[Group]:
    """Each workload with its pods: by owner where owners were seen, else by the selector."""
    by_owner: dict[tuple[str, str], list[Pod]] = {}
    alone: list[Pod] = []
    for pod in pods:
        if not pod.metadata.owner_references:
            alone.append(pod)
        for key in {key for owner in pod.metadata.owner_references for key in _names(owner, sets)}:
            by_owner.setdefault(key, []).append(pod)
    for workload in workloads:
        chosen = workload.spec.selector
        some = bool(chosen.match_labels or chosen.match_expressions)
        mine = [pod for pod in alone if some and selects(chosen, pod.metadata.labels)]
        yield Group(workload, (*by_owner.get((workload.kind, workload.name), ()), *mine))


def _names(owner: Owner, sets: Mapping[str, tuple[Owner, ...]]) -> Iterator[tuple[str, str]]:
    """The workloads that an owner stands for: itself, and the Deployment above a ReplicaSet."""
    yield owner.kind, owner.name
    if owner.kind == "ReplicaSet" and owner.name not in sets:
        yield "Deployment", owner.name.rpartition("-")[0]
    for above in sets.get(owner.name, ()) if owner.kind == "ReplicaSet" else ():
        yield above.kind, above.name


def _unowned(pods: Iterable[Pod], known: set[ObjectRef]) -> Iterator[Group]:
    """Pods whose workload was not seen, under the name that they give it."""
    together: dict[tuple[str, str], list[Pod]] = {}
    for pod in pods:
        together.setdefault(_above(pod), []).append(pod)
    for (kind, name), mine in together.items():
        template = Template(metadata={"labels": dict(mine[0].metadata.labels)}, spec=mine[0].spec)
        metadata = Metadata(name=name, namespace=mine[0].metadata.namespace, annotations={PARTIAL: "workload"})
        replicas = len(mine)
        workload = _BY_KIND[kind](metadata=metadata, spec=WorkloadSpec(replicas=replicas, template=template))
        if workload.ref not in known:
            yield Group(workload, tuple(mine))


def _above(pod: Pod) -> tuple[str, str]:
    for owner in pod.metadata.owner_references:
        if owner.kind == "ReplicaSet" and pod.hash and owner.name.endswith(f"-{pod.hash}"):
            return "Deployment", owner.name.removesuffix(f"-{pod.hash}")
        if owner.kind in _BY_KIND:
            return owner.kind, owner.name
    return "Pod", pod.name


def _parsed(kind: type[R], bodies: Iterable[Json]) -> Iterator[R]:
    for body in bodies:
        try:
            yield kind.model_validate(body)
        except ValidationError:
            continue


def _events(views: Iterable[Json]) -> Iterator[Event]:
    for view in views:
        try:
            yield Event.model_validate(view)
        except ValidationError:
            continue

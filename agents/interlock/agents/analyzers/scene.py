"""Evidence as analyzers read it: typed objects, what belongs to which revision, and where each thing was seen.

Made once per look. Whatever does not parse is left out: an object that a controller wrote strangely must not keep the
rest from being judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from pydantic import JsonValue, ValidationError

from interlock.agents.analyzers.findings import Introduced, Quote
from interlock.agents.analyzers.kinds import Quota
from interlock.agents.analyzers.objects import LONG_RUN_SECONDS, ContainerStatus, Part, Pod, PodSpec
from interlock.agents.analyzers.told import Change, Event, Log
from interlock.agents.analyzers.workloads import Revision, Workload
from interlock.agents.evidence import Evidence
from interlock.agents.evidence.model import Kind
from interlock.agents.model import ObjectRef

P = TypeVar("P", bound=Part)
EXCERPT = 300


@dataclass(frozen=True)
class Scene:
    """One look, typed."""

    evidence: Evidence

    @property
    def target(self) -> ObjectRef:
        """What the incident is about."""
        return self.evidence.target

    @cached_property
    def workload(self) -> Workload | None:
        """The target as a workload; None when it is none."""
        item = self.evidence.first("target")
        if item is None or self.target.kind not in ("Deployment", "StatefulSet", "DaemonSet"):
            return None
        return _parse(Workload, item.content)

    @cached_property
    def revisions(self) -> tuple[Revision, ...]:
        """The Deployment's revisions, the newest first."""
        return self._list("replica-sets", Revision)

    @property
    def current(self) -> Revision | None:
        """The newest revision."""
        return self.revisions[0] if self.revisions else None

    @cached_property
    def previous(self) -> Revision | None:
        """The revision before the current one, when it differs from it."""
        return self.revisions[1] if len(self.revisions) > 1 and self.changes else None

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """What the current revision changed."""
        return self._list("change", Change)

    @property
    def effective_changes(self) -> tuple[Change, ...]:
        """Changes of what runs; annotations of the template (a restart leaves one) are none."""
        return tuple(change for change in self.changes if not change.path.startswith("/metadata/annotations"))

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """All pods that are not leaving."""
        return tuple(pod for pod in self._list("pods", Pod) if not pod.leaving)

    @cached_property
    def current_pods(self) -> tuple[Pod, ...]:
        """Pods of the current revision; all pods where there are no revisions."""
        if self.current is None:
            return self.pods
        return tuple(pod for pod in self.pods if pod.hash == self.current.hash)

    @cached_property
    def broken_pods(self) -> tuple[Pod, ...]:
        """Pods of the current revision that are not ready; of any revision if the current one has none."""
        broken = tuple(pod for pod in self.current_pods if not pod.ready)
        broken = broken or tuple(pod for pod in self.pods if not pod.ready)
        return broken or tuple(p for p in self.current_pods if any(self.restless(s) for s in p.statuses()))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What components said, the newest first."""
        return self._list("events", Event)

    @cached_property
    def logs(self) -> tuple[tuple[str, Log], ...]:
        """The ends of logs, each with the identifier of its evidence."""
        parsed = ((item.id, _parse(Log, item.content)) for item in self.evidence.of("log"))
        return tuple((name, log) for name, log in parsed if log is not None)

    @cached_property
    def quota(self) -> Quota | None:
        """The target as a quota; None when it is none."""
        item = self.evidence.first("target")
        return _parse(Quota, item.content) if item is not None and self.target.kind == "ResourceQuota" else None

    @cached_property
    def config_maps(self) -> dict[str, tuple[str, ...] | None]:
        """Key names of the ConfigMaps that the pods refer to; None for one that does not exist."""
        item = self.evidence.first("config-maps")
        content = item.content if item is not None and isinstance(item.content, dict) else {}
        return {n: tuple(str(k) for k in keys) if isinstance(keys, list) else None for n, keys in content.items()}

    @property
    def template(self) -> PodSpec:
        """The pod template as it is now."""
        if self.current is not None:
            return self.current.template.spec
        if self.workload is not None:
            return self.workload.spec.template.spec
        return self.pods[0].spec if self.pods else PodSpec()

    @property
    def previous_works(self) -> bool:
        """Whether pods of the revision before are ready at this moment."""
        if self.previous is None:
            return False
        return any(pod.ready and pod.hash == self.previous.hash for pod in self.pods) or self.previous.ready > 0

    @property
    def previous_broken(self) -> bool:
        """Whether pods of the revision before exist and none of them is ready."""
        previous = self.previous
        if previous is None or self.previous_works:
            return False
        return any(pod.hash == previous.hash for pod in self.pods)

    def broken_statuses(self) -> Iterator[tuple[Pod, ContainerStatus]]:
        """Containers of broken pods that are not ready."""
        for pod in self.broken_pods:
            for status in pod.statuses():
                finished = status.state.terminated is not None and status.state.terminated.exit_code == 0
                if (not status.ready and not finished) or self.restless(status):
                    yield pod, status

    def restless(self, status: ContainerStatus) -> bool:
        """Whether a container runs again a moment after it failed: a loop looks well in between."""
        past = status.last_state.terminated
        if past is None or not status.fails_again or past.finished_at is None:
            return False
        return (self.evidence.collected_at - past.finished_at).total_seconds() < LONG_RUN_SECONDS

    def changed(self, *names: str) -> tuple[Change, ...]:
        """Changes whose path has all these segments, in this order, or which brought or took a part that has them."""
        return tuple(change for change in self.changes if _has(change.path, names) or _whole(change, names))

    def introduced(self, *names: str) -> Introduced:
        """Whether the current revision changed this path: only then can going back help."""
        if self.previous is None:
            return "no" if not self.evidence.lacks("replica-sets") else "unknown"
        return "yes" if self.changed(*names) else "no"

    def ran_long(self, status: ContainerStatus) -> bool:
        """Whether an earlier run of the container lasted long enough to say that it works in principle."""
        return status.ended is not None and (status.ended.seconds or 0) >= LONG_RUN_SECONDS

    def quote(self, kind: Kind, excerpt: str) -> tuple[Quote, ...]:
        """A quote from the first item of a kind; none where there is no such item."""
        item = self.evidence.first(kind)
        return (Quote(id=item.id, excerpt=excerpt[:EXCERPT]),) if item is not None else ()

    def quote_changes(self, changes: tuple[Change, ...]) -> tuple[Quote, ...]:
        """The changes, as a quote."""
        text = "; ".join(f"{c.path}: {c.before!r} → {c.after!r}" for c in changes[:4])
        return self.quote("change", text) if changes else ()

    def _list(self, kind: Kind, model: type[P]) -> tuple[P, ...]:
        item = self.evidence.first(kind)
        if item is None or not isinstance(item.content, list):
            return ()
        parsed = (_parse(model, entry) for entry in item.content)
        return tuple(entry for entry in parsed if entry is not None)


def _parse(model: type[P], content: JsonValue) -> P | None:
    try:
        return model.model_validate(content)
    except ValidationError:
        return None


def _whole(change: Change, names: tuple[str, ...]) -> bool:
    """Whether a named part was added or removed as a whole, such as a container with its image."""
    if change.before is not None and change.after is not None:
        return False
    last = change.path.rpartition("/")[2]
    return last in names[:-1] and _has(change.path, names[: names.index(last) + 1])


def _has(path: str, names: tuple[str, ...]) -> bool:
    segments = iter(path.split("/"))
    return all(name in segments for name in names)

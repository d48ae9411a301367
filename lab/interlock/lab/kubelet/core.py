"""One pod at one moment: which containers may run, what is said about it, when to look again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from interlock.lab.kubelet.container import CREATING, INITIALIZING, RETRY_SECONDS, ContainerSync, World, wake_at
from interlock.lab.kubelet.history import ContainerHistory, KubeletEvent, PodHistory, Running, Waiting
from interlock.lab.kubelet.pods import Container, Pod
from interlock.lab.kubelet.references import missing_volumes

STOP_SECONDS = 0.3


@dataclass(frozen=True)
class PodStep:
    """What became of a pod."""

    history: PodHistory
    events: tuple[KubeletEvent, ...] = ()
    wake_at: float | None = None
    finished: bool = False
    """All containers ended after a deletion: the object may go."""


def admit(pod: Pod, now: float) -> PodHistory:
    """The history of a pod that a node has just been given."""
    waiting = Waiting(INITIALIZING if pod.spec.init_containers else CREATING)
    containers = {item.name: ContainerHistory(waiting, item.image) for item in pod.spec.containers}
    for item in pod.spec.init_containers:
        containers[item.name] = ContainerHistory(Waiting(INITIALIZING), item.image)
    return PodHistory(pod_ip=pod.status.pod_ip or _address(pod.metadata.uid), started=now, containers=containers)


def advance(pod: Pod, history: PodHistory, world: World, now: float) -> PodStep:
    """The pod now. Pure: the same pod, history, world and time give the same step."""
    if pod.metadata.deletion_timestamp is not None:
        return _stop(history, now)
    problems = tuple(missing_volumes(pod, world.references))
    if problems and not any(_has_run(item) for item in history.containers.values()):
        return _cannot_mount(history, problems, now)
    containers, events = _advance_containers(pod, history, world, now)
    moments = [moment for item in containers.values() if (moment := wake_at(item)) is not None]
    return PodStep(replace(history, containers=containers), tuple(events), min(moments, default=None))


def initialized(pod: Pod, history: PodHistory) -> bool:
    """Whether every init container has done its work (or, as a sidecar, has started)."""
    return all(_has_initialized(item, history.containers[item.name]) for item in pod.spec.init_containers)


def _advance_containers(
    pod: Pod, history: PodHistory, world: World, now: float
) -> tuple[dict[str, ContainerHistory], list[KubeletEvent]]:
    containers, events = dict(history.containers), list[KubeletEvent]()
    for container in pod.spec.init_containers:
        sync = ContainerSync(pod, container, world, now, history.pod_ip, init=True)
        containers[container.name] = sync.advance(containers[container.name])
        events += sync.events
        if not _has_initialized(container, containers[container.name]):
            return containers, events
    for container in pod.spec.containers:
        sync = ContainerSync(pod, container, world, now, history.pod_ip, init=False)
        containers[container.name] = sync.advance(containers[container.name])
        events += sync.events
    return containers, events


def _has_initialized(container: Container, history: ContainerHistory) -> bool:
    return history.started if container.restart_policy == "Always" else history.succeeded


def _has_run(history: ContainerHistory) -> bool:
    return not isinstance(history.state, Waiting) or history.last is not None


def _cannot_mount(history: PodHistory, problems: Sequence[str], now: float) -> PodStep:
    if now < history.mount_retry_at:
        return PodStep(history, wake_at=history.mount_retry_at)
    events = tuple(KubeletEvent("Warning", "FailedMount", problem) for problem in problems)
    retry_at = now + RETRY_SECONDS
    return PodStep(replace(history, mount_retry_at=retry_at), events, retry_at)


def _stop(history: PodHistory, now: float) -> PodStep:
    if history.stopping_since is not None:
        done_at = history.stopping_since + STOP_SECONDS
        return PodStep(history, wake_at=done_at, finished=now >= done_at)
    events = tuple(
        KubeletEvent("Normal", "Killing", f"Stopping container {name}", name)
        for name, item in history.containers.items()
        if isinstance(item.state, Running)
    )
    return PodStep(replace(history, stopping_since=now), events, now + STOP_SECONDS)


def _address(uid: str) -> str:
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.244.{digest[0]}.{1 + digest[1] % 254}"

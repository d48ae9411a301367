"""What the kubelet remembers of a pod: values that the core takes and returns, never changes."""

from dataclasses import dataclass, field
from typing import Literal

ProbeKind = Literal["startup", "liveness", "readiness"]
EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True)
class Ending:
    """How a run will end if nothing else ends it: decided when it starts."""

    after: float
    reason: str
    exit_code: int
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One run of a container's program, with all that is needed to write its log."""

    container_id: str
    started: float
    log: tuple[str, ...] = ()
    chatter: tuple[str, ...] = ()
    chatter_every: float = 0.0
    ending: Ending | None = None
    finished: float | None = None
    settings: frozenset[tuple[str, tuple[str, str], str]] = frozenset()
    """Where its variables came from: kind, name and version of each object."""


@dataclass(frozen=True)
class Waiting:
    """The container does not run."""

    reason: str
    message: str = ""
    retry_at: float = 0.0


@dataclass(frozen=True)
class Running:
    """The container runs."""

    run: Run


@dataclass(frozen=True)
class Terminated:
    """The container ended."""

    run: Run
    reason: str
    exit_code: int
    finished: float


@dataclass(frozen=True)
class ProbeHistory:
    """Results of one probe during one run."""

    next_at: float
    failures: int = 0
    successes: int = 0
    passed: bool = False


@dataclass(frozen=True)
class ContainerHistory:
    """What happened to one container so far."""

    state: Waiting | Running | Terminated
    image: str
    restarts: int = 0
    last: Terminated | None = None
    back_off: float = 0.0
    """Seconds that the next restart waits; 0 means at once."""
    pull_back_off: float = 0.0
    probes: dict[ProbeKind, ProbeHistory] = field(default_factory=dict)

    @property
    def started(self) -> bool:
        """Runs, and its startup probe (if any) has passed."""
        startup = self.probes.get("startup")
        return isinstance(self.state, Running) and (startup is None or startup.passed)

    @property
    def ready(self) -> bool:
        """Started, and its readiness probe (if any) passes."""
        readiness = self.probes.get("readiness")
        return self.started and (readiness is None or readiness.passed)

    @property
    def succeeded(self) -> bool:
        """Ended with exit code 0."""
        return isinstance(self.state, Terminated) and self.state.exit_code == 0


@dataclass(frozen=True)
class PodHistory:
    """What happened to a pod on its node so far."""

    pod_ip: str
    started: float
    containers: dict[str, ContainerHistory] = field(default_factory=dict)
    stopping_since: float | None = None
    mount_retry_at: float = 0.0


@dataclass(frozen=True)
class KubeletEvent:
    """An Event about a pod or one of its containers."""

    type: EventType
    reason: str
    message: str
    container: str | None = None
    init: bool = False

    @property
    def field_path(self) -> str | None:
        """Where in the pod's spec the container stands."""
        if self.container is None:
            return None
        return f"spec.{'initContainers' if self.init else 'containers'}{{{self.container}}}"


def current_run(history: ContainerHistory) -> Run | None:
    """The run whose log is the container's log: the running one, or the last that ran."""
    if isinstance(history.state, Waiting):
        return history.last.run if history.last else None
    return history.state.run


def previous_run(history: ContainerHistory) -> Run | None:
    """The run before, for `kubectl logs --previous`."""
    return history.last.run if history.last else None

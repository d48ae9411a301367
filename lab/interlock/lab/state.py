"""What is written down about a lab: the plan that the supervisor follows, and the state that everybody reads."""

import random
import socket
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from interlock.lab.helm import Helm, Release

Phase = Literal["starting", "running", "failed", "stopped"]
_RANDOM = random.SystemRandom()


class Ports(BaseModel):
    """The TCP ports of one lab, all on 127.0.0.1."""

    model_config = ConfigDict(frozen=True)

    apiserver: int
    etcd: int
    etcd_peer: int
    controller_manager: int
    scheduler: int
    kubelet: int
    kwok: int
    state_metrics: int
    state_metrics_self: int
    prometheus: int
    alertmanager: int


class Component(BaseModel):
    """One process of the lab."""

    model_config = ConfigDict(frozen=True)

    name: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Components that must be ready before this one is started."""
    ready: str | None = None
    """URL that answers 200 when the component is ready; without one it is ready when it runs."""
    task: bool = False
    """Runs to its end instead of staying; ready when it ended well."""


class Description(BaseModel):
    """What a lab is: fixed when it starts."""

    model_config = ConfigDict(frozen=True)

    server: str
    kubeconfig: Path
    audit_log: Path
    tools: Path
    nodes: int
    monitoring: bool
    ports: Ports
    releases: tuple[Release, ...] = ()
    """What is installed from the first moment, before the controllers ask which kinds there are."""
    helm: Helm | None = None
    """Who installs them, as the administrator; None where nothing is to be installed."""
    owner: int | None
    """The process whose end ends the lab; None for a lab that lives until it is stopped."""

    @property
    def prometheus_url(self) -> str:
        """Where Prometheus answers."""
        return f"http://127.0.0.1:{self.ports.prometheus}"

    @property
    def alertmanager_url(self) -> str:
        """Where Alertmanager answers."""
        return f"http://127.0.0.1:{self.ports.alertmanager}"


class Plan(BaseModel):
    """What the supervisor is to start, and for whom."""

    description: Description
    components: tuple[Component, ...]


class State(BaseModel):
    """How a lab does: rewritten by its supervisor at each change."""

    description: Description
    phase: Phase
    message: str = ""
    """Why the lab failed: the component and the last lines of its log."""
    supervisor: int
    pids: dict[str, int] = {}
    ready: tuple[str, ...] = ()


def write_atomically(path: Path, model: BaseModel) -> None:
    """Replaces a file in one step, so that a reader never sees half of it."""
    scratch = path.with_suffix(".new")
    scratch.write_text(model.model_dump_json(indent=2))
    scratch.replace(path)


def read_state(path: Path) -> State | None:
    """The state of the lab, None when there never was one."""
    return State.model_validate_json(path.read_text()) if path.exists() else None


def free_ports() -> Ports:
    """Ports that nobody listens on, below the range that the kernel hands out to clients."""
    taken: dict[str, int] = {}
    for name in Ports.model_fields:
        taken[name] = next(port for port in iter(_candidate, 0) if port not in taken.values() and _is_free(port))
    return Ports(**taken)


def _candidate() -> int:
    return _RANDOM.randrange(15000, 32000)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

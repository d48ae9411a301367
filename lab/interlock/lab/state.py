"""What is written down about a lab: the plan that the supervisor follows, and the state that everybody reads."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from interlock.lab.errors import LabError
from interlock.lab.helm import Helm, Release
from interlock.lab.ports import Ports
from interlock.lab.tools import NodeTools

Phase = Literal["starting", "running", "failed", "stopped"]


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
    cleanup: tuple[str, ...] = ()
    """Command that takes back, when the component is dead, what the kernel does not take back by itself."""


class Description(BaseModel):
    """What a lab is: fixed when it starts."""

    model_config = ConfigDict(frozen=True)

    kubeconfig: Path
    audit_log: Path
    tools: Path
    nodes: int
    """How many simulated nodes."""
    real_nodes: int = 0
    """How many nodes with a kubelet and containers; where there are any, none is simulated."""
    node_tools: NodeTools | None = None
    """What real nodes are made of."""
    monitoring: bool
    ports: Ports
    releases: tuple[Release, ...] = ()
    """What is installed from the first moment, before the controllers ask which kinds there are."""
    helm: Helm | None = None
    """Who installs them, as the administrator; None where nothing is to be installed."""
    owner: int | None
    """The process whose end ends the lab; None for a lab that lives until it is stopped."""

    @property
    def node_tools_there(self) -> NodeTools:
        """What real nodes are made of; raises LabError in a lab with simulated ones."""
        if self.node_tools is None:
            raise LabError("this lab has no real nodes")
        return self.node_tools

    @property
    def server(self) -> str:
        """Where the API server answers."""
        return f"https://127.0.0.1:{self.ports.apiserver}"

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

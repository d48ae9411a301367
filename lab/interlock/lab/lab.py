"""A lab from the outside: started, found again, pointed at a webhook, stopped.

What happens inside is the supervisor's; this side writes its plan, waits for its word and asks it to end.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from interlock.lab.certificates import Authority
from interlock.lab.errors import LabDiedError, LabError
from interlock.lab.files import write_files
from interlock.lab.helm import Release, find_helm
from interlock.lab.kubeconfig import certificate_user, token_user, write_kubeconfig
from interlock.lab.layout import Layout
from interlock.lab.monitoring import reload_alertmanager, write_webhook
from interlock.lab.nodes import demand_real_nodes
from interlock.lab.nodes.archives import names_in
from interlock.lab.plan import components
from interlock.lab.ports import LOST, Ports
from interlock.lab.settings import NEWEST_KUBERNETES, Kubernetes
from interlock.lab.state import Description, Plan, State, read_state, write_atomically
from interlock.lab.tools import CONTROL_PLANE, MONITORING, Progress, ensure_node_tools, ensure_tools, silent

STOP_SECONDS = 15.0
START_SECONDS = 120.0
OTHER_PORTS = 3


@dataclass(frozen=True)
class Lab:
    """A live lab: a control plane of its own on this machine, with simulated nodes or real ones."""

    directory: Path
    description: Description

    @classmethod
    def load(cls, directory: Path) -> Self | None:
        """The lab that runs in this folder, None when none does."""
        layout = Layout(directory.resolve())
        state = read_state(layout.state) if is_alive(layout) else None
        if state is None or state.phase != "running":
            return None
        return cls(layout.directory, state.description)

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the cluster's administrator."""
        return self.description.kubeconfig

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self.description.server

    @property
    def ca_file(self) -> Path:
        """The certificate authority that the API server's certificate is verified with."""
        return Layout(self.directory).pki("ca").with_suffix(".crt")

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: one JSON document per line."""
        return self.description.audit_log

    @property
    def kubectl(self) -> Path:
        """The kubectl of the cluster's version."""
        return self.description.tools / "kubectl"

    @property
    def prometheus_url(self) -> str:
        """Prometheus; raises LabError in a lab without monitoring."""
        self._demand_monitoring()
        return self.description.prometheus_url

    @property
    def alertmanager_url(self) -> str:
        """Alertmanager; raises LabError in a lab without monitoring."""
        self._demand_monitoring()
        return self.description.alertmanager_url

    def client_certificate_kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for a person, with a client certificate of the cluster's authority."""
        authority = Authority.load(Layout(self.directory).pki("ca"))
        return self._identity(user, certificate_user(authority.issue(user, groups)))

    def token_kubeconfig(self, token: str, name: str) -> Path:
        """A kubeconfig that authenticates with a bearer token."""
        return self._identity(name, token_user(token))

    def set_webhook(self, url: str, token: str) -> None:
        """Sends every alert to this URL from now on, with this bearer token."""
        self._demand_monitoring()
        write_webhook(Layout(self.directory), url, token)
        reload_alertmanager(self.description.alertmanager_url)

    def offer(self, archive: Path) -> list[str]:
        """Lets real nodes pull the images of an OCI archive from now on; returns their names.

        Raises LabError for what is no such archive, and in a lab of simulated nodes, which run no image.
        """
        if not self.description.real_nodes:
            raise LabError("simulated nodes run no image: start the lab with real ones (`lab up --real-nodes 2`)")
        names, place = names_in(archive), Layout(self.directory).archives / archive.with_suffix(".tar").name
        scratch = place.with_suffix(".new")
        shutil.copyfile(archive, scratch)
        scratch.replace(place)
        return names

    def restart(self, component: str) -> None:
        """Kills one process of the lab and starts it again; returns when it is ready.

        Raises:
            LabDiedError: it did not come back, and the lab is gone.
        """
        layout = Layout(self.directory)
        with _locked(layout):
            layout.restart.write_text(component)
            while layout.restart.exists():
                if not is_alive(layout):
                    raise LabDiedError(f"the lab died while {component} restarted; read {layout.log('supervisor')}")
                time.sleep(0.05)

    def stop(self) -> None:
        """Ends every process of the lab and waits until they are gone; harmless when they are already."""
        stop(Layout(self.directory))

    def _identity(self, name: str, credentials: dict[str, str]) -> Path:
        path = Layout(self.directory).identity(re.sub(r"[^A-Za-z0-9.-]", "_", name))
        return write_kubeconfig(path, self.server, self.ca_file.read_bytes(), name, credentials)

    def _demand_monitoring(self) -> None:
        if not self.description.monitoring:
            raise LabError("this lab was started without monitoring: start it with monitoring=True")


def lab_up(
    directory: Path,
    *,
    nodes: int = 3,
    real_nodes: int = 0,
    kubernetes: Kubernetes | None = None,
    owned: bool = True,
    monitoring: bool = True,
    releases: Sequence[Release] = (),
    webhook_url: str | None = None,
    webhook_token: str = "",
    owner_pid: int | None = None,
    progress: Progress = silent,
) -> Lab:
    """Starts a lab in this folder and returns when pods can be scheduled; a lab that lives is returned as it is.

    With real nodes (kubelets and containers, where the machine allows them) none is simulated; their kubelets are
    of the newest Kubernetes, which no older API server takes. Where no version is named, the settings have it.
    `releases` are installed by helm before the controllers start: the quota's controller would notice a kind that comes
    later only half a minute after it, and refuse whatever it cannot count. An owned lab ends when the process owner_pid
    (by default the calling one) does, however that ends.
    Raises LabError with the last lines of the log of the component that failed.
    """
    layout = Layout(directory.resolve())
    if real_nodes:
        kubernetes = _for_real_nodes(layout, kubernetes)
    tools = ensure_tools((*CONTROL_PLANE, *(MONITORING if monitoring else ())), progress, kubernetes)
    helm = find_helm((f"--kubeconfig={layout.kubeconfig}",), progress) if releases else None
    layout.make_folders()
    with _locked(layout):
        lab = Lab.load(directory)
        if lab is None:
            owner = (owner_pid or os.getpid()) if owned else None
            description = Description(
                kubeconfig=layout.kubeconfig,
                audit_log=layout.audit_log,
                tools=tools,
                nodes=0 if real_nodes else nodes,
                real_nodes=real_nodes,
                node_tools=ensure_node_tools(progress) if real_nodes else None,
                monitoring=monitoring,
                ports=Ports.free(),
                releases=tuple(releases),
                helm=helm,
                owner=owner,
            )
            lab = _start_where_ports_are_free(layout, description, progress)
    if webhook_url is not None:
        lab.set_webhook(webhook_url, webhook_token)
    return lab


def _for_real_nodes(layout: Layout, kubernetes: Kubernetes | None) -> Kubernetes:
    demand_real_nodes(layout.directory)
    if kubernetes not in (None, NEWEST_KUBERNETES):
        raise LabError(f"real nodes are of Kubernetes {NEWEST_KUBERNETES} and cannot join {kubernetes}")
    return NEWEST_KUBERNETES


def lab_down(directory: Path) -> bool:
    """Ends the lab of this folder and removes its databases; False when none was running."""
    layout = Layout(directory.resolve())
    if not directory.exists():
        return False
    with _locked(layout):
        return stop(layout)


def lab_state(directory: Path) -> State | None:
    """What is known about the lab of this folder, also after it died."""
    layout = Layout(directory.resolve())
    state = read_state(layout.state)
    if state is None or is_alive(layout) or state.phase in ("failed", "stopped"):
        return state
    return state.model_copy(update={"phase": "failed", "message": "its supervisor was killed, and all with it"})


def is_alive(layout: Layout) -> bool:
    """Whether a supervisor runs the lab: it holds a lock that the kernel releases when it ends, however it ends."""
    if not layout.life_lock.exists():
        return False
    with layout.life_lock.open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def stop(layout: Layout) -> bool:
    """Ends the supervisor, and with it all components; False when it was not running."""
    state = read_state(layout.state)
    if state is None or not is_alive(layout):
        return False
    os.kill(state.supervisor, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_alive(layout):
        if time.monotonic() > deadline:
            os.killpg(state.supervisor, signal.SIGKILL)
        time.sleep(0.05)
    return True


def _start_where_ports_are_free(layout: Layout, description: Description, progress: Progress) -> Lab:
    """A port that was free may be somebody's by the time that its component listens: then others are tried."""
    for _ in range(OTHER_PORTS):
        try:
            return _start(layout, description, progress)
        except LabDiedError as died:
            if LOST not in str(died):
                raise
            progress("somebody took a port of the lab: starting it with others")
            description = description.model_copy(update={"ports": Ports.free()})
    return _start(layout, description, progress)


def _start(layout: Layout, description: Description, progress: Progress) -> Lab:
    if is_alive(layout):  # started, but its starter was interrupted before it was ready
        stop(layout)
    layout.state.unlink(missing_ok=True)
    layout.audit_log.unlink(missing_ok=True)
    layout.restart.unlink(missing_ok=True)
    shutil.rmtree(layout.directory / "data", ignore_errors=True)
    layout.make_folders()
    write_files(layout, description)
    plan = Plan(description=description, components=tuple(components(layout, description)))
    write_atomically(layout.plan, plan)
    with layout.log("supervisor").open("wb") as log:
        command = [sys.executable, "-P", "-m", "interlock.lab.supervisor", str(layout.directory)]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=layout.directory, check=True)
    return _wait_until_running(layout, progress)


def _wait_until_running(layout: Layout, progress: Progress) -> Lab:
    deadline = time.monotonic() + START_SECONDS
    seen: set[str] = set()
    while time.monotonic() < deadline:
        alive, state = is_alive(layout), read_state(layout.state)
        if state is not None and state.phase in ("failed", "stopped"):
            raise LabDiedError(f"the lab in {layout.directory} did not start: {state.message or 'it was stopped'}")
        if not alive:
            raise LabDiedError(f"the lab's supervisor ended:\n{layout.log('supervisor').read_text()[-2000:]}")
        if state is not None:
            for name in (name for name in state.pids if name not in seen):
                progress(f"starting {name}")
            seen.update(state.pids)
            if state.phase == "running":
                return Lab(layout.directory, state.description)
        time.sleep(0.05)
    stop(layout)
    raise LabDiedError(f"the lab was not ready after {START_SECONDS:.0f} s; read {layout.log('supervisor')}")


@contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    with layout.start_lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

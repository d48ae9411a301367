"""Compiles the lab's programs once and keeps them outside the repository, by the hash of what made them.

Only what a command needs is compiled; parallel labs wait for one build instead of doing it twice.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from interlock.lab.errors import BuildError
from interlock.lab.settings import NEWEST_KUBERNETES, OLDEST_KUBERNETES, Kubernetes, LabSettings
from interlock.lab.tools.toolchain import find_toolchain, install_toolchain

Progress = Callable[[str], None]

MODULE: Final = Path(__file__).parent
HELM_MODULE: Final = MODULE / "helm"
NODE_MODULES: Final = MODULE / "node"
OLDEST_MODULE: Final = MODULE / "oldest"
VERSIONS: Final[Mapping[Kubernetes, str]] = {"1.36": "v1.36.4", "1.32": "v1.32.13"}
"""Each minor release of Kubernetes that a lab may have, in full."""
HEARTBEAT_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Tool:
    """One program: the name that it gets, the Go package that it is compiled from, and build tags."""

    name: str
    package: str
    tags: str = ""


TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool("etcd", "go.etcd.io/etcd/server/v3"),
        Tool("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        Tool("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        Tool("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        Tool("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        Tool("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
        Tool("kube-state-metrics", "k8s.io/kube-state-metrics/v2"),
        # Discovery of cloud machines is most of Prometheus' weight, and a lab has none.
        Tool("prometheus", "github.com/prometheus/prometheus/cmd/prometheus", tags="remove_all_sd"),
        Tool("alertmanager", "github.com/prometheus/alertmanager/cmd/alertmanager"),
    )
}
OLDEST: Final = {name: tool for name, tool in TOOLS.items() if tool.package.startswith("k8s.io/kubernetes/")}
"""What a lab of the oldest Kubernetes has in that version; all else is the same."""
HELM: Final = {"helm": Tool("helm", "helm.sh/helm/v4/cmd/helm")}
CONTROL_PLANE: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok")
MONITORING: Final = ("kube-state-metrics", "prometheus", "alertmanager")
_CNI: Final = "github.com/containernetworking/plugins/plugins"
_CONTAINERD: Final = "github.com/containerd/containerd/v2/cmd"


def silent(_: str) -> None:
    """Progress that nobody watches."""


def ensure_tools(names: Sequence[str], progress: Progress = silent, kubernetes: Kubernetes | None = None) -> Path:
    """The folder that holds the named tools, compiling those that are missing; Kubernetes as the settings have it.

    Raises ToolchainError without a usable Go, and BuildError with the compiler's last lines.
    """
    newest = _Module(MODULE, TOOLS)
    if (kubernetes or LabSettings().interlock_lab_kubernetes) != OLDEST_KUBERNETES:
        return _ensure(newest, names, progress)
    others = [name for name in names if name not in OLDEST]
    oldest = _Module(OLDEST_MODULE, OLDEST, version=VERSIONS[OLDEST_KUBERNETES])
    folder = _ensure(oldest, [name for name in names if name in OLDEST], progress)
    shared = _ensure(newest, others, progress)
    for name in others:
        with suppress(FileExistsError):
            (folder / name).symlink_to(shared / name)
    return folder


class NodeTools(BaseModel):
    """The folders that hold the programs of real nodes."""

    model_config = ConfigDict(frozen=True)

    kubelet: Path
    containerd: Path
    runc: Path
    cni: Path
    app: Path
    """The program of every image, and the runc that containerd calls."""


def ensure_node_tools(progress: Progress = silent) -> NodeTools:
    """The programs of real nodes, compiling those that are missing: eight CPU minutes after the control plane's.

    Raises ToolchainError without a usable Go, and BuildError with the compiler's last lines.
    """
    return NodeTools(**{name: _ensure(module, tuple(module.tools), progress) for name, module in _NODE.items()})


def ensure_helm(progress: Progress = silent) -> Path:
    """The program helm, compiled when it is missing.

    Raises ToolchainError without a usable Go, and BuildError with the compiler's last lines.
    """
    return _ensure(_Module(HELM_MODULE, HELM), tuple(HELM), progress) / "helm"


@dataclass(frozen=True)
class _Module:
    """A pinned Go module and the programs that are compiled from it."""

    source: Path
    tools: Mapping[str, Tool]
    cgo: bool = False
    """Needs a C compiler."""
    version: str = VERSIONS[NEWEST_KUBERNETES]
    """What the programs of Kubernetes among them say that they are."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What the compiler is told."""
        major, minor, _ = self.version.removeprefix("v").split(".")
        values = {
            "k8s.io/component-base/version.gitVersion": self.version,
            "k8s.io/component-base/version.gitMajor": major,
            "k8s.io/component-base/version.gitMinor": minor,
            "github.com/prometheus/common/version.Version": "lab",
        }
        linker = " ".join(("-s -w", *(f"-X {name}={value}" for name, value in values.items())))
        return ("-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={linker}")

    def sources(self) -> list[Path]:
        """What is compiled: for what is not ours, the lists of pinned versions say it all."""
        ours = (self.source / tool.package for tool in self.tools.values() if tool.package.startswith("./"))
        return [
            self.source / "go.mod",
            self.source / "go.sum",
            *(file for at in ours for file in sorted(at.glob("*.go"))),
        ]

    def missing(self, names: Sequence[str], folder: Path) -> list[Tool]:
        return [self.tools[name] for name in names if not (folder / name).exists()]

    def fingerprint(self, go_version: str) -> str:
        digest = hashlib.sha256()
        for file in self.sources():
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        digest.update(repr((self.flags, self.tools, go_version, platform.system(), platform.machine())).encode())
        return digest.hexdigest()[:16]

    def go_directive(self) -> str:
        file = self.source / "go.mod"
        found = re.search(r"^go (\S+)$", file.read_text(), re.MULTILINE)
        if not found:
            raise BuildError(f"{file} has no `go` line: the installation is damaged, install it again")
        return found.group(1)


def _node_module(name: str, packages: Mapping[str, str], *, cgo: bool = False) -> _Module:
    return _Module(NODE_MODULES / name, {tool: Tool(tool, package) for tool, package in packages.items()}, cgo)


# A module each: what they require of others does not fit together.
_NODE: Final = {
    "kubelet": _node_module("kubelet", {"kubelet": "k8s.io/kubernetes/cmd/kubelet"}),
    "containerd": _node_module(
        "containerd", {name: f"{_CONTAINERD}/{name}" for name in ("containerd", "containerd-shim-runc-v2")}
    ),
    "runc": _node_module("runc", {"runc": "github.com/opencontainers/runc"}, cgo=True),
    "cni": _node_module(
        "cni",
        {
            "bridge": f"{_CNI}/main/bridge",
            "loopback": f"{_CNI}/main/loopback",
            "host-local": f"{_CNI}/ipam/host-local",
        },
    ),
    "app": _node_module("app", {"program": "./program", "runc-unconfined": "./runc-unconfined"}),
}


def _ensure(module: _Module, names: Sequence[str], progress: Progress) -> Path:
    settings = LabSettings()
    toolchain = find_toolchain(module.go_directive(), settings.cache, settings.path)
    folder = settings.cache / "tools" / module.fingerprint(toolchain.version) / "bin"
    if module.missing(names, folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _build_lock(folder.parent, progress):
            if missing := module.missing(names, folder):
                go = toolchain.binary or install_toolchain(settings.cache, progress)
                progress(f"compiling {len(missing)} tools with Go {toolchain.version}, once, into {folder}")
                _build_all(go, missing, module, folder, progress)
    return folder


def _build_all(go: Path, tools: list[Tool], module: _Module, folder: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for file in module.sources():
            copy = Path(scratch) / file.relative_to(module.source)
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(file, copy)
        for number, tool in enumerate(tools, start=1):
            built = Path(scratch) / "built" / tool.name
            command = [str(go), "build", "-v", *module.flags, f"-tags={tool.tags}", "-o", str(built), tool.package]
            log = Path(scratch) / f"{tool.name}.log"
            _build(command, log, f"{tool.name} ({number} of {len(tools)})", progress, cgo=module.cgo)
            built.rename(folder / tool.name)


def _build(command: Sequence[str], log: Path, title: str, progress: Progress, *, cgo: bool) -> None:
    environment = {**os.environ, "CGO_ENABLED": str(int(cgo)), "GOTOOLCHAIN": "local", "GOWORK": "off"}
    begun = time.monotonic()
    with log.open("w") as output, subprocess.Popen(command, cwd=log.parent, env=environment, stderr=output) as build:
        while _still_running(build):
            compiled = len(log.read_text().splitlines())
            progress(f"compiling {title}: {time.monotonic() - begun:.0f} s, {compiled} packages so far")
    if build.returncode:
        raise BuildError(f"{title} did not compile:\n" + "\n".join(log.read_text().splitlines()[-15:]))
    progress(f"compiled {title} in {time.monotonic() - begun:.0f} s")


def _still_running(build: "subprocess.Popen[bytes]") -> bool:
    try:
        build.wait(HEARTBEAT_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    except BaseException:
        build.kill()
        raise
    return False


@contextmanager
def _build_lock(folder: Path, progress: Progress) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another lab is compiling the tools: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

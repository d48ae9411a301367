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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interlock.lab.errors import BuildError
from interlock.lab.settings import LabSettings
from interlock.lab.tools.toolchain import find_toolchain, install_toolchain

Progress = Callable[[str], None]

MODULE: Final = Path(__file__).parent
HELM_MODULE: Final = MODULE / "helm"
KUBERNETES_VERSION: Final = "v1.36.4"
LDFLAGS: Final = (
    "-s -w"
    f" -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"
    " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
    " -X github.com/prometheus/common/version.Version=lab"
)
FLAGS: Final = ("-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={LDFLAGS}")
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
HELM: Final = {"helm": Tool("helm", "helm.sh/helm/v4/cmd/helm")}
CONTROL_PLANE: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok")
MONITORING: Final = ("kube-state-metrics", "prometheus", "alertmanager")


def silent(_: str) -> None:
    """Progress that nobody watches."""


def ensure_tools(names: Sequence[str], progress: Progress = silent) -> Path:
    """The folder that holds the named tools, compiling those that are missing.

    Raises ToolchainError without a usable Go, and BuildError with the compiler's last lines.
    """
    return _ensure(_Module(MODULE, TOOLS), names, progress)


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

    def missing(self, names: Sequence[str], folder: Path) -> list[Tool]:
        return [self.tools[name] for name in names if not (folder / name).exists()]

    def fingerprint(self, go_version: str) -> str:
        digest = hashlib.sha256()
        for name in ("go.mod", "go.sum"):
            digest.update(hashlib.sha256((self.source / name).read_bytes()).digest())
        digest.update(repr((FLAGS, self.tools, go_version, platform.system(), platform.machine())).encode())
        return digest.hexdigest()[:16]

    def go_directive(self) -> str:
        file = self.source / "go.mod"
        found = re.search(r"^go (\S+)$", file.read_text(), re.MULTILINE)
        if not found:
            raise BuildError(f"{file} has no `go` line: the installation is damaged, install it again")
        return found.group(1)


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
                _build_all(go, missing, module.source, folder, progress)
    return folder


def _build_all(go: Path, tools: list[Tool], source: Path, folder: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for name in ("go.mod", "go.sum"):
            shutil.copy(source / name, scratch)
        for number, tool in enumerate(tools, start=1):
            _build(go, tool, Path(scratch), f"{tool.name} ({number} of {len(tools)})", progress)
            (Path(scratch) / tool.name).rename(folder / tool.name)


def _build(go: Path, tool: Tool, module: Path, title: str, progress: Progress) -> None:
    command = [str(go), "build", "-v", *FLAGS, f"-tags={tool.tags}", "-o", tool.name, tool.package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    log = module / f"{tool.name}.log"
    begun = time.monotonic()
    with log.open("w") as output, subprocess.Popen(command, cwd=module, env=environment, stderr=output) as build:
        while _still_running(build):
            compiled = len(log.read_text().splitlines())
            progress(f"compiling {title}: {time.monotonic() - begun:.0f} s, {compiled} packages so far")
    if build.returncode:
        raise BuildError(f"{tool.name} did not compile:\n" + "\n".join(log.read_text().splitlines()[-15:]))
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

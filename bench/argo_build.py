"""Compiles Argo's workflow-controller, once, from the Go modules that bench/argo pins."""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interlock.lab.settings import LabSettings
from interlock.lab.tools.build import Progress
from interlock.lab.tools.toolchain import find_toolchain, install_toolchain

MODULE = Path(__file__).parent / "argo"
ARGO = "github.com/argoproj/argo-workflows/v3"
GO = "1.26.0"


@dataclass(frozen=True)
class Controller:
    """The program, and the definitions of its kinds."""

    program: Path
    definitions: tuple[Path, ...]


def controller(progress: Progress) -> Controller:
    """The workflow-controller; compiling it takes some minutes.

    Raises:
        subprocess.CalledProcessError: it did not compile; the compiler has said why.
    """
    settings = LabSettings()
    go = find_toolchain(GO, settings.cache, settings.path).binary or install_toolchain(settings.cache, progress)
    pinned = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    program = settings.cache / "argo" / hashlib.sha256(pinned).hexdigest()[:16] / "workflow-controller"
    if not program.exists():
        progress(f"compiling Argo's workflow-controller into {program.parent}: some minutes")
        program.parent.mkdir(parents=True, exist_ok=True)
        half = program.with_suffix(".half")
        _go(go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", f"-o={half}", _package())
        half.rename(program)
    source = Path(_go(go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", ARGO).strip())
    minimal = source / "manifests/base/crds/minimal"
    return Controller(program, tuple(sorted(minimal.glob("argoproj.io_*.yaml"))))


def _package() -> str:
    return f"{ARGO}/cmd/workflow-controller"


def _go(go: Path, *arguments: str) -> str:
    command: Sequence[str] = [str(go), *arguments]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    done = subprocess.run(command, cwd=MODULE, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout

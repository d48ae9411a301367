"""Where the charts are that make a cluster ready for Interlock, in a checkout and in an installed wheel alike.

The templates directly below `templates/` are plain YAML without a value in them: what roles and policies say does not
depend on how somebody installs, and can be read, compared and applied without helm. Templates that depend on values
stand in folders below.
"""

from pathlib import Path
from typing import Any, Literal

import yaml

_HERE = Path(__file__).resolve().parent
_REPOSITORY = _HERE.parents[2]

Manifests = Literal["crds", "install"]
_CHARTS: dict[Manifests, str] = {"crds": "interlock-crds", "install": "interlock"}


class ManifestsMissing(RuntimeError):
    """The installation is incomplete: the charts that belong to it are not there."""


def chart(kind: Manifests) -> Path:
    """The folder of the chart of that kind.

    Raises:
        ManifestsMissing: neither the package nor the repository around it has it.
    """
    for candidate in (_HERE / "data" / "charts", _REPOSITORY / "charts"):
        if (candidate / _CHARTS[kind] / "Chart.yaml").is_file():
            return candidate / _CHARTS[kind]
    raise ManifestsMissing(f"no chart {_CHARTS[kind]} beside {_HERE}: reinstall the package")


def folder(kind: Manifests) -> Path:
    """The folder with the manifests of that kind.

    Raises:
        ManifestsMissing: neither the package nor the repository around it has them.
    """
    return chart(kind) / "templates"


def resources(kind: Manifests) -> tuple[Path, ...]:
    """The manifests in the order in which they are applied: `crds` first, then what `install` holds.

    The workloads, which depend on values, are not among them.

    Raises:
        ManifestsMissing: neither the package nor the repository around it has them.
    """
    return tuple(sorted(folder(kind).glob("*.yaml")))


def documents(kind: Manifests) -> list[dict[str, Any]]:
    """What the manifests of that kind hold, in the order in which it is applied.

    Raises:
        ManifestsMissing: neither the package nor the repository around it has them.
    """
    return [document for path in resources(kind) for document in yaml.safe_load_all(path.read_text()) if document]

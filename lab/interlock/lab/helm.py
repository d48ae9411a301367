"""Installs charts the way that users do, by helm, so that what a lab is tried with is what is shipped."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from interlock.lab.errors import LabError
from interlock.lab.settings import LabSettings
from interlock.lab.tools import Progress, ensure_helm


class Release(BaseModel):
    """A chart as it is to be installed: under a name, in a namespace that helm makes where it is missing."""

    model_config = ConfigDict(frozen=True)

    name: str
    namespace: str
    chart: Path
    settings: tuple[str, ...] = ()
    """What differs from the chart's own values, as helm takes it: `--set=operator.enabled=false`, `--values=FILE`."""

    def arguments(self) -> tuple[str, ...]:
        """What helm is asked to bring the cluster to this release, from nothing or from any version before."""
        place = (f"--namespace={self.namespace}", "--create-namespace")
        return ("upgrade", "--install", self.name, str(self.chart.resolve()), *place, *self.settings)


class Helm(BaseModel):
    """A helm with the cluster and the identity that it uses."""

    model_config = ConfigDict(frozen=True)

    binary: Path
    connection: tuple[str, ...]

    def command(self, *arguments: str) -> tuple[str, ...]:
        """The whole command line."""
        return (str(self.binary), *self.connection, *arguments)

    def run(self, *arguments: str) -> str:
        """What helm printed; raises LabError with its words when it failed."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"helm {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def install(self, release: Release, *more: str) -> str:
        """Brings the cluster to this release; raises LabError with helm's words."""
        return self.run(*release.arguments(), *more)


def find_helm(connection: Sequence[str], progress: Progress) -> Helm:
    """The user's own helm, else one that is compiled once, for a cluster named by helm's own options.

    Raises ToolchainError and BuildError where there is neither a helm nor a Go to compile it with.
    """
    found = shutil.which("helm", path=LabSettings().path)
    return Helm(binary=Path(found) if found else ensure_helm(progress), connection=tuple(connection))

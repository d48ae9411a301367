"""Speaks to a cluster the way a person does: by kubectl, so that every fault is a change that anybody could make."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from interlock.lab.errors import LabError
from interlock.lab.lab import Lab
from interlock.lab.settings import LabSettings
from interlock.lab.setup import DEVELOPERS

DEVELOPER = "dana"


@dataclass(frozen=True)
class Kubectl:
    """A kubectl with the cluster and the identity that it uses."""

    binary: Path
    arguments: tuple[str, ...]

    def run(self, *arguments: str) -> str:
        """What kubectl printed; raises LabError with its words when it failed."""
        command = [str(self.binary), *self.arguments, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def administrator(lab: Lab) -> Kubectl:
    """The lab's administrator."""
    return Kubectl(lab.kubectl, (f"--kubeconfig={lab.kubeconfig}",))


def developer(lab: Lab) -> Kubectl:
    """A member of the team that runs the workloads: may edit what is in namespaces, nothing else."""
    return Kubectl(lab.kubectl, (f"--kubeconfig={lab.client_certificate_kubeconfig(DEVELOPER, [DEVELOPERS])}",))


def existing_cluster(context: str) -> Kubectl:
    """The user's own identity in their own cluster; raises LabError without kubectl or such a context."""
    binary = shutil.which("kubectl", path=LabSettings().path)
    if binary is None:
        raise LabError(
            f"--context {context}: no kubectl on PATH; install it from https://kubernetes.io/docs/tasks/tools"
        )
    kubectl = Kubectl(Path(binary), (f"--context={context}",))
    kubectl.run("get", "namespaces", "--output=name")
    return kubectl

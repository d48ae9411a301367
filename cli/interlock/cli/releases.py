"""Interlock on a cluster as two releases of helm: the kinds, which stay, and what works with them."""

import time
from collections.abc import Sequence
from pathlib import Path

from interlock.cli.errors import CommandError
from interlock.crds.manifests import chart
from interlock.crds.names import SYSTEM_NAMESPACE
from interlock.lab import LabError
from interlock.lab.helm import Helm, Release, find_helm
from interlock.lab.tools import Progress

CONTRACT_ONLY = ("--set=operator.enabled=false", "--set=agents.enabled=false")
"""Values for a cluster on which operator and agents run otherwise, or not at all."""
_SETTLE_SECONDS = 30


def definitions() -> Release:
    """The kinds of the contract."""
    return Release(name="interlock-crds", namespace=SYSTEM_NAMESPACE, chart=chart("crds"))


def interlock(settings: Sequence[str] = ()) -> Release:
    """Roles, policies, the default guardrail and the workloads."""
    return Release(name="interlock", namespace=SYSTEM_NAMESPACE, chart=chart("install"), settings=tuple(settings))


def helm_for(context: str, kubeconfig: str, progress: Progress) -> Helm:
    """The helm for a cluster of the caller's.

    Raises:
        CommandError: there is neither a helm nor a Go to compile it with.
    """
    connection = [f"--kube-context={context}"] if context else []
    connection += [f"--kubeconfig={Path(kubeconfig).expanduser()}"] if kubeconfig else []
    try:
        return find_helm(connection, progress)
    except LabError as wrong:
        raise CommandError(str(wrong), "Install helm: https://helm.sh/docs/intro/install") from wrong


def install_all(helm: Helm, releases: Sequence[Release], progress: Progress) -> None:
    """Installs or upgrades releases, the definitions first; objects that were applied without helm become theirs.

    Raises:
        CommandError: something is refused, or the definitions do not come into force.
    """
    for release in releases:
        progress(f"{release.name} into {release.namespace}")
        _insistently(helm, release)


def _insistently(helm: Helm, release: Release) -> None:
    """A definition takes a moment to be served: a refusal for that reason passes."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        try:
            helm.install(release, "--take-ownership")
        except LabError as wrong:
            if "ensure CRDs are installed first" not in str(wrong) or time.monotonic() > deadline:
                raise CommandError(str(wrong)) from wrong
            time.sleep(0.2)
        else:
            return

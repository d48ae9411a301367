"""`interlock install`: the two charts, by helm."""

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.errors import UsageError
from interlock.cli.manifests import print_yaml
from interlock.cli.options import Kubeconfig
from interlock.cli.releases import CONTRACT_ONLY, definitions, helm_for, install_all, interlock
from interlock.cli.screen import say
from interlock.crds.manifests import documents
from interlock.crds.names import SYSTEM_NAMESPACE

app = typer.Typer(rich_markup_mode=None)


@app.command()
def install(
    context: Annotated[str, typer.Option(help="Context to install to; never the current one unless named.")] = "",
    kubeconfig: Kubeconfig = "",
    values: Annotated[list[Path] | None, typer.Option("--values", "-f", help="Values for the chart interlock.")] = None,
    contract_only: Annotated[
        bool, typer.Option("--contract-only", help="Without operator and agents: they run elsewhere.")
    ] = False,
    show: Annotated[bool, typer.Option("--print", help="Print the contract's manifests, install nothing.")] = False,
) -> None:
    """Put Interlock on a cluster, or bring it to this version: the charts interlock-crds and interlock, by helm.

    Needs the rights of the cluster's owner, and helm 3.17 or later; without one, helm is compiled once. Doing it again
    changes nothing.

    \b
        interlock install --context staging --values values.yaml
        interlock install --print | kubectl apply --server-side -f -
        interlock doctor --context staging
    """
    if show:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}
        print_yaml([namespace, *documents("crds"), *documents("install")])
        return
    if not context:
        raise UsageError("--context must name the cluster", "See `kubectl config get-contexts`.")
    settings = [f"--values={path}" for path in values or ()] + list(CONTRACT_ONLY if contract_only else ())
    install_all(helm_for(context, kubeconfig, _quietly), (definitions(), interlock(settings)), _quietly)
    say("Interlock is installed. Next: interlock namespace opt-in NAME --apply, then interlock doctor.")


def _quietly(line: str) -> None:
    say(f"  {line}", "dim")

"""`interlock install`: definitions, roles, policies and the cautious guardrail, by server-side apply."""

from typing import Annotated

import typer

from interlock.cli.errors import UsageError
from interlock.cli.manifests import install_all, print_yaml, shipped
from interlock.cli.options import Kubeconfig, connect
from interlock.cli.screen import say

app = typer.Typer(rich_markup_mode=None)


@app.command()
def install(
    context: Annotated[str, typer.Option(help="Context to install to; never the current one unless named.")] = "",
    kubeconfig: Kubeconfig = "",
    show: Annotated[bool, typer.Option("--print", help="Print the manifests instead of applying them.")] = False,
) -> None:
    """Put Interlock's definitions, roles, policies and a cautious guardrail on a cluster.

    Needs the rights of the cluster's owner. Nothing of Interlock runs afterwards: start the operator and the agents
    under the accounts that this creates. Applying it again changes nothing.

    \b
        interlock install --context staging
        interlock install --print | kubectl apply --server-side -f -
        interlock doctor --context staging
    """
    if show:
        print_yaml([*shipped("crds"), *shipped("install")])
        return
    if not context:
        raise UsageError("--context must name the cluster", "See `kubectl config get-contexts`.")
    count = install_all(connect(context, kubeconfig), lambda name: say(f"  {name}", "dim"))
    say(f"{count} objects are applied. Next: interlock namespace opt-in NAME, then interlock doctor.")

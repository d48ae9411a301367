"""`interlock uninstall`: ends what is under way, and only then takes everything off the cluster."""

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli import removal
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.options import Cluster, Kubeconfig, connect
from interlock.cli.releases import helm_for
from interlock.cli.screen import say
from interlock.crds.names import AGENTS_NAMESPACE, SYSTEM_NAMESPACE

app = typer.Typer(rich_markup_mode=None)


@app.command()
def uninstall(
    context: Annotated[str, typer.Option(help="Context to remove it from; never the current one unless named.")] = "",
    kubeconfig: Kubeconfig = "",
    kinds: Annotated[
        bool, typer.Option("--kinds", help="Also the definitions, with every runbook and execution on the cluster.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds that what is under way has to end.")] = 300,
    abandon: Annotated[
        Path | None, typer.Option(help="Write what does not end in time to this new file, and let it go half done.")
    ] = None,
) -> None:
    """Take Interlock off a cluster, without leaving anything half done or a namespace that cannot be deleted.

    New requests are refused; executions under way are cancelled, undone by their runbooks' own policies and archived,
    by the operator, which must still run. Then workloads, policies, roles and grants go. The archive stays.

    \b
        interlock uninstall --context staging
        interlock uninstall --context staging --kinds
        interlock uninstall --context staging --timeout 60 --abandon left.jsonl
    """
    if not context:
        raise UsageError("--context must name the cluster", "See `kubectl config get-contexts`.")
    if abandon is not None and abandon.exists():
        raise UsageError(f"--abandon {abandon}: there is such a file already")
    cluster, helm = connect(context, kubeconfig), helm_for(context, kubeconfig, _quietly)
    removal.close(cluster)
    try:
        left = _end_all(cluster, timeout, abandon)
        removal.remove(cluster, helm, _quietly, kinds=kinds and not left)
        if left and abandon is not None:
            removal.abandon(cluster, left, abandon)
            say(f"{len(left)} executions were let go as they were; {abandon} has their records", "red")
            removal.remove(cluster, helm, _quietly, kinds=kinds)
    finally:
        removal.reopen(cluster)
    say("Interlock is off this cluster. What is left holds your data and keys; when you need neither:")
    say(f"  kubectl delete namespace {SYSTEM_NAMESPACE} {AGENTS_NAMESPACE}")


def _end_all(cluster: Cluster, timeout: float, abandon: Path | None) -> list[removal.Held]:
    """What could not be ended, where that is accepted."""
    try:
        left = removal.let_go(cluster, timeout, _quietly)
    except CommandError:
        if abandon is None:
            raise
        left = removal.held(cluster)
    if left and abandon is None:
        listed = "\n".join(f"  {one}" for one in left)
        way_out = "Nothing was removed. Give it more --timeout, answer what waits for a person, or --abandon FILE."
        raise CommandError(f"{len(left)} executions have not ended in {timeout:.0f} s:\n{listed}", way_out)
    return left


def _quietly(line: str) -> None:
    say(f"  {line}", "dim")

"""`interlock namespace`: what a team applies to let Interlock see and act in its namespace."""

from typing import Annotated

import typer

from interlock.cli import manifests as manifests_
from interlock.cli.errors import UsageError
from interlock.cli.options import Context, Format, Kubeconfig, connect
from interlock.cli.screen import Output, as_json, say, table
from interlock.crds.names import OPT_IN_LABEL, OPT_IN_VALUE
from interlock.runbooks import rbac

app = typer.Typer(no_args_is_help=True, help="Opt namespaces in to remediation.", rich_markup_mode=None)


@app.command("opt-in")
def opt_in(
    name: Annotated[str, typer.Argument(help="The namespace.", metavar="NAME")],
    apply: Annotated[bool, typer.Option("--apply", help="Apply it instead of printing it.")] = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Let Interlock see and act in a namespace. Prints what that takes, or applies it.

    \b
        interlock namespace opt-in shop | kubectl apply --server-side -f -
        interlock namespace opt-in shop --apply
    """
    try:
        manifests = rbac.opt_in(name)
    except ValueError as wrong:
        raise UsageError(f"NAME: {wrong}", "Name a namespace of a team's workloads.") from wrong
    if not apply:
        manifests_.print_yaml(manifests)
        return
    manifests_.opt_in(connect(context, kubeconfig), name, lambda what: say(f"  {what}", "dim"))
    say(f"{name} is opted in. Next, grant runbooks there: interlock runbook publish --catalogue --grant {name}")


@app.command("list")
def list_(context: Context = "", kubeconfig: Kubeconfig = "", output: Format = Output.table) -> None:
    """The namespaces that are opted in."""
    cluster = connect(context, kubeconfig)
    found = cluster.items("/api/v1/namespaces", labelSelector=f"{OPT_IN_LABEL}={OPT_IN_VALUE}")
    names = [item["metadata"]["name"] for item in found]
    if output is Output.json:
        as_json(names)
    else:
        table(["namespace"], [[name] for name in names], "no namespace is opted in: interlock namespace opt-in NAME")

"""`interlock execution`: ask for a runbook as yourself, and watch what comes of it."""

from typing import Annotated

import typer

from interlock.cli.cluster import executions_path
from interlock.cli.errors import as_usage
from interlock.cli.executions import read_execution, seen
from interlock.cli.follow import follow
from interlock.cli.granting import demand_granted
from interlock.cli.journal_view import show_journal
from interlock.cli.options import Context, Format, Kubeconfig, Namespace, connect
from interlock.cli.plan_view import show_plan
from interlock.cli.requests import aimed_at, fresh_name, parameters
from interlock.cli.runbooks import pinned, published
from interlock.cli.screen import Output, as_json, say, table
from interlock.cli.spans import age
from interlock.crds.execution import TERMINAL, Reason, RunbookExecutionSpec, RunbookRef, new_execution
from interlock.crds.names import SYSTEM_NAMESPACE

HELP = """
Ask for a runbook, and watch what comes of it.

\b
    interlock execution list -A
    interlock execution request rollback-deployment-1.1.0 -n shop \\
        --target Deployment/checkout --reason "1.5.0 crashes at its start" --watch
    interlock execution watch NAME -n shop

Whoever asks cannot approve: that takes another person, with `kubectl interlock approve`.
"""
app = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="Name of the execution.", metavar="NAME")]


@app.command("list")
def list_(
    namespace: Namespace = "",
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")] = False,
    *,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """Executions that the cluster still holds; finished ones go to the archive: interlock audit list."""
    cluster = connect(context, kubeconfig, namespace)
    found = [seen(body) for body in cluster.items(executions_path("" if everywhere else cluster.namespace))]
    rows = [
        {
            "namespace": item.execution.namespace,
            "name": item.execution.name,
            "runbook": item.execution.spec.runbook.name,
            "target": str(item.execution.spec.target),
            "phase": item.phase,
            "approvals": item.execution.status.approvals if item.execution.status else "",
            "askedBy": item.execution.spec.requested_by,
            "createdAt": item.execution.created_at,
        }
        for item in sorted(found, key=lambda item: item.execution.created_at)
    ]
    if output is Output.json:
        as_json(rows)
        return
    lines = [[*list(row.values())[:-1], age(row["createdAt"])] for row in rows]
    columns = ["namespace", "name", "runbook", "target", "phase", "approvals", "asked by", "age"]
    table(columns, lines, "no execution here; look in all namespaces with -A")


@app.command()
def show(
    name: Name,
    *,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """All about one execution: what was asked, what is planned, what was done."""
    cluster = connect(context, kubeconfig, namespace)
    found = read_execution(cluster, name)
    if output is Output.json:
        as_json(found.body)
        return
    if found.execution.status and found.execution.status.plan:
        show_plan(found, pinned(cluster, found.execution.spec.runbook))
        say()
    else:
        status = found.execution.status
        say(f"{found.execution.key} is {found.phase}: {status.message if status else 'the operator has not seen it'}")
    if not show_journal(found):
        raise typer.Exit(1)


@app.command()
def watch(name: Name, *, namespace: Namespace = "", context: Context = "", kubeconfig: Kubeconfig = "") -> None:
    """Print what happens as it happens, until it ends; exit code 1 unless it ended well."""
    if follow(connect(context, kubeconfig, namespace), name) not in ("Succeeded", "HandedOver", "Planned", "NotNeeded"):
        raise typer.Exit(1)


@app.command()
def request(
    runbook: Annotated[str, typer.Argument(help="Name of a published runbook.", metavar="RUNBOOK")],
    target: Annotated[str, typer.Option(help="What to act on, as Kind/name.", metavar="KIND/NAME")],
    reason: Annotated[str, typer.Option(help="What is broken, and why this should help.", metavar="TEXT")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="A parameter; repeatable.", metavar="NAME=VALUE")
    ] = None,
    *,
    namespace: Namespace = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only.")] = False,
    watch_: Annotated[bool, typer.Option("--watch", "-w", help="Then print what happens.")] = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """Ask for a runbook as yourself; the operator plans it, and somebody else approves."""
    cluster = connect(context, kubeconfig, namespace)
    found = published(cluster, runbook)
    aim = aimed_at(cluster, found, target)
    with as_usage("--reason"):
        spec = RunbookExecutionSpec(
            runbook=RunbookRef(name=runbook, digest=found.digest()),
            target=aim,
            parameters=parameters(found, "--parameter", parameter or [], {}),
            reason=Reason(summary=reason),
            requested_by=cluster.whoami(),
            dry_run=dry_run,
        )
    demand_granted(cluster, found, aim.namespace)
    place = aim.namespace or SYSTEM_NAMESPACE
    name = fresh_name(found, aim)
    created = cluster.create(executions_path(place), new_execution(name=name, namespace=place, spec=spec))
    if output is Output.json:
        as_json(created)
    else:
        say(f"asked for: {place}/{name}")
        say(f"its plan, once there is one: kubectl interlock plan {name} -n {place}")
    if watch_ and follow(connect(context, kubeconfig, place), name) not in TERMINAL:
        raise typer.Exit(1)

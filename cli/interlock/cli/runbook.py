"""`interlock runbook`: look at runbooks, judge them, publish them, and see what they would be granted."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.cli.attest import sign, verify
from interlock.cli.attesting import Attested, append, read_lines, with_attestations
from interlock.cli.cluster import executions_path, runbooks_path
from interlock.cli.errors import UsageError
from interlock.cli.executions import read_execution
from interlock.cli.follow import follow
from interlock.cli.lazy import Root
from interlock.cli.manifests import apply_all, print_yaml
from interlock.cli.options import Context, Format, Kubeconfig, Namespace, connect
from interlock.cli.plan_view import show_plan
from interlock.cli.requests import aimed_at, fresh_name, parameters
from interlock.cli.runbooks import catalogue, chosen, from_names, grants, manifest, parsed, published
from interlock.cli.screen import Output, as_json, fields, say, table
from interlock.crds.execution import Reason, RunbookExecutionSpec, RunbookRef, new_execution
from interlock.crds.names import SYSTEM_NAMESPACE
from interlock.crds.runbook import Runbook
from interlock.runbooks.explain import explain as explained
from interlock.runbooks.lint import lint as findings
from interlock.runbooks.loading import Loaded
from interlock.runbooks.skeleton import begin

HELP = """
Look at runbooks, judge and publish them.

\b
    interlock runbook list                                  what ships with Interlock
    interlock runbook show rollback-deployment              what one does, and its page for the on-call
    interlock runbook new restart-cache                     begin one of your own
    interlock runbook lint my-runbooks/                     what is wrong with yours
    interlock runbook vet my-runbooks/                      try them on a real API server
    interlock runbook sign my-runbooks/ --vetting … --key … attest what passed
    interlock runbook publish --catalogue --grant shop      put them on a cluster, allowed to act in shop
"""


class RunbookGroup(Root):
    """The commands on runbooks; vetting, which needs operator and lab, is imported when it is called."""

    deferred = {  # noqa: RUF012 - typer takes a class, not an instance
        "vet": ("interlock.cli.vetting.command", "Try runbooks on a real API server, before they are trusted."),
    }


app = typer.Typer(cls=RunbookGroup, no_args_is_help=True, help=HELP, rich_markup_mode=None)
app.command()(sign)
app.command()(verify)

Paths = Annotated[
    list[str] | None, typer.Argument(help="Files, folders, or names of the catalogue.", metavar="RUNBOOK...")
]


@app.command("list")
def list_(
    published_: Annotated[bool, typer.Option("--published", help="Those of the cluster, not those that ship.")] = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """The runbooks that ship with Interlock, or those that are published on a cluster."""
    if published_:
        bodies = connect(context, kubeconfig).items(runbooks_path())
        rows = [_row(parsed(body)) | {"vetted": _vetted(body)} for body in bodies]
    else:
        rows = [_row(item.runbook) for item in catalogue()]
    if output is Output.json:
        as_json(rows)
    else:
        empty = "no runbook is published: interlock runbook publish --catalogue"
        table(list(rows[0]) if rows else [], [list(row.values()) for row in rows], empty)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name, family or file.", metavar="RUNBOOK")],
    published_: Annotated[bool, typer.Option("--published", help="The one on the cluster.")] = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """What a runbook does: parameters, preconditions, steps, verification, and its page for the on-call."""
    page = ""
    if published_:
        runbook = published(connect(context, kubeconfig), name)
    else:
        loaded = from_names([name])[-1]
        runbook, page = loaded.runbook, loaded.page
    if output is Output.json:
        as_json(manifest(runbook))
        return
    _describe(runbook)
    if page:
        say("\n" + page)


@app.command()
def lint(runbooks: Paths = None, output: Format = Output.table) -> None:
    """Say what is wrong with runbooks, with file, line and the way out; exit code 1 if anything is."""
    loaded = chosen(runbooks, everything=False)
    problems = [problem for item in loaded for problem in findings(item)]
    if output is Output.json:
        shown = [{**vars(problem), "path": str(problem.path)} for problem in problems]
        as_json(shown)
    else:
        for problem in problems:
            say(str(problem))
        say(f"{len(loaded)} runbooks, {len(problems)} problems")
    if problems:
        raise typer.Exit(1)


@app.command()
def digest(runbooks: Paths = None, output: Format = Output.table) -> None:
    """The digests that executions pin."""
    found = {item.runbook.metadata.name: item.runbook.digest() for item in chosen(runbooks, everything=False)}
    if output is Output.json:
        as_json(found)
    else:
        table(["runbook", "digest"], found.items(), "no runbook")


@app.command()
def new(
    family: Annotated[str, typer.Argument(help="What it will do, as verb-object: restart-cache.", metavar="FAMILY")],
    folder: Annotated[Path | None, typer.Option("--dir", help="Where; by default a folder of that name here.")] = None,
) -> None:
    """Begin a runbook: a folder with a small one that lints and vets as it is, to be changed into yours."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?", family):
        raise UsageError(f"FAMILY: {family!r} is no name", "Lower-case letters, digits and hyphens: restart-cache.")
    try:
        written = begin(family, folder or Path(family))
    except FileExistsError as there:
        raise UsageError(f"{there.filename} is there already", "Choose another name, or another --dir.") from there
    for file in written:
        say(f"  {file}", "dim")
    say(f"Change it, then: interlock runbook lint {written[0].parent}")


@app.command()
def explain(runbooks: Paths = None) -> None:
    """Say in words what runbooks will do, what must be true before, and what proves that it helped."""
    for number, item in enumerate(chosen(runbooks, everything=False)):
        say(("\n" if number else "") + "\n".join(explained(item.runbook)))


@app.command()
def plan(
    runbook: Annotated[str, typer.Argument(help="Name of a published runbook.", metavar="RUNBOOK")],
    target: Annotated[str, typer.Option(help="What to act on, as Kind/name.", metavar="KIND/NAME")],
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="A parameter; repeatable.", metavar="NAME=VALUE")
    ] = None,
    *,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Show what a published runbook would change now, by a dry run; exit code 1 where it would refuse."""
    cluster = connect(context, kubeconfig, namespace)
    found = published(cluster, runbook)
    aim = aimed_at(cluster, found, target)
    spec = RunbookExecutionSpec(
        runbook=RunbookRef(name=runbook, digest=found.digest()),
        target=aim,
        parameters=parameters(found, "--parameter", parameter or [], {}),
        reason=Reason(summary="a dry run"),
        requested_by=cluster.whoami(),
        dry_run=True,
    )
    place, name = aim.namespace or SYSTEM_NAMESPACE, fresh_name(found, aim)
    cluster.create(executions_path(place), new_execution(name=name, namespace=place, spec=spec))
    asked = connect(context, kubeconfig, place)
    if follow(asked, name) != "Planned":
        raise typer.Exit(1)
    show_plan(read_execution(asked, name), found)


@app.command()
def publish(  # noqa: PLR0917 - options of a command line
    runbooks: Paths = None,
    everything: Annotated[bool, typer.Option("--catalogue", help="All that ship with Interlock.")] = False,
    grant: Annotated[
        list[str] | None, typer.Option(help="Also allow them to act in this namespace; repeatable.")
    ] = None,
    attestations: Annotated[
        list[Path] | None, typer.Option(help="Files that `sign` wrote, added to what is published; repeatable.")
    ] = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Put runbooks on a cluster. A published version never changes, but attestations can be added to it."""
    loaded = chosen(runbooks, everything=everything)
    _refuse_flawed(loaded)
    lines = [line for path in attestations or () for line in read_lines(path, Attested)]
    cluster = connect(context, kubeconfig)
    apply_all(cluster, [manifest(item.runbook) for item in loaded], lambda what: say(f"  {what}", "dim"))
    if grant:
        allowed = grants([item.runbook for item in loaded], grant)
        apply_all(cluster, allowed, lambda what: say(f"  {what}", "dim"))
    added = {i.runbook.metadata.name: append(cluster, with_attestations(i.runbook, lines)) for i in loaded}
    rows = [[i.runbook.metadata.name, i.runbook.digest(), added[i.runbook.metadata.name]] for i in loaded]
    table(["published", "digest", "attestations added"], rows, "nothing to publish")


@app.command()
def rbac(
    runbooks: Paths = None,
    namespace: Annotated[list[str] | None, typer.Option("--namespace", "-n", help="Where; repeatable.")] = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="For cluster-scoped targets, such as nodes.")] = False,
    everything: Annotated[bool, typer.Option("--catalogue", help="All that ship with Interlock.")] = False,
) -> None:
    """Print, as YAML, what runbooks have to be granted to act in namespaces: accounts, roles, bindings."""
    if not namespace and not cluster:
        way_out = "For example: interlock runbook rbac --catalogue -n shop"
        raise UsageError("--namespace or --cluster must be given", way_out)
    places = [*(namespace or ()), *([None] if cluster else [])]
    print_yaml(grants([item.runbook for item in chosen(runbooks, everything=everything)], places))


def _refuse_flawed(loaded: tuple[Loaded, ...]) -> None:
    problems = [str(problem) for item in loaded for problem in findings(item)]
    if problems:
        raise UsageError("\n".join(problems), "Nothing was published: correct this first.")


def _row(runbook: Runbook) -> dict[str, str]:
    spec = runbook.spec
    return {
        "name": runbook.metadata.name,
        "type": spec.type,
        "risk": spec.risk,
        "state": spec.state,
        "title": spec.title,
        "digest": runbook.digest(),
    }


def _vetted(body: dict[str, Any]) -> str:
    conditions = (body.get("status") or {}).get("conditions") or []
    return next((str(c["status"]) for c in conditions if c["type"] == "Vetted"), "Unknown")


def _describe(runbook: Runbook) -> None:
    spec = runbook.spec
    say(f"{runbook.metadata.name}: {spec.title}", "bold")
    fields(
        [
            ("digest", runbook.digest()),
            ("type", f"{spec.type}, risk {spec.risk}, {spec.state}"),
            ("targets", ", ".join(f"{t.kind} ({t.api_version})" for t in spec.targets)),
            ("causes", ", ".join(spec.addresses.causes)),
            ("alerts", ", ".join(alert.name for alert in spec.addresses.alerts)),
            ("approval", f"{spec.approval.quorum} of a plan that is offered {spec.approval.expires_after_seconds} s"),
            ("undo", spec.undo if spec.steps else ""),
        ]
    )
    for parameter in spec.parameters:
        bounds = (
            f"{parameter.minimum} to {parameter.maximum}" if parameter.type == "integer" else parameter.pattern or ""
        )
        say(f"  parameter {parameter.name} ({parameter.type} {bounds}, default {parameter.default})")
    for precondition in spec.preconditions:
        say(f"  refuses, unless {precondition.name}: {precondition.message}")
    for number, step in enumerate(spec.steps, start=1):
        say(f"  step {number}. {step.name}: {step.action}, at most {step.timeout_seconds} s")
    for check in spec.verification.checks if spec.verification else ():
        say(f"  proves {check.name}")

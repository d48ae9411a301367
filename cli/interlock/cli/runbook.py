"""`interlock runbook`: look at runbooks, judge them, publish them, and see what they would be granted."""

from typing import Annotated, Any

import typer

from interlock.cli.cluster import runbooks_path
from interlock.cli.errors import UsageError
from interlock.cli.manifests import apply_all, print_yaml
from interlock.cli.options import Context, Format, Kubeconfig, connect
from interlock.cli.runbooks import catalogue, from_names, grants, manifest, parsed, published
from interlock.cli.screen import Output, as_json, fields, say, table
from interlock.crds.runbook import Runbook
from interlock.runbooks.lint import lint as findings
from interlock.runbooks.loading import Loaded

HELP = """
Look at runbooks, judge and publish them.

\b
    interlock runbook list                                  what ships with Interlock
    interlock runbook show rollback-deployment              what one does, and its page for the on-call
    interlock runbook lint my-runbooks/                     what is wrong with yours
    interlock runbook publish --catalogue --grant shop      put them on a cluster, allowed to act in shop
"""
app = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode=None)

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
    loaded = _chosen(runbooks, everything=False)
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
    found = {item.runbook.metadata.name: item.runbook.digest() for item in _chosen(runbooks, everything=False)}
    if output is Output.json:
        as_json(found)
    else:
        table(["runbook", "digest"], found.items(), "no runbook")


@app.command()
def publish(
    runbooks: Paths = None,
    everything: Annotated[bool, typer.Option("--catalogue", help="All that ship with Interlock.")] = False,
    grant: Annotated[
        list[str] | None, typer.Option(help="Also allow them to act in this namespace; repeatable.")
    ] = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Put runbooks on a cluster. A published version never changes: publish a new version instead."""
    loaded = _chosen(runbooks, everything=everything)
    _refuse_flawed(loaded)
    cluster = connect(context, kubeconfig)
    apply_all(cluster, [manifest(item.runbook) for item in loaded], lambda what: say(f"  {what}", "dim"))
    if grant:
        allowed = grants([item.runbook for item in loaded], grant)
        apply_all(cluster, allowed, lambda what: say(f"  {what}", "dim"))
    table(
        ["published", "digest"], [[i.runbook.metadata.name, i.runbook.digest()] for i in loaded], "nothing to publish"
    )


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
    print_yaml(grants([item.runbook for item in _chosen(runbooks, everything=everything)], places))


def _chosen(names: list[str] | None, *, everything: bool) -> tuple[Loaded, ...]:
    if everything:
        return catalogue()
    if not names:
        raise UsageError(
            "name at least one runbook", "A file, a folder, or a name that `interlock runbook list` shows."
        )
    return from_names(names)


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

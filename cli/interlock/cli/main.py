"""`interlock`: everything that installs, runs, watches and explains Interlock."""

import importlib.metadata
from typing import Annotated

import typer

from interlock.cli.lazy import Root

EXAMPLES = """
Agents ask. Runbooks act.

An agent that diagnoses an alert can do one thing: ask for a runbook. The operator plans it, a person approves exactly
that plan, and every step is recorded.

Try it, with nothing installed:

\b
    interlock demo                                see an alert become an approved, verified fix
    interlock lab up                              a Kubernetes of your own to try it on

Put it on a cluster, and see that it is whole:

\b
    interlock install --context NAME
    interlock namespace opt-in shop --apply
    interlock runbook publish --catalogue --grant shop
    interlock doctor

Decide, as yourself:

\b
    kubectl interlock plan NAME -n shop
    kubectl interlock approve NAME -n shop
"""


class Interlock(Root):
    """The groups of `interlock`."""

    deferred = {  # noqa: RUF012 - typer takes a class, not an instance
        "demo": ("interlock.cli.demo.command", "Watch an alert become an approved, verified fix, on a lab of its own."),
        "drill": ("interlock.cli.drill.command", "Break many things at once on a lab, and see each cured or left."),
        "lab": ("interlock.lab.commands:lab_app", "A local Kubernetes to try it on, and faults to inject."),
        "install": ("interlock.cli.install", "Put definitions, roles and policies on a cluster."),
        "uninstall": ("interlock.cli.uninstall", "End what is under way, and take Interlock off a cluster."),
        "doctor": ("interlock.cli.doctor", "Say what is missing or wrong in an installation, and the way out."),
        "namespace": ("interlock.cli.namespace", "Opt namespaces in to remediation."),
        "runbook": ("interlock.cli.runbook", "Look at runbooks, judge and publish them."),
        "catalogue": ("interlock.cli.catalogue.command", "Runbooks as one signed whole: install and upgrade them."),
        "key": ("interlock.cli.key", "Keys that attest vettings and sign catalogues."),
        "execution": ("interlock.cli.execution", "Ask for a runbook, and watch what comes of it."),
        "incident": ("interlock.cli.incident", "What the agents make of the alerts."),
        "diagnose": ("interlock.cli.diagnose", "Say what is wrong in a snapshot, and what would be proposed."),
        "snapshot": ("interlock.cli.snapshot", "Write a namespace as files, to look at it elsewhere and later."),
        "topology": ("interlock.cli.topology", "Show who depends on whom in a namespace."),
        "eval": ("interlock.cli.evaluate", "Score the diagnosis on snapshots whose fault is known."),
        "audit": ("interlock.cli.audit.command", "What was done, by whom and why; and that the record is whole."),
        "alert": ("interlock.cli.alert", "Simulate alerts."),
        "operator": ("interlock.cli.operator", "Run the operator."),
        "agents": ("interlock.cli.agents", "Run the agents."),
    }


app = typer.Typer(
    cls=Interlock,
    help=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"interlock {importlib.metadata.version('interlock')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")] = False,
) -> None:
    """Holds what belongs to all commands."""


def main() -> None:
    """The entry point."""
    app(prog_name="interlock")

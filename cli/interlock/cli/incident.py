"""`interlock incident`: what the agents make of the alerts, and why."""

from pathlib import Path
from typing import Annotated

import typer

from interlock.agents.errors import IncidentNotFoundError, StoreUnavailableError
from interlock.agents.incidents import IncidentDetail, list_incidents, show_incident
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.executions import age
from interlock.cli.options import Format
from interlock.cli.screen import Output, as_json, fields, say, table

HELP = """
What the agents make of the alerts: cause, evidence, proposal, outcome.

\b
    interlock incident list --database sqlite:////var/lib/interlock/agents.db
    interlock incident show ID
"""
app = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode=None)

Database = Annotated[
    str, typer.Option("--database", envvar="INTERLOCK_AGENTS_DATABASE_URL", help="The agents' store: URL or file.")
]


@app.command("list")
def list_(database: Database = "", output: Format = Output.table) -> None:
    """All incidents, the newest first."""
    try:
        found = list_incidents(_url(database))
    except StoreUnavailableError as wrong:
        raise _unreadable(database, wrong) from wrong
    if output is Output.json:
        as_json([incident.model_dump(mode="json") for incident in found])
        return
    rows = [[i.id, i.state, i.target, i.verdict, _sure(i.confidence), i.title, age(str(i.opened_at))] for i in found]
    table(["id", "state", "target", "cause", "confidence", "title", "age"], rows, "no incident")


@app.command()
def show(
    identifier: Annotated[str, typer.Argument(help="The incident's identifier.", metavar="ID")],
    database: Database = "",
    output: Format = Output.table,
) -> None:
    """One incident: its alerts, its causes with their evidence, what was asked for, what happened."""
    try:
        found = show_incident(_url(database), identifier)
    except IncidentNotFoundError as wrong:
        raise CommandError(str(wrong), "See `interlock incident list`.") from wrong
    except StoreUnavailableError as wrong:
        raise _unreadable(database, wrong) from wrong
    if output is Output.json:
        as_json(found.model_dump(mode="json"))
    else:
        _show(found)


def _show(found: IncidentDetail) -> None:
    say(f"{found.id}: {found.title}", "bold")
    fields([("state", found.state), ("why", found.reason), ("target", found.target), ("severity", found.severity)])
    say("\nAlerts", "bold")
    for alert in found.alerts:
        say(f"  {alert.name} {alert.status} since {alert.starts_at:%H:%M:%S} {alert.summary}")
    say("\nCauses, the likeliest first", "bold")
    show_causes(found)
    if found.executions:
        say("\nAsked for", "bold")
        rows = [[e.namespace, e.name, e.runbook, e.phase, e.message] for e in found.executions]
        table(["namespace", "name", "runbook", "phase", "message"], rows, "")
    say("\nWhat happened", "bold")
    for entry in found.timeline:
        say(f"  {entry.at:%H:%M:%S}  {entry.event:<14} {entry.text}")
    missing = [evidence for evidence in found.evidence if evidence.missing]
    say(f"\n{len(found.evidence)} pieces of evidence, {len(missing)} could not be had", "bold")
    for evidence in missing:
        say(f"  {evidence.source}: {evidence.missing}")


def show_causes(found: IncidentDetail, most: int = 3) -> None:
    """The hypotheses with what each rests on, and what speaks against it."""
    for hypothesis in found.hypotheses[:most]:
        say(f"  {hypothesis.cause} ({_sure(hypothesis.confidence)}) {hypothesis.object}", "bold")
        say(f"    {hypothesis.summary}")
        for citation in hypothesis.citations:
            say(f"    [{citation.id}] {citation.source}", "cyan")
            for line in citation.excerpt.splitlines():
                say(f"        {line}", "dim")
        for objection in hypothesis.against:
            say(f"    against it: {objection}", "yellow")
    if not found.hypotheses:
        say("  none yet")


def _sure(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.2f}"


def _url(text: str) -> str:
    if not text:
        way_out = "For example: --database sqlite:////var/lib/interlock/agents.db"
        raise UsageError("--database must be given", way_out)
    return text if "://" in text else f"sqlite:///{Path(text).absolute()}"


def _unreadable(database: str, wrong: Exception) -> CommandError:
    return CommandError(f"--database: {database!r}: {wrong}", "Name the agents' DATABASE_URL.")

"""`interlock incident`: what the agents make of the alerts, and why.

What speaks to models or scores snapshots is imported by the commands that need it: `list` and `show` start at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from interlock.agents.errors import IncidentNotFoundError, StoreUnavailableError
from interlock.agents.incidents import list_incidents, show_incident
from interlock.agents.past import search_incidents
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.incident_view import show_first, show_more, show_rest
from interlock.cli.screen import Format, Output, as_json, table
from interlock.cli.spans import age

HELP = """
What the agents make of the alerts: cause, evidence, proposal, outcome.

\b
    interlock incident list --database sqlite:////var/lib/interlock/agents.db
    interlock incident search oom checkout
    interlock incident show ID --all
    interlock incident export ID --as-case ./cases/checkout-image
    interlock incident transcript ID --output json
    interlock incident replay ID
"""
app = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode=None)

Database = Annotated[
    str, typer.Option("--database", envvar="INTERLOCK_AGENTS_DATABASE_URL", help="The agents' store: URL or file.")
]


@app.command("list")
def list_(database: Database = "", output: Format = Output.table) -> None:
    """All incidents, the newest first."""
    with _store(database) as url:
        found = list_incidents(url)
    if output is Output.json:
        as_json([incident.model_dump(mode="json") for incident in found])
        return
    rows = [[i.id, i.state, i.target, i.verdict, _sure(i.confidence), i.title, age(str(i.opened_at))] for i in found]
    table(["id", "state", "target", "cause", "confidence", "title", "age"], rows, "no incident")


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(help="What to look for; each must occur, or begin a word.")],
    database: Database = "",
    output: Format = Output.table,
) -> None:
    """Incidents by their words, the best match first: titles, targets, causes, what was cited, alerts, outcomes."""
    with _store(database) as url:
        found = search_incidents(url, " ".join(words))
    if output is Output.json:
        as_json([incident.model_dump(mode="json") for incident in found])
        return
    rows = [[i.id, i.state, i.target, i.verdict, i.outcome, i.title, age(str(i.opened_at))] for i in found]
    table(["id", "state", "target", "cause", "outcome", "title", "age"], rows, "no incident has all of these words")


@app.command()
def show(
    identifier: Annotated[str, typer.Argument(help="The incident's identifier.", metavar="ID")],
    database: Database = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also alerts, all causes and evidence, and the log.")
    ] = False,
    output: Format = Output.table,
) -> None:
    """One incident on one screen: what is broken, why that is believed, what was asked for; with --all the rest."""
    with _store(database) as url:
        found = show_incident(url, identifier)
    if output is Output.json:
        as_json(found.model_dump(mode="json"))
        return
    show_first(found)
    if everything:
        show_rest(found)
    else:
        show_more(found)


@app.command()
def export(
    identifier: Annotated[str, typer.Argument(help="The incident's identifier.", metavar="ID")],
    as_case: Annotated[Path, typer.Option("--as-case", help="Directory to write; it must not exist.", metavar="DIR")],
    database: Database = "",
) -> None:
    """The incident's kept evidence as a case: a snapshot, and what is expected of it where a cure confirmed it."""
    from interlock.cli.exporting import export_case  # noqa: PLC0415 - weighs half a second

    with _store(database) as url:
        export_case(url, identifier, as_case)


@app.command()
def transcript(
    identifier: Annotated[str, typer.Argument(help="The incident's identifier.", metavar="ID")],
    database: Database = "",
    output: Format = Output.table,
) -> None:
    """What a language model was asked about an incident and what it answered; all of it with --output json."""
    from interlock.cli.consultation import show_transcript  # noqa: PLC0415

    with _store(database) as url:
        show_transcript(url, identifier, output)


@app.command()
def replay(
    identifier: Annotated[str, typer.Argument(help="The incident's identifier.", metavar="ID")],
    database: Database = "",
    output: Format = Output.table,
) -> None:
    """Whether the same conclusion follows again from what a model answered; asks no model. Ends with 1 if not."""
    from interlock.cli.consultation import replay_incident  # noqa: PLC0415

    with _store(database) as url:
        replay_incident(url, identifier, output)


def _sure(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.2f}"


@contextmanager
def _store(database: str) -> Iterator[str]:
    """The store's URL for the block, with what goes wrong there in the words of the command line."""
    if not database:
        raise UsageError("--database must be given", "For example: --database sqlite:////var/lib/interlock/agents.db")
    try:
        yield database if "://" in database else f"sqlite:///{Path(database).absolute()}"
    except IncidentNotFoundError as wrong:
        raise CommandError(str(wrong), "See `interlock incident list`.") from wrong
    except StoreUnavailableError as wrong:
        raise CommandError(f"--database: {database!r}: {wrong}", "Name the agents' DATABASE_URL.") from wrong

"""`interlock catalogue coverage`: which causes the catalogue cures, and which rightly only a person can."""

from dataclasses import asdict
from typing import Annotated

import typer

from interlock.cli.runbooks import catalogue
from interlock.cli.screen import Format, Output, as_json, say, table
from interlock.runbooks.coverage import Answer, summary
from interlock.runbooks.coverage import coverage as rows_of


def coverage(
    answer: Annotated[
        Answer | None, typer.Option(help="Only causes with this answer: runbook, report, person or open.")
    ] = None,
    output: Format = Output.table,
) -> None:
    """For each cause the runbooks and alerts, or why only a person can help, or that it is open."""
    rows = rows_of(item.runbook for item in catalogue())
    chosen = [row for row in rows if answer in (None, row.answer)]
    if output is Output.json:
        as_json([asdict(row) for row in chosen])
        return
    cells = [[row.cause, row.answer, ", ".join(row.runbooks) or row.why, ", ".join(row.alerts)] for row in chosen]
    table(["cause", "answer", "runbooks, or why none", "alerts"], cells, "no cause")
    say(", ".join(f"{count} {kind}" for kind, count in summary(rows).items()))

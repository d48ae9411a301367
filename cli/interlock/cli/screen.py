"""Everything that is printed. Text is never read as rich markup; where nobody watches, lines are plain and whole."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from interlock.cli.errors import CommandError
from interlock.cli.text import safe, safe_lines

_PLAIN_WIDTH = 1000
_GOOD = frozenset({"Succeeded", "HandedOver", "OK", "resolved", "Active", "Ready", "verified"})
_BAD = frozenset({"Failed", "Refused", "Denied", "Undone", "WRONG", "BROKEN", "escalated", "Expired", "firing"})
_WAITS = frozenset({"AwaitingApproval", "AwaitingPerson", "proposed"})


class Output(StrEnum):
    """How a command answers."""

    table = "table"
    json = "json"


Format = Annotated[Output, typer.Option("--output", "-o", help="For people, or for a machine.")]


def console(*, error: bool = False) -> Console:
    """Standard output, or standard error; made anew so that a redirected stream is the one that is written."""
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, legacy_windows=False)


def say(text: str = "", style: str = "") -> None:
    """One line or several, unwrapped."""
    console().print(Text("\n".join(safe_lines(text)), style=style), soft_wrap=True)


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values, aligned; empty values are left out."""
    shown = [(name, value) for name, value in pairs if value not in ("", None)]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        first, *rest = safe_lines(value)
        line = Text.assemble((f"{name:<{width}}  ", "bold"), (first, tone(first)))
        console().print(line, soft_wrap=True)
        for more in rest:
            console().print(Text(" " * (width + 2) + more), soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A table, or a sentence where there is nothing to show."""
    lines = [[safe(cell) for cell in row] for row in rows]
    if not lines:
        say(empty)
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column.upper(), overflow="fold")
    for line in lines:
        shown.add_row(*(Text(cell, style=tone(cell)) for cell in line))
    out = console()
    with_ends = out.capture() if not out.is_terminal else None
    if with_ends is None:
        out.print(shown)
        return
    with with_ends:
        out.print(shown)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in with_ends.get().splitlines()))


def tone(word: str) -> str:
    """The colour of a state."""
    if word in _GOOD:
        return "green"
    if word in _BAD:
        return "red"
    return "yellow" if word in _WAITS else ""


def as_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """The value for a machine; not ASCII is escaped, so nothing in it can reach a terminal."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True, default=str) + "\n")


def complain(error: CommandError) -> None:
    """What is wrong, and the way out, on standard error."""
    out = console(error=True)
    lines = safe_lines(error.message)
    out.print(Text.assemble(("error: ", "bold red"), "\n".join(lines)), soft_wrap=True)
    if error.way_out:
        out.print(Text("\n".join(safe_lines(error.way_out))), soft_wrap=True)

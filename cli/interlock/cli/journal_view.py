"""The journal as people read it, and whether its chain bears it out."""

import json
from collections.abc import Iterator

from rich.text import Text

from interlock.cli import screen
from interlock.cli.executions import Seen
from interlock.cli.text import safe, short
from interlock.crds.journal import Entry

_DETAIL = 150


def show_journal(found: Seen, *, whole: bool = False) -> bool:
    """Prints the journal and the verdict on its chain; returns whether the chain holds."""
    out = screen.console()
    for entry in found.execution.journal:
        out.print(entry_line(entry, whole=whole), soft_wrap=True)
    broken = found.broken_at()
    out.print(_verdict(found, broken), soft_wrap=True)
    return broken is None


def entry_line(entry: Entry, *, whole: bool = False) -> Text:
    """One entry: when, what, which step, and the details that matter."""
    details = safe(entry.data) if whole else short("  ".join(_details(entry)), _DETAIL)
    clock = entry.at.partition("T")[2].rstrip("Z")
    name = f"{entry.event:<20}"
    return Text.assemble(
        (f"{entry.seq:>3}  {clock:<13}", "dim"),
        (name, _style(entry.event)),
        f"{entry.step or '':<12} {details}  ",
        (entry.hash[:12], "dim"),
    )


def as_data(found: Seen) -> dict[str, object]:
    """The journal for a machine, with the verdict."""
    return {
        "execution": found.execution.key,
        "uid": found.execution.uid,
        "head": found.journal_head(),
        "verified": found.broken_at() is None,
        "brokenAt": found.broken_at(),
        "entries": [entry.model_dump(mode="json", by_alias=True) for entry in found.execution.journal],
    }


def _verdict(found: Seen, broken: int | None) -> Text:
    if not found.execution.journal:
        return Text("the journal is empty: nothing has happened yet")
    if broken is not None:
        return Text(f"BROKEN at entry {broken}: it, or one before it, is not what was written", style="bold red")
    count = len(found.execution.journal)
    return Text.assemble((f"chain verified: {count} entries, head ", "green"), found.journal_head())


def _details(entry: Entry) -> Iterator[str]:
    try:
        details = json.loads(entry.data)
    except ValueError:
        yield entry.data
        return
    if not isinstance(details, dict):
        yield entry.data
        return
    for name, value in sorted(details.items(), key=lambda item: len(str(item[1]))):
        yield f"{name}={value if isinstance(value, str | int | float) else json.dumps(value, sort_keys=True)}"


def _style(event: str) -> str:
    if event.endswith(("Failed", "Voided")):
        return "red"
    return "green" if event.endswith(("Succeeded", "Passed", "Approved")) else ""

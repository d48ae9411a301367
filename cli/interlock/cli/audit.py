"""`interlock audit`: what was done, by whom and why, from the archive and from the cluster; and that it is whole."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from interlock.cli.cluster import executions_path
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.executions import Seen, seen
from interlock.cli.journal_view import as_data, show_journal
from interlock.cli.options import Context, Format, Kubeconfig, connect
from interlock.cli.plan_view import show_plan
from interlock.cli.screen import Output, as_json, say, table
from interlock.crds.execution import TERMINAL
from interlock.operator.archive import Archive

HELP = """
What was done, by whom and why; and that the record is whole.

Finished executions leave the cluster once they are archived. Commands here read the archive (--archive, by default
$INTERLOCK_OPERATOR_ARCHIVE_URL) and, with --live, the cluster as well.

\b
    interlock audit list --archive sqlite:////var/lib/interlock/archive.db
    interlock audit show UID
    interlock audit verify --live                 every chain, in the archive and on the cluster
"""
app = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode=None)

Url = Annotated[str, typer.Option("--archive", envvar="INTERLOCK_OPERATOR_ARCHIVE_URL", help="SQLAlchemy URL or file.")]
Live = Annotated[bool, typer.Option("--live", help="Also what the cluster still holds.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many of the archive, the latest first.")]


@dataclass(frozen=True)
class Record:
    """An execution, where it was found, and the head that was noted when it was archived."""

    found: Seen
    where: str
    head: str = ""

    def flaw(self) -> str:
        """What is wrong with its chain, empty if nothing is."""
        broken = self.found.broken_at()
        if broken is not None:
            return f"BROKEN at entry {broken}"
        if self.head and self.head != self.found.journal_head():
            return "BROKEN: the journal does not end as it did when it was archived"
        if self.where == "archive" and not self.found.execution.journal:
            return "BROKEN: the journal is missing"
        return ""


@app.command("list")
def list_(
    archive: Url = "",
    live: Live = False,
    limit: Limit = 100,
    *,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """Finished executions, the latest first."""
    rows = [
        {
            "ended": item.found.execution.status.completed_at if item.found.execution.status else None,
            "execution": item.found.execution.key,
            "runbook": item.found.execution.spec.runbook.name,
            "target": str(item.found.execution.spec.target),
            "phase": item.found.phase,
            "askedBy": item.found.execution.spec.requested_by,
            "approvedBy": ", ".join(_approvers(item.found)),
            "uid": item.found.execution.uid,
            "where": item.where,
        }
        for item in _records(archive, live, limit, (context, kubeconfig))
    ]
    if output is Output.json:
        as_json(rows)
    else:
        columns = ["ended", "execution", "runbook", "target", "phase", "asked by", "approved by", "uid", "in"]
        table(columns, [[value or "" for value in row.values()] for row in rows], "nothing is archived yet")


@app.command()
def show(
    uid: Annotated[str, typer.Argument(help="UID of the execution, or its beginning.", metavar="UID")],
    archive: Url = "",
    live: Live = False,
    *,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """All about one execution: what was asked, what was approved by whom, what was done."""
    matching = [
        r for r in _records(archive, live, 100_000, (context, kubeconfig)) if r.found.execution.uid.startswith(uid)
    ]
    if len({r.found.execution.uid for r in matching}) != 1:
        raise CommandError(
            f"{len(matching)} executions have a UID that begins with {uid!r}", "See interlock audit list"
        )
    record = matching[0]
    if output is Output.json:
        as_json({"execution": record.found.body, "journal": as_data(record.found), "flaw": record.flaw()})
    else:
        if record.found.execution.status and record.found.execution.status.plan:
            show_plan(record.found)
            say()
        show_journal(record.found, whole=True)
    if record.flaw():
        raise CommandError(record.flaw())


@app.command()
def verify(
    archive: Url = "",
    live: Live = False,
    limit: Limit = 100_000,
    *,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """Verify the hash chain of every journal; exit code 1 if any was changed."""
    records = _records(archive, live, limit, (context, kubeconfig))
    flawed = [r for r in records if r.flaw()]
    if output is Output.json:
        as_json(
            {
                "verified": len(records) - len(flawed),
                "broken": [{"uid": r.found.execution.uid, "flaw": r.flaw(), "in": r.where} for r in flawed],
            }
        )
    else:
        for record in flawed:
            say(f"{record.found.execution.key} ({record.found.execution.uid}, {record.where}): {record.flaw()}", "red")
        say(f"{len(records) - len(flawed)} of {len(records)} chains verified", "green" if not flawed else "red")
    if flawed:
        raise typer.Exit(1)


def _records(url: str, live: bool, limit: int, place: tuple[str, str]) -> list[Record]:
    if not url and not live:
        way_out = "For example: --archive sqlite:////var/lib/interlock/archive.db. With --live: what the cluster holds."
        raise UsageError("--archive must be given", way_out)
    return [*(_archived(url, limit) if url else ()), *(_live(place) if live else ())]


def _archived(url: str, limit: int) -> Iterator[Record]:
    try:
        archive = Archive(_as_url(url))
        try:
            rows = archive.list(limit=limit)
        finally:
            archive.close()
    except SQLAlchemyError as wrong:
        raise CommandError(f"--archive: {url!r} cannot be read: {wrong}", "Name the operator's archive.") from wrong
    for row in rows:
        yield Record(seen(row.content), "archive", row.head)


def _as_url(text: str) -> str:
    """A file is an SQLite URL; one that does not exist is never made."""
    path = Path(text.removeprefix("sqlite:///")) if text.startswith("sqlite:///") or "://" not in text else None
    if path is None:
        return text
    if not path.is_file():
        raise UsageError(f"--archive: {os.fspath(path)} does not exist", "It is archive.db in the operator's DATA_DIR.")
    return f"sqlite:///{path.absolute()}"


def _live(place: tuple[str, str]) -> Iterator[Record]:
    for body in connect(*place).items(executions_path()):
        found = seen(body)
        yield Record(found, "cluster" if found.phase in TERMINAL else "cluster, under way")


def _approvers(found: Seen) -> list[str]:
    plan = found.execution.status.plan if found.execution.status else None
    return [
        d.by for d in found.execution.spec.decisions if plan and d.subject == plan.digest and d.verdict == "Approve"
    ]

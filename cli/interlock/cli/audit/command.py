"""`interlock audit`: what was done, by whom and why, from the archive and from the cluster; and that it is whole."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.audit import keeping
from interlock.cli.audit.apilog import Join, requests
from interlock.cli.audit.export import by_execution, exported
from interlock.cli.audit.opening import Url, opened
from interlock.cli.audit.reading import Found, archived, live_ones, one
from interlock.cli.audit.witnesses import given, on_cluster
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.journal_view import as_data, show_journal
from interlock.cli.options import Context, Format, Kubeconfig, connect
from interlock.cli.plan_view import show_plan
from interlock.cli.screen import Output, as_json, say, table
from interlock.crds.execution import RunbookExecution
from interlock.operator.archive import Archive
from interlock.operator.archive.verify import Flaw, Verdict, Witness
from interlock.operator.archive.verify import verify as verified

HELP = """
What was done, by whom and why; and that the record is whole.

Finished executions leave the cluster once they are archived. Commands here read the archive (--archive, by default
$INTERLOCK_OPERATOR_ARCHIVE_URL) and, with --live, the cluster as well.

\b
    interlock audit list --archive sqlite:////var/lib/interlock/archive.db
    interlock audit show UID
    interlock audit verify --live                 every chain, against the signed heads on the cluster
    interlock audit verify --head operator.log --api-audit-log audit.log
    interlock audit export --since 2026-03-01 > executions.jsonl
"""
app = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode=None)

Live = Annotated[bool, typer.Option("--live", help="Also what the cluster still holds.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many of the archive, the latest first.")]
Logs = Annotated[
    list[Path] | None,
    typer.Option("--api-audit-log", help="The API server's audit log; repeat for rotated files, the oldest first."),
]


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
    rows = [item.summary() for item in _found(archive, live, limit, (context, kubeconfig))]
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
    found = one(uid, archive, live_ones(connect(context, kubeconfig)) if live else ())
    flaws = list(found.flaws())
    if output is Output.json:
        as_json({"execution": found.seen.body, "journal": as_data(found.seen), "flaws": flaws})
    else:
        if found.seen.execution.status and found.seen.execution.status.plan:
            show_plan(found.seen)
            say()
        show_journal(found.seen, whole=True)
        if found.row is not None:
            say(f"archived {found.row.archived_at} as seq {found.row.seq}, {found.row.hash}")
    if flaws:
        raise CommandError("; ".join(flaws))


@app.command()
def verify(
    archive: Url = "",
    live: Live = False,
    head: Annotated[
        list[str] | None,
        typer.Option(help="A head that was kept: sha256:…, SEQ:sha256:…, its JSON, or a file with such lines."),
    ] = None,
    key: Annotated[list[str] | None, typer.Option(help="Trust only heads signed by this key id (ed25519:…).")] = None,
    api_audit_log: Logs = None,
    *,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """Verify the chain over all executions, the journal of each, and the signed heads; exit code 1 if any was changed.

    The chain by itself cannot show that all of it was written anew, or that its end was cut off: give the heads that
    left the database, by --live (the AuditHeads of the cluster) or --head. With --api-audit-log, each write of a
    runner is matched with the step that explains it, and a token that nothing explains is named.
    """
    cluster = connect(context, kubeconfig) if live else None
    if not archive and cluster is None:
        raise UsageError("--archive must be given", "With --live alone: the journals that the cluster still holds.")
    witnesses = [*given(head or ()), *(on_cluster(cluster) if cluster else ())]
    verdict, flaws = Verdict(), list[Flaw]()
    held = list(live_ones(cluster)) if cluster else []
    flaws += [Flaw(None, item.seen.execution.uid, f"on the cluster: {what}") for item in held for what in item.flaws()]
    if archive:
        with opened(archive) as store, store.snapshot() as snapshot:
            verdict = verified(snapshot, witnesses, trusted=frozenset(key or ()))
        flaws += verdict.flaws
    join = _joined(archive, [item.seen.execution for item in held], api_audit_log) if api_audit_log else None
    flaws += join.flaws if join else []
    if output is Output.json:
        as_json(_as_data(verdict, flaws, join))
    else:
        _say_verdict(verdict, witnesses, flaws, join)
    if flaws:
        raise typer.Exit(1)


@app.command()
def export(
    archive: Url = "",
    since: Annotated[str, typer.Option(help="Only what was archived since then, such as 2026-03-01.")] = "",
    api_audit_log: Logs = None,
) -> None:
    """JSON lines, one for each execution: who asked, what was seen, who approved what, what was done as whom.

    With --api-audit-log, each line also has the requests that the API server saw of it.
    """
    join = _joined(archive, (), api_audit_log) if api_audit_log else None
    writes = by_execution(join.writes) if join else {}
    with opened(archive) as store, store.snapshot() as snapshot:
        for row in snapshot.rows():
            if row.archived_at >= since:
                try:
                    line = exported(row, writes.get(row.uid, ()))
                except ValueError as wrong:
                    raise CommandError(f"seq {row.seq} ({row.uid}) was changed", "interlock audit verify") from wrong
                sys.stdout.write(json.dumps(line) + "\n")


app.command()(keeping.backup)
app.command()(keeping.restore)
app.command()(keeping.prune)
app.command()(keeping.migrate)


def _found(archive: str, live: bool, limit: int, place: tuple[str, str]) -> list[Found]:
    if not archive and not live:
        way_out = "For example: --archive sqlite:////var/lib/interlock/archive.db. With --live: what the cluster holds."
        raise UsageError("--archive must be given", way_out)
    return [*(archived(archive, limit) if archive else ()), *(live_ones(connect(*place)) if live else ())]


def _joined(archive: str, live: Sequence[RunbookExecution], logs: Sequence[Path]) -> Join:
    """The audit log, matched with the archive and with what is under way."""
    join = Join()
    for execution in live:
        join.know(execution)
    if archive:
        with opened(archive) as store:
            _know_archived(join, store)
    for path in logs:
        try:
            with path.open(errors="replace") as lines:
                for request in requests(lines):
                    join.take(request)
        except OSError as error:
            raise UsageError(f"--api-audit-log: {path}: {error.strerror}") from error
    return join


def _know_archived(join: Join, store: Archive) -> None:
    with store.snapshot() as snapshot:
        for row in snapshot.rows():
            try:
                join.know(RunbookExecution.from_object(row.body()))
            except (ValueError, KeyError):
                continue  # verification says so


def _as_data(verdict: Verdict, flaws: Sequence[Flaw], join: Join | None) -> dict[str, object]:
    return {
        "executions": verdict.executions,
        "first": verdict.first,
        "last": verdict.last,
        "head": verdict.head,
        "signedHeads": verdict.witnesses,
        "flaws": [{"seq": flaw.seq, "uid": flaw.uid, "what": flaw.what} for flaw in flaws],
        **({"apiServer": {"writes": [w.as_data() for w in join.writes], "tokens": join.tokens}} if join else {}),
    }


def _say_verdict(verdict: Verdict, witnesses: Sequence[Witness], flaws: Sequence[Flaw], join: Join | None) -> None:
    for flaw in flaws:
        say(f"WRONG {flaw}", "red")
    ends = f", seq {verdict.first} to {verdict.last}, head {verdict.head}" if verdict.executions else ""
    say(f"{verdict.executions} executions{ends}; {verdict.witnesses} signed heads compared")
    if join is not None:
        say(f"API server: {len(join.writes)} writes of runners explained, {join.tokens} tokens minted")
    if not witnesses:
        say(
            "no head from outside of the database was given (--live, --head): a rewrite of all would not show", "yellow"
        )
    say("verified" if not flaws else f"{len(flaws)} flaws", "green" if not flaws else "red")

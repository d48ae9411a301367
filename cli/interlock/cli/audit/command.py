"""`interlock audit`: what was done, by whom and why, from the archive and from the cluster; and that it is whole."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from interlock.cli.audit import keeping
from interlock.cli.audit.apilog import Join, requests
from interlock.cli.audit.effects import Comparison
from interlock.cli.audit.export import by_execution, exported
from interlock.cli.audit.opening import Url, opened
from interlock.cli.audit.reading import Found, archived, live_ones, one
from interlock.cli.audit.witnesses import given, on_cluster
from interlock.cli.cluster import Cluster, Object
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.journal_view import as_data, show_journal
from interlock.cli.options import Context, Format, Kubeconfig, connect
from interlock.cli.plan_view import show_plan
from interlock.cli.runbooks import from_names, published_ones
from interlock.cli.screen import Output, as_json, say, table
from interlock.crds.execution import RunbookExecution
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
    *,
    head: Annotated[
        list[str] | None,
        typer.Option(help="A head that was kept: sha256:…, SEQ:sha256:…, its JSON, or a file with such lines."),
    ] = None,
    key: Annotated[list[str] | None, typer.Option(help="Trust only heads signed by this key id (ed25519:…).")] = None,
    api_audit_log: Logs = None,
    runbooks: Annotated[
        list[str] | None, typer.Option(help="A file or folder of runbooks as they were published; repeat for more.")
    ] = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """Verify the chain over all executions, the journal of each, the signed heads, and that each effect was allowed;
    exit code 1 if anything is wrong.

    The chain by itself cannot show that all of it was written anew, or that its end was cut off: give the heads that
    left the database, by --live (the AuditHeads of the cluster) or --head. With --api-audit-log, each write of a
    runner is matched with the step that explains it, and a token that nothing explains is named.

    Each effect is compared with its plan; with the allowed paths of the runbook, where --runbooks or --live knows it;
    a rollback with the revision that it names, where --live still finds it; and with what the API server was sent.
    """
    cluster = connect(context, kubeconfig) if live else None
    if not archive and cluster is None:
        raise UsageError("--archive must be given", "With --live alone: the journals that the cluster still holds.")
    witnesses = [*given(head or ()), *(on_cluster(cluster) if cluster else ())]
    held = list(live_ones(cluster)) if cluster else []
    verdict = _chain(archive, witnesses, key or ())
    compared, join = _comparison(runbooks or (), cluster), Join()
    effects = []
    for seq, execution in _known(archive, [item.seen.execution for item in held]):
        effects += [Flaw(seq, execution.uid, what) for what in compared.flaws(execution)]
        join.know(execution)
    _hear(join, api_audit_log or ())
    flaws = [*_of_live(held), *verdict.flaws, *effects, *join.flaws]
    if output is Output.json:
        as_json(_as_data(verdict, flaws, join if api_audit_log else None, compared))
    else:
        _say_verdict(verdict, witnesses, flaws, join if api_audit_log else None)
        _say_compared(compared)
        say("verified" if not flaws else f"{len(flaws)} flaws", "green" if not flaws else "red")
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
    join = Join()
    for _, execution in _known(archive, ()) if api_audit_log else ():
        join.know(execution)
    _hear(join, api_audit_log or ())
    writes = by_execution(join.writes)
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


def _of_live(held: Iterable[Found]) -> Iterator[Flaw]:
    for item in held:
        yield from (Flaw(None, item.seen.execution.uid, f"on the cluster: {what}") for what in item.flaws())


def _chain(archive: str, witnesses: Sequence[Witness], keys: Sequence[str]) -> Verdict:
    """What the archive shows by itself and beside its witnesses; nothing where there is none."""
    if not archive:
        return Verdict()
    with opened(archive) as store, store.snapshot() as snapshot:
        return verified(snapshot, witnesses, trusted=frozenset(keys))


def _known(archive: str, live: Iterable[RunbookExecution]) -> Iterator[tuple[int | None, RunbookExecution]]:
    """What is under way and what is archived, with its place there; of what is no execution verification tells."""
    yield from ((None, execution) for execution in live)
    if archive:
        with opened(archive) as store, store.snapshot() as snapshot:
            for row in snapshot.rows():
                with suppress(ValueError, KeyError):
                    yield row.seq, RunbookExecution.from_object(row.body())


def _hear(join: Join, logs: Sequence[Path]) -> None:
    """Matches the API server's audit log with the executions that may explain it."""
    for path in logs:
        try:
            with path.open(errors="replace") as lines:
                for request in requests(lines):
                    join.take(request)
        except OSError as error:
            raise UsageError(f"--api-audit-log: {path}: {error.strerror}") from error
    join.end()


def _comparison(files: Sequence[str], cluster: Cluster | None) -> Comparison:
    """With the runbooks of files and of the cluster, and with the cluster's revisions."""
    found = [item.runbook for item in from_names(files)] + (published_ones(cluster) if cluster else [])
    return Comparison(
        runbooks={runbook.digest(): runbook for runbook in found},
        revision=None if cluster is None else partial(_revision, cluster),
    )


def _revision(cluster: Cluster, namespace: str, kind: str, name: str) -> Object | None:
    plural = "controllerrevisions" if kind == "ControllerRevision" else "replicasets"
    return cluster.find(f"/apis/apps/v1/namespaces/{quote(namespace, safe='')}/{plural}/{quote(name, safe='')}")


def _as_data(verdict: Verdict, flaws: Sequence[Flaw], join: Join | None, compared: Comparison) -> dict[str, object]:
    return {
        "executions": verdict.executions,
        "first": verdict.first,
        "last": verdict.last,
        "head": verdict.head,
        "signedHeads": verdict.witnesses,
        "effects": {
            "compared": compared.effects,
            "withoutRunbook": compared.without_runbook,
            "revisions": compared.revisions,
        },
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


def _say_compared(compared: Comparison) -> None:
    if compared.effects:
        say(
            f"{compared.effects} effects compared with their plans, {compared.revisions} rollbacks with their revisions"
        )
    if compared.without_runbook:
        what = f"{compared.without_runbook} of them not with allowed paths: their runbooks are not known"
        say(f"{what} (--live, --runbooks)", "yellow")

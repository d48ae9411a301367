"""`interlock runbook sign` and `verify`: put a signature under a vetting, and see what an operator makes of it."""

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.attesting import Attested, policy_from, read_lines, signed, verdicts, with_attestations, write_lines
from interlock.cli.cluster import runbooks_path
from interlock.cli.errors import UsageError
from interlock.cli.key import load_key
from interlock.cli.options import Context, Format, Kubeconfig, connect
from interlock.cli.runbooks import chosen, parsed
from interlock.cli.screen import Output, as_json, say, table
from interlock.crds.attestation import Statement

Paths = Annotated[
    list[str] | None, typer.Argument(help="Files, folders, or names of the catalogue.", metavar="RUNBOOK...")
]
Everything = Annotated[bool, typer.Option("--catalogue", help="All that ship with Interlock.")]


def sign(
    runbooks: Paths = None,
    *,
    vetting: Annotated[Path, typer.Option(help="What `interlock runbook vet --out` wrote.")],
    key: Annotated[Path, typer.Option(help="Your private key: interlock key new FILE.")],
    out: Annotated[Path, typer.Option(help="Where the attestations go.")],
    everything: Everything = False,
) -> None:
    """Attest that runbooks passed their vetting, exactly as they are here. Whoever trusts your key runs them then.

    \b
        interlock runbook vet my-runbooks/ --out vetting.jsonl
        interlock runbook sign my-runbooks/ --vetting vetting.jsonl --key key.pem --out attestations.jsonl
        interlock runbook publish my-runbooks/ --attestations attestations.jsonl
    """
    books = [item.runbook for item in chosen(runbooks, everything=everything)]
    lines = signed(books, read_lines(vetting, Statement), load_key(key))
    write_lines(out, lines)
    say(f"{len(lines)} attestations by {load_key(key).key_id} in {out}")


def verify(  # noqa: PLR0917 - options of a command line
    runbooks: Paths = None,
    everything: Everything = False,
    published_: Annotated[
        bool, typer.Option("--published", help="All that are on the cluster, as it has them.")
    ] = False,
    attestations: Annotated[list[Path] | None, typer.Option(help="Files that `sign` wrote; repeatable.")] = None,
    trust: Annotated[
        Path | None, typer.Option(help="A trust policy; by default, with --published, that of the cluster.")
    ] = None,
    kubernetes: Annotated[str, typer.Option(help="Version to judge for; --published: the cluster's.")] = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """Say of each runbook whether an operator would run it, and why not; exit code 1 if any would be refused."""
    cluster = connect(context, kubeconfig) if published_ else None
    if cluster is not None:
        books = [parsed(body) for body in cluster.items(runbooks_path())]
        kubernetes = kubernetes or str(cluster.get("/version")["gitVersion"])
    else:
        books = [item.runbook for item in chosen(runbooks, everything=everything)]
    if not kubernetes:
        raise UsageError("--kubernetes must name a version, such as 1.34", "Or judge what is --published.")
    lines = [line for path in attestations or () for line in read_lines(path, Attested)]
    found = verdicts((with_attestations(book, lines) for book in books), policy_from(trust, cluster), kubernetes)
    rows = [
        {
            "runbook": book.metadata.name,
            "trusted": "yes" if verdict.trusted else "no",
            "reason": verdict.reason,
            "message": verdict.message,
        }
        for book, verdict in found
    ]
    if output is Output.json:
        as_json(rows)
    else:
        table(list(rows[0]) if rows else [], [list(row.values()) for row in rows], "no runbook")
    if not all(verdict.trusted for _, verdict in found):
        raise typer.Exit(1)

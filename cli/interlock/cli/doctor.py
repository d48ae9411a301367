"""`interlock doctor`: what is missing or wrong in this installation, and the way out."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from interlock.cli.diagnosis import examine
from interlock.cli.options import Context, Format, Kubeconfig, connect
from interlock.cli.running import running
from interlock.cli.screen import Output, as_json, say, table
from interlock.cli.trusting import trust

app = typer.Typer(rich_markup_mode=None)


@app.command()
def doctor(
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    prometheus: Annotated[str, typer.Option(help="Prometheus that the operator asks, to see whether it answers.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what is wrong.")] = False,
    output: Format = Output.table,
) -> None:
    """Say what is missing or wrong in an installation, and the way out; exit code 1 if anything is.

    Looks, as the caller, at definitions, policies, roles, accounts, the operator's Lease, guardrails, runbooks and
    what they are granted, at whom the operator trusts and which attestations expire soon, at versions (Kubernetes 1.32
    or later), workloads and the archive. Asks the API server's authorizer whether the agents can do anything but ask,
    and the operator what it must. Changes nothing.
    """
    cluster = connect(context, kubeconfig)
    findings = [*examine(cluster, prometheus), *trust(cluster, datetime.now(UTC)), *running(cluster)]
    wrong = [finding for finding in findings if not finding.ok]
    shown = wrong if quiet else findings
    if output is Output.json:
        as_json([vars(finding) for finding in shown])
    else:
        rows = [["OK" if f.ok else "WRONG", f.subject, f.says] for f in shown]
        table(["", "looked at", "found"], rows, "all is well")
        for fix in dict.fromkeys(finding.fix for finding in wrong):
            say(f"\n{', '.join(finding.subject for finding in wrong if finding.fix == fix)}", "red")
            say(f"  way out: {fix}")
        say(f"\n{len(findings)} looked at, {len(wrong)} wrong", "red" if wrong else "green")
    if wrong:
        raise typer.Exit(1)

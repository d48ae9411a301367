"""`interlock runbook vet`."""

import asyncio
import importlib.metadata
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.errors import CommandError, UsageError
from interlock.cli.runbooks import catalogue, from_names
from interlock.cli.screen import say, table
from interlock.cli.vetting import procedure
from interlock.cli.vetting.keeping import keep
from interlock.cli.vetting.procedure import Candidate
from interlock.cli.vetting.stage import Stage, own_lab, standing
from interlock.crds.runbook import Runbook
from interlock.crds.trust import Substrate
from interlock.crds.types import rfc3339
from interlock.operator.api import Object
from interlock.operator.session import utc_now
from interlock.runbooks.lint import lint
from interlock.runbooks.loading import Loaded
from interlock.runbooks.scenario import load_scenarios
from interlock.runbooks.vetting.report import Conditions, Trial, Vetted, junit, statement

JOBS, TIME_SCALE = 6, 0.1

app = typer.Typer(rich_markup_mode=None)


Runbooks = Annotated[
    list[str] | None, typer.Argument(help="Files, folders, or names of the catalogue.", metavar="RUNBOOK...")
]
Everything = Annotated[bool, typer.Option("--catalogue", help="All that ship with Interlock.")]
Jobs = Annotated[int, typer.Option(min=1, max=32, help="Trials at the same time.")]
Scale = Annotated[
    float, typer.Option(min=0.01, max=1, help="By what holdFor and durations in expressions are multiplied.")
]
Ground = Annotated[
    Substrate, typer.Option(help="On simulated nodes, or on kubelets with containers, where this machine allows it.")
]
Context = Annotated[
    str, typer.Option(help="Use the cluster of this context, where Interlock is installed; never unless named.")
]
Audit = Annotated[Path | None, typer.Option(help="With --context: the API server's audit log, where it can be read.")]
Report = Annotated[Path | None, typer.Option("--junit", help="Write the result as JUnit XML.")]
Out = Annotated[Path | None, typer.Option(help="Write the statements to be signed: in-toto, a line for each runbook.")]


@app.command()
def vet(  # noqa: PLR0917 - options of a command line
    runbooks: Runbooks = None,
    everything: Everything = False,
    jobs: Jobs = JOBS,
    time_scale: Scale = TIME_SCALE,
    substrate: Ground = "simulated",
    context: Context = "",
    audit_log: Audit = None,
    report: Report = None,
    out: Out = None,
) -> None:
    """Try runbooks on a real API server, under the accounts that they will run as; exit code 1 if anything is found.

    Each scenario is set up in a namespace of its own, broken, asked for, approved by vetting itself, and looked at
    afterwards; each Cure a second time with its verification made to fail, to see the undo. The operator is killed
    between all steps, the same is asked for twice at once, and what the runner was seen to use is compared with what
    the runbook declares. Brings up a lab for itself and takes it down, or takes a cluster by --context: for namespaced
    targets, and without its audit log by what the runner's own client says, which the statement then says too.

    With --substrate kubelet the lab has real nodes: what a kubelet does (kills for memory, probes, pulls) is then not
    simulated, and scenarios that bring simulated nodes are left out.

    \b
        interlock runbook vet my-runbooks/restart-cache
        interlock runbook vet --catalogue --jobs 8 --junit vetting.xml --out vetting.jsonl
    """
    loaded = catalogue() if everything else from_names(runbooks or ())
    if not loaded:
        raise UsageError("name at least one runbook", "A file, a folder, or --catalogue.")
    candidates = [_candidate(item) for item in loaded]
    with tempfile.TemporaryDirectory(prefix="interlock-vet-") as folder:
        place = _place(Path(folder), time_scale, substrate, context, audit_log)
        vetted, under = asyncio.run(_vet(place, candidates, jobs, substrate))
    _show(vetted, substrate)
    if not context:
        _keep(vetted, under)
    if report is not None:
        report.write_text(junit(vetted), encoding="utf-8")
    if out is not None:
        lines = (statement(one, under).model_dump_json(by_alias=True) for one in vetted if one.trials)
        out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if not all(one.passed for one in vetted if one.trials or one.runbook.spec.steps):
        raise typer.Exit(1)


def demand_passed(loaded: Sequence[Loaded]) -> None:
    """Tries runbooks on a lab of their own, and keeps what is found.

    Raises:
        CommandError: one of them did not pass.
    """
    candidates = [_candidate(item) for item in loaded]
    with tempfile.TemporaryDirectory(prefix="interlock-vet-") as folder:
        place = own_lab(Path(folder), TIME_SCALE, "simulated", lambda _: None)
        vetted, under = asyncio.run(_vet(place, candidates, JOBS, "simulated"))
    _keep(vetted, under)
    for one in vetted:
        if not one.passed:
            message = f"{one.runbook.metadata.name} did not pass its vetting: {'; '.join(one.findings)}"
            raise CommandError(message, f"Try it again: interlock runbook vet {one.runbook.spec.family}")


def _keep(vetted: Sequence[Vetted], under: Conditions) -> None:
    for one in vetted:
        if one.trials:
            keep(statement(one, under))


def _candidate(loaded: Loaded) -> Candidate:
    if problems := lint(loaded):
        raise CommandError("\n".join(map(str, problems)), "Nothing was tried: correct this first.")
    return Candidate(loaded.runbook, load_scenarios(loaded))


def _place(
    folder: Path, time_scale: float, substrate: Substrate, context: str, audit_log: Path | None
) -> AbstractAsyncContextManager[Stage]:
    if not context:
        return own_lab(folder, time_scale, substrate, lambda line: say(f"  {line}", "dim"))
    shard = f"vetting-{secrets.token_hex(3)}"
    return standing(None, folder, time_scale, audit_log=audit_log, shard=shard, context=context)


async def _vet(
    place: AbstractAsyncContextManager[Stage], candidates: Sequence[Candidate], jobs: int, substrate: Substrate
) -> tuple[list[Vetted], Conditions]:
    async with place as stage:
        _demand_possible(stage, candidates)
        if substrate == "kubelet":
            await _demand_kubelets(stage)
        vetted = await procedure.vet(stage, candidates, jobs=jobs, substrate=substrate, told=_told)
        return vetted, _conditions(stage, substrate)


def _demand_possible(stage: Stage, candidates: Sequence[Candidate]) -> None:
    """Executions about cluster-scoped targets belong to the default shard, which is the installed operator's."""
    cluster_scoped = [c.runbook.metadata.name for c in candidates if c.runbook.spec.scope == "Cluster"]
    if stage.shard and cluster_scoped:
        message = f"--context: {', '.join(cluster_scoped)} acts on cluster-scoped targets"
        raise UsageError(message, "Vet it without --context, on a lab of its own.")


async def _demand_kubelets(stage: Stage) -> None:
    """A statement must not call nodes real behind which no kubelet stands."""
    nodes = (await stage.admin.request("GET", "/api/v1/nodes"))["items"]
    simulated = [node["metadata"]["name"] for node in nodes if _is_simulated(node)]
    if simulated or not nodes:
        message = f"--substrate kubelet: {', '.join(simulated) or 'the cluster'} has no kubelet"
        raise UsageError(message, "Vet on a cluster with real nodes only, or on simulated ones without this option.")


def _is_simulated(node: Object) -> bool:
    meta = node["metadata"]
    return meta.get("labels", {}).get("type") == "kwok" or "kwok.x-k8s.io/node" in meta.get("annotations", {})


def _conditions(stage: Stage, substrate: Substrate) -> Conditions:
    return Conditions(
        substrate=substrate,
        time_scale=stage.time_scale,
        permissions=stage.permissions,
        kubernetes=stage.kubernetes,
        interlock=importlib.metadata.version("interlock"),
        finished_at=rfc3339(utc_now()),
    )


def _told(runbook: Runbook, trial: Trial) -> None:
    killed = f", operator killed {trial.kills} times" if trial.kills else ""
    mark = "ok    " if trial.passed else "WRONG "
    say(f"{mark}{runbook.metadata.name} {trial.name} ({trial.seconds:.1f} s{killed})", "" if trial.passed else "red")
    for finding in trial.findings:
        say(f"      {finding}", "red")


def _show(vetted: Sequence[Vetted], substrate: Substrate) -> None:
    say()
    rows = [
        [
            one.runbook.metadata.name,
            f"{sum(trial.passed for trial in one.trials)}/{len(one.trials)}",
            str(sum(trial.kills for trial in one.trials)),
            "minimal" if not one.permissions else "WRONG",
            f"{sum(trial.seconds for trial in one.trials):.0f} s",
            "Passed" if one.passed else "Failed" if one.trials or one.runbook.spec.steps else "nothing to try",
        ]
        for one in vetted
    ]
    table(["runbook", "trials passed", "kills", "permissions", "time", "result"], rows, "nothing was tried")
    for one in vetted:
        for found in one.permissions:
            say(f"{one.runbook.metadata.name}: {found}", "red")
        if one.left_out:
            reason = (
                "they need real kubelets" if substrate == "simulated" else "the nodes that they bring are simulated"
            )
            say(f"{one.runbook.metadata.name}: left out, as {reason}: {', '.join(one.left_out)}")

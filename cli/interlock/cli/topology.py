"""`interlock topology NAMESPACE`: who calls whom, and what everybody stands on, as the diagnosis sees it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.agents.analyzers.networking import NetworkPolicy
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.analyzers.wide.settings import config_maps_of
from interlock.agents.analyzers.world import Group, selects
from interlock.agents.evidence.snapshot import Snapshot, SnapshotError
from interlock.agents.fold import put_down_to
from interlock.agents.topology import Topology, topology_of
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.options import Context, Format, Kubeconfig, connect
from interlock.cli.screen import Output, as_json, table
from interlock.cli.survey import survey

app = typer.Typer(help="Show who depends on whom in a namespace.", rich_markup_mode=None)


@app.command()
def topology(
    namespace: Annotated[str, typer.Argument(help="The namespace.", metavar="NAMESPACE")] = "",
    snapshot: Annotated[Path | None, typer.Option(help="A snapshot instead of a cluster.", metavar="DIR")] = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    output: Format = Output.table,
) -> None:
    """Show for each workload whom it calls, who calls it, what it reads and mounts, and where it runs.

    The last columns say how the agents see it when an alert comes: its state, and the object further down that they put
    the alert down to, so that all alerts of one fault are one incident.

    \b
        interlock topology shop
        interlock topology --snapshot ./incident-4711 -o json
    """
    land = _seen(namespace, snapshot, context, kubeconfig)
    graph = topology_of(land)
    rows = [{**_row(land, group), **_correlation(graph, group)} for group in land.groups]
    if output is Output.json:
        as_json(rows)
        return
    columns = (
        "workload",
        "ready",
        "calls",
        "called by",
        "services",
        "reads",
        "policies",
        "nodes",
        "state",
        "put down to",
    )
    shown = [[", ".join(v) if isinstance(v, list) else v for v in row.values()] for row in rows]
    table(columns, shown, "There are no workloads.")


def _seen(namespace: str, snapshot: Path | None, context: str, kubeconfig: str) -> Landscape:
    if snapshot is not None:
        try:
            return Landscape(Snapshot(snapshot))
        except SnapshotError as wrong:
            raise CommandError(str(wrong), wrong.way_out) from wrong
    if not namespace:
        raise UsageError("NAMESPACE is missing", "Name a namespace, or a snapshot with --snapshot DIR.")
    return Landscape(survey(connect(context, kubeconfig), namespace, lambda _: None, logs=False))


def _row(land: Landscape, group: Group) -> dict[str, Any]:
    before = land.services_of.get(group.ref, ())
    calls = {
        c.name if c.service is not None else f"{c.address.host} (none)" for c in land.calls if _is(c.caller, group)
    }
    callers = {c.ref.name for s in before for c in land.callers.get((s.metadata.namespace, s.name), ())}
    policies = {p.name for p in land.every(NetworkPolicy) if selects(p.spec.pod_selector, group.labels)}
    claims = {v.persistent_volume_claim.claim_name for v in group.spec.volumes if v.persistent_volume_claim}
    return {
        "workload": f"{group.ref.kind}/{group.ref.name}",
        "ready": f"{group.ready}/{group.wanted}",
        "calls": sorted(calls),
        "calledBy": sorted(callers - {group.ref.name}),
        "services": sorted(s.name for s in before),
        "reads": sorted({*config_maps_of(group), *claims}),
        "policies": sorted(policies),
        "nodes": sorted({p.spec.node_name for p in group.pods if p.spec.node_name}),
    }


def _correlation(graph: Topology, group: Group) -> dict[str, str]:
    """How intake sees the workload, and what it would put an alert about it down to."""
    state = graph.standing(group.ref).state
    root = put_down_to(group.ref, graph)
    return {"state": state, "putDownTo": "" if root == group.ref else f"{root.kind}/{root.name}"}


def _is(one: Group, other: Group) -> bool:
    return one.ref == other.ref

"""`interlock catalogue`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.attesting import Attested, append, policy_from, read_lines, verdicts, with_attestations
from interlock.cli.catalogue.comparing import Difference, differences, replaced, there
from interlock.cli.catalogue.content import Catalogue, complete, made, opened
from interlock.cli.catalogue.coverage import coverage
from interlock.cli.catalogue.files import write
from interlock.cli.cluster import Cluster, executions_path, runbooks_path
from interlock.cli.errors import CommandError, as_usage
from interlock.cli.key import load_key
from interlock.cli.manifests import apply_all, print_yaml
from interlock.cli.options import Context, Kubeconfig, connect
from interlock.cli.runbooks import chosen, grants, manifest
from interlock.cli.screen import say
from interlock.crds.execution import TERMINAL
from interlock.crds.runbook import Runbook

HELP = """
Runbooks as one signed whole: a folder, a ConfigMap, or an OCI image layout.

\b
    interlock catalogue make RUNBOOK... --attestations FILE --name ours --version 1.2.0 --key key.pem --out ours/
    interlock catalogue diff ours/                 what it would change on the cluster, in powers
    interlock catalogue install ours/ -n shop      publish it, and allow it to act in shop
    interlock catalogue upgrade ours/ -n shop      the same over an earlier version, whose runbooks retire
    interlock catalogue render ours/ --trust policy.yaml -n shop     the same as YAML, for Git
    interlock catalogue coverage                   which causes what ships with Interlock cures
"""
app = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode=None)
app.command()(coverage)

Place = Annotated[Path, typer.Argument(help="A folder, a ConfigMap in a file, or an OCI layout.", metavar="CATALOGUE")]
Trust = Annotated[
    Path | None, typer.Option(help="A trust policy that names its maker's key; by default that of the cluster.")
]
Namespaces = Annotated[list[str] | None, typer.Option("--namespace", "-n", help="Where it may act; repeatable.")]
Nodes = Annotated[bool, typer.Option("--cluster", help="Also grant what is for cluster-scoped targets, such as nodes.")]
Unvetted = Annotated[
    bool, typer.Option("--allow-unvetted", help="Publish also what the operator would refuse under this policy.")
]


_RETIRE = [{"op": "replace", "path": "/spec/state", "value": "Retired"}]


class Shape(StrEnum):
    """How a catalogue is kept."""

    folder = "folder"
    configmap = "configmap"
    oci = "oci"


@app.command()
def make(
    runbooks: Annotated[
        list[str] | None, typer.Argument(help="Files, folders, or names of the catalogue.", metavar="RUNBOOK...")
    ] = None,
    *,
    name: Annotated[str, typer.Option(help="What it is called.")],
    version: Annotated[str, typer.Option(help="Its version, such as 1.2.0.")],
    key: Annotated[Path, typer.Option(help="Your private key: interlock key new FILE.")],
    out: Annotated[Path, typer.Option(help="Where it goes; nothing may be there.")],
    attestations: Annotated[
        list[Path] | None, typer.Option(help="Files that `runbook sign` wrote; repeatable.")
    ] = None,
    everything: Annotated[bool, typer.Option("--catalogue", help="All that ship with Interlock.")] = False,
    form: Annotated[Shape, typer.Option(help="How it is kept.")] = Shape.folder,
) -> None:
    """Make a catalogue of runbooks and their attestations, and sign its index."""
    lines = [line for path in attestations or () for line in read_lines(path, Attested)]
    books = [with_attestations(item.runbook, lines) for item in chosen(runbooks, everything=everything)]
    created_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with as_usage("--name, --version"):
        files = made(name, version, created_at, books, load_key(key))
    write(out, files, form.value, name)
    bare = sum(not book.spec.attestations and book.spec.type != "Handover" for book in books)
    say(f"{name} {version}: {len(books)} runbooks in {out}" + (f", {bare} of them without attestation" if bare else ""))


@app.command()
def diff(catalogue: Place, trust: Trust = None, context: Context = "", kubeconfig: Kubeconfig = "") -> None:
    """Say what a catalogue would change on the cluster: in permissions, paths, bounds, risk, and what was earned."""
    cluster = connect(context, kubeconfig)
    on_cluster = there(cluster)
    found = differences(opened(catalogue, policy_from(trust, cluster)).runbooks, on_cluster)
    _show(found, replaced(found, on_cluster))


@app.command()
def install(  # noqa: PLR0917 - options of a command line
    catalogue: Place,
    namespace: Namespaces = None,
    nodes: Nodes = False,
    trust: Trust = None,
    unvetted: Unvetted = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Publish a catalogue, and grant its families what they need in the chosen namespaces."""
    cluster = connect(context, kubeconfig)
    found = _checked(cluster, catalogue, trust, unvetted=unvetted)
    earlier = [d.old.runbook.metadata.name for d in differences(found.runbooks, there(cluster)) if d.old and not d.same]
    if earlier:
        message = f"other versions are there already: {', '.join(earlier)}"
        raise CommandError(message, f"See `interlock catalogue diff {catalogue}`, then `interlock catalogue upgrade`.")
    _publish(cluster, found, _places(namespace, nodes=nodes))


@app.command()
def upgrade(  # noqa: PLR0917 - options of a command line
    catalogue: Place,
    namespace: Namespaces = None,
    nodes: Nodes = False,
    trust: Trust = None,
    unvetted: Unvetted = False,
    accept: Annotated[bool, typer.Option("--accept", help="Agree to what may be done that could not before.")] = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Publish a later version of a catalogue and retire the versions that it replaces; what it grants is shown first.

    What a digest has earned is its own: the new versions wait for approval until they have earned it themselves.
    """
    cluster = connect(context, kubeconfig)
    found, on_cluster = _checked(cluster, catalogue, trust, unvetted=unvetted), there(cluster)
    changes = differences(found.runbooks, on_cluster)
    old = replaced(changes, on_cluster)
    _show(changes, old)
    if any(change.grows for change in changes) and not accept:
        raise CommandError("it may do more than before (+)", "Nothing was done. Agree with --accept.")
    _refuse_under_way(cluster, old)
    _publish(cluster, found, _places(namespace, nodes=nodes))
    for runbook in old:
        cluster.json_patch(
            runbooks_path(runbook.metadata.name), [{"op": "replace", "path": "/spec/state", "value": "Retired"}]
        )
        say(f"  {runbook.metadata.name} is retired", "dim")


@app.command()
def render(
    catalogue: Place,
    trust: Annotated[Path, typer.Option(help="A trust policy that names its maker's key.")],
    namespace: Namespaces = None,
    nodes: Nodes = False,
) -> None:
    """Print, as YAML, what `install` would apply: runbooks with attestations, accounts, roles and bindings."""
    found = opened(catalogue, policy_from(trust, None))
    places = _places(namespace, nodes=nodes)
    print_yaml([*(complete(runbook) for runbook in found.runbooks), *grants(found.runbooks, places)])


def _checked(cluster: Cluster, path: Path, trust: Path | None, *, unvetted: bool) -> Catalogue:
    policy = policy_from(trust, cluster)
    found = opened(path, policy)
    judged = verdicts(found.runbooks, policy, str(cluster.get("/version")["gitVersion"]))
    refused = [f"{runbook.metadata.name}: {v.reason}: {v.message}" for runbook, v in judged if not v.trusted]
    if refused and not unvetted:
        raise CommandError("\n".join(refused), "The operator would refuse these; nothing was published.")
    return found


def _places(namespaces: Sequence[str] | None, *, nodes: bool) -> list[str | None]:
    return [*(namespaces or ()), *([None] if nodes else [])]


def _publish(cluster: Cluster, found: Catalogue, places: Sequence[str | None]) -> None:
    def told(what: str) -> None:
        say(f"  {what}", "dim")

    apply_all(cluster, [manifest(runbook) for runbook in found.runbooks], told)
    added = sum(append(cluster, runbook) for runbook in found.runbooks)
    apply_all(cluster, grants(found.runbooks, places), told)
    say(f"{found.index.name} {found.index.version}: {len(found.runbooks)} runbooks, {added} attestations added")


def _refuse_under_way(cluster: Cluster, old: Sequence[Runbook]) -> None:
    """What has begun under an old version needs that version's rights to its end, its undo included."""
    for runbook in old:
        found = cluster.items(executions_path(), fieldSelector=f"spec.runbook.name={runbook.metadata.name}")
        for body in found:
            if (body.get("status") or {}).get("phase") not in TERMINAL:
                meta = body["metadata"]
                message = f"{meta['namespace']}/{meta['name']} is under way with {runbook.metadata.name}"
                raise CommandError(message, "Nothing was done. Wait for its end, or cancel it.")


def _show(changes: Sequence[Difference], old: Sequence[Runbook]) -> None:
    for change in changes:
        for line in change.lines():
            say(line, "red" if line.startswith("  +") else "")
    for runbook in old:
        say(f"{runbook.metadata.name} would be retired")
    if all(change.same for change in changes):
        say("all of it is there, exactly so")

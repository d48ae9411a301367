"""Runbooks as the command line finds them: by file, by name in the catalogue, or published on a cluster."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from interlock.cli.cluster import Cluster, Object, runbooks_path
from interlock.cli.errors import CommandError, Refused, UsageError
from interlock.cli.manifests import Manifest
from interlock.crds.execution import RunbookRef
from interlock.crds.runbook import Runbook
from interlock.runbooks import rbac
from interlock.runbooks.loading import Loaded, load, load_catalogue
from interlock.runbooks.source import RunbookRefused


def catalogue() -> tuple[Loaded, ...]:
    """The runbooks that ship with Interlock; raises CommandError."""
    try:
        return load_catalogue()
    except RunbookRefused as refused:
        raise CommandError(str(refused)) from refused


def from_names(names: Iterable[str]) -> tuple[Loaded, ...]:
    """The runbooks of files, of folders, and of names or families of the catalogue.

    Raises:
        CommandError: a file is not a valid runbook; every problem is named.
        UsageError: there is neither such a path nor such a runbook.
    """
    return tuple(item for name in names for item in _from_name(name))


def _from_name(name: str) -> tuple[Loaded, ...]:
    if Path(name).exists():
        try:
            return load(Path(name))
        except RunbookRefused as refused:
            raise CommandError(str(refused)) from refused
    shipped = catalogue()
    found = tuple(item for item in shipped if name in (item.runbook.metadata.name, item.runbook.spec.family))
    if not found:
        known = ", ".join(item.runbook.metadata.name for item in shipped)
        way_out = f"Name a file or folder, or one of the catalogue: {known}."
        raise UsageError(f"there is neither a path nor a runbook {name!r}", way_out)
    return found


def chosen(names: list[str] | None, *, everything: bool) -> tuple[Loaded, ...]:
    """The runbooks that a command is about; raises CommandError and UsageError as `from_names` does."""
    if everything:
        return catalogue()
    if not names:
        raise UsageError(
            "name at least one runbook", "A file, a folder, or a name that `interlock runbook list` shows."
        )
    return from_names(names)


def published(cluster: Cluster, name: str) -> Runbook:
    """A runbook of the cluster.

    Raises:
        CommandError: it is not published, or not one that this version understands.
    """
    try:
        return parsed(cluster.get(runbooks_path(name)))
    except Refused as refused:
        if refused.status == 404:
            way_out = "See `interlock runbook list --published`; publish it with `interlock runbook publish`."
            raise CommandError(f"runbook {name!r} is not published on this cluster", way_out) from refused
        raise


def pinned(cluster: Cluster, asked: RunbookRef) -> Runbook | None:
    """The runbook with exactly the content that was asked for; None where there is none, or the caller may not read it.

    Raises:
        CommandError: the API server does not answer, or the runbook is not one that this version understands.
    """
    try:
        found = parsed(cluster.get(runbooks_path(asked.name)))
    except Refused as refused:
        if refused.status in (403, 404):
            return None
        raise
    return found if found.digest() == asked.digest else None


def published_ones(cluster: Cluster) -> list[Runbook]:
    """All runbooks of the cluster; raises CommandError."""
    return [parsed(body) for body in cluster.items(runbooks_path())]


def parsed(body: Object) -> Runbook:
    """A runbook from its object; raises CommandError if this version does not understand it."""
    try:
        return Runbook.from_object(body)
    except ValidationError as wrong:
        message = f"runbook {body['metadata']['name']}: {wrong.errors()[0]['msg']}"
        raise CommandError(message, "It was published by another version: see `interlock doctor`.") from wrong


def manifest(runbook: Runbook) -> Manifest:
    """What is applied: the runbook with its digest, without what is added later: attestations are appended apart."""
    body: Manifest = runbook.model_dump(mode="json", by_alias=True, exclude_none=True)
    del body["spec"]["attestations"]
    if body["spec"]["state"] == "Active":
        del body["spec"]["state"]
    body["spec"]["digest"] = runbook.digest()
    return body


def grants(runbooks: Iterable[Runbook], namespaces: Sequence[str | None]) -> list[Manifest]:
    """What the families of these runbooks need in these namespaces, None for cluster-scoped targets.

    In each place what has something to do there: nothing that is for nodes is granted in a namespace.

    Raises:
        UsageError: in one of them Interlock never acts, or none of the runbooks does.
    """
    books = list(runbooks)
    try:
        return [manifest for place in namespaces for manifest in _grants_in(place, books)]
    except ValueError as wrong:
        raise UsageError(str(wrong), "Name a namespace of a team's workloads.") from wrong


def _grants_in(place: str | None, runbooks: Sequence[Runbook]) -> Iterator[Manifest]:
    families: dict[str, list[Runbook]] = defaultdict(list)
    for runbook in runbooks:
        if rbac.fits(runbook, place):
            families[runbook.spec.family].append(runbook)
    if runbooks and not families:
        where = f"the namespace {place}" if place else "what lies in no namespace"
        way_out = "Grant what is for nodes and the like with --cluster, and everything else with --namespace."
        raise UsageError(f"none of these runbooks acts on {where}", way_out)
    for versions in families.values():
        yield from rbac.grants_for_family(versions, [place])

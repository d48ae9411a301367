"""Runbooks as the command line finds them: by file, by name in the catalogue, or published on a cluster."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
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


def parsed(body: Object) -> Runbook:
    """A runbook from its object; raises CommandError if this version does not understand it."""
    try:
        return Runbook.from_object(body)
    except ValidationError as wrong:
        message = f"runbook {body['metadata']['name']}: {wrong.errors()[0]['msg']}"
        raise CommandError(message, "It was published by another version: see `interlock doctor`.") from wrong


def manifest(runbook: Runbook) -> Manifest:
    """What is applied: the runbook with its digest, without what others add later."""
    body: Manifest = runbook.model_dump(mode="json", by_alias=True, exclude_none=True)
    for field in ("attestations", "state"):
        if not body["spec"][field] or body["spec"][field] == "Active":
            del body["spec"][field]
    body["spec"]["digest"] = runbook.digest()
    return body


def grants(runbooks: Iterable[Runbook], namespaces: Sequence[str | None]) -> list[Manifest]:
    """What the families of these runbooks need in these namespaces, None for cluster-scoped targets.

    Raises:
        UsageError: in one of them Interlock never acts.
    """
    families: dict[str, list[Runbook]] = defaultdict(list)
    for runbook in runbooks:
        families[runbook.spec.family].append(runbook)
    try:
        return [m for versions in families.values() for m in rbac.grants_for_family(versions, namespaces)]
    except ValueError as wrong:
        raise UsageError(str(wrong), "Name a namespace of a team's workloads.") from wrong

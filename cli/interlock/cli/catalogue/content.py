"""What a catalogue holds: its index, if a trusted key signed it, and exactly the runbooks that the index lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from interlock.cli.catalogue.files import INDEX, Files, read
from interlock.cli.errors import CommandError
from interlock.cli.runbooks import manifest
from interlock.crds.catalogue import CatalogueRefused, Entry, Index, open_index, sign_index
from interlock.crds.runbook import Runbook
from interlock.crds.signing import SigningKey
from interlock.crds.trust import TrustPolicy


@dataclass(frozen=True)
class Catalogue:
    """A catalogue whose index a trusted key signed."""

    index: Index
    runbooks: tuple[Runbook, ...]


def opened(path: Path, trust: TrustPolicy) -> Catalogue:
    """The catalogue that is kept there.

    Raises:
        CommandError: it cannot be read, nobody who is trusted signed it, or its files are not what the index lists.
    """
    files = dict(read(path))
    try:
        index = open_index(files.pop(INDEX), trust)
    except CatalogueRefused as refused:
        raise CommandError(f"{path}: {refused}", "Trust its maker's key, or take a catalogue of your own.") from refused
    listed = {f"{entry.name}.yaml": entry for entry in index.runbooks}
    if strangers := sorted(files.keys() ^ listed.keys()):
        raise CommandError(f"{path}: files and signed index differ in {', '.join(strangers)}")
    return Catalogue(index, tuple(_runbook(path, entry, files[name]) for name, entry in sorted(listed.items())))


def _runbook(path: Path, entry: Entry, content: bytes) -> Runbook:
    try:
        runbook = Runbook.from_object(yaml.safe_load(content))
    except (yaml.YAMLError, ValidationError, TypeError, KeyError) as wrong:
        raise CommandError(f"{path}: {entry.name} is no runbook that this version understands: {wrong}") from wrong
    if (runbook.metadata.name, runbook.digest()) != (entry.name, entry.digest):
        raise CommandError(f"{path}: {entry.name} has digest {runbook.digest()}, the signed index says {entry.digest}")
    return runbook


def made(name: str, version: str, created_at: str, runbooks: Sequence[Runbook], key: SigningKey) -> Files:
    """The files of a new catalogue."""
    entries = [Entry(name=runbook.metadata.name, digest=runbook.digest()) for runbook in runbooks]
    index = Index(name=name, version=version, created_at=created_at, runbooks=entries)
    return {INDEX: sign_index(index, key), **{f"{r.metadata.name}.yaml": _written(r) for r in runbooks}}


def _written(runbook: Runbook) -> bytes:
    return yaml.safe_dump(complete(runbook), sort_keys=False, allow_unicode=True).encode()


def complete(runbook: Runbook) -> dict[str, object]:
    """The manifest with its attestations, for whoever applies it without us."""
    body = manifest(runbook)
    body["spec"]["attestations"] = [a.model_dump(mode="json", by_alias=True) for a in runbook.spec.attestations]
    return body

"""Attestations as files and on a cluster: what vetting found becomes lines that are signed, and lines are published.

A file of statements, as `interlock runbook vet --out` writes it, has one in-toto statement a line; a file of
attestations has one `Attested` a line.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from interlock.cli.cluster import Cluster, Object, runbooks_path
from interlock.cli.errors import CommandError, Refused, UsageError
from interlock.crds.attestation import AttestationTooLarge, Statement, Verdict, judge, sign
from interlock.crds.names import SYSTEM_NAMESPACE
from interlock.crds.runbook import Attestation, Runbook
from interlock.crds.signing import SigningKey
from interlock.crds.trust import PolicyRefused, TrustPolicy
from interlock.crds.types import Digest, Model, RunbookName

_MOST = 8
"""So many attestations a runbook carries."""
_POLICY = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps/interlock-trust"


class Attested(Model):
    """One line: which runbook it is about, so that nobody needs to open the envelope to know."""

    name: RunbookName
    digest: Digest
    attestation: Attestation


_Line = TypeVar("_Line", bound=BaseModel)


def read_lines(path: Path, kind: type[_Line]) -> list[_Line]:
    """What each line of a file is.

    Raises:
        CommandError: the file cannot be read, or a line is something else; it is named.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    return [_parsed(path, number, line, kind) for number, line in enumerate(lines, start=1) if line.strip()]


def _parsed(path: Path, number: int, line: bytes, kind: type[_Line]) -> _Line:
    try:
        return kind.model_validate_json(line)
    except ValidationError as wrong:
        said = wrong.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, said["loc"]))
        raise CommandError(f"{path}:{number}: no {kind.__name__.lower()}: {where}: {said['msg']}") from wrong


def write_lines(path: Path, lines: Iterable[BaseModel]) -> None:
    """Writes a file that `read_lines` reads."""
    path.write_text("".join(f"{line.model_dump_json(by_alias=True)}\n" for line in lines), encoding="utf-8")


def signed(runbooks: Sequence[Runbook], statements: Sequence[Statement], key: SigningKey) -> list[Attested]:
    """Attests the vetting of each runbook; hand-overs, which have none, are left out.

    Raises:
        CommandError: of one there is no statement, or it failed. Nothing is signed then.
    """
    acting = [runbook for runbook in runbooks if runbook.spec.type != "Handover"]
    return [_signed(runbook, statements, key) for runbook in acting]


def _signed(runbook: Runbook, statements: Sequence[Statement], key: SigningKey) -> Attested:
    name, found = runbook.metadata.name, [statement for statement in statements if statement.is_about(runbook)]
    if not found:
        other = any(statement.subject[0].name == name for statement in statements)
        why = "what was vetted had another content" if other else "it was not vetted"
        raise CommandError(f"{name} with {runbook.digest()}: {why}", "Vet what you sign: interlock runbook vet")
    vetting = found[-1].predicate
    if not vetting.passed:
        raise CommandError(f"{name}: its vetting failed", "Nothing is signed: correct the runbook and vet it again.")
    try:
        return Attested(name=name, digest=runbook.digest(), attestation=sign(runbook, vetting, key))
    except AttestationTooLarge as wrong:
        raise CommandError(f"{name}: {wrong}", "Name scenarios shorter, or keep fewer.") from wrong


def with_attestations(runbook: Runbook, lines: Iterable[Attested]) -> Runbook:
    """The runbook with what is attested of exactly its content, beside what it carries."""
    carried = list(runbook.spec.attestations)
    about = (
        line.attestation for line in lines if (line.name, line.digest) == (runbook.metadata.name, runbook.digest())
    )
    carried += [attestation for attestation in about if attestation not in carried]
    return runbook.model_copy(update={"spec": runbook.spec.model_copy(update={"attestations": carried[-_MOST:]})})


def append(cluster: Cluster, runbook: Runbook) -> int:
    """Adds, to the published runbook, the attestations of this one that it does not carry yet; returns how many.

    Raises:
        CommandError: there is no more room, or the API server refuses.
    """
    path = runbooks_path(runbook.metadata.name)
    there = cluster.get(path)["spec"].get("attestations") or []
    carried = [Attestation.model_validate(item) for item in there]
    missing = [attestation for attestation in runbook.spec.attestations if attestation not in carried]
    if len(carried) + len(missing) > _MOST:
        message = f"{runbook.metadata.name} carries {len(carried)} attestations, and at most {_MOST}"
        raise CommandError(message, "Publish a new version of the runbook.")
    if missing:
        additions = [a.model_dump(mode="json", by_alias=True) for a in missing]
        cluster.json_patch(path, [{"op": "add", "path": "/spec/attestations/-", "value": a} for a in additions])
    return len(missing)


def policy_from(path: Path | None, cluster: Cluster | None) -> TrustPolicy:
    """The trust policy of a file, or else that of the cluster's installation.

    Raises:
        CommandError: it cannot be read.
        UsageError: neither is given.
    """
    try:
        if path is not None:
            return TrustPolicy.parse(path.read_bytes())
        if cluster is not None:
            return TrustPolicy.parse(_installed(cluster)["data"]["policy.yaml"].encode())
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    except PolicyRefused as refused:
        raise CommandError(f"{path or 'ConfigMap interlock-trust'} is no trust policy: {refused}") from refused
    raise UsageError("--trust must name a trust policy", "A file with `keys:`, as `interlock key new` prints them.")


def _installed(cluster: Cluster) -> Object:
    try:
        return cluster.get(_POLICY)
    except Refused as refused:
        way_out = "Name a file with --trust, or ask the cluster's owner for theirs."
        raise CommandError(f"the installation's trust policy cannot be read: {refused.message}", way_out) from refused


def verdicts(runbooks: Iterable[Runbook], trust: TrustPolicy, kubernetes: str) -> list[tuple[Runbook, Verdict]]:
    """What an operator under this policy makes of each runbook now."""
    now = datetime.now(UTC)
    return [(runbook, judge(runbook, trust, now, kubernetes)) for runbook in runbooks]

"""The signed heads that an archive is compared with: those on the cluster, and those that somebody kept."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from interlock.cli.cluster import Cluster
from interlock.cli.errors import UsageError
from interlock.crds.audithead import AuditHeadSpec
from interlock.crds.types import API_VERSION
from interlock.operator.archive.verify import Witness

HEADS_PATH = f"/apis/{API_VERSION}/auditheads"
_NOTED = re.compile(r"^(?:(?P<seq>\d{1,12}):)?(?P<hash>sha256:[a-f0-9]{64})$")


def on_cluster(cluster: Cluster) -> Iterator[Witness]:
    """Every AuditHead; raises Refused."""
    for body in cluster.items(HEADS_PATH):
        yield Witness.of(AuditHeadSpec.model_validate(body["spec"]), f"AuditHead {body['metadata']['name']}")


def given(heads: Iterable[str]) -> Iterator[Witness]:
    """What `--head` names: a hash, seq:hash, a signed head as JSON, or a file of lines such as the operator's output.

    Raises:
        UsageError: it is none of these.
    """
    for text in heads:
        if noted := _NOTED.match(text):
            seq = int(noted["seq"]) if noted["seq"] else None
            yield Witness("--head", noted["hash"], seq)
        elif text.lstrip().startswith("{"):
            yield Witness.of(_signed(text, text), "--head")
        else:
            yield from _from_file(Path(text))


def _from_file(path: Path) -> Iterator[Witness]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        way_out = "It is a hash (sha256:…), seq:hash, a signed head as JSON, or a file with the operator's output."
        raise UsageError(f"--head: {str(path)!r} is no head and cannot be read: {error.strerror}", way_out) from error
    found = [line[line.index("{") :] for line in lines if '"audit-head"' in line and "{" in line]
    if not found:
        raise UsageError(f"--head: {path} holds no signed head", "The operator prints them to its standard output.")
    for line in found:
        yield Witness.of(_signed(line, str(path)), str(path))


def _signed(text: str, where: str) -> AuditHeadSpec:
    try:
        fields = json.loads(text)
        return AuditHeadSpec.model_validate({k: v for k, v in fields.items() if k != "interlock"})
    except (ValueError, AttributeError, ValidationError) as wrong:
        raise UsageError(f"--head: {where[:100]!r} holds no signed head: {str(wrong).splitlines()[0]}") from wrong

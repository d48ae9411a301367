"""Whom a lab trusts: one key, made for it, that signs what passed its vetting on this machine and is then forgotten."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from interlock.cli.attesting import Attested, with_attestations
from interlock.cli.vetting.keeping import kept
from interlock.crds.attestation import sign
from interlock.crds.runbook import Runbook
from interlock.crds.signing import SigningKey
from interlock.crds.trust import TrustedKey, TrustPolicy


@dataclass(frozen=True)
class Trusted:
    """Runbooks as a lab publishes them, and the policy by which its operator believes in some."""

    runbooks: tuple[Runbook, ...]
    """Those that passed carry their attestation."""
    policy: Path

    @property
    def attested(self) -> int:
        """How many are."""
        return sum(bool(runbook.spec.attestations) for runbook in self.runbooks)


def trust_kept(runbooks: Iterable[Runbook], directory: Path) -> Trusted:
    """Attests what passed its vetting on this machine, and writes the policy that believes it into the folder."""
    key = SigningKey.new()
    policy = TrustPolicy(keys=[TrustedKey(name="this-lab", key=key.key_id)])
    path = directory / "trust.yaml"
    path.write_text(yaml.safe_dump(policy.model_dump(mode="json", by_alias=True)), encoding="utf-8")
    return Trusted(tuple(_attested(runbook, key) for runbook in runbooks), path)


def _attested(runbook: Runbook, key: SigningKey) -> Runbook:
    found = kept(runbook)
    if found is None:
        return runbook
    line = Attested(
        name=runbook.metadata.name, digest=runbook.digest(), attestation=sign(runbook, found.predicate, key)
    )
    return with_attestations(runbook, [line])

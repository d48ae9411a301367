"""Attestations that no vetting stands behind, for tests of who believes them."""

from datetime import UTC, datetime
from typing import Any

from interlock.crds.attestation import Vetting, sign
from interlock.crds.runbook import Attestation, Runbook
from interlock.crds.signing import SigningKey


def vetting(**fields: Any) -> Vetting:
    """One that has just passed, but for the fields that are given."""
    found = {
        "result": "Passed",
        "scenarios": [{"name": "broken", "kind": "Cure", "result": "Passed", "durationSeconds": 1}],
        "substrate": "simulated",
        "permissions": "Minimal",
        "kubernetes": "1.34.x",
        "interlock": "0.1.0",
        "finishedAt": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    return Vetting.model_validate({**found, **fields})


def attested(runbook: Runbook, *attestations: Attestation) -> Runbook:
    """The runbook with attestations in place of its own."""
    return runbook.model_copy(update={"spec": runbook.spec.model_copy(update={"attestations": list(attestations)})})


def vetted(runbook: Runbook, key: SigningKey, **fields: Any) -> Runbook:
    """The runbook with one attestation."""
    return attested(runbook, sign(runbook, vetting(**fields), key))

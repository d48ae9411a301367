"""What the doctor says of trust: whose word counts, what would run, and what will soon not run any more."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import yaml
from tests.unit.cli.test_running import Recorded
from tests.unit.crds.test_attestation import BOOK, GOOD, KEY, NOW, OTHER

from interlock.cli.diagnosis import Finding
from interlock.cli.runbooks import manifest
from interlock.cli.trusting import trust
from interlock.crds.runbook import Attestation

POLICY = "/api/v1/namespaces/interlock-system/configmaps/interlock-trust"
DEPLOYMENTS = "/apis/apps/v1/namespaces/interlock-system/deployments"
RUNBOOKS = "/apis/interlock.dev/v1alpha1/runbooks"
PLATFORM = {"name": "platform", "key": KEY.key_id}


def found(policy: Any, *, attested: Sequence[Attestation] = (GOOD,), lenient: str = "", days: int = 0) -> list[Finding]:
    """The findings where one runbook is published, with these attestations."""
    cluster = Recorded()
    cluster.answers["/version"] = {"gitVersion": "v1.34.2"}
    body = manifest(BOOK)
    body["spec"]["attestations"] = [item.model_dump(mode="json", by_alias=True) for item in attested]
    cluster.answers[RUNBOOKS] = {"items": [body]}
    env = [{"name": "INTERLOCK_OPERATOR_ALLOW_UNVETTED", "value": lenient}]
    pods = {"spec": {"template": {"spec": {"containers": [{"env": env}]}}}}
    cluster.answers[DEPLOYMENTS] = {"items": [pods]}
    if policy is not None:
        cluster.answers[POLICY] = {"data": {"policy.yaml": policy if isinstance(policy, str) else yaml.dump(policy)}}
    return list(trust(cluster, NOW + timedelta(days=days)))


def test_a_trusted_catalogue_is_well() -> None:
    shown = found({"keys": [PLATFORM]})
    assert [(f.subject, f.ok) for f in shown] == [("trust", True), ("attestations", True)]
    assert "signed by: platform" in shown[0].says
    assert shown[1].says == "1 of 1 are trusted"


@pytest.mark.parametrize(
    ("policy", "subject", "said"),
    [
        ({"keys": []}, "trust", "nobody"),
        ({"keys": [PLATFORM], "revokedKeys": [KEY.key_id]}, "trust", "nobody; revoked: platform"),
        ("keys: 7", "trust", "cannot be read, so nobody is trusted"),
        ({"keys": [{"name": "others", "key": OTHER.key_id}]}, "attestations", f"{BOOK.metadata.name}: KeyUnknown"),
        ({"keys": [PLATFORM], "maxAgeDays": 1}, "attestations", f"{BOOK.metadata.name}: Expired"),
        ({"keys": [PLATFORM], "revokedDigests": [BOOK.digest()]}, "attestations", "DigestRevoked"),
    ],
)
def test_what_would_not_run_is_named_with_its_way_out(policy: Any, subject: str, said: str) -> None:
    wrong = {finding.subject: finding for finding in found(policy) if not finding.ok}
    assert said in wrong[subject].says
    assert wrong[subject].fix


def test_an_attestation_that_expires_within_a_month_is_named_before_it_does() -> None:
    policy = {"keys": [PLATFORM], "maxAgeDays": 100}
    assert all(finding.ok for finding in found(policy, days=41))
    [ending] = [finding for finding in found(policy, days=43) if not finding.ok]
    assert ending.says == f"1 expire within 30 days ({BOOK.metadata.name}: Expired)"


def test_doing_without_vetting_is_said_and_explains_what_is_not_attested() -> None:
    shown = {finding.subject: finding for finding in found({"keys": []}, attested=(), lenient="true")}
    assert not shown["unvetted runbooks"].ok
    assert shown["trust"].ok
    assert shown["attestations"].ok
    assert "NoAttestation" in shown["attestations"].says
    revoked = found({"revokedDigests": [BOOK.digest()]}, attested=(), lenient="true")
    assert not {finding.subject: finding for finding in revoked}["attestations"].ok


def test_where_the_chart_runs_no_operator_its_trust_is_not_seen() -> None:
    [only] = found(None)
    assert only.ok
    assert "not seen from here" in only.says

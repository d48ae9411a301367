"""Only what a trusted key attests runs, and why something does not is seen on the runbook and on the execution."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.identity import JSON_PATCH
from tests.support.installation import API, Installation
from tests.support.operators import Fleet, fleet
from tests.support.scene import Scene, scaling
from tests.support.vetting import attested, vetted, vetting
from tests.support.waiting import eventually

from interlock.crds.attestation import sign
from interlock.crds.runbook import Attestation, Runbook
from interlock.crds.signing import SigningKey

KEY, WITHDRAWN, STRANGER = SigningKey.new(), SigningKey.new(), SigningKey.new()
AGES_AGO = "2020-01-01T00:00:00Z"
FAMILY = "test-vetted"


def book(title: str) -> Runbook:
    return scaling(FAMILY, title=title)


REVOKED = vetted(book("revoked"), KEY)
POLICY: dict[str, Any] = {
    "keys": [{"name": "platform", "key": KEY.key_id}, {"name": "former", "key": WITHDRAWN.key_id}],
    "revokedKeys": [WITHDRAWN.key_id],
    "revokedDigests": [REVOKED.digest()],
    "maxAgeDays": 30,
    "kubernetesMinors": 10,
}


def with_one_byte_changed(runbook: Runbook) -> Runbook:
    """A byte of the signed statement is another one."""
    [attestation] = runbook.spec.attestations
    content = base64.b64decode(attestation.envelope).replace(b'"payload":"e', b'"payload":"f', 1)
    return attested(runbook, attestation.model_copy(update={"envelope": base64.b64encode(content).decode()}))


def borrowed(runbook: Runbook) -> Attestation:
    """What was attested of another content."""
    return sign(runbook, vetting(), KEY)


REFUSED: dict[str, Runbook] = {
    "NoAttestation": book("nobody's"),
    "KeyUnknown": vetted(book("a stranger's"), STRANGER),
    "KeyRevoked": vetted(book("a former colleague's"), WITHDRAWN),
    "DigestRevoked": REVOKED,
    "SignatureWrong": with_one_byte_changed(vetted(book("changed"), KEY)),
    "DigestDiffers": attested(book("borrowed"), borrowed(book("lent"))),
    "Expired": vetted(book("old"), KEY, finishedAt=AGES_AGO),
}


@pytest.fixture
def strict(operated: Installation, operator: Path, trust_policy: Path, tmp_path: Path) -> Iterator[Fleet]:
    """An operator that runs only what is vetted, beside the lab's own, which shows what the same policy makes of it."""
    trust_policy.write_text(yaml.safe_dump(POLICY))
    with fleet(operated, tmp_path) as made:
        made.start("strict", allow_unvetted="false", trust_policy=str(trust_policy))
        yield made


def shown(scene: Scene) -> dict[str, list[str]]:
    """Status and reason of Vetted by runbook, as kubectl prints them."""
    lab = scene.installation.lab
    command = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", "get", "rb", "--no-headers"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {words[0]: words[5:7] for line in printed.splitlines() if (words := line.split())}


def test_only_what_a_trusted_key_attests_runs_and_the_reason_is_shown(strict: Fleet) -> None:
    scene, good = strict.scene(), vetted(book("good"), KEY)
    scene.use(good, *REFUSED.values())
    assert scene.request(good, {"replicas": "2"}, name="good").ok
    for reason, runbook in REFUSED.items():
        assert scene.request(runbook, {"replicas": "2"}, name=reason.lower()).ok
        status = scene.ends("Refused", name=reason.lower())
        assert (status.reason, status.message.split(":")[0]) == ("RunbookNotVetted", reason)
    scene.approve("good")
    scene.ends("Succeeded", name="good")
    wanted = {runbook.metadata.name: ["False", reason] for reason, runbook in REFUSED.items()}
    wanted[good.metadata.name] = ["True", "Trusted"]
    eventually("all that to be shown", lambda: wanted.items() <= shown(scene).items())
    renewed = sign(REFUSED["Expired"], vetting(), KEY).model_dump(by_alias=True)
    path = f"{API}/runbooks/{REFUSED['Expired'].metadata.name}"
    add = [{"op": "add", "path": "/spec/attestations/-", "value": renewed}]
    assert scene.admin.patch(path, add, JSON_PATCH).ok
    assert scene.request(REFUSED["Expired"], {"replicas": "3"}, name="renewed").ok
    scene.offered("renewed")

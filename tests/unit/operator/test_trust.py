"""The trust policy as a file: read anew when it changes, and one that cannot be read trusts nobody."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support import vetting as support
from tests.unit.crds.samples import runbook

from interlock.crds.runbook import Runbook
from interlock.crds.signing import SigningKey
from interlock.crds.trust import PolicyRefused
from interlock.operator.api import Api
from interlock.operator.trust import Trust

KEY = SigningKey.new()
FINISHED = datetime(2026, 1, 1, tzinfo=UTC)
TRUSTING = f"keys: [{{name: platform, key: '{KEY.key_id}'}}]\n"


class Version:
    """An API server that only says its version, and counts how often."""

    def __init__(self) -> None:
        self.says, self.asked = "v1.34.1", 0

    async def request(self, method: str, path: str) -> dict[str, Any]:
        assert (method, path) == ("GET", "/version")
        self.asked += 1
        return {"gitVersion": self.says}


class Judging:
    """A policy in a file, and a runbook that KEY attests."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "policy.yaml"
        self.file.write_text(TRUSTING)
        self.server, self.now = Version(), FINISHED
        self.trust = Trust(cast(Api, self.server), self.file, lambda: self.now, allow_unvetted=False)

    def reason(self, book: Runbook) -> str:
        return asyncio.run(self.trust.judge(book)).reason


@pytest.fixture
def judging(tmp_path: Path) -> Judging:
    return Judging(tmp_path)


def vetted() -> Runbook:
    return support.vetted(runbook(), KEY, finishedAt=FINISHED.isoformat())


def test_a_revocation_counts_from_the_moment_that_it_is_written(judging: Judging) -> None:
    assert judging.reason(vetted()) == "Trusted"
    judging.file.write_text(f"{TRUSTING}revokedDigests: ['{runbook().digest()}']\n")
    assert judging.reason(vetted()) == "DigestRevoked"
    judging.file.write_text(f"{TRUSTING}revokedKeys: ['{KEY.key_id}']\n")
    assert judging.reason(vetted()) == "KeyRevoked"


def test_a_policy_that_cannot_be_read_trusts_nobody_until_it_can(judging: Judging) -> None:
    for wrong in ("keys: everybody", "{"):
        judging.file.write_text(wrong)
        assert judging.reason(vetted()) == "PolicyUnreadable"
    judging.file.unlink()
    assert judging.reason(vetted()) == "PolicyUnreadable"
    with pytest.raises(PolicyRefused):
        judging.trust.policy()
    judging.file.write_text(TRUSTING)
    assert judging.reason(vetted()) == "Trusted"


def test_without_a_policy_nobody_is_trusted() -> None:
    trust = Trust(cast(Api, Version()), None, lambda: FINISHED, allow_unvetted=False)
    assert asyncio.run(trust.judge(vetted())).reason == "KeyUnknown"


def test_the_clusters_version_is_asked_for_once_in_a_while_and_only_if_it_matters(judging: Judging) -> None:
    assert judging.reason(runbook()) == "NoAttestation"
    assert judging.server.asked == 0
    assert [judging.reason(vetted()) for _ in range(3)] == ["Trusted"] * 3
    assert judging.server.asked == 1
    judging.server.says, judging.now = "v1.40.0", FINISHED + timedelta(hours=1)
    assert judging.reason(vetted()) == "KubernetesDiffers"
    assert judging.server.asked == 2

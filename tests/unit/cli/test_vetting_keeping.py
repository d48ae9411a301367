"""What passed on this machine is kept by digest, and a lab's own key attests exactly that."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.vetting import vetting

from interlock.cli.demo.trusting import trust_kept
from interlock.cli.vetting.keeping import keep, kept
from interlock.crds.attestation import judge, statement_of
from interlock.crds.runbook import Runbook
from interlock.crds.trust import TrustPolicy
from interlock.runbooks.loading import load_catalogue

BOOKS = {item.runbook.spec.family: item.runbook for item in load_catalogue()}
RESTART, SCALE = BOOKS["restart-deployment"], BOOKS["scale-deployment"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLOCK_CACHE", str(tmp_path))
    return tmp_path


def retitled(runbook: Runbook) -> Runbook:
    return runbook.model_copy(update={"spec": runbook.spec.model_copy(update={"title": "Another"})})


def test_what_passed_is_kept_for_exactly_this_content() -> None:
    assert kept(RESTART) is None
    keep(statement_of(RESTART, vetting()))
    found = kept(RESTART)
    assert found is not None
    assert found.is_about(RESTART)
    assert kept(SCALE) is None
    assert kept(retitled(RESTART)) is None


def test_what_failed_since_is_not_believed_any_more() -> None:
    keep(statement_of(RESTART, vetting()))
    keep(statement_of(RESTART, vetting(result="Failed")))
    assert kept(RESTART) is None


def test_what_cannot_be_read_is_tried_again(cache: Path) -> None:
    keep(statement_of(RESTART, vetting()))
    [file] = (cache / "vettings").iterdir()
    file.write_text("{}")
    assert kept(RESTART) is None


def test_a_file_under_another_name_is_not_believed(cache: Path) -> None:
    keep(statement_of(RESTART, vetting()))
    [file] = (cache / "vettings").iterdir()
    file.rename(file.with_stem(SCALE.digest().removeprefix("sha256:")))
    assert kept(SCALE) is None


def test_a_lab_believes_what_passed_here_and_nothing_else(tmp_path: Path) -> None:
    keep(statement_of(RESTART, vetting()))
    trusted = trust_kept([RESTART, SCALE], tmp_path)
    policy = TrustPolicy.parse(trusted.policy.read_bytes())
    verdicts = [judge(runbook, policy, datetime.now(UTC), "1.34.1") for runbook in trusted.runbooks]
    assert [verdict.trusted for verdict in verdicts] == [True, False]
    assert trusted.attested == 1
    [attestation] = trusted.runbooks[0].spec.attestations
    changed = retitled(RESTART)
    spec = changed.spec.model_copy(update={"attestations": [attestation]})
    assert not judge(changed.model_copy(update={"spec": spec}), policy, datetime.now(UTC), "1.34.1").trusted
    assert list(tmp_path.rglob("*.pem")) == []

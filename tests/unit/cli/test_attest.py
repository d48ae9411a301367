"""Keys, signatures and what is made of them, as people type it."""

import json
import stat
from pathlib import Path

import pytest
import yaml
from tests.support.vetting import vetting
from tests.unit.cli.test_commands import run

from interlock.cli.attesting import Attested, read_lines, with_attestations, write_lines
from interlock.crds.attestation import Statement, statement_of
from interlock.crds.signing import SigningKey
from interlock.runbooks.loading import load_catalogue

RESTART = next(item.runbook for item in load_catalogue() if item.runbook.spec.family == "restart-deployment")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a key, a policy that trusts it, and what a vetting of restart-deployment found."""
    run("key", "new", str(tmp_path / "key.pem"))
    key = SigningKey.load((tmp_path / "key.pem").read_bytes())
    policy = {"keys": [{"name": "platform", "key": key.key_id}]}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    write_lines(tmp_path / "vetting.jsonl", [statement_of(RESTART, vetting())])
    return tmp_path


def sign(desk: Path, *runbooks: str, code: int = 0) -> str:
    files = ("--vetting", str(desk / "vetting.jsonl"), "--key", str(desk / "key.pem"), "--out", str(desk / "signed"))
    return run("runbook", "sign", *(runbooks or ("restart-deployment",)), *files, code=code)


def verify(desk: Path, *words: str, code: int = 0) -> str:
    policy = ("--trust", str(desk / "policy.yaml"), "--kubernetes", "1.34")
    return run("runbook", "verify", "restart-deployment", *policy, *words, code=code)


def test_a_key_is_private_never_overwritten_and_says_how_to_be_trusted(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    said = run("key", "new", str(file))
    key = SigningKey.load(file.read_bytes())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f'- {{name: NAME, key: "{key.key_id}"}}' in said
    assert "PRIVATE" not in said
    before = file.read_bytes()
    assert "never overwritten" in run("key", "new", str(file), code=1)
    assert file.read_bytes() == before
    assert key.key_id in run("key", "show", str(file))
    file.write_text("no key")
    assert "interlock key new" in run("key", "show", str(file), code=1)
    assert "cannot be read" in run("key", "show", str(tmp_path / "none"), code=1)


def test_what_passed_is_signed_and_believed(desk: Path) -> None:
    assert "1 attestations" in sign(desk)
    assert "Trusted" in verify(desk, "--attestations", str(desk / "signed"))
    refused = json.loads(verify(desk, "-o", "json", code=1))
    assert [row["reason"] for row in refused] == ["NoAttestation"]


def test_only_exactly_what_was_vetted_is_signed(desk: Path) -> None:
    other = RESTART.model_copy(update={"spec": RESTART.spec.model_copy(update={"title": "Another"})})
    for statement, said in (
        (statement_of(other, vetting()), "what was vetted had another content"),
        (statement_of(RESTART, vetting(result="Failed")), "its vetting failed"),
    ):
        write_lines(desk / "vetting.jsonl", [statement])
        assert said in sign(desk, code=1)
    assert "it was not vetted" in sign(desk, "scale-deployment", code=1)
    assert "0 attestations" in sign(desk, "escalate"), "a hand-over has no vetting"


def test_a_line_that_is_something_else_is_named(desk: Path) -> None:
    sign(desk)
    line = (desk / "signed").read_text()
    (desk / "signed").write_text(line + "\n" + line.replace('"name"', '"who"'))
    assert "signed:3: no attested" in verify(desk, "--attestations", str(desk / "signed"), code=1)
    (desk / "policy.yaml").write_text("keys: everybody")
    assert "no trust policy: keys" in verify(desk, code=1)
    assert "--trust must name" in run("runbook", "verify", "escalate", "--kubernetes", "1.34", code=2)
    assert "--kubernetes must name" in run("runbook", "verify", "escalate", code=2)


def test_an_attestation_joins_those_that_a_runbook_carries_once(desk: Path) -> None:
    sign(desk)
    [line] = read_lines(desk / "signed", Attested)
    once = with_attestations(RESTART, [line])
    assert once.spec.attestations == [line.attestation]
    assert with_attestations(once, [line]) == once
    elsewhere = line.model_copy(update={"digest": f"sha256:{'0' * 64}"})
    assert with_attestations(RESTART, [elsewhere]) == RESTART
    assert [s.predicate.result for s in read_lines(desk / "vetting.jsonl", Statement)] == ["Passed"]

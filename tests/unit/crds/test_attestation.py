"""What an attestation proves, and that nothing else does: one changed byte anywhere is refused."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from securesystemslib.dsse import Envelope
from tests.unit.crds.samples import handover, runbook, runbook_body

from interlock.crds.attestation import (
    PAYLOAD_TYPE,
    AttestationTooLarge,
    Statement,
    Verdict,
    Vetting,
    judge,
    sign,
    verify,
)
from interlock.crds.digest import canonical
from interlock.crds.runbook import Attestation, Runbook
from interlock.crds.signing import KeyRefused, SigningKey
from interlock.crds.trust import PolicyRefused, TrustedKey, TrustPolicy

KEY, OTHER = SigningKey.new(), SigningKey.new()
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HERE = "v1.34.2+lab"
TRUST = TrustPolicy(keys=[TrustedKey(name="platform", key=KEY.key_id)])
PASSED = {"name": "no-such-image", "kind": "Cure", "result": "Passed", "durationSeconds": 3.5, "kills": 4}


def vetting(**fields: Any) -> Vetting:
    found = {
        "result": "Passed",
        "scenarios": [PASSED],
        "substrate": "simulated",
        "timeScale": 0.1,
        "permissions": "Minimal",
        "kubernetes": "1.34.x",
        "interlock": "0.1.0",
        "finishedAt": "2026-02-01T00:00:00Z",
    }
    return Vetting.model_validate({**found, **fields})


BOOK = runbook()
GOOD = sign(BOOK, vetting(), KEY)


def asked(
    attestation: Attestation = GOOD,
    book: Runbook = BOOK,
    trust: TrustPolicy = TRUST,
    now: datetime = NOW,
    kubernetes: str = HERE,
) -> Verdict:
    return verify(book, attestation, trust, now, kubernetes)


def changed(trust: TrustPolicy = TRUST, **fields: Any) -> TrustPolicy:
    return TrustPolicy.model_validate({**trust.model_dump(by_alias=True), **fields})


def test_what_a_trusted_key_attests_is_believed() -> None:
    verdict = asked()
    assert verdict.trusted
    assert verdict.vetting == vetting()
    assert "1 scenarios passed on Kubernetes 1.34.x (simulated, time scale 0.1)" in verdict.message
    assert "platform" in verdict.message


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("KeyUnknown", lambda: asked(sign(BOOK, vetting(), OTHER))),
        ("KeyUnknown", lambda: asked(trust=TrustPolicy())),
        ("KeyRevoked", lambda: asked(trust=changed(revokedKeys=[KEY.key_id]))),
        ("SignatureWrong", lambda: asked(claiming(sign(BOOK, vetting(), OTHER), KEY.key_id))),
        ("AttestationUnreadable", lambda: asked(GOOD.model_copy(update={"vetted_at": "2026-02-28T00:00:00Z"}))),
        ("AttestationUnreadable", lambda: asked(sealed(b"{}"))),
        ("AttestationUnreadable", lambda: asked(sealed(statement(predicateType="https://slsa.dev/provenance/v1")))),
        ("AttestationUnreadable", lambda: asked(sealed(statement(predicate={"result": "Passed"})))),
        ("DigestDiffers", lambda: asked(book=runbook(title="Something else"))),
        ("NotPassed", lambda: asked(sign(BOOK, vetting(result="Failed"), KEY))),
        ("NotPassed", lambda: asked(sign(BOOK, vetting(scenarios=[PASSED, PASSED | {"result": "Failed"}]), KEY))),
        ("NotPassed", lambda: asked(sign(BOOK, vetting(scenarios=[]), KEY))),
        ("Expired", lambda: asked(now=NOW + timedelta(days=365))),
        ("Expired", lambda: asked(trust=changed(maxAgeDays=27))),
        ("TimeAhead", lambda: asked(now=NOW - timedelta(days=60))),
        ("KubernetesDiffers", lambda: asked(kubernetes="v1.37.0")),
        ("KubernetesDiffers", lambda: asked(kubernetes="v1.31.9")),
        ("KubernetesDiffers", lambda: asked(kubernetes="2.34.0")),
        ("KubernetesDiffers", lambda: asked(kubernetes="")),
        ("SubstrateTooWeak", lambda: asked(trust=changed(substrate={"Low": "kubelet"}))),
        ("DigestRevoked", lambda: asked(trust=changed(revokedDigests=[BOOK.digest()]))),
    ],
)
def test_it_is_refused_for_a_reason(reason: str, verdict: Callable[[], Verdict]) -> None:
    found = verdict()
    assert (found.reason, found.trusted) == (reason, False)
    assert found.message


@pytest.mark.parametrize(
    "verdict",
    [
        lambda: asked(now=NOW + timedelta(days=336)),
        lambda: asked(kubernetes="1.36"),
        lambda: asked(kubernetes="v1.32.11-eks-4f9"),
        lambda: asked(trust=changed(substrate={"High": "kubelet"})),
        lambda: asked(sign(BOOK, vetting(substrate="kubelet"), KEY), trust=changed(substrate={"Low": "kubelet"})),
        lambda: asked(book=runbook(state="Retired", digest=BOOK.digest())),
    ],
)
def test_what_just_fits_is_believed(verdict: Callable[[], Verdict]) -> None:
    assert verdict().trusted


WRITTEN = GOOD.model_dump_json(by_alias=True).encode()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(WRITTEN) - 1), st.integers(1, 255))
def test_one_changed_byte_of_the_attestation_is_refused(place: int, difference: int) -> None:
    other = WRITTEN[:place] + bytes([WRITTEN[place] ^ difference]) + WRITTEN[place + 1 :]
    try:
        attestation = Attestation.model_validate_json(other)
    except ValidationError:
        return  # the API server and the operator refuse the whole runbook
    assert attestation != GOOD
    assert not asked(attestation).trusted


INSIDE = base64.b64decode(GOOD.envelope)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(INSIDE) - 1), st.integers(1, 255))
def test_one_changed_byte_of_the_envelope_is_refused(place: int, difference: int) -> None:
    other = INSIDE[:place] + bytes([INSIDE[place] ^ difference]) + INSIDE[place + 1 :]
    assert not asked(with_envelope(other)).trusted


CONTENT = canonical(BOOK.model_dump(mode="json", by_alias=True, exclude_none=True))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_one_changed_byte_of_the_runbook_is_refused(place: int, difference: int) -> None:
    other = CONTENT[:place] + bytes([CONTENT[place] ^ difference]) + CONTENT[place + 1 :]
    try:
        book = Runbook.model_validate_json(other)
    except ValidationError:
        return
    assert book == BOOK or book.spec.state == "Retired" or asked(book=book).reason == "DigestDiffers"


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.recursive(st.none(), st.lists).map(json.dumps).map(str.encode)))
def test_whatever_else_is_in_the_envelope_or_the_payload_is_refused(content: bytes) -> None:
    assert not asked(with_envelope(content)).trusted
    assert not asked(sealed(content)).trusted


def test_another_spelling_of_the_same_envelope_is_refused() -> None:
    body = json.loads(INSIDE)
    spaced = json.dumps(body, indent=1).encode()
    doubled = INSIDE.replace(b'{"payload"', b'{"payload":"e30=","payload"', 1)
    urlsafe = json.dumps(body | {"payload": body["payload"].rstrip("=")}).encode()
    for spelling in (spaced, doubled, urlsafe, b"[" * 5000):
        assert asked(with_envelope(spelling)).reason == "AttestationUnreadable"


def test_a_key_has_one_spelling() -> None:
    last = KEY.key_id[-2]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    respelled = f"{KEY.key_id[:-2]}{alphabet[alphabet.index(last) + 1]}="
    with pytest.raises(ValidationError):
        changed(keys=[{"name": "platform", "key": respelled}])


def test_of_several_attestations_one_is_enough_and_the_nearest_explains() -> None:
    old = sign(BOOK, vetting(finishedAt="2020-01-01T00:00:00Z"), KEY)
    unknown = sign(BOOK, vetting(), OTHER)
    assert judge(attested(unknown, old, GOOD), TRUST, NOW, HERE).trusted
    assert judge(attested(old, unknown), TRUST, NOW, HERE).reason == "Expired"
    assert judge(attested(unknown), TRUST, NOW, HERE).reason == "KeyUnknown"
    assert judge(BOOK, TRUST, NOW, HERE).reason == "NoAttestation"
    revoked = changed(revokedDigests=[BOOK.digest()])
    assert judge(attested(GOOD), revoked, NOW, HERE).reason == "DigestRevoked"


def test_a_hand_over_needs_no_vetting_but_can_be_revoked() -> None:
    assert judge(handover(), TrustPolicy(), NOW, HERE).trusted
    revoked = TrustPolicy(revoked_digests=[handover().digest()])
    assert judge(handover(), revoked, NOW, HERE).reason == "DigestRevoked"


def test_a_statement_that_no_runbook_can_carry_is_not_signed() -> None:
    names = [{**PASSED, "name": f"{number:x<63}"} for number in range(10, 58)]
    with pytest.raises(AttestationTooLarge):
        sign(BOOK, vetting(scenarios=[n | {"kind": "K" * 63} for n in names]), KEY)


def test_a_key_is_what_its_file_holds() -> None:
    assert SigningKey.load(KEY.pem()).key_id == KEY.key_id
    for content in (b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\x00" * 32):
        with pytest.raises(KeyRefused):
            SigningKey.load(content)


def test_a_policy_is_read_whole_or_not_at_all() -> None:
    written = f"""
keys: [{{name: platform, key: "{KEY.key_id}"}}]
substrate: {{High: kubelet}}
"""
    assert TrustPolicy.parse(written.encode()) == changed(substrate={"High": "kubelet"})
    assert TrustPolicy.parse(b"") == TrustPolicy()
    wrong = {
        "key: value": "key",
        "keys: [{name: platform, key: 'ed25519:AAAA'}]": "keys.0.key",
        "maxAgeDays: 0": "maxAgeDays",
        "substrate: {High: real}": "substrate.High",
        "revokedKeys: [": "not YAML",
        "[]": "valid dictionary",
        " " * 2**20 + "a": "larger",
    }
    for content, said in wrong.items():
        with pytest.raises(PolicyRefused, match=said):
            TrustPolicy.parse(content.encode())


def statement(**fields: Any) -> bytes:
    payload = json.loads(base64.b64decode(json.loads(INSIDE)["payload"]))
    return canonical(payload | fields)


def sealed(payload: bytes) -> Attestation:
    """What the trusted key signed, whatever it is."""
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(KEY.signer)
    return with_envelope(canonical(envelope.to_dict()))


def claiming(attestation: Attestation, key_id: str) -> Attestation:
    body = json.loads(base64.b64decode(attestation.envelope))
    body["signatures"][0]["keyid"] = key_id
    return with_envelope(canonical(body)).model_copy(update={"key_id": key_id})


def with_envelope(content: bytes) -> Attestation:
    encoded = base64.b64encode(content).decode()
    return Attestation(key_id=KEY.key_id, vetted_at=GOOD.vetted_at, envelope=encoded)


def attested(*attestations: Attestation) -> Runbook:
    return Runbook.model_validate(runbook_body(attestations=[a.model_dump(by_alias=True) for a in attestations]))


def test_a_later_field_of_the_statement_is_ignored() -> None:
    later = statement(annotations={"a": "b"})
    assert asked(sealed(later)).trusted
    assert Statement.model_validate_json(later).predicate == vetting()

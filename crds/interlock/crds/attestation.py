"""Attestations: a signed statement that exactly this runbook passed its vetting, and when it is to be believed.

The statement is in-toto's (v1), in a DSSE envelope, signed with Ed25519 by securesystemslib. Whoever may publish writes
attestations, so all of it is hostile until its signature is verified, and there is one spelling of each: what differs
in one byte is refused. Whom to trust, and what must have been proven, says the installation's `TrustPolicy`.
"""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, get_args

from pydantic import ConfigDict, Field, StringConstraints, ValidationError, field_validator

from interlock.crds.digest import canonical
from interlock.crds.envelope import EnvelopeRefused, is_canonical, opened, sealed
from interlock.crds.runbook import Attestation, Runbook
from interlock.crds.signing import KeyId, SigningKey
from interlock.crds.trust import Substrate, TrustPolicy
from interlock.crds.types import Line, Model, Name, RunbookName, Time, Word

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://interlock.dev/attestation/vetting/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
ENVELOPE_BYTES = 16384
CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of whoever vetted may be ahead of ours."""

Result = Literal["Passed", "Failed"]
_Minor = Annotated[str, StringConstraints(max_length=16, pattern=r"^[0-9]{1,2}\.[0-9]{1,3}(\.([0-9]{1,3}|x))?$")]


class _Signed(Model):
    """A part of what is signed. Fields that we do not know are ignored, as in-toto demands of whoever reads."""

    model_config = ConfigDict(extra="ignore")


class ScenarioOutcome(_Signed):
    """What became of one scenario."""

    name: Name
    kind: Word = Field(description="Cure, Control, or what vetting derives from them.")
    result: Result
    duration_seconds: Annotated[float, Field(ge=0, le=86400)]
    kills: Annotated[int, Field(ge=0, le=10000)] = Field(default=0, description="Operators killed on the way.")


class Vetting(_Signed):
    """What a vetting found: the predicate of the statement."""

    result: Result
    scenarios: Annotated[list[ScenarioOutcome], Field(max_length=48)]
    substrate: Substrate = Field(description="What it was proven on.")
    time_scale: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1, description="By what holdFor and cool-downs were multiplied; 1 is real time."
    )
    permissions: Literal["Minimal", "OwnRecord"] = Field(
        description="Proven minimal by the API server's audit log, or by the runner client's own record only."
    )
    kubernetes: _Minor = Field(description="Version of the API server, such as 1.34.2 or 1.34.x.")
    interlock: Line = Field(description="Version of Interlock.")
    finished_at: Time = Field(description="When the vetting ended; its age counts from here.")

    @field_validator("finished_at")
    @classmethod
    def _is_an_instant(cls, value: str) -> str:
        if datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("has no time zone")
        return value

    @property
    def passed(self) -> bool:
        """Whether it passed, with each of its scenarios; nothing is proven by none."""
        return (
            self.result == "Passed"
            and bool(self.scenarios)
            and all(scenario.result == "Passed" for scenario in self.scenarios)
        )


class _Sha256(_Signed):
    sha256: Annotated[str, StringConstraints(pattern=r"^[a-f0-9]{64}$")]


class _Subject(_Signed):
    name: RunbookName
    digest: _Sha256


class Statement(_Signed):
    """An in-toto statement about one runbook."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(default=STATEMENT_TYPE, alias="_type")
    subject: Annotated[list[_Subject], Field(min_length=1, max_length=1)]
    predicate_type: Literal["https://interlock.dev/attestation/vetting/v1"] = PREDICATE_TYPE
    predicate: Vetting

    def is_about(self, runbook: Runbook) -> bool:
        """Whether it speaks of exactly this content under exactly this name."""
        subject = self.subject[0]
        return (subject.name, subject.digest.sha256) == (runbook.metadata.name, _hex(runbook))


Reason = Literal[
    "PolicyUnreadable",
    "NoAttestation",
    "KeyUnknown",
    "KeyRevoked",
    "AttestationUnreadable",
    "SignatureWrong",
    "DigestDiffers",
    "NotPassed",
    "TimeAhead",
    "Expired",
    "KubernetesDiffers",
    "SubstrateTooWeak",
    "DigestRevoked",
    "Trusted",
]
"""Why an attestation is not believed, the later the nearer it came to being believed."""


@dataclass(frozen=True)
class Verdict:
    """Whether a runbook is to be trusted, and why, in a word and for a person."""

    reason: Reason
    message: str
    vetting: Vetting | None = None
    """What was found, where it is signed by a trusted key."""

    @property
    def trusted(self) -> bool:
        """Whether it may run."""
        return self.reason == "Trusted"


class AttestationTooLarge(Exception):
    """A vetting says more than an envelope holds: fewer scenarios, or shorter names."""


class _Refused(Exception):
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


def statement_of(runbook: Runbook, vetting: Vetting) -> Statement:
    """What a vetting says about exactly this runbook, unsigned."""
    subject = _Subject(name=runbook.metadata.name, digest=_Sha256(sha256=_hex(runbook)))
    return Statement(subject=[subject], predicate=vetting)


def sign(runbook: Runbook, vetting: Vetting, key: SigningKey) -> Attestation:
    """Attests the vetting of exactly this runbook.

    Raises:
        AttestationTooLarge: the statement does not fit into a runbook.
    """
    statement = statement_of(runbook, vetting)
    envelope = sealed(canonical(statement.model_dump(mode="json", by_alias=True)), PAYLOAD_TYPE, key)
    encoded = base64.b64encode(envelope).decode()
    if len(encoded) > ENVELOPE_BYTES:
        raise AttestationTooLarge(f"an envelope has at most {ENVELOPE_BYTES} bytes, this one {len(encoded)}")
    return Attestation(key_id=key.key_id, vetted_at=vetting.finished_at, envelope=encoded)


def verify(runbook: Runbook, attestation: Attestation, trust: TrustPolicy, now: datetime, kubernetes: str) -> Verdict:
    """Whether this attestation lets the runbook run on a cluster of this version (such as v1.34.2) now."""
    vetting: Vetting | None = None
    try:
        key_id = _known_key(attestation, trust)
        statement = _statement(_signed_payload(attestation, key_id))
        _about(runbook, statement)
        vetting = statement.predicate
        if vetting.finished_at != attestation.vetted_at:
            raise _Refused("AttestationUnreadable", "vettedAt is not what the signed statement says")
        for demand in _DEMANDS:
            demand(_Question(runbook, vetting, trust, now, kubernetes))
    except _Refused as refused:
        return Verdict(refused.reason, str(refused), vetting)
    return Verdict("Trusted", _praise(vetting, _name_of(key_id, trust)), vetting)


def judge(runbook: Runbook, trust: TrustPolicy, now: datetime, kubernetes: str) -> Verdict:
    """Whether any of its attestations lets the runbook run; if none, what is wrong with the one that came nearest.

    A hand-over does nothing to a cluster, so there is nothing to prove; it can be revoked all the same.
    """
    if runbook.digest() in trust.revoked_digests:
        return Verdict("DigestRevoked", "this digest is revoked: publish a new version")
    if runbook.spec.type == "Handover":
        return Verdict("Trusted", "a hand-over does nothing to the cluster, so it needs no vetting")
    verdicts = [verify(runbook, attestation, trust, now, kubernetes) for attestation in runbook.spec.attestations]
    nothing = Verdict(
        "NoAttestation", "nobody attests that it passed its vetting: `interlock runbook vet`, then `sign`"
    )
    return max(verdicts, key=lambda verdict: _ORDER[verdict.reason], default=nothing)


_ORDER: Final = {reason: place for place, reason in enumerate(get_args(Reason))}


def _known_key(attestation: Attestation, trust: TrustPolicy) -> KeyId:
    if attestation.key_id in trust.revoked_keys:
        raise _Refused("KeyRevoked", f"it is signed by {attestation.key_id}, which is revoked")
    if attestation.key_id not in (trusted.key for trusted in trust.keys):
        raise _Refused("KeyUnknown", f"it is signed by {attestation.key_id}, which is not among the trusted keys")
    return attestation.key_id


def _signed_payload(attestation: Attestation, key_id: KeyId) -> bytes:
    """What the holder of the key signed."""
    if not is_canonical(attestation.envelope):
        raise _Refused("AttestationUnreadable", "the envelope is not in base64")
    try:
        return opened(base64.b64decode(attestation.envelope), PAYLOAD_TYPE, key_id)
    except EnvelopeRefused as refused:
        reason: Reason = "SignatureWrong" if refused.kind == "SignatureWrong" else "AttestationUnreadable"
        raise _Refused(reason, str(refused)) from refused


def _statement(payload: bytes) -> Statement:
    try:
        return Statement.model_validate_json(payload)
    except ValidationError as wrong:
        said = wrong.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, said["loc"]))
        raise _Refused(
            "AttestationUnreadable", f"no statement about a vetting: {where}: {said['msg']}"[:512]
        ) from wrong


def _about(runbook: Runbook, statement: Statement) -> None:
    if not statement.is_about(runbook):
        subject = statement.subject[0]
        said = f"{subject.name} with digest sha256:{subject.digest.sha256}"
        raise _Refused("DigestDiffers", f"what was vetted is {said}, not this content")


@dataclass(frozen=True)
class _Question:
    runbook: Runbook
    vetting: Vetting
    trust: TrustPolicy
    now: datetime
    kubernetes: str


def _has_passed(asked: _Question) -> None:
    if not asked.vetting.passed:
        failed = [scenario.name for scenario in asked.vetting.scenarios if scenario.result == "Failed"]
        raise _Refused(
            "NotPassed", f"the vetting failed: {', '.join(failed) or 'no scenario was run to its end'}"[:512]
        )


def _is_current(asked: _Question) -> None:
    age = asked.now - datetime.fromisoformat(asked.vetting.finished_at)
    if age < -CLOCK_SKEW:
        raise _Refused("TimeAhead", f"it says that it was vetted in the future, at {asked.vetting.finished_at}")
    if age > timedelta(days=asked.trust.max_age_days):
        said = (
            f"it was vetted at {asked.vetting.finished_at}, more than {asked.trust.max_age_days} days ago: vet it again"
        )
        raise _Refused("Expired", said)


def _fits_kubernetes(asked: _Question) -> None:
    proven, here = _minor(asked.vetting.kubernetes), _minor(asked.kubernetes)
    if (
        proven is None
        or here is None
        or proven[0] != here[0]
        or abs(proven[1] - here[1]) > asked.trust.kubernetes_minors
    ):
        said = f"it was proven on Kubernetes {asked.vetting.kubernetes}, this is {asked.kubernetes or 'unknown'}"
        raise _Refused(
            "KubernetesDiffers", f"{said}; at most {asked.trust.kubernetes_minors} minor versions may lie between"
        )


def _minor(version: str) -> tuple[int, int] | None:
    found = re.match(r"v?([0-9]{1,3})\.([0-9]{1,3})(?![0-9])", version)
    return (int(found[1]), int(found[2])) if found else None


def _is_strong(asked: _Question) -> None:
    risk = asked.runbook.spec.risk
    if asked.trust.substrate.get(risk) == "kubelet" and asked.vetting.substrate != "kubelet":
        raise _Refused(
            "SubstrateTooWeak", f"a runbook of risk {risk} must be proven on a real kubelet, it was on simulated nodes"
        )


def _is_not_revoked(asked: _Question) -> None:
    if asked.runbook.digest() in asked.trust.revoked_digests:
        raise _Refused("DigestRevoked", "this digest is revoked: publish a new version")


_DEMANDS: Sequence[Callable[[_Question], None]] = (
    _has_passed,
    _is_current,
    _fits_kubernetes,
    _is_strong,
    _is_not_revoked,
)


def _name_of(key_id: KeyId, trust: TrustPolicy) -> str:
    return next(trusted.name for trusted in trust.keys if trusted.key == key_id)


def _praise(vetting: Vetting, signer: str) -> str:
    scale = "" if vetting.time_scale == 1 else f", time scale {vetting.time_scale:g}"
    return (
        f"{len(vetting.scenarios)} scenarios passed on Kubernetes {vetting.kubernetes} ({vetting.substrate}{scale}) at"
        f" {vetting.finished_at}, attested by {signer}"
    )


def _hex(runbook: Runbook) -> str:
    return runbook.digest().removeprefix("sha256:")

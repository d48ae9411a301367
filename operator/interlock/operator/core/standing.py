"""What `kubectl get runbooks` shows: whether each is understood, trusted and granted anywhere, and what came of it.

It decides nothing: the gates judge anew whenever something is asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from interlock.crds.attestation import Verdict
from interlock.crds.ledger import LedgerSpec
from interlock.crds.redact import safe_message
from interlock.crds.runbook import Runbook, RunbookCondition, RunbookStatus, TrackRecord
from interlock.crds.types import Digest

NAMED = 5
"""So many namespaces are named."""


@dataclass(frozen=True)
class Published:
    """A runbook as it stands on the cluster, or why it is not understood."""

    runbook: Runbook | None
    error: str
    status: RunbookStatus

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Published":
        """From what the API server returns; a status that is not understood counts as none."""
        try:
            before = RunbookStatus.model_validate(body.get("status") or {})
        except ValidationError:
            before = RunbookStatus()
        try:
            return cls(Runbook.from_object(body), "", before)
        except ValidationError as error:
            return cls(None, error.errors(include_url=False)[0]["msg"], before)


@dataclass(frozen=True)
class Surroundings:
    """What a runbook is judged by."""

    verdict: Verdict
    allow_unvetted: bool
    places: tuple[str | None, ...]
    """The namespaces whose runner of this family the operator may mint tokens of; None: the one for the cluster."""
    missing: str
    """What one of these runners lacks of what the runbook says, and the way out; empty if nothing is missing."""
    ledgers: Iterable[LedgerSpec]


def standing(published: Published, around: Surroundings, now: str) -> RunbookStatus:
    """The status of a runbook at this time (RFC 3339)."""
    runbook = published.runbook
    if runbook is None:
        found = [_condition("Valid", False, "NotUnderstood", published.error)]
        return RunbookStatus(conditions=_dated(found, published.status, now))
    found = [_valid(runbook), _vetted(around), _permitted(runbook, around)]
    return RunbookStatus(
        digest=runbook.digest(),
        conditions=_dated(found, published.status, now),
        track_record=_track_record(runbook.digest(), around.ledgers),
    )


def _valid(runbook: Runbook) -> RunbookCondition:
    if runbook.spec.digest not in (None, runbook.digest()):
        return _condition("Valid", False, "DigestDiffers", f"its content has the digest {runbook.digest()}")
    return _condition("Valid", True, "Understood", "")


def _vetted(around: Surroundings) -> RunbookCondition:
    verdict = around.verdict
    lenient = around.allow_unvetted and not verdict.trusted and verdict.reason != "DigestRevoked"
    message = verdict.message + ("; it runs all the same, as this installation allows unvetted ones" if lenient else "")
    return _condition("Vetted", verdict.trusted, verdict.reason, message)


def places(runbook: Runbook, runners: Iterable[str]) -> tuple[str | None, ...]:
    """Where a family has a runner, of these accounts: namespaces, None for the cluster."""
    accounts = (account.rpartition(".") for account in runners)
    found = sorted(place for family, _, place in accounts if family == runbook.spec.family)
    return tuple(None if place == "cluster" else place for place in found)


def _permitted(runbook: Runbook, around: Surroundings) -> RunbookCondition:
    if runbook.spec.type == "Handover":
        return _condition("Permitted", True, "NothingNeeded", "a hand-over does nothing to the cluster")
    named = [place or "cluster" for place in around.places]
    if not named:
        way_out = f"grant it: interlock runbook rbac {runbook.metadata.name} -n NAMESPACE"
        return _condition("Permitted", False, "NotGranted", f"it may act nowhere; {way_out}")
    if around.missing:
        return _condition("Permitted", False, "RoleTooNarrow", around.missing)
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return _condition("Permitted", True, "Granted", f"in {', '.join(named[:NAMED])}{more}")


def _track_record(digest: Digest, ledgers: Iterable[LedgerSpec]) -> TrackRecord:
    found = [[success for success in ledger.record if success.digest == digest] for ledger in ledgers]
    days = [success for own in found for success in own]
    return TrackRecord(
        successes=sum(success.times for success in days),
        namespaces=sum(bool(own) for own in found),
        last_day=max((success.day for success in days), default=None),
    )


def _condition(
    kind: Literal["Valid", "Vetted", "Permitted"], holds: bool, reason: str, message: str
) -> RunbookCondition:
    return RunbookCondition(
        type=kind, status="True" if holds else "False", reason=reason, message=safe_message(message)
    )


def _dated(found: Iterable[RunbookCondition], before: RunbookStatus, now: str) -> list[RunbookCondition]:
    since = {(c.type, c.status): c.last_transition_time for c in before.conditions}
    return [c.model_copy(update={"last_transition_time": since.get((c.type, c.status)) or now}) for c in found]

"""What is shown of a runbook: whether it is understood, trusted and granted, and what came of exactly this digest."""

from typing import Any

from tests.unit.crds.samples import RUNBOOK, handover, runbook
from tests.unit.operator.making import digest

from interlock.crds.attestation import Verdict
from interlock.crds.ledger import LedgerSpec, Success
from interlock.crds.runbook import Runbook, RunbookStatus
from interlock.operator.core.standing import Published, Surroundings, places, standing

TRUSTED = Verdict("Trusted", "3 scenarios passed")
UNKNOWN = Verdict("KeyUnknown", "signed by somebody")
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def shown(
    book: Runbook | dict[str, Any],
    verdict: Verdict = TRUSTED,
    *,
    allow_unvetted: bool = False,
    runners: frozenset[str] = frozenset({"scale-web.shop"}),
    missing: str = "",
    ledgers: tuple[LedgerSpec, ...] = (),
    before: RunbookStatus | None = None,
    now: str = NOW,
) -> RunbookStatus:
    body = book if isinstance(book, dict) else book.model_dump(mode="json", by_alias=True, exclude_none=True)
    status = before.model_dump(mode="json", by_alias=True, exclude_none=True) if before else {}
    granted = places(book, runners) if isinstance(book, Runbook) else ()
    around = Surroundings(verdict, allow_unvetted, granted, missing, ledgers)
    return standing(Published.of({**body, "status": status}), around, now)


def told(status: RunbookStatus) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in status.conditions}


def message(status: RunbookStatus, kind: str) -> str:
    return next(c.message for c in status.conditions if c.type == kind)


def test_one_that_may_run() -> None:
    status = shown(runbook())
    assert status.digest == runbook().digest()
    assert told(status) == {
        "Valid": ("True", "Understood"),
        "Vetted": ("True", "Trusted"),
        "Permitted": ("True", "Granted"),
    }
    assert message(status, "Permitted") == "in shop"


def test_one_that_is_not_trusted_says_why() -> None:
    status = shown(runbook(), UNKNOWN)
    assert told(status)["Vetted"] == ("False", "KeyUnknown")
    assert message(status, "Vetted") == "signed by somebody"
    assert "runs all the same" in message(shown(runbook(), UNKNOWN, allow_unvetted=True), "Vetted")
    revoked = Verdict("DigestRevoked", "revoked")
    assert "runs all the same" not in message(shown(runbook(), revoked, allow_unvetted=True), "Vetted")


def test_one_that_is_granted_nowhere_or_in_many_places() -> None:
    others = frozenset({"scale-web-more.shop", "other.scale-web"})
    assert told(shown(runbook(), runners=others))["Permitted"] == ("False", "NotGranted")
    many = frozenset(f"scale-web.n{number}" for number in range(7))
    assert message(shown(runbook(), runners=many), "Permitted") == "in n0, n1, n2, n3, n4 and 2 more"
    narrow = shown(runbook(), missing="scale-web.shop may not patch deployments in shop: grant it")
    assert told(narrow)["Permitted"] == ("False", "RoleTooNarrow")
    assert "may not patch" in message(narrow, "Permitted")
    assert told(shown(handover(), runners=others))["Permitted"] == ("True", "NothingNeeded")


def test_one_that_is_not_understood_or_says_another_digest() -> None:
    unknown = {**RUNBOOK, "spec": {**RUNBOOK["spec"], "later": "field"}}
    assert told(shown(unknown)) == {"Valid": ("False", "NotUnderstood")}
    assert told(shown(runbook(digest=digest(1))))["Valid"] == ("False", "DigestDiffers")


def test_the_track_record_is_of_this_digest_alone() -> None:
    """A new digest begins with nothing, whatever the version before it has earned."""
    old, new = runbook(), runbook(title="Scale the web, better")
    days = [Success(digest=old.digest(), day=f"2026-01-0{day}T00:00:00Z", times=day) for day in (1, 2)]
    ledgers = (LedgerSpec(record=days), LedgerSpec(record=days[:1]), LedgerSpec())
    record = shown(old, ledgers=ledgers).track_record
    assert record is not None
    assert (record.successes, record.namespaces, record.last_day) == (4, 2, "2026-01-02T00:00:00Z")
    fresh = shown(new, ledgers=ledgers).track_record
    assert fresh is not None
    assert (fresh.successes, fresh.namespaces, fresh.last_day) == (0, 0, None)


def test_nothing_is_written_twice_and_only_a_change_has_a_new_time() -> None:
    before = shown(runbook())
    assert shown(runbook(), before=before, now=LATER) == before
    after = shown(runbook(), UNKNOWN, before=before, now=LATER)
    times = {c.type: c.last_transition_time for c in after.conditions}
    assert times == {"Valid": NOW, "Vetted": LATER, "Permitted": NOW}

"""Every cause has an answer: a runbook, a person for a reason, or it is said to be open."""

from interlock.crds.causes import CAUSES, FAMILIES
from interlock.runbooks.coverage import ONLY_A_PERSON, coverage, summary
from interlock.runbooks.loading import load_catalogue

CATALOGUE = [item.runbook for item in load_catalogue()]
ROWS = {row.cause: row for row in coverage(CATALOGUE)}


def test_each_cause_has_one_row() -> None:
    assert set(ROWS) == CAUSES
    assert sum(summary(ROWS.values()).values()) == len(CAUSES)


def test_a_cause_that_is_cured_names_who_cures_it_and_which_alerts_come_with_it() -> None:
    row = ROWS["namespace.quota.pods-exceeded"]
    assert (row.answer, row.runbooks) == ("runbook", ("raise-quota",))
    assert "KubeQuotaFullyUsed" in row.alerts
    assert ROWS["scheduling.node.cordoned"].runbooks == ("uncordon-node",)


def test_a_report_is_no_cure() -> None:
    assert (ROWS["storage.volume.orphaned"].answer, ROWS["storage.volume.orphaned"].runbooks) == (
        "report",
        ("orphaned-volume-report",),
    )


def test_only_a_person_for_a_reason_and_nothing_for_none() -> None:
    assert ROWS["database.storage.full"].answer == "person"
    assert ROWS["database.storage.full"].why == "data may be lost"
    without = {row.cause: row.answer for row in coverage([])}
    assert without["namespace.quota.pods-exceeded"] == "open"


def test_reasons_are_about_causes_that_exist_and_that_no_runbook_cures() -> None:
    for general in ONLY_A_PERSON:
        assert general in FAMILIES or general in CAUSES
        cured = [row.cause for row in ROWS.values() if row.why and row.answer == "runbook"]
        assert cured == []


def test_what_is_open_is_known() -> None:
    """A cause that becomes open, because a runbook went or a cause came, is noticed here."""
    assert sorted(cause for cause, row in ROWS.items() if row.answer == "open") == OPEN


OPEN = [
    "disruption.eviction.storm",
    "workload.cpu.saturated",
    "workload.crash.start-timeout",
    "workload.errors.saturation",
    "workload.latency.saturation",
    "workload.replicas.surge-blocked",
    "workload.rollout.max-unavailable-blocked",
    "workload.volume.mount-failed",
    "workload.volume.multi-attach",
]

"""What was written stays as it was written: the journal, the fence, the end."""

from collections.abc import Callable

import pytest
from tests.support.executions import Place, allowed, appended, refused
from tests.support.identity import JSON_PATCH, Json

from interlock.crds.execution import TERMINAL

APPEND_ONLY, NUMBERED = "the journal is append-only", "entry n of the journal has seq n"
FORGERIES: dict[str, tuple[Callable[[list[Json]], list[Json]], str]] = {
    "an entry changed": (lambda old: [old[0] | {"data": '{"forged":true}'}, *old[1:]], APPEND_ONLY),
    "an entry's time changed": (lambda old: [old[0] | {"at": "2026-02-02T00:00:00Z"}, *old[1:]], APPEND_ONLY),
    "the last entry removed": (lambda old: old[:-1], APPEND_ONLY),
    "the first entry removed": (lambda old: old[1:], APPEND_ONLY),
    "all entries removed": (lambda old: [], APPEND_ONLY),
    "an entry replaced, and one added": (lambda old: [*old[:-1], *appended(old[:-1], 2)], APPEND_ONLY),
    "entries swapped": (lambda old: [old[1], old[0], *old[2:]], NUMBERED),
    "an entry repeated": (lambda old: [*old, old[0]], NUMBERED),
    "a number left out": (lambda old: [*old, *[e | {"seq": e["seq"] + 1} for e in appended(old)[-1:]]], NUMBERED),
    "a number out of range": (lambda old: [*old, *[e | {"seq": 300} for e in appended(old)[-1:]]], "seq"),
    "an unknown event": (lambda old: [*old, appended(old)[-1] | {"event": "Forged"}], "Unsupported value"),
    "a hidden character": (lambda old: [*old, appended(old)[-1] | {"data": "\u200b"}], "data"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_journal_is_refused(shop: Place, forgery: str) -> None:
    execution = shop.execution("Running")
    forge, words = FORGERIES[forgery]
    journal = execution.status()["journal"]
    if words == APPEND_ONLY:
        journal = [{**entry, "data": entry.get("data", "{}")} for entry in journal]
    forged = forge(journal)
    if forgery == "an entry replaced, and one added":
        forged[len(journal) - 1]["data"] = '{"other":1}'
    refused(execution.move("Running", journal=forged), words)


def test_an_appended_journal_is_allowed(shop: Place) -> None:
    execution = shop.execution("Running")
    journal = execution.status()["journal"]
    allowed(execution.move("Running", journal=appended(journal, 5)))
    assert execution.status()["journal"][: len(journal)] == journal


def test_a_change_of_phase_is_recorded(shop: Place) -> None:
    execution = shop.execution("Running")
    refused(execution.move("Verifying", journal=execution.status()["journal"]), "a change of phase is recorded")


def test_the_first_status_is_recorded(shop: Place) -> None:
    refused(shop.execution().move("Pending", journal=[]), "the first status carries the first entry")


def test_256_entries_fit_and_no_more(shop: Place) -> None:
    execution = shop.execution("Running")
    journal = execution.status()["journal"]
    allowed(execution.move("Running", journal=appended(journal, 256 - len(journal))))
    full = execution.status()["journal"]
    assert [entry["seq"] for entry in full] == list(range(256))
    refused(execution.write({"journal": [*full, full[-1]]}), "status.journal")
    refused(execution.write({"journal": [*full[:200], full[201], full[200], *full[202:]]}), NUMBERED)


class TestTheFence:
    def test_a_leader_of_a_later_epoch_takes_over(self, shop: Place) -> None:
        execution = shop.execution("Running")
        allowed(execution.move("Running", fence={"epoch": 2, "holder": "operator-1"}))
        refused(execution.move("Running", fence={"epoch": 1, "holder": "operator-0"}), "a leader of a later epoch")
        refused(execution.move("Running", fence={"epoch": 2, "holder": "operator-0"}), "another holder owns this epoch")
        allowed(execution.move("Verifying"))

    def test_epochs_of_sixteen_digits_are_compared_exactly(self, shop: Place) -> None:
        execution = shop.execution("Running")
        last = 2**53
        allowed(execution.move("Running", fence={"epoch": last - 1, "holder": "operator-1"}))
        refused(execution.move("Running", fence={"epoch": last - 2, "holder": "operator-2"}), "a leader of a later")
        allowed(execution.move("Running", fence={"epoch": last, "holder": "operator-2"}))
        refused(execution.move("Running", fence={"epoch": last + 1, "holder": "operator-3"}), "status.fence.epoch")

    def test_every_status_carries_it(self, shop: Place) -> None:
        refused(shop.execution().move("Pending", fence=None), "status.fence")
        refused(shop.execution("Running").move("Running", fence=None), "status.fence")

    def test_a_stale_resource_version_is_a_conflict(self, shop: Place) -> None:
        execution = shop.execution("Running")
        stale = execution.live()["metadata"]["resourceVersion"]
        allowed(execution.move("Running"))
        body = {"metadata": {"resourceVersion": stale}, "status": execution.next_status("Verifying")}
        assert shop.installation.operator.patch(f"{execution.path}/status", body).status == 409


class TestTheEnd:
    @pytest.mark.parametrize("phase", sorted(TERMINAL))
    def test_is_final(self, shop: Place, phase: str) -> None:
        execution = shop.execution(phase)
        refused(execution.move(phase), "a finished execution is final")
        for late in ({"message": "on reflection"}, {"fence": {"epoch": 9, "holder": "x"}}, {"phase": "Running"}):
            refused(execution.write(late), "a finished execution is final")

    @pytest.mark.parametrize("phase", ["Pending", "Running", "Succeeded"])
    def test_status_is_never_removed(self, shop: Place, phase: str) -> None:
        execution = shop.execution(phase)
        before = execution.live()
        refused(execution.write(None), "status is never removed")
        operation = [{"op": "remove", "path": "/status"}]
        refused(shop.installation.operator.patch(f"{execution.path}/status", operation, JSON_PATCH), "status is never")
        whole = {key: value for key, value in before.items() if key != "status"}
        answer = shop.installation.operator.request("PUT", f"{execution.path}/status", whole)
        assert not answer.ok
        assert execution.live()["status"] == before["status"]

    def test_a_write_to_the_object_changes_no_status(self, shop: Place) -> None:
        execution = shop.execution("Running")
        allowed(shop.installation.admin.patch(execution.path, {"status": {"phase": "Failed"}}))
        assert execution.status()["phase"] == "Running"

    def test_a_write_to_the_status_changes_no_spec(self, shop: Place) -> None:
        execution = shop.execution("Running")
        body = {"status": execution.next_status("Verifying"), "spec": {"requestedBy": "bob"}}
        allowed(shop.installation.operator.patch(f"{execution.path}/status", body))
        assert execution.live()["spec"]["requestedBy"] == "alice"


@pytest.mark.parametrize("who", ["alice", "bob", "admin", "agents"])
def test_only_the_operator_tells_what_happened(shop: Place, who: str) -> None:
    execution = shop.execution("Running")
    identities = {"admin": shop.installation.admin, "agents": shop.installation.agents}
    identity = identities.get(who) or shop.person(who)
    answer = execution.write(execution.next_status("Verifying"), who=identity)
    assert answer.status == 403, answer

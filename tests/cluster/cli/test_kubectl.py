"""`kubectl interlock`: a person decides, and the API server has the last word."""

import json
import subprocess
from typing import Any

from tests.cluster.cli.conftest import Run, environment
from tests.support.executions import GENESIS, NOW, PLAN, Execution, Place, digest, plan

from interlock.cli.executions import seen
from interlock.crds.journal import Entry, Event, extend


def offered(shop: Place) -> Execution:
    """An execution whose plan waits for approval."""
    execution = shop.execution()
    assert execution.move("AwaitingApproval").ok
    return execution


def decisions(execution: Execution) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = execution.live()["spec"].get("decisions") or []
    return found


def test_plan_shows_what_would_be_done(shop: Place, kubectl: Run) -> None:
    execution = offered(shop)
    done = kubectl("bob", "plan", execution.name)
    assert done.returncode == 0, done.stderr
    for part in ("/spec/replicas", "- 1", "+ 2", PLAN, "pods are stuck", "0 of 1", f"Deployment {shop.namespace}/web"):
        assert part in done.stdout, part
    assert json.loads(kubectl("bob", "plan", execution.name, "-o", "json").stdout)["digest"] == PLAN


def test_approval_is_of_the_plan_that_was_shown(shop: Place, kubectl: Run) -> None:
    execution = offered(shop)
    done = kubectl("bob", "approve", execution.name, "--yes", "-m", "looks right")
    assert done.returncode == 0, done.stderr
    assert f"approved by bob: {PLAN}" in done.stdout
    assert decisions(execution) == [{"by": "bob", "subject": PLAN, "verdict": "Approve", "comment": "looks right"}]


def test_a_person_types_yes(shop: Place, kubectl: Run) -> None:
    execution = offered(shop)
    for answer in ("no\n", "y\n", ""):
        done = kubectl("bob", "approve", execution.name, answer=answer)
        assert done.returncode == 1
        assert "nothing was decided" in done.stderr
    assert decisions(execution) == []
    assert kubectl("bob", "approve", execution.name, answer="yes\n").returncode == 0
    assert len(decisions(execution)) == 1


def test_who_asked_cannot_approve(shop: Place, kubectl: Run) -> None:
    execution = offered(shop)
    done = kubectl("alice", "approve", execution.name, "--yes")
    assert done.returncode == 1
    assert "the API server answers:" in done.stderr
    assert "You are alice" in done.stderr
    assert "Traceback" not in done.stderr
    assert decisions(execution) == []


def test_nobody_approves_twice(shop: Place, kubectl: Run) -> None:
    execution = offered(shop)
    assert kubectl("bob", "approve", execution.name, "--yes").returncode == 0
    again = kubectl("bob", "approve", execution.name, "--yes")
    assert again.returncode == 1
    assert "the API server answers:" in again.stderr
    assert kubectl("carol", "approve", execution.name, "--yes").returncode == 0
    assert [decision["by"] for decision in decisions(execution)] == ["bob", "carol"]


def test_a_plan_that_changes_while_it_is_read_is_not_approved(shop: Place) -> None:
    execution = offered(shop)
    command = [str(shop.installation.lab.kubectl), "interlock", "approve", execution.name, "-n", shop.namespace]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(shop.person("bob").kubeconfig),
    ) as process:
        assert process.stdout is not None
        shown = ""
        while "Type yes" not in shown:
            letter = process.stdout.read(1)
            assert letter, shown
            shown += letter
        assert PLAN in shown
        assert execution.move("Planning").ok
        assert execution.move("AwaitingApproval", plan=plan(digest("c"))).ok
        _, error = process.communicate("yes\n", timeout=300)
    assert process.returncode == 1
    assert "what you were shown has changed meanwhile" in error
    assert f"kubectl interlock plan {execution.name}" in error
    assert decisions(execution) == []


def test_deny(shop: Place, kubectl: Run) -> None:
    execution = offered(shop)
    assert kubectl("bob", "deny", execution.name, "-m", "not now").returncode == 0
    assert decisions(execution)[0] | {"verdict": "Deny", "comment": "not now"} == decisions(execution)[0]


def test_cancel_by_who_asked(shop: Place, kubectl: Run) -> None:
    execution = offered(shop)
    assert kubectl("alice", "cancel", execution.name, "-m", "found it").returncode == 0
    assert execution.live()["spec"]["cancelled"] == {"by": "alice", "reason": "found it"}
    again = kubectl("alice", "cancel", execution.name)
    assert again.returncode == 1
    assert "was cancelled by alice already" in again.stderr


def asking(shop: Place, *verdicts: str) -> Execution:
    """An execution that waits for a person, who may answer with these verdicts."""
    execution = shop.execution("Running")
    entries = [Entry.model_validate(entry) for entry in execution.status()["journal"]]
    needed = Event(event="PersonNeeded", step="check", data={"message": "look at it", "verdicts": list(verdicts)})
    journal = [entry.model_dump(mode="json", exclude_none=True) for entry in extend(GENESIS, entries, [needed], NOW)]
    assert execution.move("AwaitingPerson", journal=journal).ok
    return execution


def test_a_person_answers_about_the_head_of_the_journal(shop: Place, kubectl: Run) -> None:
    execution = asking(shop, "Confirm", "Resume", "Undo")
    head = execution.head()
    done = kubectl("bob", "undo", execution.name, "--yes")
    assert done.returncode == 0, done.stderr
    for part in ("check", "look at it", "confirm", "resume", "put back what was done", head):
        assert part in done.stdout, part
    assert decisions(execution)[-1]["subject"] == head
    assert decisions(execution)[-1]["verdict"] == "Undo"


def test_what_is_not_asked_for_is_not_answered(shop: Place, kubectl: Run) -> None:
    execution = asking(shop, "Confirm", "Undo")
    before = decisions(execution)
    done = kubectl("bob", "resume", execution.name, "--yes")
    assert done.returncode == 1
    assert "waits for confirm or undo, not for resume" in done.stderr
    assert f"kubectl interlock confirm {execution.name} -n {shop.namespace}" in done.stderr
    assert decisions(execution) == before


def test_who_asked_does_not_answer(shop: Place, kubectl: Run) -> None:
    shop.installation.bind("alice", "interlock-approver", shop.namespace)
    done = kubectl("alice", "undo", asking(shop, "Undo").name, "--yes")
    assert done.returncode == 1
    assert "who asked does not decide" in done.stderr


def test_what_cannot_be_decided_now_is_said(shop: Place, kubectl: Run) -> None:
    waiting, over = shop.execution(), shop.execution("Refused")
    assert "does not wait for approval" in kubectl("bob", "approve", waiting.name, "--yes").stderr
    assert "has ended as Refused" in kubectl("bob", "approve", over.name, "--yes").stderr
    assert "only in AwaitingPerson" in kubectl("bob", "confirm", waiting.name, "--yes").stderr
    assert "has no plan" in kubectl("bob", "plan", waiting.name).stderr
    assert "has ended as Refused" in kubectl("alice", "cancel", over.name).stderr
    missing = kubectl("bob", "plan", "nothing-here")
    assert missing.returncode == 1
    assert "there is no execution nothing-here" in missing.stderr


def test_the_journal_is_verified(shop: Place, kubectl: Run) -> None:
    execution = shop.execution()
    start = seen(execution.live()).start
    entries = extend(start, (), [Event(event="Requested"), Event(event="Planned")], "2026-01-01T00:00:00.000Z")
    journal = [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in entries]
    assert execution.move("AwaitingApproval", journal=journal).ok
    done = kubectl("bob", "journal", execution.name)
    assert done.returncode == 0, done.stderr
    assert "chain verified: 2 entries" in done.stdout
    assert json.loads(kubectl("bob", "journal", execution.name, "-o", "json").stdout)["verified"] is True


def test_a_journal_that_starts_elsewhere_is_found(shop: Place, kubectl: Run) -> None:
    done = kubectl("bob", "journal", offered(shop).name)
    assert done.returncode == 1
    assert "BROKEN at entry 0" in done.stdout

"""An approver reads everything that will happen, and nothing that pretends to be something else."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from interlock.cli.errors import CommandError
from interlock.cli.executions import Seen, seen
from interlock.cli.journal_view import show_journal
from interlock.cli.plan_view import plan_lines, show_plan
from interlock.cli.spans import duration
from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import Event, extend, genesis

DIGEST = "sha256:" + "a" * 64
PLAN: Mapping[str, Any] = {
    "digest": DIGEST,
    "targetUid": "u-1",
    "madeAt": "2026-03-01T12:00:00Z",
    "expiresAt": "2026-03-01T13:00:00Z",
    "quorum": 2,
    "steps": [
        {
            "name": "undo",
            "action": "rolloutUndo",
            "object": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u-1"},
            "changes": [
                {"path": "/spec/template/spec/containers/0/image", "before": '"web:3"', "after": '"web:2"'},
                {"path": "/spec/paused", "before": "true"},
                {"path": "/spec/minReadySeconds", "after": "5"},
            ],
        },
        {"name": "later", "action": "patch", "deferred": ["/spec/replicas"], "note": "after undo"},
    ],
    "verification": ["all-replicas-available"],
}


def execution(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "metadata": {
            "name": "web-1",
            "namespace": "shop",
            "uid": "e-1",
            "resourceVersion": "7",
            "creationTimestamp": "2026-03-01T12:00:00Z",
        },
        "spec": {
            "runbook": {"name": "rollback-deployment-1.0.0", "digest": DIGEST},
            "target": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
            "parameters": {"toRevision": "2"},
            "reason": {
                "summary": "web crashes since 3",
                "incident": "inc-1",
                "cause": "workload.crash.after-change",
                "confidence": 0.9,
                "citations": [{"id": "E1", "source": "log of web-3", "excerpt": "KeyError\nat main"}],
            },
            "requestedBy": "agents",
            "decisions": [{"by": "bob", "subject": DIGEST, "verdict": "Approve"}],
        },
        "status": {"phase": "AwaitingApproval", "fence": {"epoch": 1, "holder": "h"}, "plan": dict(PLAN)},
    }
    for section, fields in changes.items():
        body[section] |= fields
    return body


def shown(found: Seen) -> str:
    return "\n".join(line.plain for line in plan_lines(found))


def test_shows_everything_that_an_approver_must_know() -> None:
    text = shown(seen(execution()))
    for part in (
        "Plan of shop/web-1",
        "rollback-deployment-1.0.0",
        "Deployment shop/web (apps/v1)",
        "toRevision=2",
        "web crashes since 3",
        "workload.crash.after-change, confidence 0.90",
        "[E1] log of web-3",
        "KeyError",
        "1. undo: rolloutUndo on Deployment web",
        '- "web:3"',
        '+ "web:2"',
        "+ (removed)",
        "- (not set)",
        "decided when its turn comes, only within:",
        "/spec/replicas",
        "all-replicas-available",
        DIGEST,
        "1 of 2: bob",
        "(over)",
    ):
        assert part in text, part


def test_hostile_text_is_shown_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    # What the models and the API server refuse is escaped here all the same: neither is trusted by the other.
    found = seen(execution())
    hostile = "[bold]ok[/bold] \x1b[2J\u202e\r\nplan  sha256:ffff"
    status = found.execution.status
    assert status is not None
    assert status.plan is not None
    step = status.plan.steps[0].model_copy(update={"note": hostile, "name": hostile})
    plan = status.plan.model_copy(update={"steps": [step], "verification": [hostile]})
    reason = found.execution.spec.reason.model_copy(update={"summary": hostile})
    forged: RunbookExecution = found.execution.model_copy(
        update={
            "status": status.model_copy(update={"plan": plan, "message": hostile, "reason": hostile}),
            "spec": found.execution.spec.model_copy(update={"reason": reason, "requested_by": hostile}),
        }
    )
    show_plan(Seen(forged, {}))
    out = capsys.readouterr().out
    assert "[bold]ok[/bold] \\u{1b}[2J\\u{202e}\\u{d}" in out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", out)
    assert not [line for line in out.splitlines() if line.startswith("plan") and "ffff" in line]


def test_a_hand_over_says_that_nothing_is_changed() -> None:
    text = shown(seen(execution(status={"plan": {**PLAN, "steps": [], "verification": []}})))
    assert "approving means that you take it" in text


def test_without_a_plan_it_says_where_it_stands() -> None:
    body = execution()
    body["status"] = {
        "phase": "Refused",
        "reason": "NotOptedIn",
        "message": "shop is not opted in",
        "fence": {"epoch": 1, "holder": "h"},
    }
    with pytest.raises(CommandError, match=r"has no plan; it is Refused \(NotOptedIn: shop is not opted in\)"):
        show_plan(seen(body))


def test_an_execution_of_another_version_names_the_field() -> None:
    body = execution(status={"phase": "Dancing"})
    with pytest.raises(CommandError, match=r"execution web-1: phase") as caught:
        seen(body)
    assert "interlock doctor" in caught.value.way_out


def journal(*events: str, uid: str = "e-1") -> dict[str, Any]:
    start = genesis(uid, seen(execution()).execution.spec.request_digest())
    entries = extend(start, (), [Event(event=e, data={"by": "bob"}) for e in events], "2026-03-01T12:00:00Z")
    written = [entry.model_dump(mode="json", exclude_none=True) for entry in entries]
    return execution(metadata={"uid": uid}, status={"journal": written})


def test_a_whole_journal_is_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_journal(seen(journal("Requested", "Planned", "Approved")))
    out = capsys.readouterr().out
    assert "Approved" in out
    assert "by bob" in out
    assert "chain verified: 3 entries, head sha256:" in out


def test_a_changed_journal_is_found_and_located(capsys: pytest.CaptureFixture[str]) -> None:
    body = journal("Requested", "Planned", "Approved")
    body["status"]["journal"][1]["data"] = '{"by":"mallory"}'
    assert not show_journal(seen(body))
    assert "BROKEN at entry 1" in capsys.readouterr().out


def test_a_changed_request_breaks_the_chain_at_its_start() -> None:
    body = journal("Requested")
    body["spec"]["requestedBy"] = "mallory"
    assert seen(body).broken_at() == 0


@pytest.mark.parametrize(
    ("seconds", "said"), [(-3, "0s"), (42.9, "42s"), (119, "119s"), (120, "2m"), (7200, "2h"), (400000, "4d")]
)
def test_durations_read_as_kubectl_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said

"""The journal as people read it, and whether its chain bears it out."""

import json
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from interlock.cli import screen
from interlock.cli.executions import Seen
from interlock.cli.text import safe, short
from interlock.crds.journal import Entry

_DETAIL = 200


def show_journal(found: Seen, *, whole: bool = False) -> bool:
    """Prints the journal and the verdict on its chain; returns whether the chain holds."""
    out = screen.console()
    for entry in found.execution.journal:
        out.print(entry_line(entry, whole=whole), soft_wrap=True)
    broken = found.broken_at()
    out.print(_verdict(found, broken), soft_wrap=True)
    return broken is None


def entry_line(entry: Entry, *, whole: bool = False) -> Text:
    """One entry: when, what, which step, and the details that matter."""
    details = safe(entry.data) if whole else short(_told(entry), _DETAIL)
    name = f"{entry.event:<20}"
    return Text.assemble(
        (f"{entry.seq:>3}  {_clock(entry.at):<13}", "dim"),
        (name, _style(entry.event)),
        f"{entry.step or '':<12} {details}  ",
        (entry.hash[:12], "dim"),
    )


def as_data(found: Seen) -> dict[str, object]:
    """The journal for a machine, with the verdict."""
    return {
        "execution": found.execution.key,
        "uid": found.execution.uid,
        "head": found.journal_head(),
        "verified": found.broken_at() is None,
        "brokenAt": found.broken_at(),
        "entries": [entry.model_dump(mode="json", by_alias=True) for entry in found.execution.journal],
    }


def _verdict(found: Seen, broken: int | None) -> Text:
    if not found.execution.journal:
        return Text("the journal is empty: nothing has happened yet")
    if broken is not None:
        return Text(f"BROKEN at entry {broken}: it, or one before it, is not what was written", style="bold red")
    count = len(found.execution.journal)
    return Text.assemble((f"chain verified: {count} entries, head ", "green"), found.journal_head())


def _told(entry: Entry) -> str:
    """What an entry says, in words; whatever its details hold, a line comes of it."""
    try:
        details = entry.details()
    except ValueError:
        return entry.data
    match entry.event:
        case "Requested":
            return f"by {details.get('by')}"
        case "Planned":
            return f"{_count(details.get('steps'), 'step')}, plan {_brief(details.get('plan'))}"
        case "PlanVoided":
            return f"the cluster has changed: plan {_brief(details.get('plan'))} is void"
        case "Approved":
            return f"by {_listed(details.get('by'))}: plan {_brief(details.get('plan'))}"
        case "StepStarted" | "UndoStarted":
            return _intent(details)
        case "StepActed":
            return f"{_outcome(details)}; waits for what follows"
        case "StepSucceeded" | "UndoSucceeded":
            return _outcome(details)
        case "StepFailed":
            return f"{details.get('error', '')}: {details.get('message')}; {_then(details)}".removeprefix(": ")
        case "StepUnclear" | "PersonNeeded":
            return f"{details.get('message')}; a person may {_verdicts(details.get('verdicts'))}"
        case "Halted":
            return f"{details.get('reason')}: {details.get('message')}"
        case "VerificationPassed":
            back = f"; put back at {_clock(details['revertAt'])}" if "revertAt" in details else ""
            return _listed(details.get("checks")) + back
        case "Ended":
            return f"{details.get('phase')}: {details.get('message') or details.get('reason')}"
        case _:
            return str(details.get("message") or details.get("note") or "")


def _intent(details: Mapping[str, Any]) -> str:
    if not details.get("writes", True):
        return "looks, and writes nothing"
    place, leaves = details.get("object") or {}, details.get("leaves") or []
    changes = [
        f"{leaf.get('path')}"
        + (f" {json.dumps(leaf.get('before'))} → {json.dumps(leaf.get('after'))}" * ("after" in leaf))
        for leaf in leaves
    ]
    who = f", with credential {_brief(details.get('credential'))}" if details.get("credential") else ""
    return f"is about to write {place.get('kind')} {place.get('name')}: {', '.join(changes)}{who}"


def _outcome(details: Mapping[str, Any]) -> str:
    yields = f"; yields {json.dumps(details['outputs'], sort_keys=True)}" if details.get("outputs") else ""
    if version := details.get("resourceVersion"):
        return f"written: resourceVersion {version}{yields}"
    return str(details.get("note") or (f"found {details['found']}" if "found" in details else "holds")) + yields


def _then(details: Mapping[str, Any]) -> str:
    """What a failure means."""
    match details.get("then", "Undo"):
        case "Retry":
            return f"tried again at {_clock(details.get('retryAt'))}"
        case "Ask":
            return "a person decides"
        case "Continue":
            return "it goes on"
        case "Stop":
            return "it stops"
        case _:
            return "undone if the runbook undoes"


def _verdicts(value: object) -> str:
    return " or ".join(str(item).lower() for item in value) if isinstance(value, list) else "decide"


def _clock(value: object) -> str:
    """The time of day of an RFC 3339 time, as entries show theirs."""
    return str(value).partition("T")[2].rstrip("Z") or str(value)


def _brief(value: object) -> str:
    return str(value or "none").removeprefix("sha256:")[:12]


def _listed(value: object) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _count(value: object, what: str) -> str:
    return f"{value} {what}" if value == 1 else f"{value} {what}s"


def _style(event: str) -> str:
    if event.endswith(("Failed", "Voided", "Halted")):
        return "red"
    if event in {"StepUnclear", "PersonNeeded"}:
        return "yellow"
    return "green" if event.endswith(("Succeeded", "Passed", "Approved")) else ""

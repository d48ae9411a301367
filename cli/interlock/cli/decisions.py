"""What a person decides, appended to an execution under the person's own identity.

The digest that is sent is that of what was shown: if it changed meanwhile the API server refuses the decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from interlock.cli.cluster import Cluster, executions_path
from interlock.cli.errors import CommandError, Refused, as_usage
from interlock.cli.executions import Seen
from interlock.crds.execution import TERMINAL, Cancellation, Decision

Verdict = Literal["Approve", "BreakGlass", "Deny", "Confirm", "Resume", "Undo"]
MEANINGS: Mapping[Verdict, str] = {
    "Confirm": "it has been done: go on with what follows",
    "Resume": "go on with it from here: look again, and do what is still to be done",
    "Undo": "put back what was done",
}
"""What each answer to a question means."""


def demand_offered(found: Seen) -> None:
    """Raises CommandError unless the plan waits for approval now."""
    if found.phase == "AwaitingApproval":
        return
    status = found.execution.status
    why = f": {status.message}" if status and status.message else ""
    if found.phase in TERMINAL:
        raise CommandError(f"{found.execution.key} has ended as {found.phase}{why}", "There is nothing to decide.")
    way_out = f"Watch it: interlock execution watch {found.named}"
    raise CommandError(f"{found.execution.key} is {found.phase} and does not wait for approval{why}", way_out)


@dataclass(frozen=True)
class Question:
    """What a person is asked."""

    step: str
    message: str
    verdicts: tuple[Verdict, ...]


def question(found: Seen) -> Question:
    """What a person is asked now; raises CommandError where nobody is."""
    if found.phase != "AwaitingPerson":
        message = f"{found.execution.key} is {found.phase}; only in AwaitingPerson is there something to decide"
        raise CommandError(message, f"See how it stands: interlock execution show {found.named}")
    asked = next((entry for entry in reversed(found.execution.journal) if entry.event == "PersonNeeded"), None)
    details = asked.details() if asked is not None else {}
    listed = details.get("verdicts")
    possible = tuple(verdict for verdict in MEANINGS if isinstance(listed, list) and verdict in listed)
    step = asked.step if asked is not None and asked.step else ""
    return Question(step, str(details.get("message", "")), possible)


def demand_possible(found: Seen, asked: Question, verdict: Verdict) -> None:
    """Raises CommandError unless the verdict is one of those that are asked for."""
    if verdict in asked.verdicts:
        return
    ways = [f"kubectl interlock {possible.lower()} {found.named}" for possible in asked.verdicts]
    wanted = " or ".join(possible.lower() for possible in asked.verdicts) or "nothing that is known here"
    message = f"{found.execution.key} waits for {wanted}, not for {verdict.lower()}; nothing was decided"
    raise CommandError(message, f"Answer with {', or '.join(ways)}" if ways else "")


def decide(cluster: Cluster, found: Seen, verdict: Verdict, subject: str, comment: str) -> str:
    """Appends the decision and returns the name under which it was made.

    Raises:
        CommandError: the API server refuses it; the message says why.
    """
    who = cluster.whoami()
    with as_usage("--comment"):
        decision = Decision(by=who, subject=subject, verdict=verdict, comment=comment)
    try:
        cluster.json_patch(_path(found), [_append(found, decision)])
    except Refused as refused:
        raise _explained(refused, cluster, found, subject, who) from refused
    return who


def cancel(cluster: Cluster, found: Seen, reason: str) -> str:
    """Asks to stop it and returns the name under which that was done.

    Raises:
        CommandError: it has ended, somebody did so before, or the API server refuses.
    """
    if found.phase in TERMINAL:
        raise CommandError(f"{found.execution.key} has ended as {found.phase}", "There is nothing to cancel.")
    if found.execution.spec.cancelled is not None:
        raise CommandError(f"{found.execution.key} was cancelled by {found.execution.spec.cancelled.by} already")
    who = cluster.whoami()
    with as_usage("--comment"):
        value = Cancellation(by=who, reason=reason).model_dump(mode="json", by_alias=True)
    try:
        patch = {"op": "add", "path": "/spec/cancelled", "value": value}
        cluster.json_patch(_path(found), [patch])
    except Refused as refused:
        raise _explained(refused, cluster, found, "", who) from refused
    return who


def _path(found: Seen) -> str:
    return executions_path(found.execution.namespace, found.execution.name)


def _append(found: Seen, decision: Decision) -> dict[str, Any]:
    value = decision.model_dump(mode="json", by_alias=True, exclude_none=True)
    if "decisions" in found.body["spec"]:
        return {"op": "add", "path": "/spec/decisions/-", "value": value}
    # A decision that came in between is not lost: the API server refuses a list that does not hold it.
    return {"op": "add", "path": "/spec/decisions", "value": [value]}


def _explained(refused: Refused, cluster: Cluster, found: Seen, subject: str, who: str) -> CommandError:
    now = cluster.find(_path(found))
    if now is None:
        return CommandError(f"{found.execution.key} is gone", "It has ended and is archived: interlock audit list")
    if subject and _subject_now(now, subject) != subject:
        way_out = f"Look at what is offered now: kubectl interlock plan {found.named}"
        return CommandError(f"what you were shown has changed meanwhile, so nothing was decided. {refused}", way_out)
    way_out = refused.way_out
    if refused.status == 403:
        way_out = (
            f"You are {who}. Deciding takes the role interlock-approver, and never your own request; in an emergency,"
            f" with the role interlock-break-glass: kubectl interlock break-glass {found.named}"
        )
    elif refused.status == 409:
        way_out = "Somebody wrote at the same moment: look again and decide again."
    return Refused(refused.status, refused.message, way_out)


def _subject_now(body: dict[str, Any], subject: str) -> str:
    status = body.get("status") or {}
    journal = status.get("journal") or []
    current = {(status.get("plan") or {}).get("digest"), "sha256:" + journal[-1]["hash"] if journal else ""}
    return subject if subject in current else ""

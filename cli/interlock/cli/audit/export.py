"""One archived execution as one line of JSON: who asked, why, who approved what, what was done as whom, the result."""

from collections.abc import Iterable, Sequence
from typing import Any

from interlock.cli.audit.apilog import Write
from interlock.cli.audit.intents import Intent, account, intents
from interlock.crds.execution import RunbookExecution
from interlock.operator.archive import ArchivedExecution


def exported(row: ArchivedExecution, writes: Sequence[Write] = ()) -> dict[str, Any]:
    """The line; with the writes that the API server's audit log has of it.

    Raises:
        ValueError: the content is not what was archived.
    """
    execution = RunbookExecution.from_object(row.body())
    spec, status = execution.spec, execution.status
    return {
        "uid": execution.uid,
        "namespace": execution.namespace,
        "name": execution.name,
        "asked": {"by": spec.requested_by, "at": execution.created_at, **_dumped(spec.reason)},
        "runbook": _dumped(spec.runbook),
        "target": _dumped(spec.target),
        "parameters": spec.parameters,
        "plan": _dumped(status.plan) if status and status.plan else None,
        "decisions": [_decision(execution, _dumped(decision)) for decision in spec.decisions],
        "cancelled": _dumped(spec.cancelled) if spec.cancelled else None,
        "account": account(execution),
        "actions": [_action(intent) for intent in intents(execution)],
        "apiRequests": [write.as_data() for write in writes],
        "result": {
            "phase": status.phase if status else row.phase,
            "reason": status.reason if status else None,
            "message": status.message if status else "",
            "at": row.completed_at,
        },
        "record": {
            "seq": row.seq,
            "hash": row.hash,
            "previous": row.previous,
            "journal": row.head,
            "archivedAt": row.archived_at,
        },
    }


def _decision(execution: RunbookExecution, decision: dict[str, Any]) -> dict[str, Any]:
    """With whether it was about the plan that was offered last."""
    plan = execution.status.plan if execution.status else None
    return {**decision, "ofThisPlan": plan is not None and decision["subject"] == plan.digest}


def _action(intent: Intent) -> dict[str, Any]:
    outcome = intent.outcome
    return {
        "step": intent.step,
        "undo": intent.undo,
        "at": intent.at,
        "credential": intent.credential or None,
        "object": intent.data.get("object"),
        "changes": intent.data.get("leaves", []),
        "outcome": {"event": outcome.event, "at": outcome.at, **outcome.details()} if outcome else None,
    }


def by_execution(writes: Iterable[Write]) -> dict[str, list[Write]]:
    """The writes of each execution by its uid."""
    found: dict[str, list[Write]] = {}
    for write in writes:
        found.setdefault(write.uid, []).append(write)
    return found


def _dumped(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)

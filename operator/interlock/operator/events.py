"""Tells of phases: Kubernetes Events for `kubectl describe`, and metrics. A courtesy: the journal is the record."""

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from interlock.crds.execution import RunbookExecution, RunbookExecutionStatus
from interlock.crds.names import OPERATOR_ACCOUNT, SYSTEM_NAMESPACE
from interlock.crds.types import API_VERSION, rfc3339
from interlock.operator import metrics
from interlock.operator.api import Api
from interlock.operator.errors import ApiError

log = logging.getLogger(__name__)

_UNGUARDED = "Unguarded"
_WARNINGS = frozenset({_UNGUARDED, "Failed", "Undone", "AwaitingPerson", "Undoing", "Refused", "Expired", "BreakGlass"})
_FOLLOWS = frozenset({"Pending", "Planning", "Approved", "Running", "Verifying"})
"""Phases that nobody needs to be told of: they follow by themselves from what was told."""
_NOTE_BYTES = 1024
"""The API server takes no longer note."""


class Events:
    """Tells what phase an execution has entered."""

    def __init__(self, api: Api, identity: str) -> None:
        self._api = api
        self._identity = identity

    async def phase(self, execution: RunbookExecution, before: str | None) -> None:
        """Counts a phase that is another one than before, and posts those that people wait for.

        A failure to post is logged and changes nothing.
        """
        status = execution.status
        if status is None or status.phase == before:
            return
        _count(execution, status)
        if before == "AwaitingApproval" and (alarm := _broken_glass(status)):
            metrics.BREAK_GLASS.inc()
            log.warning("%s: %s", execution.key, alarm)
            await self._post(execution, "BreakGlass", alarm)
        if status.phase not in _FOLLOWS:
            await self._post(execution, status.phase, _note(execution, status))

    async def held(self, execution: RunbookExecution, trouble: str) -> None:
        """Tells that it is not worked on, as what guards the cluster does not stand."""
        await self._post(execution, _UNGUARDED, f"nothing is done until this is mended: {trouble}")

    async def unguarded(self, trouble: str) -> None:
        """Tells the same of all, in the namespace of the installation, as an Event about the operator's account."""
        about = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "name": OPERATOR_ACCOUNT,
            "namespace": SYSTEM_NAMESPACE,
        }
        note = f"no runbook is carried out until this is mended: {trouble}"
        await self._send(about, SYSTEM_NAMESPACE, _UNGUARDED, note)

    async def _post(self, execution: RunbookExecution, reason: str, note: str) -> None:
        about = {
            "apiVersion": API_VERSION,
            "kind": "RunbookExecution",
            "name": execution.name,
            "namespace": execution.namespace,
            "uid": execution.uid,
        }
        await self._send(about, execution.namespace, reason, note)

    async def _send(self, about: Mapping[str, str], namespace: str, reason: str, note: str) -> None:
        try:
            path = await self._api.path("events.k8s.io/v1", "Event", namespace)
            await self._api.create(path, self._event(about, namespace, reason, note))
        except ApiError as error:
            log.warning("%s/%s: event %s not posted: %s", namespace, about["name"], reason, error)

    def _event(self, about: Mapping[str, str], namespace: str, reason: str, message: str) -> dict[str, object]:
        now = rfc3339(datetime.now(UTC), "microseconds")
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{about['name']}.{uuid.uuid4().hex[:12]}", "namespace": namespace},
            "eventTime": now,
            "reportingController": "interlock.dev/operator",
            "reportingInstance": self._identity,
            "action": "Reconcile",
            "reason": reason,
            "note": message.encode()[:_NOTE_BYTES].decode(errors="ignore"),
            "type": "Warning" if reason in _WARNINGS else "Normal",
            "regarding": dict(about),
        }


def _broken_glass(status: RunbookExecutionStatus) -> str:
    """Who approved their own request, if somebody did."""
    return next((c.message for c in status.conditions if (c.type, c.status) == ("BreakGlass", "True")), "")


def _note(execution: RunbookExecution, status: RunbookExecutionStatus) -> str:
    """What happened; where a person is needed also how to answer, before what may be too long to be shown whole."""
    named = f"{execution.name} -n {execution.namespace}"
    match status.phase:
        case "AwaitingApproval" if status.plan is not None:
            needed = f"{status.plan.quorum} approval" + "s" * (status.plan.quorum > 1)
            return f"plan {status.plan.digest} needs {needed}: kubectl interlock approve {named}"
        case "AwaitingPerson":
            verdicts = status.journal[-1].details().get("verdicts")
            words = "|".join(str(v).lower() for v in verdicts) if isinstance(verdicts, list) else "undo"
            return f"a person decides: kubectl interlock {words} {named}; step {status.step}: {status.message}"
        case _:
            return status.message or (f"plan {status.plan.digest}" if status.plan else status.phase)


def _count(execution: RunbookExecution, status: RunbookExecutionStatus) -> None:
    """A family is named from the plan on: until then it is what somebody asked for, and need not exist."""
    metrics.PHASES.labels(status.phase, execution.spec.runbook.family if status.plan else "").inc()
    if status.phase == "Refused":
        metrics.REFUSALS.labels(status.reason or "").inc()
    approved = next((entry.at for entry in reversed(execution.journal) if entry.event == "Approved"), None)
    if status.completed_at and approved:
        metrics.APPROVAL_TO_END.labels(status.phase).observe(metrics.seconds_between(approved, status.completed_at))

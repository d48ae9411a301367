"""Executions and runbooks for tests of the operator's pure parts."""

from collections.abc import Mapping, Sequence
from typing import Any

from interlock.crds.execution import Plan, RunbookExecution, RunbookExecutionSpec
from interlock.crds.runbook import Runbook

REQUESTER = "alice"
UID = "0f0c2a6e-0000-4000-8000-000000000001"
TARGET_UID = "1b3c"
CREATED = "2026-01-01T00:00:00.000Z"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}

ARGUMENTS = {"scale": {"replicas": "3"}, "wait": {"until": "true"}, "assert": {"expression": "true"}}


def digest(number: int) -> str:
    """A digest that is as good as any other where nothing computes them."""
    return f"sha256:{number:064x}"


def runbook(steps: Sequence[str | Mapping[str, Any]] = ("scale",), **spec: Any) -> Runbook:
    """A runbook whose steps scale the target, where nothing else is said of them; a Handover if there are none."""
    remediation = {
        "steps": [_step(name=step) if isinstance(step, str) else _step(**step) for step in steps],
        "verification": {"checks": [{"name": "ready", "expression": "true"}], "withinSeconds": 60},
    }
    return Runbook.model_validate(
        {
            "metadata": {"name": "scale-web-1.0.0"},
            "spec": {
                "family": "scale-web",
                "version": "1.0.0",
                "title": "Scale",
                "risk": "Low",
                "targets": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
                **(remediation if steps else {"type": "Handover"}),
                **spec,
            },
        }
    )


def _step(*, name: str, action: str = "scale", **more: Any) -> dict[str, Any]:
    return {"name": name, "action": action, "with": ARGUMENTS[action], **more}


def request(of: Runbook, **changes: Any) -> RunbookExecutionSpec:
    """What alice asks for."""
    return RunbookExecutionSpec.model_validate(
        {
            "runbook": {"name": of.metadata.name, "digest": of.digest()},
            "target": TARGET,
            "reason": {"summary": "pods are missing"},
            "requestedBy": REQUESTER,
            **changes,
        }
    )


def body(of: Runbook, **changes: Any) -> dict[str, Any]:
    """A new execution as the API server returns it."""
    return {
        "metadata": {
            "name": "scale-1",
            "namespace": "shop",
            "uid": UID,
            "resourceVersion": "1",
            "creationTimestamp": CREATED,
        },
        "spec": request(of, **changes).model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def execution(of: Runbook, *, uid: str = UID, **changes: Any) -> RunbookExecution:
    """A new execution as the operator reads it."""
    made = RunbookExecution.from_object(body(of, **changes))
    return made.model_copy(update={"uid": uid})


def plan(number: int, *, quorum: int, expires_at: str) -> Plan:
    """An offered plan, told from others by its number."""
    return Plan(
        digest=digest(number), target_uid=TARGET_UID, made_at=CREATED, expires_at=expires_at, quorum=quorum, steps=[]
    )

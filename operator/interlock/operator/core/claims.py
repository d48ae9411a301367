"""What an execution takes from the Ledger when it starts: its target, and how much of the cluster it touches."""

from collections.abc import Mapping
from typing import Any

from interlock.crds.execution import Plan, RunbookExecution
from interlock.crds.ledger import Claim
from interlock.crds.runbook import Runbook
from interlock.operator.core.ledger import target_name


def claim_of(execution: RunbookExecution, runbook: Runbook, target: Mapping[str, Any], plan: Plan | None) -> Claim:
    """What it takes; how much it touches is known once there is a plan."""
    return Claim(
        uid=execution.uid,
        execution=execution.name,
        namespace=execution.namespace,
        target=target_name(execution.spec.target),
        family=runbook.spec.family,
        risk=runbook.spec.risk,
        requester=execution.spec.requested_by,
        digest=execution.spec.runbook.digest,
        replicas=_replicas(target, plan) if plan else 0,
        nodes=len(_written(plan, "Node")) if plan else 0,
    )


def replicas_of(workload: Mapping[str, Any]) -> int:
    """How many pods a workload wants; 0 of what has none."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if "selector" not in spec:
        return 0
    return int(spec.get("replicas", status.get("desiredNumberScheduled", 1)))


def _written(plan: Plan, kind: str) -> set[str]:
    """The objects of a kind that any step writes, by their uids."""
    return {step.object.uid for step in plan.steps if step.object is not None and step.object.kind == kind}


def _replicas(target: Mapping[str, Any], plan: Plan) -> int:
    """All of the target's where the plan writes to it, else the pods that it names."""
    touched = any(step.object is not None and step.object.uid == target["metadata"]["uid"] for step in plan.steps)
    return max(replicas_of(target) if touched else 0, len(_written(plan, "Pod")))

"""What may run by itself: what has proven itself here, where all guardrails allow it and the fault shows."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from interlock.crds.cel import variables_of
from interlock.crds.execution import Earned
from interlock.crds.guardrail import Autonomy, Guardrail
from interlock.crds.ledger import LedgerSpec
from interlock.crds.runbook import Runbook
from interlock.operator.core.ledger import successes

LIVE = frozenset({"target", "pods", "revisions"})
"""What expressions see of the cluster; all else is the request's own word."""


def demanded(runbook: Runbook, guardrails: Sequence[Guardrail]) -> Autonomy | None:
    """The strictest track record that any of the guardrails demands; None where a person must approve in any case."""
    found = [g.spec.autonomy for g in guardrails if g.spec.mode == "Auto" and g.spec.autonomy is not None]
    if not found or len(found) < len(guardrails) or runbook.spec.type == "Handover" or not proves_fault(runbook):
        return None
    return Autonomy(successes=max(a.successes for a in found), within_days=min(a.within_days for a in found))


def proves_fault(runbook: Runbook) -> bool:
    """Whether a precondition looks at live objects."""
    return any(variables_of(precondition.expression) & LIVE for precondition in runbook.spec.preconditions)


def earned(demand: Autonomy, digest: str, own: LedgerSpec, now: datetime) -> Earned | None:
    """The track record, where it is as long as demanded."""
    found = successes(own, digest, timedelta(days=demand.within_days), now)
    if found < demand.successes:
        return None
    return Earned(successes=found, within_days=demand.within_days)

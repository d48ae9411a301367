"""What `kubectl get guardrails` shows: each guardrail's limits, and how much of them is used by whom."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from interlock.crds.guardrail import Guardrail, GuardrailSpec, GuardrailStatus, Use
from interlock.crds.ledger import LedgerSpec
from interlock.crds.types import rfc3339
from interlock.operator.core.freeze import Unreadable, frozen
from interlock.operator.core.measures import NEVER, Measure, budget_text, concurrency_text, freeing, span, uses

SHOWN = 32
IN_A_LINE = 3
LINE = 256


def shown(guardrail: Guardrail, ledgers: Mapping[str, LedgerSpec], now: datetime, generation: int) -> GuardrailStatus:
    """The status of a guardrail; Ledgers by their namespaces, the shared one by ""."""
    used = sorted(uses(guardrail, ledgers, now), key=lambda m: (-m.used / max(1, m.allowed), m.limit, m.of))
    freezes, trouble = _freezes(guardrail, now)
    most = [f"{m.used}/{m.allowed} {m.of}".strip() + f": {m.limit}" for m in used[:IN_A_LINE]]
    return GuardrailStatus(
        limits="; ".join(limits(guardrail.spec))[:LINE],
        use="; ".join([*freezes, *most])[:LINE],
        uses=[_use(measure) for measure in used[:SHOWN]],
        trouble="; ".join(trouble)[:LINE],
        observed_generation=generation,
    )


def limits(spec: GuardrailSpec) -> Iterator[str]:
    """Each limit for a person."""
    yield from map(budget_text, spec.budgets)
    yield from map(concurrency_text, spec.concurrency)
    if spec.cool_down_seconds:
        yield f"cool-down {span(spec.cool_down_seconds)}"
    if breaker := spec.breaker:
        numbers = (("failures", breaker.failures), ("repeats", breaker.repeats))
        said = " or ".join(f"{number} {what}" for what, number in numbers if number is not None)
        yield f"breaker at {said} in {span(breaker.window_seconds)}"
    if radius := spec.blast_radius:
        shares = (("replicas", radius.replicas_percent), ("nodes", radius.nodes_percent))
        yield from (f"{percent} % of {what}" for what, percent in shares if percent is not None)
    yield from (f"freeze {f.schedule} {f.time_zone} for {span(f.duration_seconds)}" for f in spec.freezes)
    if spec.git_ops == "Refuse":
        yield "nothing that Git manages"


def _freezes(guardrail: Guardrail, now: datetime) -> tuple[list[str], list[str]]:
    """The freezes that bind now, and those that cannot be read."""
    binding, trouble = [], []
    for freeze in guardrail.spec.freezes:
        try:
            if found := frozen(freeze, now):
                binding.append(f"frozen, {freeing(found.until or NEVER)}")
        except Unreadable as unreadable:
            trouble.append(f"freeze cannot be read, so nothing starts: {unreadable}")
    return binding, trouble


def _use(measure: Measure) -> Use:
    at = measure.frees_at
    frees_at = rfc3339(at, "auto") if at is not None and at != NEVER else None
    return Use(
        limit=measure.limit[:LINE], of=measure.of[:LINE], used=measure.used, allowed=measure.allowed, frees_at=frees_at
    )

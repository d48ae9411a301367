"""What stands against a start: locks, limits and freezes. The strictest speaks, and names its guardrail.

What an execution holds already is not asked for again, so a restart between taking and starting changes no answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from interlock.crds.guardrail import SHARED, Autonomy, Budget, Concurrency, Guardrail
from interlock.crds.ledger import Claim, LedgerSpec
from interlock.operator.core.autonomy import earned
from interlock.operator.core.freeze import Unreadable, frozen
from interlock.operator.core.ledger import Horizon, expires, held, is_full
from interlock.operator.core.measures import NEVER, Measure, Reason, Traits, freeing, measures, unless

Touched = Literal["replicas", "nodes"]
LASTING: frozenset[Reason] = frozenset({"BudgetExhausted", "BreakerOpen", "LedgerFull"})
"""What keeps a plan from being offered at all; the rest may well be over when it is approved."""


@dataclass(frozen=True)
class Finding:
    """A limit that stands against a start."""

    reason: Reason
    message: str
    frees_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether waiting is no way out: a person must look."""
        return self.reason == "BreakerOpen"


@dataclass(frozen=True)
class Totals:
    """How much there is of what executions touch; None: it was not counted, or could not be."""

    replicas: int | None = None
    nodes: int | None = None


@dataclass(frozen=True)
class Asked:
    """A start that is asked for, and all that binds it."""

    claim: Claim
    guardrails: Sequence[Guardrail] = ()
    horizon: Horizon = field(default_factory=Horizon)
    totals: Totals = Totals()
    autonomy: Autonomy | None = None
    """The track record that stands for an approval."""

    @property
    def shared(self) -> bool:
        """Whether any limit reaches beyond the namespace."""
        return any(number.per in SHARED for number in self._numbers())

    def _numbers(self) -> Iterator[Budget | Concurrency]:
        for guardrail in self.guardrails:
            yield from guardrail.spec.budgets
            yield from guardrail.spec.concurrency


def strictest(found: Iterable[Finding]) -> Finding | None:
    """The one that stands in the way the longest; of a lock and a limit that both end with an execution, the limit."""
    return max(found, key=lambda f: (f.is_final, f.frees_at or NEVER, f.reason != "TargetBusy"), default=None)


def findings(asked: Asked, own: LedgerSpec, shared: LedgerSpec | None, now: datetime) -> tuple[Finding, ...]:
    """All that stands against a start; `own` is the namespace's Ledger, `shared` is asked for where `asked` says so."""
    found = [*_freezes(asked.guardrails, now), *_autonomy(asked, own, now)]
    if held(own, asked.claim.uid) is None:
        found += _locks(asked.claim, own)
        found += _full(own, asked.horizon, now)
        found += _reached(measures(asked.guardrails, Traits.of(asked.claim), own, now, shared=False))
        found += _reached(_blast_radii(asked, own))
    if shared is not None and held(shared, asked.claim.uid) is None:
        found += _full(shared, asked.horizon, now)
        found += _reached(measures(asked.guardrails, Traits.of(asked.claim), shared, now, shared=True))
    return tuple(found)


def _reached(measured: Iterable[Measure]) -> Iterator[Finding]:
    for measure in measured:
        if measure.reached:
            yield Finding(measure.reason, measure.message, measure.frees_at)


def _autonomy(asked: Asked, own: LedgerSpec, now: datetime) -> Iterator[Finding]:
    if asked.autonomy is not None and earned(asked.autonomy, asked.claim.digest, own, now) is None:
        yield Finding("AutonomyLost", "its track record no longer stands for an approval", now)


def _locks(claim: Claim, own: LedgerSpec) -> Iterator[Finding]:
    for hold in own.holds:
        if hold.target == claim.target:
            yield Finding("TargetBusy", f"{hold.execution} is being carried out on the same target")


def _full(ledger: LedgerSpec, horizon: Horizon, now: datetime) -> Iterator[Finding]:
    if is_full(ledger, horizon, now):
        first = min((expires(count.at, horizon.counts) for count in ledger.counts), default=None)
        message = f"the Ledger is full: {len(ledger.holds)} executions hold something, {len(ledger.counts)} counts"
        yield Finding("LedgerFull", f"{message}; {freeing(first)}", first)


def _freezes(guardrails: Iterable[Guardrail], now: datetime) -> Iterator[Finding]:
    for guardrail in guardrails:
        for freeze in guardrail.spec.freezes:
            where = f"guardrail {guardrail.name}: frozen by {freeze.schedule} {freeze.time_zone}"
            why = f" ({freeze.reason})" if freeze.reason else ""
            try:
                if found := frozen(freeze, now):
                    yield Finding("Frozen", f"{where}{why}; {freeing(found.until or NEVER)}", found.until or NEVER)
            except Unreadable as unreadable:
                message = f"guardrail {guardrail.name}: frozen, as nobody can tell: {unreadable}"
                yield Finding("Frozen", message, NEVER)


def _blast_radii(asked: Asked, own: LedgerSpec) -> Iterator[Measure]:
    """What touches nodes lies in the system namespace, so its Ledger knows of all of them."""
    for guardrail in asked.guardrails:
        if radius := guardrail.spec.blast_radius:
            yield from _radius(guardrail, asked, own, "replicas", radius.replicas_percent)
            yield from _radius(guardrail, asked, own, "nodes", radius.nodes_percent)


def _radius(
    guardrail: Guardrail, asked: Asked, own: LedgerSpec, what: Touched, percent: int | None
) -> Iterator[Measure]:
    """Reached when there is not room for all that it touches: so many may be touched already that it still fits."""
    mine: int = getattr(asked.claim, what)
    if percent is None or mine == 0:
        return
    total: int | None = getattr(asked.totals, what)
    used = sum(getattr(h, what) for h in own.holds if Traits.of(h).selected(guardrail.spec.selector))
    room = max(0, (total or 0) * percent // 100 - mine + 1)
    of_all = f"{percent} % of {'an unknown number of' if total is None else total} {what} at once"
    text = f"{of_all}, of which this one touches {mine}"
    yield Measure("BlastRadiusReached", guardrail.name, text, asked.claim.namespace, used, room, unless(room))

"""How much of each limit of a guardrail is used, by what stands in a Ledger.

Counted by the minute, as if everything came at the end of its minute: a limit may hold up to a minute longer than it
says, and never lets through more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from interlock.crds.guardrail import SHARED, Budget, Concurrency, Guardrail, Scope, Selector
from interlock.crds.ledger import Claim, Count, LedgerSpec
from interlock.crds.runbook import Risk
from interlock.operator.core.ledger import expires

Reason = Literal[
    "TargetBusy",
    "LedgerFull",
    "BudgetExhausted",
    "ConcurrencyReached",
    "CoolingDown",
    "BreakerOpen",
    "Frozen",
    "BlastRadiusReached",
    "AutonomyLost",
]
NEVER = datetime.max.replace(tzinfo=UTC)


def freeing(at: datetime | None) -> str:
    """When something frees up, for a person; None: as soon as an execution ends."""
    if at is None:
        return "frees up when one of them ends"
    return "never frees up by itself" if at == NEVER else f"frees up at {at:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class Traits:
    """What a start shares limits by."""

    namespace: str
    family: str
    risk: Risk
    target: str
    requester: str

    @classmethod
    def of(cls, item: Claim | Count, namespace: str = "") -> "Traits":
        """Of what stands in a Ledger; in a namespace's own, counts do not name their namespace."""
        return cls(item.namespace or namespace, item.family, item.risk, item.target, item.requester)

    def value(self, scope: Scope) -> str:
        """What shares a limit of that scope with it, among all that stands in one Ledger."""
        match scope:
            case "Cluster":
                return ""
            case "Namespace":
                return self.namespace
            case "Target":
                return self.target
            case "Family":
                return self.family
            case "Requester":
                return self.requester

    def selected(self, selector: Selector) -> bool:
        """Whether a guardrail is about it."""
        return selector.matches(namespace=self.namespace, family=self.family, risk=self.risk)


@dataclass(frozen=True)
class Measure:
    """One limit and how much of it is used now."""

    reason: Reason
    guardrail: str
    limit: str
    of: str
    used: int
    allowed: int
    frees_at: datetime | None = None

    @property
    def reached(self) -> bool:
        """Whether there is no more of it."""
        return self.used >= self.allowed

    @property
    def message(self) -> str:
        """Guardrail, limit, use, and when it frees up."""
        used = f"{self.used} of {self.allowed} used" + (f" by {self.of}" if self.of else "")
        return f"guardrail {self.guardrail}: {self.limit}; {used}; {freeing(self.frees_at)}"


def measures(
    guardrails: Iterable[Guardrail], mine: Traits, ledger: LedgerSpec, now: datetime, *, shared: bool
) -> Iterator[Measure]:
    """The limits in numbers and times that are judged on this Ledger, as they stand for such a start."""
    for guardrail in guardrails:
        for budget in guardrail.spec.budgets:
            if (budget.per in SHARED) == shared:
                yield _budget(guardrail, budget, mine, ledger.counts, now)
        for concurrency in guardrail.spec.concurrency:
            if (concurrency.per in SHARED) == shared:
                yield _concurrency(guardrail, concurrency, mine, ledger)
        if not shared:
            yield from _cool_down(guardrail, mine, ledger.counts, now)
            yield from _breaker(guardrail, mine, ledger.counts, now)


def span(seconds: int) -> str:
    """Seconds for a person: the largest unit that they are a whole number of."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def budget_text(budget: Budget) -> str:
    """A budget for a person."""
    return f"{budget.limit} starts in {span(budget.window_seconds)} per {budget.per}"


def concurrency_text(concurrency: Concurrency) -> str:
    """A concurrency for a person."""
    return f"{concurrency.limit} at once per {concurrency.per}"


def _budget(guardrail: Guardrail, budget: Budget, mine: Traits, counts: Sequence[Count], now: datetime) -> Measure:
    value, window = mine.value(budget.per), timedelta(seconds=budget.window_seconds)
    starts = [
        count
        for count in counts
        if count.what == "Started" and _shares(Traits.of(count, mine.namespace), guardrail, budget.per, value)
    ]
    used, frees_at = _within(starts, window, budget.limit, now)
    text = budget_text(budget)
    return Measure("BudgetExhausted", guardrail.name, text, value, used, budget.limit, frees_at or unless(budget.limit))


def _shares(traits: Traits, guardrail: Guardrail, scope: Scope, value: str) -> bool:
    return traits.value(scope) == value and traits.selected(guardrail.spec.selector)


def unless(limit: int) -> datetime | None:
    """Of nothing there is never more."""
    return None if limit else NEVER


def _within(counts: Iterable[Count], window: timedelta, limit: int, now: datetime) -> tuple[int, datetime | None]:
    """How many lie within the window, and when there will be fewer than the limit."""
    live = sorted((expires(c.at, window), c.times) for c in counts if expires(c.at, window) > now)
    used = left = sum(times for _, times in live)
    for leaves, times in live:
        left -= times
        if left < limit:
            return used, leaves
    return used, None


def _concurrency(guardrail: Guardrail, concurrency: Concurrency, mine: Traits, ledger: LedgerSpec) -> Measure:
    value = mine.value(concurrency.per)
    used = sum(_shares(Traits.of(hold), guardrail, concurrency.per, value) for hold in ledger.holds)
    text, limit = concurrency_text(concurrency), concurrency.limit
    return Measure("ConcurrencyReached", guardrail.name, text, value, used, limit, unless(limit))


def _cool_down(guardrail: Guardrail, mine: Traits, counts: Sequence[Count], now: datetime) -> Iterator[Measure]:
    seconds = guardrail.spec.cool_down_seconds
    ends = [
        expires(c.at, timedelta(seconds=seconds)) for c in counts if c.what != "Started" and c.target == mine.target
    ]
    if seconds and ends:
        limit = f"cool-down of {span(seconds)} per Target"
        yield Measure("CoolingDown", guardrail.name, limit, mine.target, int(max(ends) > now), 1, max(ends))


def _breaker(guardrail: Guardrail, mine: Traits, counts: Sequence[Count], now: datetime) -> Iterator[Measure]:
    breaker = guardrail.spec.breaker
    if breaker is None:
        return
    window = timedelta(seconds=breaker.window_seconds)
    same = [c for c in counts if (c.family, c.target) == (mine.family, mine.target)]
    for what, limit, name in (("Failed", breaker.failures, "failures"), ("Started", breaker.repeats, "repeats")):
        if limit is not None:
            used, frees_at = _within([c for c in same if c.what == what], window, limit, now)
            text = f"breaker at {limit} {name} of {mine.family} in {span(breaker.window_seconds)} per Target"
            yield Measure("BreakerOpen", guardrail.name, text, mine.target, used, limit, frees_at)


def uses(guardrail: Guardrail, ledgers: Mapping[str, LedgerSpec], now: datetime) -> Iterator[Measure]:
    """What is used of a guardrail's limits, for people; Ledgers by their namespaces, the shared one by ""."""
    for namespace, ledger in ledgers.items():
        seen: set[tuple[str, str]] = set()
        everyone = {Traits.of(item, namespace) for items in (ledger.counts, ledger.holds) for item in items}
        for mine in (traits for traits in everyone if traits.selected(guardrail.spec.selector)):
            for measure in measures((guardrail,), mine, ledger, now, shared=not namespace):
                if measure.used and (measure.limit, measure.of) not in seen:
                    seen.add((measure.limit, measure.of))
                    yield measure

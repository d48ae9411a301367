"""What a Ledger becomes: taking, giving back, counting and forgetting, as functions from one Ledger to the next.

Everything goes by the execution's uid, so that doing it twice is doing it once: whoever crashed in between, or lost the
answer, does it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from interlock.crds.execution import Phase, Target
from interlock.crds.guardrail import Guardrail
from interlock.crds.ledger import MAX_COUNTS, MAX_HOLDS, MAX_RECORDS, Claim, Count, Hold, LedgerSpec, Success, What
from interlock.crds.types import rfc3339
from interlock.operator.core.compaction import by_week, compact
from interlock.operator.core.state import parse_time

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
KEPT_ANYWAY = 16
"""Counts that stay although no guardrail reaches back to them, so that one which is set later starts with them."""

FAILURES: frozenset[Phase] = frozenset({"Failed", "Undone"})


@dataclass(frozen=True)
class Horizon:
    """How far any guardrail of the cluster looks back."""

    counts: timedelta = timedelta()
    record: timedelta = timedelta(days=30)
    targets: timedelta = timedelta()
    """By a limit on one target."""
    ends: timedelta = timedelta()
    """To how an execution ended."""

    @classmethod
    def of(cls, guardrails: Iterable[Guardrail]) -> "Horizon":
        """The farthest of these guardrails."""
        specs = [guardrail.spec for guardrail in guardrails]
        days = [spec.autonomy.within_days for spec in specs if spec.autonomy]
        ends = [spec.cool_down_seconds for spec in specs]
        ends += [spec.breaker.window_seconds for spec in specs if spec.breaker]
        targets = [*ends, *(b.window_seconds for spec in specs for b in spec.budgets if b.per == "Target")]
        every = [*targets, *(b.window_seconds for spec in specs for b in spec.budgets)]
        return cls(
            counts=timedelta(seconds=max(every, default=0)),
            record=timedelta(days=max([30, *days])),
            targets=timedelta(seconds=max(targets, default=0)),
            ends=timedelta(seconds=max(ends, default=0)),
        )


def target_name(target: Target) -> str:
    """The target within its namespace, whichever version of its API names it."""
    group = target.api_version.rpartition("/")[0]
    return f"{target.kind}{'.' if group else ''}{group}/{target.name}"


def bucket(at: datetime, width: timedelta = MINUTE) -> str:
    """The beginning of the minute, or of the day, RFC 3339 in UTC."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return rfc3339(epoch + (at - epoch) // width * width, "auto")


def expires(at: str, window: timedelta, width: timedelta = MINUTE) -> datetime:
    """When what was counted in a bucket leaves a window: as if it had all come at the bucket's end."""
    return parse_time(at) + width + window


def held(ledger: LedgerSpec, uid: str) -> Hold | None:
    """What an execution holds."""
    return next((hold for hold in ledger.holds if hold.uid == uid), None)


def is_full(ledger: LedgerSpec, horizon: Horizon, now: datetime) -> bool:
    """Whether nothing more can be taken: there must be room to remember it, and how all that is held will end."""
    ends = len(ledger.holds) + 1
    if len(ledger.holds) >= MAX_HOLDS:
        return True
    return len(compact(_reached(ledger, horizon, now), now, horizon.targets)) + 1 + ends > MAX_COUNTS


def taken(
    ledger: LedgerSpec, claim: Claim, now: datetime, horizon: Horizon, *, shared: bool, elsewhere: bool = False
) -> LedgerSpec:
    """With what the claim takes held, and counted as started; `elsewhere`: it holds something in the shared one too."""
    if held(ledger, claim.uid) is not None:
        return ledger
    hold = Hold(**claim.model_dump(), at=bucket(now), shared=elsewhere)
    counts = _counted(_kept(ledger, horizon, now), _count(hold, "Started", hold.at, shared=shared))
    record = [success for success in ledger.record if expires(success.day, horizon.record, DAY) > now]
    return LedgerSpec(holds=[*ledger.holds, hold], counts=counts, record=record)


def released(ledger: LedgerSpec, uid: str, phase: Phase | None, now: datetime) -> LedgerSpec:
    """With what an execution held given back, and the end counted that its phase means; None: nobody knows it."""
    hold = held(ledger, uid)
    if hold is None:
        return ledger
    what: What = "Succeeded" if phase == "Succeeded" else "Failed" if phase in FAILURES else "Ended"
    counts = _counted(ledger.counts, _count(hold, what, bucket(now), shared=False))
    record = _recorded(ledger.record, hold.digest, what, now)
    return LedgerSpec(holds=[h for h in ledger.holds if h.uid != uid], counts=counts, record=record)


def withdrawn(ledger: LedgerSpec, uid: str, *, shared: bool) -> LedgerSpec:
    """As if an execution, which has not started, had taken nothing; of the shared Ledger, also what was only held."""
    hold = held(ledger, uid)
    if hold is None:
        return ledger
    counts = list(ledger.counts)
    started = _count(hold, "Started", hold.at, shared=shared)
    for index, count in enumerate(counts):
        if _same(count, started):
            counts[index : index + 1] = [_times(count, count.times - 1)] if count.times > 1 else []
            break
    return ledger.model_copy(update={"holds": [h for h in ledger.holds if h.uid != uid], "counts": counts})


def let_go(ledger: LedgerSpec, uid: str) -> LedgerSpec:
    """With what an execution held given back; the shared Ledger counts no ends."""
    return ledger.model_copy(update={"holds": [hold for hold in ledger.holds if hold.uid != uid]})


def successes(ledger: LedgerSpec, digest: str, within: timedelta, now: datetime) -> int:
    """Verified successes of a digest that none of its failures has taken away."""
    return sum(s.times for s in ledger.record if s.digest == digest and parse_time(s.day) + within > now)


def _recorded(record: list[Success], digest: str, what: What, now: datetime) -> list[Success]:
    if what == "Failed":
        return [s for s in record if s.digest != digest]
    if what == "Ended":
        return record
    day = bucket(now, DAY)
    times = 1 + sum(s.times for s in record if (s.digest, s.day) == (digest, day))
    rest = [s for s in record if (s.digest, s.day) != (digest, day)]
    return [*by_week(rest, now)[-MAX_RECORDS + 1 :], Success(digest=digest, day=day, times=times)]


def _count(hold: Hold, what: What, at: str, *, shared: bool) -> Count:
    """What a Ledger counts of it: a namespace's knows its namespace, the shared one has no use for targets."""
    place = {"namespace": hold.namespace, "requester": hold.requester} if shared else {"target": hold.target}
    return Count(at=at, what=what, family=hold.family, risk=hold.risk, **place)


def _same(one: Count, other: Count) -> bool:
    return _apart(one) == _apart(other)


def _apart(count: Count) -> tuple[str, ...]:
    """What tells it from others."""
    return count.at, count.what, count.namespace, count.family, count.risk, count.target, count.requester


def _times(count: Count, times: int) -> Count:
    return count.model_copy(update={"times": times})


def _counted(counts: list[Count], one: Count) -> list[Count]:
    for index, count in enumerate(counts):
        if _same(count, one):
            return [*counts[:index], _times(count, count.times + 1), *counts[index + 1 :]]
    return [*counts, one]


def _reached(ledger: LedgerSpec, horizon: Horizon, now: datetime) -> list[Count]:
    starts, ends = horizon.counts, horizon.ends
    windows = ((count, starts if count.what == "Started" else ends) for count in ledger.counts)
    return [count for count, window in windows if window and expires(count.at, window) > now]


def _kept(ledger: LedgerSpec, horizon: Horizon, now: datetime) -> list[Count]:
    """What some guardrail reaches back to, and the newest in any case."""
    reached = _reached(ledger, horizon, now)
    if (spare := KEPT_ANYWAY - len(reached)) > 0:
        others = sorted((count for count in ledger.counts if count not in reached), key=lambda count: count.at)
        return [*others[-spare:], *reached]
    return compact(reached, now, horizon.targets)

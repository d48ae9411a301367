"""A crowded Ledger lets through no more than one that forgets nothing, and holds the work of a busy namespace."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operator.making import digest
from tests.unit.operator.test_limits import START, Books, claim, guardrail

from interlock.crds.guardrail import Guardrail
from interlock.crds.ledger import MAX_COUNTS, Count, LedgerSpec, Success, What
from interlock.operator.core.compaction import SHARES, by_week, compact, together
from interlock.operator.core.ledger import DAY, Horizon, bucket, is_full, successes
from interlock.operator.core.measures import Measure, Traits, measures

WEEK = 7 * 24 * 3600
TRAITS = [Traits("shop", family, "Low", target, "") for family in ("restart", "scale") for target in "ab"]
WINDOWS = st.integers(60, WEEK)
RAILS = st.builds(
    lambda per, window, breaker, cool: guardrail(
        budgets=[{"per": per, "limit": 1, "windowSeconds": window}],
        breaker={"failures": 1, "repeats": 1, "windowSeconds": breaker},
        coolDownSeconds=cool,
    ),
    st.sampled_from(["Namespace", "Target"]),
    WINDOWS,
    WINDOWS,
    WINDOWS,
)
WHATS: tuple[What, ...] = ("Started", "Failed")
SHARE = st.sampled_from(SHARES)
COUNTS = st.lists(
    st.builds(
        lambda age, what, traits, times: Count(
            at=bucket(START - timedelta(minutes=age)),
            what=what,
            family=traits.family,
            risk="Low",
            target=traits.target,
            times=times,
        ),
        st.integers(0, 10_000),
        st.sampled_from(WHATS),
        st.sampled_from(TRAITS),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=40,
)


def measured(rails: Sequence[Guardrail], mine: Traits, counts: Sequence[Count], later: timedelta) -> list[Measure]:
    ledger = LedgerSpec(counts=list(counts))
    return list(measures(rails, mine, ledger, START + later, shared=False))


@given(st.lists(RAILS, min_size=1, max_size=3), COUNTS, st.sampled_from(TRAITS), st.integers(0, 10_000), SHARE)
def test_no_limit_lets_more_through(
    rails: list[Guardrail], counts: list[Count], mine: Traits, minutes: int, share: int
) -> None:
    later, horizon = timedelta(minutes=minutes), Horizon.of(rails)
    held = together(counts, START, horizon.targets, share)
    assert sum(count.times for count in held) == sum(count.times for count in counts)
    crowded = measured(rails, mine, held, later)
    for exact in measured(rails, mine, counts, later):
        same = [other for other in crowded if (other.limit, other.guardrail) == (exact.limit, exact.guardrail)]
        assert not exact.used or max(other.used for other in same) >= exact.used
        if exact.reached and exact.frees_at is not None:
            assert max(other.frees_at for other in same if other.frees_at is not None) >= exact.frees_at


@given(COUNTS, st.integers(1, WEEK // 60), SHARE)
def test_what_counts_longer_was_there_within_twice_the_window(counts: list[Count], minutes: int, share: int) -> None:
    rail, mine = guardrail(budgets=[{"per": "Namespace", "limit": 1, "windowSeconds": minutes * 60}]), TRAITS[0]
    wide = min(WEEK, 2 * minutes * 60 + 120)
    twice = guardrail(budgets=[{"per": "Namespace", "limit": 1, "windowSeconds": wide}])
    [crowded] = measured([rail], mine, together(counts, START, timedelta(), share), timedelta())
    [exact] = measured([twice], mine, counts, timedelta())
    assert crowded.used <= exact.used or wide == WEEK


def test_a_busy_namespace_with_a_long_window_is_not_full() -> None:
    """Fifteen targets, each restarted every three hours for a week, which budget and breaker both look back to."""
    rail = guardrail(
        budgets=[{"per": per, "limit": 1000, "windowSeconds": WEEK} for per in ("Target", "Namespace")],
        breaker={"failures": 100, "windowSeconds": WEEK},
    )
    counts = [
        Count(at=bucket(START - timedelta(hours=age)), what=what, family="restart", risk="Low", target=f"web-{number}")
        for age in range(0, WEEK // 3600, 3)
        for what in WHATS
        for number in range(15)
    ]
    held = compact(counts, START, Horizon.of([rail]).targets)
    assert len(held) < MAX_COUNTS * 3 / 4 < len(counts)
    assert not is_full(LedgerSpec(counts=held), Horizon.of([rail]), START)
    assert sum(count.times for count in held) == len(counts)


def test_where_there_is_room_nothing_is_counted_together() -> None:
    old = [
        Count(at=bucket(START - timedelta(days=1, minutes=n)), what="Started", family="f", risk="Low") for n in (1, 2)
    ]
    assert compact(old, START, timedelta()) == old
    assert len(together(old, START, timedelta(), 8)) == 1


def test_how_an_execution_ended_is_kept_as_long_as_a_limit_asks_for_it() -> None:
    books = Books(
        [guardrail(budgets=[{"per": "Namespace", "limit": 1000, "windowSeconds": WEEK}], coolDownSeconds=600)]
    )
    for number in range(40):
        assert books.start(claim(str(number), target=str(number))) is None
        books.end(str(number))
        books.wait(minutes=11)
    kept = [count.what for count in books.own["shop"].counts]
    assert (kept.count("Started"), kept.count("Succeeded")) == (40, 1)


RECORDS = st.dictionaries(st.tuples(st.sampled_from([digest(1), digest(2)]), st.integers(0, 60)), st.integers(1, 9))


@given(RECORDS, st.integers(1, 60), st.integers(0, 60))
def test_a_track_record_by_the_week_is_short_and_never_stands_for_more(
    days: dict[tuple[str, int], int], within: int, later: int
) -> None:
    record = [
        Success(digest=of, day=bucket(START - timedelta(days=age), DAY), times=times)
        for (of, age), times in days.items()
    ]
    short = by_week(record, START)
    assert by_week(short, START) == short
    assert len(short) <= 2 * (8 + 9)
    assert sum(success.times for success in short) == sum(success.times for success in record)
    for of in (digest(1), digest(2)):
        now, span = START + timedelta(days=later), timedelta(days=within)
        whole, held = (successes(LedgerSpec(record=kept), of, span, now) for kept in (record, short))
        assert held <= whole
        assert successes(LedgerSpec(record=short), of, timedelta(days=within + 7), now) >= whole

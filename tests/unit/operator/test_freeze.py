from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.crds.guardrail import Freeze
from interlock.operator.core.freeze import Frozen, Unreadable, frozen


def freeze(schedule: str, hours: float = 1, time_zone: str = "UTC") -> Freeze:
    return Freeze(schedule=schedule, duration_seconds=int(hours * 3600), time_zone=time_zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


WEEKEND = freeze("0 18 * * FRI", 62, "Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-02T16:59:59Z", None),
        ("2026-01-02T17:00:00Z", "2026-01-05T07:00:00Z"),
        ("2026-01-05T06:59:59.999Z", "2026-01-05T07:00:00Z"),
        ("2026-01-05T07:00:00Z", None),
        ("2026-07-03T16:00:00Z", "2026-07-06T06:00:00Z"),
        ("2026-07-03T15:59:59Z", None),
    ],
)
def test_it_begins_on_schedule_in_its_zone_and_lasts_as_long_as_it_says(now: str, until: str | None) -> None:
    assert frozen(WEEKEND, at(now)) == (Frozen(at(until)) if until else None)


def test_a_clock_that_is_put_forward_or_back_changes_no_duration() -> None:
    forward = freeze("30 1 29 3 *", 2, "Europe/Berlin")
    assert frozen(forward, at("2026-03-29T02:29:59Z")) == Frozen(at("2026-03-29T02:30:00Z"))
    assert frozen(forward, at("2026-03-29T02:30:00Z")) is None
    back = freeze("30 1 25 10 *", 2, "Europe/Berlin")
    assert frozen(back, at("2026-10-25T01:29:59Z")) == Frozen(at("2026-10-25T01:30:00Z"))


def test_what_is_skipped_by_a_clock_that_is_put_forward_still_comes() -> None:
    assert frozen(freeze("30 2 29 3 *", 1, "Europe/Berlin"), at("2026-03-29T01:30:00Z")) is not None


def test_windows_that_run_into_each_other_end_with_the_last() -> None:
    nights = freeze("0 0 * * MON-WED", 24)
    assert frozen(nights, at("2026-01-05T12:00:00Z")) == Frozen(at("2026-01-08T00:00:00Z"))
    assert frozen(freeze("* * * * *", 1), at("2026-01-05T12:00:00Z")) == Frozen(None)


@pytest.mark.parametrize(("schedule", "zone"), [("99 * * * *", "UTC"), ("0 0 * * *", "Mars/Phobos"), ("0 0 1", "UTC")])
def test_what_cannot_be_read_is_said(schedule: str, zone: str) -> None:
    with pytest.raises(Unreadable, match=zone):
        frozen(freeze(schedule.ljust(9), time_zone=zone), at("2026-01-05T12:00:00Z"))


def test_a_day_that_never_comes_freezes_nothing() -> None:
    assert frozen(freeze("0 0 29 2 MON#5"), at("2026-01-05T12:00:00Z")) is None


@given(st.integers(0, 40), st.integers(1, 30), st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)))
def test_a_daily_window_is_found_from_any_moment(begins: int, hours: int, moment: datetime) -> None:
    now, hour = moment.replace(tzinfo=UTC), begins % 24
    midnight = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    starts = [midnight - timedelta(days=days) for days in (-1, 0, 1, 2)]
    inside = any(start <= now < start + timedelta(hours=hours) for start in starts)
    assert (frozen(freeze(f"0 {hour} * * *", hours), now) is not None) == inside

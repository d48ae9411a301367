"""How a crowded Ledger holds a long past: what no limit tells apart is counted together, as if it came at its latest.

Time only ever moves later, and numbers stay, so no limit lets more through. It binds longer instead: a seventh of its
window, up to as long again where a Ledger is crowded so much. What is recent stays as it is.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from interlock.crds.ledger import MAX_COUNTS, Count, Success
from interlock.operator.core.state import parse_time

FRESH = timedelta(minutes=16)
"""So young, a count is still taken back where its execution did not start after all."""
ROOMY = MAX_COUNTS // 2
"""With so few counts, nothing is counted together."""
ENOUGH = MAX_COUNTS * 3 // 8
SHARES = (8, 4, 2)
"""A count stands for a time of its age divided by this: the finest that leaves enough room."""
_WEEK = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


def compact(counts: Sequence[Count], now: datetime, targets: timedelta) -> list[Count]:
    """The counts, fewer where they are many; no limit on a target reaches further back than `targets`."""
    if len(counts) <= ROOMY:
        return list(counts)
    found = list(counts)
    for share in SHARES:
        found = together(counts, now, targets, share)
        if len(found) <= ENOUGH:
            break
    return found


def together(counts: Iterable[Count], now: datetime, targets: timedelta, share: int) -> list[Count]:
    """Counts that only a part of their age tells apart as one, at the latest of their times; the oldest first."""
    fresh, buckets = list[Count](), dict[tuple[object, ...], list[Count]]()
    for count in sorted(counts, key=lambda count: count.at):
        at = parse_time(count.at)
        age = now - at
        if age <= FRESH:
            fresh.append(count)
            continue
        width = _width(age / share)
        target = count.target if age <= targets + FRESH else ""
        who = (count.what, count.namespace, count.family, count.risk, target, count.requester)
        buckets.setdefault((target, who, width, (at - _EPOCH) // width), []).append(count)
    merged = [_one(held, str(key[0])) for key, held in buckets.items()]
    return [*sorted(merged, key=lambda count: count.at), *fresh]


def by_week(record: Iterable[Success], now: datetime) -> list[Success]:
    """A track record whose successes of more than a week ago are counted by the week, the oldest first.

    A week's count as if all came on the first of their days: they are forgotten earlier, never later.
    """
    held: dict[tuple[str, str], Success] = {}
    for success in sorted(record, key=lambda success: success.day):
        at = parse_time(success.day)
        age = now - at
        span = success.day if age <= _WEEK else f"week {(at - _EPOCH) // _WEEK}"
        first = held.get((success.digest, span))
        times = success.times + (first.times if first else 0)
        held[success.digest, span] = (first or success).model_copy(update={"times": times})
    return list(held.values())


def _one(counts: Sequence[Count], target: str) -> Count:
    last = counts[-1]
    if len(counts) == 1 and last.target == target:
        return last
    return last.model_copy(update={"target": target, "times": sum(count.times for count in counts)})


def _width(most: timedelta) -> timedelta:
    """The largest power of two of minutes within `most`: wide buckets hold whole narrower ones."""
    return _MINUTE * (1 << max(0, (most // _MINUTE).bit_length() - 1))

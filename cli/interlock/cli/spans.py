"""Lengths of time in a word, as kubectl says them."""

from datetime import UTC, datetime


def age(time: str, now: datetime | None = None) -> str:
    """How long ago it was, as kubectl says it: 42s, 5m, 3h, 2d."""
    return duration(((now or datetime.now(UTC)) - datetime.fromisoformat(time)).total_seconds())


def duration(seconds: float) -> str:
    """A length of time in its largest unit."""
    whole = max(0, int(seconds))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= 2 * length:
            return f"{whole // length}{unit}"
    return f"{whole}s"

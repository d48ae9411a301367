"""Freeze windows: whether now lies in one, and when it ends. Cron as Debian reads it, in the zone that it names."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from interlock.crds.guardrail import Freeze

LOOKED_AHEAD = 100
"""Windows that run into each other are followed so far; what lasts longer has no end worth naming."""


class Unreadable(ValueError):
    """The schedule or its time zone means nothing here; it must be taken that it is frozen."""


@dataclass(frozen=True)
class Frozen:
    """It is frozen, until then; None: nobody knows."""

    until: datetime | None


def frozen(freeze: Freeze, now: datetime) -> Frozen | None:
    """Whether a freeze binds now.

    Raises:
        Unreadable: the schedule or the time zone cannot be read.
    """
    lasts = timedelta(seconds=freeze.duration_seconds)
    try:
        local = now.astimezone(ZoneInfo(freeze.time_zone))
        begun = next(CronSim(freeze.schedule, local + timedelta(seconds=1), reverse=True), None)
        if begun is None or begun.astimezone(UTC) + lasts <= now:
            return None
        return Frozen(_end(CronSim(freeze.schedule, local), begun.astimezone(UTC) + lasts, lasts))
    except (CronSimError, ZoneInfoNotFoundError, ValueError) as error:
        raise Unreadable(f"{freeze.schedule} in {freeze.time_zone}: {error}") from error


def _end(following: CronSim, end: datetime, lasts: timedelta) -> datetime | None:
    for _ in range(LOOKED_AHEAD):
        begins = next(following, None)
        if begins is None or begins.astimezone(UTC) > end:
            return end
        end = max(end, begins.astimezone(UTC) + lasts)
    return None

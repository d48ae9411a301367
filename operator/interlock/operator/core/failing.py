"""What the failure of a step means: another try, the way back, the end, a person's choice, or nothing."""

from datetime import datetime, timedelta
from typing import Literal

from interlock.crds.journal import Event
from interlock.crds.redact import safe_message
from interlock.crds.runbook import Retry, Step
from interlock.crds.types import rfc3339
from interlock.operator.core.state import StepState

Error = Literal["Conflict", "Refused", "NotHolding", "TimedOut"]
"""Why a step failed. A step whose time is over is never tried again."""


def failure(
    name: str, definition: Step, step: StepState | None, error: Error, why: object, *, now: datetime, chance: float
) -> Event:
    """The event of a failure; `chance`, from 0 to 1, is what jitter makes of the time until the next try."""
    data = {"error": error, "message": safe_message(why)}
    if (retry_at := _retry_at(definition, step, error, now, chance)) is not None:
        return Event(event="StepFailed", step=name, data={**data, "then": "Retry", "retryAt": retry_at})
    return Event(event="StepFailed", step=name, data={**data, "then": definition.on_failure})


def stopped(name: str, why: object) -> Event:
    """A step that is given up because all is: a failure that means nothing by itself."""
    return Event(
        event="StepFailed", step=name, data={"error": "Stopped", "message": safe_message(why), "then": "Continue"}
    )


def deadline(definition: Step, step: StepState) -> datetime:
    """When the time of the step, or of its undo, is over."""
    return step.started_at + timedelta(seconds=definition.timeout_seconds)


def _retry_at(definition: Step, step: StepState | None, error: Error, now: datetime, chance: float) -> str | None:
    retry, tries = definition.retry, step.tries if step else 1
    if retry is None or error not in retry.on or tries > retry.limit or (step is not None and step.acted):
        return None
    at = now + timedelta(seconds=backoff(retry, tries, chance))
    if step is not None and at >= deadline(definition, step):
        return None
    return rfc3339(at)


def backoff(retry: Retry, tries: int, chance: float) -> float:
    """Seconds before the next try: doubled each time up to the longest, less what is left to chance."""
    seconds = min(retry.max_backoff_seconds, retry.backoff_seconds * 2.0 ** (tries - 1))
    return seconds * (1 - chance * retry.jitter_percent / 100)

"""What the API server does instead of what it was asked, each kind of it with what the caller can do then."""

import json
from collections.abc import Mapping


class ApiError(Exception):
    """The API server did not do what was asked. `retry_after` is how many seconds it wants to be left alone, if any."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class NotFound(ApiError):
    """There is no such object, or no such kind."""


class Conflict(ApiError):
    """The condition of the write does not hold: look again. Nothing was written."""


class Forbidden(ApiError):
    """The identity may not do this, by RBAC or by policy. Nothing was written."""


class Stopped(Forbidden):
    """The emergency stop is on: nothing was written, and the same may be sent again when it is lifted."""

    reason = "EmergencyStop"


class Paused(Stopped):
    """The namespace is paused: nothing was written, and the same may be sent again when it goes on."""

    reason = "NamespacePaused"


class OptedOut(Stopped):
    """The namespace has not opted in, or not any more: nothing was written, and the same may be sent when it does."""

    reason = "NotOptedIn"


class Invalid(ApiError):
    """The API server refuses the content. Nothing was written."""


class Blocked(ApiError):
    """A PodDisruptionBudget keeps the pod for now, and the message says which. Nothing was evicted."""


class Unavailable(ApiError):
    """No answer, or none that tells whether it was done."""


class Unauthenticated(Unavailable):
    """The credential is not accepted, or not any more. Nothing was done, and it says nothing about what was asked."""


_BY_STATUS = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    422: Invalid,
}
EMERGENCY_STOP = "emergency stop: "
"""How the policy interlock-emergency-stop begins its refusals."""
NAMESPACE_PAUSED = "namespace paused: "
"""How the policy interlock-runners begins those of a paused namespace."""
NOT_OPTED_IN = "this namespace has not opted in"
"""How it begins those of a namespace that has not opted in."""
_FOR_NOW: Mapping[str, type[Stopped]] = {EMERGENCY_STOP: Stopped, NAMESPACE_PAUSED: Paused, NOT_OPTED_IN: OptedOut}
_LONGEST_RETRY_AFTER = 300.0


def error_of(status: int, body: str, headers: Mapping[str, str]) -> ApiError:
    """The error that an answer of the API server is."""
    try:
        answer = json.loads(body)
        message = str(answer.get("message") or body)
        causes = (answer.get("details") or {}).get("causes") or ()
    except (ValueError, AttributeError):
        message, causes = body, ()
    if status == 429 and (kept := [str(c.get("message")) for c in causes if c.get("reason") == "DisruptionBudget"]):
        return Blocked(status, "; ".join(kept))
    kind = _BY_STATUS.get(status, Unavailable if status >= 429 or status == 0 else Invalid)
    if kind is Forbidden:
        kind = next((stopped for words, stopped in _FOR_NOW.items() if words in message), Forbidden)
    return kind(status, message, _retry_after(headers.get("Retry-After", "")))


def _retry_after(value: str) -> float | None:
    """The API server says it in whole seconds; a date, which HTTP allows too, is not believed."""
    return min(float(value), _LONGEST_RETRY_AFTER) if value.isascii() and value.isdigit() else None

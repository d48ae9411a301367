"""Waiting until something holds: the only way in which these tests let time pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 200.0
"""Seconds until what should happen at once is given up: tests share few cores, and only failures wait so long."""


def eventually(what: str, look: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """The first value that is true of those that `look` returns.

    Raises:
        TimeoutError: there was none in time; the message says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)

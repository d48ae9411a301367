"""Waits on conditions, because a test that sleeps is either slow or wrong."""

import time
from collections.abc import Callable

SECONDS = 60.0


def until(what: str, holds: Callable[[], object], seconds: float = SECONDS) -> None:
    """Returns when the condition holds; fails with what was waited for."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain until {what}"
        time.sleep(0.1)

"""What a measurement yields."""

import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Figure:
    """One measured value and what it is compared with, both in `unit`."""

    what: str
    value: float
    baseline: float
    against: str
    unit: str
    wanted: str = ""

    @property
    def ratio(self) -> float:
        """How many times the baseline."""
        return self.value / self.baseline


def microseconds(work: Callable[[], object], repeat: int = 200) -> float:
    """The time of one call: the best of some rounds, as everything else on the machine only adds."""
    best = min(_round(work, repeat) for _ in range(ROUNDS))
    return best / repeat * 1e6


def _round(work: Callable[[], object], repeat: int) -> float:
    begun = time.perf_counter()
    for _ in range(repeat):
        work()
    return time.perf_counter() - begun

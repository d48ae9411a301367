"""What a measurement yields: figures beside their baselines, and counts that explain them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Goal:
    """What the ratio should be."""

    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        low = "" if self.at_least is None else f"≥ {self.at_least:g}"
        high = "" if self.at_most is None else f"≤ {self.at_most:g}"
        return f"{self.at_least:g}" if self.at_least == self.at_most and low else f"{low}{high}"

    def reached(self, ratio: float) -> bool:
        """Whether the ratio is what it should be."""
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)


@dataclass(frozen=True)
class Figure:
    """One measured value and what it is compared with, both in `unit`."""

    what: str
    value: float
    baseline: float
    against: str
    unit: str
    goal: Goal | None = None

    @property
    def ratio(self) -> float:
        """How many times the baseline."""
        return self.value / self.baseline


@dataclass(frozen=True)
class Counts:
    """What a figure is made of: rows of a name and one number for each column."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[float]]]


Result = Figure | Counts


def microseconds(work: Callable[[], object], repeat: int = 200) -> float:
    """The time of one call: the best of some rounds, as everything else on the machine only adds."""
    best = min(_round(work, repeat) for _ in range(ROUNDS))
    return best / repeat * 1e6


def _round(work: Callable[[], object], repeat: int) -> float:
    begun = time.perf_counter()
    for _ in range(repeat):
        work()
    return time.perf_counter() - begun

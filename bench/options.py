"""How much is measured: some minutes by default, everything on request."""

from dataclasses import dataclass, field

from bench.loop import Rhythm


@dataclass(frozen=True)
class Options:
    """The sizes of all measurements."""

    rhythm: Rhythm = field(default_factory=Rhythm)
    unfinished: tuple[int, ...] = (100, 1_000)
    finished: tuple[int, ...] = (0, 2_000)
    alone: int = 15
    """Executions that run one at a time, for the latency."""
    argo: bool = False
    profile: bool = False


FULL_UNFINISHED = (100, 1_000, 10_000)
FULL_FINISHED = (0, 10_000, 100_000)

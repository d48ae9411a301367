"""Rules that look at a namespace as a whole: what its workloads share, and what they stand on.

One module per family, each a pure function `(World) -> Iterator[Finding]`, listed once here. How findings compare is
decided in `diagnose` alone.
"""

from collections.abc import Callable, Iterator

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.wide import wellness
from interlock.agents.analyzers.world import World

Wide = Callable[[World], Iterator[Finding]]

WIDE: tuple[Wide, ...] = (
    wellness.analyze,  # nothing is wrong, or no longer
)

__all__ = ["WIDE", "Wide"]

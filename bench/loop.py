"""A closed loop: a number of things in flight, each replaced as soon as it ends, until time is over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from bench.meter import Meter

T = TypeVar("T")


@dataclass(frozen=True)
class Rhythm:
    """How many are in flight, and for how many seconds it runs before and while it is measured."""

    slots: int = 24
    warm: float = 8
    seconds: float = 25


@dataclass(frozen=True)
class Sample(Generic[T]):
    """What ended while it was measured."""

    results: tuple[T, ...]
    seconds: float
    total: int
    """All that ended, before and after it was measured as well."""
    cpu: Mapping[str, float]
    """Processor seconds by process, while it was measured."""

    @property
    def rate(self) -> float:
        """How many ended in a second."""
        return len(self.results) / self.seconds


async def closed_loop(rhythm: Rhythm, once: Callable[[int], Awaitable[T]], meter: Meter | None = None) -> Sample[T]:
    """Lets each slot do it again and again, and waits for the last to end."""
    clock = asyncio.get_running_loop().time
    begin = clock() + rhythm.warm
    end = begin + rhythm.seconds
    ended: list[tuple[float, T]] = []

    async def slot(number: int) -> None:
        while clock() < end:
            result = await once(number)
            ended.append((clock(), result))

    async with asyncio.TaskGroup() as group:
        used = group.create_task(_used(meter, begin - clock(), rhythm.seconds))
        for number in range(rhythm.slots):
            group.create_task(slot(number))
    measured = tuple(result for at, result in ended if begin <= at < end)
    return Sample(measured, rhythm.seconds, len(ended), used.result())


async def _used(meter: Meter | None, before: float, seconds: float) -> dict[str, float]:
    if meter is None:
        return {}
    await asyncio.sleep(before)
    start = meter.cpu()
    await asyncio.sleep(seconds)
    return {name: used - start[name] for name, used in meter.cpu().items()}

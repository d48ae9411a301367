"""Status writes of an execution with n steps, counted in the API server's audit log."""

import asyncio
from collections.abc import Iterator

from bench.audit import AuditLog, of_operator
from bench.figure import Figure, Goal, Result
from bench.life import people
from bench.options import Options
from bench.stand import Space, Stand, changing, open_space

STEPS = (1, 2, 4, 8)


def results(stand: Stand, _options: Options) -> Iterator[Result]:
    """One figure for each number of steps that change something."""
    with stand.operator():
        for steps in STEPS:
            space = open_space(stand, f"writes-{steps}", changing(steps), 1)
            mark = AuditLog.mark(stand.lab.audit_log)
            asyncio.run(_one(space))
            written = mark.counted(of_operator)["status"]
            yield Figure(f"status writes, {steps} steps", written, steps + 3, "n + 3", "writes", Goal(1, 1))


async def _one(space: Space) -> None:
    async with people(space) as both:
        await both.live(0)

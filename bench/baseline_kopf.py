"""Runs the five steps on plain Kopf, in the same closed loop and on the same API server."""

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.identity import Json
from tests.support.waiting import eventually

from bench.arrivals import Arrivals, listen, meanwhile
from bench.kopf_steps import DEFINITION, GROUP, PLURAL, STEPS, VERSION, five
from bench.loop import Rhythm, Sample, closed_loop
from bench.stand import Space
from bench.wire import Wire


@contextmanager
def kopf_at_work(space: Space) -> Iterator[int]:
    """An operator of five handlers; the identifier of its process."""
    stand, admin = space.stand, space.stand.installation.admin
    stand.installation.apply([DEFINITION])
    eventually("its kind to be served", lambda: admin.get(_path(space)).ok)
    environment = {**os.environ, "KUBECONFIG": str(stand.lab.kubeconfig)}
    command = [sys.executable, "-m", "bench.kopf_steps", str(stand.lab.kubeconfig)]
    with (stand.directory / "kopf.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(timeout=60)


@dataclass(frozen=True)
class Kopf:
    """How plain Kopf does: in a closed loop, and seconds for one alone."""

    loop: Sample[None]
    alone: tuple[float, ...]


def kopf(space: Space, rhythm: Rhythm, alone: int) -> Kopf:
    """Objects through their five handlers."""
    with kopf_at_work(space) as pid:
        return asyncio.run(_measure(space, rhythm, pid, alone))


async def _measure(space: Space, rhythm: Rhythm, pid: int, alone: int) -> Kopf:
    numbers = itertools.count()
    ended = Arrivals(_through)
    async with Wire(space.stand.installation.admin) as wire, meanwhile(listen(wire, _path(space), ended)):

        async def once(slot: int) -> None:
            name = f"five-{next(numbers)}"
            ended.expect(name)
            await wire.request("POST", _path(space), five(name, f"target-{slot}"))
            await ended.of(name)

        taken = [await _seconds(once) for _ in range(alone + 1)]
        return Kopf(await closed_loop(rhythm, once, space.stand.meter(operator=pid)), tuple(taken[1:]))


async def _seconds(once: Callable[[int], Awaitable[None]]) -> float:
    begun = time.monotonic()
    await once(0)
    return time.monotonic() - begun


def _through(body: Json) -> bool | None:
    """All results are there, and Kopf keeps no progress any more."""
    status = body.get("status") or {}
    done = all(f"look-{number}" in status for number in range(STEPS))
    return True if done and not (status.get("kopf") or {}).get("progress") else None


def _path(space: Space) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{space.name}/{PLURAL}"

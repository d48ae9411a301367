"""The baseline of everything: the status patches of an execution that has run, sent again for new ones, nothing else.

Each patch has the size and makes the transition of the real one, under the operator's identity, the definition's rules
and all policies; as many are in flight as it takes.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.support.identity import Json

from bench.life import People
from bench.meter import Meter
from bench.stand import Space
from bench.wire import Wire, each
from interlock.crds.execution import TRANSITIONS, RunbookExecution
from interlock.crds.journal import Entry
from interlock.operator.core.state import replay

IN_FLIGHT = (4, 8, 16)
EPOCH = 1_000_000


@dataclass(frozen=True)
class RawRate:
    """Status patches per second, and the processor time that one takes of everybody, in milliseconds."""

    per_second: float
    milliseconds: float


def patches(body: Json) -> list[Json]:
    """The status patches that made this finished execution: what was written together has one time."""
    execution, status = RunbookExecution.from_object(body), body["status"]
    made: list[Json] = []
    for count, phase in _written(execution.journal):
        patch = {
            "phase": phase,
            "journal": status["journal"][:count],
            "fence": {"epoch": EPOCH, "holder": "bench"},
            "replans": 0,
            "conditions": [],
            "message": "",
            "step": status["journal"][count - 1].get("step", ""),
            "approvals": status["approvals"],
        }
        made.append(patch if made else {**patch, "plan": status["plan"]})
    made[-1] |= {name: status[name] for name in ("reason", "message", "completedAt") if name in status}
    return made


def _written(journal: tuple[Entry, ...]) -> Iterator[tuple[int, str]]:
    """After how many entries each write ended, and the phase that it left.

    What has one time was written together, but where the phases' graph needs a stop between.
    """
    phases = [str(replay(journal[:count]).phase) for count in range(1, len(journal) + 1)]
    times = [entry.at for entry in journal]
    before = ""
    for position, phase in enumerate(phases):
        last = position + 1 == len(phases) or times[position + 1] != times[position]
        if last or (before and phase != phases[position + 1] and phases[position + 1] not in TRANSITIONS[before]):
            yield position + 1, phase
            before = phase


@dataclass
class Replay:
    """New executions that are taken the way of one that has run."""

    space: Space
    people: People
    operator: Wire
    requester: Wire
    template: Sequence[Json]
    bodies: dict[str, Json] = field(default_factory=dict)

    async def create(self, name: str) -> None:
        """Requests it."""
        self.bodies[name] = await self.requester.request("POST", self.space.path, self.space.request(name, 0, name))

    async def offer(self, name: str) -> None:
        """Its first status."""
        await self._patch(name, self.template[0])

    async def approve(self, name: str) -> None:
        """As a person does."""
        self.bodies[name] = await self.people.approve(self.bodies[name])

    async def run(self, name: str) -> None:
        """All that follows on the approval."""
        for status in self.template[1:]:
            await self._patch(name, status)

    async def release(self, name: str) -> None:
        """Nobody waits for its archive."""
        await self.operator.request("PATCH", f"{self.space.path}/{name}", {"metadata": {"finalizers": []}})

    async def _patch(self, name: str, status: Json) -> None:
        version = self.bodies[name]["metadata"]["resourceVersion"]
        patch = {"status": status, "metadata": {"resourceVersion": version}}
        path = f"{self.space.path}/{name}/status?fieldManager=interlock"
        self.bodies[name] = await self.operator.request("PATCH", path, patch)


async def raw_rate(replaying: Replay, meter: Meter, *, executions: int, series: str) -> RawRate:
    """The best of some numbers in flight; neither requests nor approvals are counted or timed."""
    rates = [await _rate(replaying, meter, executions, at_once, f"{series}-{at_once}") for at_once in IN_FLIGHT]
    return max(rates, key=lambda rate: rate.per_second)


async def _rate(replaying: Replay, meter: Meter, executions: int, at_once: int, series: str) -> RawRate:
    names = [f"{series}-{number}" for number in range(executions)]
    await each(names, replaying.create, at_once=at_once)
    offering = await _timed(meter, names, replaying.offer, at_once)
    await each(names, replaying.approve, at_once=at_once)
    running = await _timed(meter, names, replaying.run, at_once)
    await each(names, replaying.release, at_once=at_once)
    count = executions * len(replaying.template)
    seconds, used = (sum(pair) for pair in zip(offering, running, strict=True))
    return RawRate(count / seconds, used / count * 1e3)


async def _timed(
    meter: Meter, names: Iterable[str], work: Callable[[str], Awaitable[object]], at_once: int
) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    used, begun = sum(meter.cpu().values()), time.monotonic()
    await each(names, work, at_once=at_once)
    return time.monotonic() - begun, sum(meter.cpu().values()) - used


async def raw_seconds(replaying: Replay, *, executions: int, series: str) -> list[float]:
    """How long the patches after the approval take, one after the other, with nothing beside them."""
    taken = []
    for number in range(executions):
        name = f"{series}-{number}"
        await replaying.create(name)
        await replaying.offer(name)
        await replaying.approve(name)
        begun = time.monotonic()
        await replaying.run(name)
        taken.append(time.monotonic() - begun)
        await replaying.release(name)
    return taken

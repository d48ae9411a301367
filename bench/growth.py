"""Whether an operator stays as fast, and as small, while executions wait for approval and finished ones pile up."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.identity import Identity
from tests.support.waiting import eventually

from bench.figure import Figure, Goal, Result
from bench.life import people
from bench.meter import resident
from bench.options import Options
from bench.raw import EPOCH, RawRate
from bench.seeding import Etcd
from bench.stand import Space, Stand, asserting, open_space
from bench.throughput import raw, run, template_of
from bench.wire import Wire, each
from interlock.crds.execution import RunbookExecution
from interlock.crds.journal import Event, extend, genesis

AT_ONCE = 32
SOME = 40
READ_SECONDS = 1800
MEBIBYTE = 1024 * 1024
AT = "2026-01-02T03:04:05.678Z"


@dataclass(frozen=True)
class State:
    """How an operator does beside so many others that wait."""

    waiting: int
    by_clock: float
    """Executions per second, as a share of what raw status writes alone would allow at the same moment."""
    by_processor: float
    """The same for a second of one core, which what else runs on the machine spoils less."""
    first_decision: float
    """Seconds from the start of the process to its first offer."""
    memory: float


def unfinished(stand: Stand, options: Options) -> Iterator[Result]:
    """Beside executions that wait for an approval."""
    looking = open_space(stand, "looks", asserting(), options.rhythm.slots)
    spaces = Spaces(looking, open_space(stand, "waiting", asserting(), 1), open_space(stand, "raw", asserting(), 1))
    states: list[State] = []
    for size in options.unfinished:
        with stand.operator():
            asyncio.run(_wait_for_approval(spaces.waiting, size, already=states[-1].waiting if states else 0))
        states.append(_state(spaces, options, size))
    first = states[0]
    against = f"with {first.waiting:,} waiting"
    for state in states[1:]:
        title = f"with {state.waiting:,} waiting"
        flat = Goal(at_least=0.9)
        yield Figure(f"share of raw writes, {title}", state.by_clock, first.by_clock, against, "", flat)
        yield Figure(f"the same of a core, {title}", state.by_processor, first.by_processor, against, "", flat)
        yield Figure(f"start to first decision, {title}", state.first_decision, first.first_decision, against, "s")
        yield Figure(f"memory, {title}", state.memory, first.memory, against, "MiB")


@dataclass(frozen=True)
class Spaces:
    """Where executions run, where they wait, and where the raw writes go."""

    running: Space
    waiting: Space
    bare: Space


def _state(spaces: Spaces, options: Options, waiting: int) -> State:
    stand = spaces.running.stand
    template = template_of(spaces.running)
    bare: RawRate = raw(spaces.bare, template, f"beside-{waiting}")
    begun = time.monotonic()
    with stand.operator() as operator:
        asyncio.run(_first_decision(spaces.running, f"first-{waiting}"))
        decided = time.monotonic() - begun
        measured = run(spaces.running, options.rhythm, operator)
        memory = resident(operator.pid) / MEBIBYTE
    writes = len(template)
    by_clock = measured.sample.rate / (bare.per_second / writes)
    by_processor = bare.milliseconds * writes / sum(measured.milliseconds.values())
    return State(waiting, by_clock, by_processor, decided, memory)


async def _first_decision(space: Space, name: str) -> None:
    async with people(space) as both:
        await both.ask(name, 0)


async def _wait_for_approval(space: Space, size: int, already: int) -> None:
    """Asks until so many wait, and returns when all of them are offered."""
    async with people(space) as both:

        async def ask(number: int) -> None:
            await both.ask(f"waits-{number}", 0)

        await each(range(already, size), ask, at_once=AT_ONCE)


def finished(stand: Stand, options: Options) -> Iterator[Result]:
    """Beside executions that have ended and stay in the API server."""
    space = open_space(stand, "looks", asserting(), SOME)
    ended = open_space(stand, "ended", asserting(), 1)
    memories: list[float] = []
    done = 0
    asyncio.run(_end(ended, stand.installation.operator))
    for size in options.finished:
        copies = (f"ended-{number}" for number in range(done, size))
        asyncio.run(Etcd.of(stand.lab).copy(ended.name, "ended", copies))
        _wait_until_read(ended)
        done = size
        with stand.operator() as operator:
            asyncio.run(_live(space))
            memories.append(resident(operator.pid) / MEBIBYTE)
    for size, memory in list(zip(options.finished, memories, strict=True))[1:]:
        against = f"with {options.finished[0]:,}"
        yield Figure(f"memory, with {size:,} finished", memory, memories[0], against, "MiB", Goal(at_most=1.1))


def _wait_until_read(space: Space) -> None:
    """Returns when what the API server keeps in memory is as new as what is in etcd; after many copies it lags."""
    newest = space.requester.get(f"{space.path}?limit=1").body["metadata"]["resourceVersion"]
    cached = f"{space.path}?limit=1&resourceVersionMatch=NotOlderThan&resourceVersion={newest}"
    eventually("the API server to have read them", lambda: space.requester.get(cached).ok, READ_SECONDS)


async def _live(space: Space) -> None:
    """So that it has seen everything once before it is weighed."""
    async with people(space) as both:
        await each(range(SOME), both.live, at_once=AT_ONCE)


async def _end(space: Space, operator: Identity) -> None:
    """An execution that was refused at once and is archived: what is left of it in the API server."""
    async with Wire(space.requester) as requester, Wire(operator) as wire:
        body = await requester.request("POST", space.path, space.request("ended", 0))
        path = f"{space.path}/ended"
        await wire.request("PATCH", f"{path}/status", {"status": _refused(RunbookExecution.from_object(body))})
        await wire.request("PATCH", path, {"metadata": {"finalizers": []}})


def _refused(execution: RunbookExecution) -> dict[str, object]:
    start = genesis(execution.uid, execution.spec.request_digest())
    ended = Event(event="Ended", data={"phase": "Refused", "reason": "Measured", "message": ""})
    journal = extend(start, (), [ended], AT)
    return {
        "phase": "Refused",
        "reason": "Measured",
        "journal": [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in journal],
        "fence": {"epoch": EPOCH, "holder": "bench"},
        "completedAt": AT,
    }

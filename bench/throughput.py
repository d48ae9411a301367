"""How many executions a second, beside what the API server could do at most, and beside plain Kopf."""

import asyncio
import statistics
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tests.support.identity import Json

from bench.audit import AuditLog, of_argo, of_kopf, of_operator
from bench.baseline_argo import argo
from bench.baseline_kopf import Kopf, kopf
from bench.figure import Counts, Figure, Goal, Result
from bench.life import Life, people
from bench.loop import Rhythm, Sample, closed_loop
from bench.options import Options
from bench.profiling import functions, sampled
from bench.raw import RawRate, Replay, patches, raw_rate, raw_seconds
from bench.stand import STEPS, Operator, Space, Stand, asserting, changing, open_space
from bench.wire import Wire

T = TypeVar("T")
RAW_EXECUTIONS = 40
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Run(Generic[T]):
    """One kind of work in a closed loop."""

    sample: Sample[T]
    requests: Mapping[str, float]
    """Requests of one execution, by kind."""

    @property
    def milliseconds(self) -> dict[str, float]:
        """Processor time of one execution, by process."""
        ended = len(self.sample.results)
        return {name: seconds / ended * 1e3 for name, seconds in self.sample.cpu.items()}


def results(stand: Stand, options: Options) -> Iterator[Result]:
    """All of them, on one API server."""
    slots = options.rhythm.slots
    looking, writing = (
        open_space(stand, name, book, slots) for name, book in (("looks", asserting()), ("writes", changing()))
    )
    bare = open_space(stand, "raw", asserting(), 1)
    template = template_of(looking)
    before = raw(bare, template, "before")
    with stand.operator() as operator:
        five = run(looking, options.rhythm, operator)
    after = raw(bare, template, "after")
    with stand.operator() as operator:
        changes = run(writing, options.rhythm, operator)
    mark = AuditLog.mark(stand.lab.audit_log)
    handlers = kopf(looking, options.rhythm, options.alone)
    plain = Run(handlers.loop, _of_each(mark.counted(of_kopf), handlers.loop.total + len(handlers.alone) + 1))
    with stand.operator():
        alone = asyncio.run(_alone(looking, options.alone))
    bare_alone = asyncio.run(_raw_alone(bare, template, options.alone))
    most = RawRate(*(statistics.mean(pair) for pair in zip(_pair(before), _pair(after), strict=True)))
    yield Counts("requests of one execution", ["5 asserts", "5 changes", "Kopf"], _requests(five, changes, plain))
    yield Counts(
        "processor time of one, ms",
        ["raw writes of one", "5 asserts", "5 changes", "Kopf"],
        _processor(most.milliseconds * len(template), five, changes, plain),
    )
    yield from _rates(most, five, changes, plain)
    yield from _latencies(alone, bare_alone, five, handlers)
    if options.argo:
        yield from _argo(looking, options.rhythm, five)
    if options.profile:
        yield from _profile(stand, looking, options.rhythm)


def run(space: Space, rhythm: Rhythm, operator: Operator) -> Run[Life]:
    """Executions in a closed loop, with all that they ask of the API server."""
    asyncio.run(_alone(space, 1))  # an operator that has just started is not measured
    mark = AuditLog.mark(space.stand.lab.audit_log)
    sample = asyncio.run(_loop(space, rhythm, operator))
    return Run(sample, _of_each(mark.counted(of_operator), sample.total))


def _of_each(counted: Mapping[str, int], executions: int) -> dict[str, float]:
    return {kind: count / executions for kind, count in counted.items()}


async def _loop(space: Space, rhythm: Rhythm, operator: Operator) -> Sample[Life]:
    async with people(space) as both:
        return await closed_loop(rhythm, both.live, space.stand.meter(operator=operator.pid))


def template_of(space: Space) -> list[Json]:
    """The status patches of an execution that runs here once, with an operator of its own."""
    with space.stand.operator():
        life = asyncio.run(_alone(space, 1))[0]
    return patches(space.stand.installation.admin.get(f"{space.path}/{life.name}").body)


def raw(space: Space, template: Sequence[Json], series: str) -> RawRate:
    """Raw status writes, while no operator is at work."""
    return asyncio.run(_raw(space, template, series))


@asynccontextmanager
async def _replay(space: Space, template: Sequence[Json]) -> AsyncIterator[Replay]:
    async with (
        people(space) as both,
        Wire(space.stand.installation.operator) as operator,
        Wire(space.requester) as requester,
    ):
        yield Replay(space, both, operator, requester, template)


async def _raw(space: Space, template: Sequence[Json], series: str) -> RawRate:
    async with _replay(space, template) as replaying:
        return await raw_rate(replaying, space.stand.meter(), executions=RAW_EXECUTIONS, series=series)


async def _raw_alone(space: Space, template: Sequence[Json], executions: int) -> list[float]:
    async with _replay(space, template) as replaying:
        return await raw_seconds(replaying, executions=executions, series="alone")


async def _alone(space: Space, executions: int) -> list[Life]:
    """One after the other, the first of which is none of them: it starts the operator's evaluator."""
    async with people(space) as both:
        await both.live(0)
        return [await both.live(0) for _ in range(executions)]


def _rates(raw: RawRate, five: Run[Life], changes: Run[Life], kopf: Run[None]) -> Iterator[Figure]:
    writes, unit = five.requests["status"], "/s"
    ceiling = raw.per_second / writes
    yield Figure("status writes, 5 asserts", writes, STEPS + 3, "n + 3", "writes", Goal(1, 1))
    yield Figure("status writes, 5 changes", changes.requests["status"], STEPS + 3, "n + 3", "writes", Goal(1, 1))
    yield Figure("5 asserts", five.sample.rate, ceiling, "raw status writes alone", unit, Goal(at_least=0.5))
    yield Figure("5 changes", changes.sample.rate, ceiling, "raw status writes alone", unit)
    yield Figure("5 asserts", five.sample.rate, kopf.sample.rate, "Kopf's handlers", unit, Goal(at_least=4))
    # The same without the clock: what others do on this machine meanwhile spoils it less.
    used, bare = sum(five.milliseconds.values()) / 1e3, raw.milliseconds * writes / 1e3
    unit = "/s of a core"
    yield Figure("5 asserts", 1 / used, 1 / bare, "raw status writes alone", unit, Goal(at_least=0.5))


def _latencies(alone: Sequence[Life], bare: Sequence[float], five: Run[Life], kopf: Kopf) -> Iterator[Figure]:
    """From the approval to the end; Kopf's handlers wait for none, so theirs is from the creation."""
    quiet, loaded = ([life.to_end * 1e3 for life in lives] for lives in (alone, five.sample.results))
    raw = [seconds * 1e3 for seconds in bare]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        value = quantile(quiet, share)
        yield Figure(f"approval to end, alone, {name}", value, quantile(raw, share), "raw status writes alone", "ms")
        plain = quantile(kopf.alone, share) * 1e3
        yield Figure(f"approval to end, alone, {name}", value, plain, "Kopf's handlers", "ms")
        yield Figure(f"approval to end, under load, {name}", quantile(loaded, share), value, "alone", "ms")


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _requests(*runs: Run[Life] | Run[None]) -> list[tuple[str, list[float]]]:
    total: Counter[str] = Counter()
    for each in runs:
        total.update(each.requests)
    kinds = [kind for kind, count in total.most_common() if count >= 0.1]
    return [(kind, [each.requests.get(kind, 0) for each in runs]) for kind in kinds]


def _processor(raw: float, five: Run[Life], changes: Run[Life], kopf: Run[None]) -> list[tuple[str, list[float]]]:
    used = [five.milliseconds, changes.milliseconds, kopf.milliseconds]
    rows = [(name, [0.0, *(each[name] for each in used)]) for name in used[0] if used[0][name] >= 0.1]
    return [*rows, ("all", [raw, *(sum(each.values()) for each in used)])]


def _pair(raw: RawRate) -> tuple[float, float]:
    return raw.per_second, raw.milliseconds


def _argo(space: Space, rhythm: Rhythm, five: Run[Life]) -> Iterator[Result]:
    mark = AuditLog.mark(space.stand.lab.audit_log)
    sample = argo(space, rhythm, space.stand.progress)
    its = Run(sample, _of_each(mark.counted(of_argo), sample.total + 1))
    yield Counts("requests of one workflow of Argo's", ["5 steps"], _requests(its))
    yield Counts("processor time of one, ms", ["Argo"], [(name, [used]) for name, used in its.milliseconds.items()])
    yield Figure("5 asserts", five.sample.rate, sample.rate, "Argo Workflows, tuned", "/s", Goal(at_least=10))


def _profile(stand: Stand, space: Space, rhythm: Rhythm) -> Iterator[Counts]:
    RESULTS.mkdir(exist_ok=True)
    into = RESULTS / "operator.samples"
    with stand.operator() as operator:
        asyncio.run(_alone(space, 1))
        with sampled(operator.pid, rhythm.warm + rhythm.seconds, into):
            run(space, rhythm, operator)
    yield from functions(into)

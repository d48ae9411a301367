"""The whole vetting: which trials each runbook gets, side by side on one stage, and the verdict on each runbook."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

from interlock.cli.runbooks import manifest
from interlock.cli.vetting.operators import Operator
from interlock.cli.vetting.playing import Play, Playing
from interlock.cli.vetting.stage import TRIALS, Stage
from interlock.crds.names import runner_account
from interlock.crds.runbook import Runbook
from interlock.crds.trust import Substrate
from interlock.runbooks.scenario import LoadedScenario
from interlock.runbooks.vetting.permissions import Use, misfits
from interlock.runbooks.vetting.report import Trial, Vetted

DYING = 3
"""So many operators die at the same time: each start costs as much as a trial without."""

Told = Callable[[Runbook, Trial], None]
"""Hears of each trial when it is over."""


@dataclass(frozen=True)
class Candidate:
    """A runbook with what it is tried with."""

    runbook: Runbook
    scenarios: tuple[LoadedScenario, ...]

    def plays(self, substrate: Substrate) -> list[Play]:
        """Every trial: each scenario, and of each Cure a second time with its undo.

        The crashes and the twins come with the Cures that ask for them, or else with the first and the last.
        """
        possible = [item for item in self.scenarios if item.scenario.fits(substrate)]
        cures = [item.name for item in possible if item.scenario.kind == "Cure"]
        acts = bool(self.runbook.spec.steps)
        lasts = self.runbook.spec.revert_after_seconds is None  # what is put back brings the fault back, for the twin
        killed = [i.name for i in possible if i.scenario.kill] or cures[:1]
        twins = [i.name for i in possible if i.scenario.twice] or cures[-1:]
        found: list[Play] = []
        for item in possible:
            way = item.scenario.kind
            kill, twice = acts and item.name in killed, acts and lasts and item.name in twins
            found.append(Play(self.runbook, item.scenario, item.name, way, kill=kill, twice=twice))
            if acts and way == "Cure":
                found.append(Play(self.runbook, item.scenario, f"{item.name}-undo", "Undo"))
        return found

    def left_out(self, substrate: Substrate) -> tuple[str, ...]:
        """The scenarios for which this is not enough."""
        return tuple(item.name for item in self.scenarios if not item.scenario.fits(substrate))


async def vet(
    stage: Stage, candidates: Sequence[Candidate], *, jobs: int, substrate: Substrate, told: Told
) -> list[Vetted]:
    """What is found of each runbook, in their order; raises ApiError where one cannot be published."""
    for candidate in candidates:
        await stage.apply(manifest(candidate.runbook))
    main, turns = stage.operator(stage.shard), _Turns(asyncio.Semaphore(jobs), asyncio.Semaphore(min(jobs, DYING)))
    await main.revive()
    plays = [play for candidate in candidates for play in candidate.plays(substrate)]
    # What kills takes longest and begins first; what kills the operator of the default shard must be alone with it.
    alone = [play for play in plays if play.kill and play.is_cluster_scoped]
    shared = [play for play in plays if play.scenario.takes_a_standing_node and play not in alone]
    rest = sorted((play for play in plays if play not in [*alone, *shared]), key=lambda play: not play.kill)
    try:
        async with _kept_alive(main):
            results = list(await asyncio.gather(*(_in_turn(stage, play, turns, told) for play in rest)))
            for play in shared:
                results.append(await _in_turn(stage, play, turns, told))
        main.end()
        for play in alone:
            results.append(await _in_turn(stage, play, turns, told))
    finally:
        main.end()
    return [_verdict(stage, candidate, substrate, results) for candidate in candidates]


class _kept_alive:
    """Starts an operator again when it ends, as a supervisor would."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _keep(self) -> None:
        while True:
            await self._operator.revive()
            await asyncio.sleep(1)


_Result = tuple[Runbook, Trial]


@dataclass(frozen=True)
class _Turns:
    """How many are carried out at the same time, and how many of them with an operator that dies."""

    all: asyncio.Semaphore
    killing: asyncio.Semaphore

    @asynccontextmanager
    async def turn(self, play: Play) -> AsyncIterator[None]:
        async with self.killing if play.kill else nullcontext(), self.all:
            yield


async def _in_turn(stage: Stage, play: Play, turns: _Turns, told: Told) -> _Result:
    async with turns.turn(play):
        operator: Operator | None = None
        playing = Playing(stage, play)
        if play.kill:
            operator = stage.operator(playing.shard, mortal=True)
            playing.operator = operator
        try:
            trial = await playing.carry_out()
        finally:
            if operator is not None:
                operator.end()
        told(play.runbook, trial)
        await playing.clear()
        return play.runbook, trial


def _verdict(stage: Stage, candidate: Candidate, substrate: Substrate, results: Sequence[_Result]) -> Vetted:
    runbook = candidate.runbook
    trials = tuple(trial for of, trial in results if of is runbook)
    used = _used(stage, runbook)
    found = tuple(misfits(runbook.spec.permissions, used)) if trials else ()
    return Vetted(runbook, trials, found, candidate.left_out(substrate))


def _used(stage: Stage, runbook: Runbook) -> list[Use]:
    prefix = runner_account(runbook.spec.family, None if runbook.spec.scope == "Cluster" else TRIALS)
    return [request.use for request in stage.witness.all() if request.account.startswith(prefix)]

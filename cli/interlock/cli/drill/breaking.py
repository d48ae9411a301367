"""Sets up what will be broken, all of it at once, and breaks it."""

import asyncio
from collections.abc import Iterable, Sequence

from interlock.cli.cluster import connect
from interlock.cli.demo.stage import APPROVER, binding
from interlock.cli.drill.cases import ESCALATE
from interlock.cli.drill.exercise import Exercise
from interlock.cli.errors import CommandError
from interlock.cli.manifests import Manifest, apply_all, await_count
from interlock.cli.runbooks import catalogue, grants
from interlock.cli.vetting.arranging import Arrangement
from interlock.cli.vetting.looking import NotSeen
from interlock.cli.vetting.stage import configuration_of
from interlock.crds.celprocess import Evaluator
from interlock.lab import Lab, LabError
from interlock.lab.faults import find_fault, inject
from interlock.lab.kubectl import administrator
from interlock.lab.shop import deploy_parts
from interlock.operator.api import Api
from interlock.operator.errors import ApiError
from interlock.operator.transport import Transport
from interlock.runbooks import rbac

_REQUEST_SECONDS = 30.0


async def break_all(lab: Lab, exercises: Sequence[Exercise]) -> None:
    """Sets everything up, waits until it is well, breaks it, and waits where a scenario says how that shows.

    Raises:
        CommandError: something could not be set up, or does not break.
    """
    configuration = await configuration_of(lab.kubeconfig)
    api = Api(configuration, Transport(configuration, _REQUEST_SECONDS))
    try:
        await asyncio.to_thread(_admit, lab, exercises)
        async with Evaluator() as evaluator:
            arranged = [_Broken(lab, api, evaluator, exercise) for exercise in exercises]
            await asyncio.gather(*(one.set_up() for one in arranged))
            await asyncio.gather(*(one.do_harm() for one in arranged))
    except (LabError, NotSeen, ApiError) as wrong:
        raise CommandError(f"the drill could not be set up: {wrong}") from wrong
    finally:
        await api.close()


class _Broken:
    """One case: the lab's fault on parts of the shop, or a scenario."""

    def __init__(self, lab: Lab, api: Api, evaluator: Evaluator, exercise: Exercise) -> None:
        self._lab = lab
        self._exercise = exercise
        self._case = exercise.case
        self._arrangement: Arrangement | None = None
        if self._case.scenario is not None:
            runbook, scenario = self._case.scenario
            self._arrangement = Arrangement(api, evaluator, runbook, scenario, exercise.namespace)

    async def set_up(self) -> None:
        if self._arrangement is not None:
            await self._arrangement.set_up()
        else:
            kubectl = administrator(self._lab)
            await asyncio.to_thread(deploy_parts, kubectl, self._exercise.namespace, self._case.services)

    async def do_harm(self) -> None:
        self._exercise.note("fault")
        if self._arrangement is not None:
            await self._arrangement.do_harm()
        else:
            await asyncio.to_thread(inject, self._lab, find_fault(self._case.name), self._exercise.namespace)


def _admit(lab: Lab, exercises: Iterable[Exercise]) -> None:
    """Opts every namespace in, and grants there what its cure needs and no more."""
    admin = connect(kubeconfig=str(lab.kubeconfig))
    runbooks = {item.runbook.spec.family: item.runbook for item in catalogue()}
    manifests: list[Manifest] = [binding(APPROVER, "interlock-approver", None)]
    for exercise in exercises:
        manifests += rbac.opt_in(exercise.namespace)
        for family in {exercise.case.runbook, exercise.case.refused} - {ESCALATE, ""}:
            runbook = runbooks[family]
            manifests += grants([runbook], [None if runbook.spec.scope == "Cluster" else exercise.namespace])
    apply_all(admin, manifests, _quiet)
    for exercise in exercises:
        await_count(admin, exercise.namespace)


def _quiet(_: str) -> None:
    """The drill says in a line what many objects are."""

"""One step from look to outcome: what it would do, doing it once, finding out whether it was done, what came of it.

The engine knows steps by these few questions only; the answers are those of the actions and of their effects.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from pydantic import JsonValue

from interlock.crds.actions import EffectName
from interlock.crds.celprocess import Evaluator
from interlock.crds.execution import PlannedObject, RunbookExecution
from interlock.crds.runbook import Step
from interlock.operator.actions import ACTIONS, EFFECTS
from interlock.operator.actions.base import ActionRefused, DemandOn, Effect, Means, Turn, always_on
from interlock.operator.actions.writing import Write
from interlock.operator.api import Api
from interlock.operator.core.nodes import Node
from interlock.operator.errors import Conflict
from interlock.operator.expressions import Expressions, needed_by, unknown_arguments
from interlock.operator.look import TargetGone
from interlock.operator.prepared import (
    Acted,
    Guard,
    Intent,
    MovingObject,
    NotGranted,
    Prepared,
    Probe,
    Settled,
    StepRefused,
    Subject,
    Waiting,
    skipped_step,
)
from interlock.operator.runner import NoRunner, Runners
from interlock.operator.trial import IN_EARNEST, Trial

_LOOKS = 5


class Steps:
    """Carries out steps under the runner's account."""

    def __init__(
        self,
        api: Api,
        runners: Runners,
        evaluator: Evaluator,
        key: bytes,
        guard: Guard,
        *,
        trial: Trial = IN_EARNEST,
    ) -> None:
        self._trial = trial
        self._means = Means(api, runners, evaluator, key, guard)
        self._expressions = Expressions(evaluator)

    async def items(self, subject: Subject, step: Step) -> tuple[JsonValue, ...]:
        """What a looped step is to be done for; nothing for a step that is no loop.

        Raises:
            StepRefused: the list is none, too long, or holds what cannot stand in a plan.
        """
        return await self._expressions.items(subject, step)

    async def prepare(
        self, subject: Subject, node: Node, *, attempt: int, written: frozenset[PlannedObject] = frozenset()
    ) -> Prepared:
        """What the step would do, by the API server's own dry run. Objects in `written` change before its turn.

        Raises:
            StepRefused: it cannot or must not be done.
            ApiError: the API server refused the dry run or did not answer.
        """
        if node.empty:
            return skipped_step(node, "nothing to do it for")
        for _ in range(_LOOKS):
            try:
                return await self._prepare(subject, node, attempt, written)
            except Conflict:  # the object changed between the look and its dry run
                subject = replace(subject, view=subject.view.anew())
        raise MovingObject(f"step {node.name}: its object changes faster than it can be looked at")

    async def _prepare(self, subject: Subject, node: Node, attempt: int, written: frozenset[PlannedObject]) -> Prepared:
        action, step = ACTIONS[node.step.action], node.step
        needed = needed_by(step) | action.needs | (frozenset({"target"}) if isinstance(action, Write) else frozenset())
        unknown = unknown_arguments(step) if subject.planning else frozenset[str]()
        try:
            variables = await self._expressions.variables(subject, node, needed)
            if await self._expressions.skips(subject, node, variables):
                return skipped_step(node, f"skipped: {step.when}", partial=True)
            known = {name: text for name, text in step.with_.items() if name not in unknown}
            turn = Turn(
                subject,
                node,
                await self._expressions.arguments(known, variables),
                variables,
                attempt,
                unknown=unknown,
                uncertain=subject.planning and "steps" in needed,
                written=written,
            )
            return await action.plan(self._means, turn)
        except NoRunner as missing:
            raise NotGranted(str(missing)) from missing
        except (ActionRefused, TargetGone, ValueError) as refused:
            raise StepRefused(f"step {node.name}: {refused}") from refused

    async def act(
        self, execution: RunbookExecution, ready: Prepared, demand_on: DemandOn = always_on
    ) -> Acted | Waiting:
        """Sends the effect, once; asked again after Waiting, it sends what is left of it.

        Raises:
            StepRefused: the runner's account or grant is gone; it did not happen.
            NotLeader: somebody else may lead by now; it did not happen.
            Stopped: it may not be sent now, or not all of it; asked again, what is left of it is sent.
            ApiError: Conflict, Forbidden and Invalid mean that it did not happen; Unavailable tells nothing.
        """
        try:
            acted = await _effect(ready.intent).apply(replace(self._means, demand_on=demand_on), execution, ready)
        except ActionRefused as refused:
            raise StepRefused(str(refused)) from refused
        self._trial.durable(f"{execution.key} effect {ready.planned.action} {ready.planned.name}")
        return acted

    async def probe(self, intent: Intent, ours: Callable[[str], bool]) -> Probe:
        """Whether the effect of an intent happened; `ours` knows the marks that its attempts leave."""
        return await _effect(intent).probe(self._means, intent, ours)

    async def settle(self, subject: Subject, node: Node, intent: Intent) -> Settled | Waiting:
        """What follows the effect: waits until it has come to its end, then says what it yields.

        Raises:
            StepRefused: it will not come to its end, or yields what it may not.
            ApiError: something could not be read.
        """
        result: Mapping[str, JsonValue] = {}
        if intent.get("writes"):
            try:
                settled = await _effect(intent).settle(self._means, subject, intent)
            except ActionRefused as refused:
                raise StepRefused(f"step {node.name}: {refused}") from refused
            if isinstance(settled, Waiting):
                return settled
            result = settled.outputs
        outcome = await self._expressions.outcome(subject, node, result)
        return outcome if isinstance(outcome, Waiting) else Settled({**result, **outcome})

    async def prepare_undo(self, execution: RunbookExecution, name: str, intent: Intent) -> Prepared | None:
        """What puts back exactly what the step changed; None if nothing of it is there any more.

        Raises:
            UndoConflict: somebody has changed it since.
            ApiError: the API server did not answer.
        """
        return await _effect(intent).undo(self._means, execution, name, intent)


def _effect(intent: Intent) -> Effect:
    return EFFECTS[cast(EffectName, intent["effect"])]

"""What an action is, and what an effect is.

An action plans: it looks and says exactly what would be done. What it plans is one of a few kinds of effect, each of
which knows how to be applied once, probed afterwards and undone, from nothing but its intent.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from interlock.crds.celprocess import Evaluator
from interlock.crds.execution import PlannedObject, RunbookExecution
from interlock.operator.api import Api
from interlock.operator.core.nodes import Node
from interlock.operator.prepared import Acted, Guard, Intent, Prepared, Probe, Settled, Subject, Waiting
from interlock.operator.runner import NoRunner, Runners


class ActionRefused(Exception):
    """The action cannot be carried out on this object; the message says why and what would help."""


DemandOn = Callable[[], Awaitable[None]]
"""Raises Stopped where a stop switch has been pulled since the effect began."""


async def always_on() -> None:
    """There is no switch."""


@dataclass(frozen=True)
class Means:
    """With what actions look and act."""

    api: Api
    """Reads as the operator itself."""
    runners: Runners
    """Acts as the runbook's own account."""
    evaluator: Evaluator
    key: bytes
    """Makes the digests that stand for hidden values."""
    guard: Guard
    demand_on: DemandOn = always_on

    async def acting_as(self, execution: RunbookExecution) -> Api:
        """The runner's API, right before an effect.

        Raises:
            ActionRefused: the account or the grant is gone.
            NotLeader: somebody else may lead by now.
        """
        try:
            runner = await self.runners.runner(execution)
        except NoRunner as missing:
            raise ActionRefused(str(missing)) from missing
        self.guard()
        return runner.api

    async def demand_leave(self) -> None:
        """Right before each further write of an effect that is more than one.

        Raises:
            NotLeader: somebody else may lead by now.
            Stopped: a stop switch has been pulled meanwhile.
        """
        await self.demand_on()
        self.guard()


@dataclass(frozen=True)
class Turn:
    """One step whose turn it is to be planned."""

    subject: Subject
    node: Node
    arguments: Mapping[str, str]
    """With their expressions evaluated, without those that are unknown."""
    variables: Mapping[str, JsonValue]
    attempt: int
    unknown: frozenset[str] = frozenset()
    """Arguments that another step yields, while the plan is made."""
    uncertain: bool = False
    """Whether another step decides what is done here, or whether it is."""
    written: frozenset[PlannedObject] = frozenset()
    """Objects that change before its turn."""


class Action(ABC):
    """One typed atom of runbooks."""

    needs: frozenset[str] = frozenset()
    """Variables that it looks at beside those in its arguments."""

    @abstractmethod
    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """What it would do now.

        Raises:
            ActionRefused: it cannot be done on this object.
            StepRefused: it must not be done.
            ValueError: an argument is not what the action takes.
            ApiError: the API server refused the dry run or did not answer; Conflict asks for another look.
        """


class Effect(ABC):
    """One kind of change."""

    @abstractmethod
    async def apply(self, means: Means, execution: RunbookExecution, ready: Prepared) -> Acted | Waiting:
        """Sends it; asked again after Waiting.

        Raises:
            ActionRefused: it did not happen and will not.
            ApiError: Conflict, Forbidden, Invalid and NotFound mean that it did not happen; Unavailable tells nothing.
        """

    @abstractmethod
    async def probe(self, means: Means, intent: Intent, ours: Callable[[str], bool]) -> Probe:
        """Whether it happened; `ours` knows the marks that its attempts leave."""

    async def settle(self, means: Means, subject: Subject, intent: Intent) -> Settled | Waiting:
        """Whether what follows it has come to its end, and what it yields.

        Raises:
            ActionRefused: it will never come right.
        """
        return Settled()

    async def undo(self, means: Means, execution: RunbookExecution, name: str, intent: Intent) -> Prepared | None:
        """What puts back exactly what it changed; None if nothing of it is there any more.

        Raises:
            UndoConflict: somebody has changed it since.
        """
        return None


def only_known(turn: Turn) -> None:
    """Raises ActionRefused if an argument comes from another step: what is not a patch is planned exactly."""
    if turn.unknown:
        named = ", ".join(sorted(turn.unknown))
        raise ActionRefused(f"{named} must be known when the plan is made, not come from another step")

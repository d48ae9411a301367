"""A step between look and outcome: what it would do, what came of it, and the marks by which that is told.

These values pass between the engine, which decides and records, and the actions, which look and act.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import JsonValue

from interlock.crds.execution import PlannedObject, PlannedStep, RunbookExecution
from interlock.crds.runbook import Runbook
from interlock.operator.core.nodes import Node
from interlock.operator.look import View

Probe = Literal["happened", "not", "unknown"]
Outputs = Mapping[str, JsonValue]
"""By the name of a step what it yielded, each a mapping."""
Intent = Mapping[str, Any]
"""What is durable before an effect: enough to do it, to tell afterwards whether it happened, and to put it back."""
Guard = Callable[[], object]
"""Raises where nothing may be written any more."""


class StepRefused(Exception):
    """The step must not be done; nothing was changed. The message says why."""


class NotGranted(StepRefused):
    """The runbook's account or the right to act as it is missing; the message says what to apply."""


class MovingObject(StepRefused):
    """The object never held still; nothing was changed."""


@dataclass(frozen=True)
class Condition:
    """What must hold: CEL, or a Prometheus query with CEL over each sample."""

    expression: str | None = None
    promql: str | None = None
    satisfies: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A step as it would be done now."""

    planned: PlannedStep
    intent: Mapping[str, JsonValue]
    path: str = ""
    """Where it is sent."""
    body: Any = None
    """What is sent: a merge patch as a mapping, a JSON patch as a list, or a new object."""
    condition: Condition | None = None
    skipped: bool = False
    partial: bool = False
    """Whether less than was planned is as good: what is gone already need not be removed."""

    def fits(self, planned: PlannedStep) -> bool:
        """Whether it is what an approved plan says."""
        if planned.deferred is not None:
            return self.skipped or planned.object == self.planned.object
        if self.partial:
            return all(change in planned.changes for change in self.planned.changes)
        return (planned.object, planned.changes) == (self.planned.object, self.planned.changes)


@dataclass(frozen=True)
class Subject:
    """What all steps of one execution share at one moment."""

    execution: RunbookExecution
    runbook: Runbook
    parameters: Mapping[str, JsonValue]
    target_uid: str
    made_at: str
    view: View
    outputs: Outputs | None = None
    """What earlier steps yielded; None while the plan is made, when nobody knows."""

    @property
    def planning(self) -> bool:
        """Whether the plan is being made: nothing has been done yet."""
        return self.outputs is None


@dataclass(frozen=True)
class Acted:
    """The effect happened."""

    data: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Waiting:
    """Not yet; the message says for what it waits."""

    message: str


@dataclass(frozen=True)
class Settled:
    """The step is done; what it yields to later ones."""

    outputs: Mapping[str, JsonValue] = field(default_factory=dict)


def planned_step(node: Node, **details: Any) -> PlannedStep:
    """A step of the plan; a note that is too long for a line is cut."""
    item = None if node.item is None else json.dumps(node.item)
    details["note"] = " ".join(str(details.get("note", "")).split())[:256]
    return PlannedStep(name=node.name, action=node.step.action, item=item, **details)


def skipped_step(node: Node, why: str, *, partial: bool = False) -> Prepared:
    """A step for which there is nothing to do."""
    return Prepared(planned_step(node, note=why), {"writes": False}, skipped=True, partial=partial)


def identity(live: Mapping[str, Any]) -> PlannedObject:
    """Which object it is, for a plan."""
    meta = live["metadata"]
    return PlannedObject(api_version=live["apiVersion"], kind=live["kind"], name=meta["name"], uid=meta["uid"])


def place_of(live: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Where an object is found again, for an intent."""
    meta = live["metadata"]
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
    }


def marker(execution: RunbookExecution, name: str, attempt: int) -> str:
    """What a step's write leaves on the object."""
    return f"{execution.uid}/{name}/{attempt}"


def marks_of(execution: RunbookExecution, name: str) -> Callable[[str], bool]:
    """Recognizes what any attempt at a step leaves on the object, but not its undo."""
    prefix = f"{execution.uid}/{name}/"
    return lambda mark: mark.startswith(prefix) and mark.removeprefix(prefix).isdigit()


def undo_marker(execution: RunbookExecution, name: str) -> str:
    """What the undo of a step leaves on the object."""
    return f"{execution.uid}/{name}/undo"

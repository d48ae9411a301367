"""The steps of one execution: those of its runbook, loops unrolled over the items that the plan has fixed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from interlock.crds.execution import Plan
from interlock.crds.graph import in_order, needs_of
from interlock.crds.runbook import Step

Items = Mapping[str, Sequence[JsonValue]]
"""By the name of a looped step what it is done for."""


@dataclass(frozen=True)
class Node:
    """One step as it is carried out; `item` is what a looped one is done for."""

    name: str
    step: Step
    needs: frozenset[str] = frozenset()
    item: JsonValue = None

    @property
    def empty(self) -> bool:
        """Whether it stands for a loop over nothing."""
        return self.step.for_each is not None and self.name == self.step.name


def unrolled(steps: Sequence[Step], items: Items) -> tuple[Node, ...]:
    """All steps, each after those that it needs. A loop's items follow one another; one over nothing is one node.

    Raises:
        NoOrder: the needs lead nowhere.
    """
    needs = needs_of((step.name, step.needs) for step in steps)
    by_name = {step.name: step for step in steps}
    last = {step.name: _names(step, items)[-1] for step in steps}
    nodes: list[Node] = []
    for name in in_order(needs):
        step, needed = by_name[name], frozenset(last[n] for n in needs[name])
        for each, item in zip(_names(step, items), _items(step, items), strict=True):
            nodes.append(Node(each, step, needed, item))
            needed = frozenset({each})
    return tuple(nodes)


def planned_items(plan: Plan) -> Items:
    """What the offered plan has fixed for its loops."""
    items: dict[str, list[JsonValue]] = {}
    for step in plan.steps:
        if step.item is not None:
            items.setdefault(step.name.rpartition(".")[0], []).append(json.loads(step.item))
    return items


def of_plan(steps: Sequence[Step], plan: Plan | None) -> tuple[Node, ...]:
    """The steps as the offered plan has them."""
    return unrolled(steps, planned_items(plan) if plan else {})


def by_name(nodes: Iterable[Node]) -> Mapping[str, Node]:
    """The nodes by their names."""
    return {node.name: node for node in nodes}


def _names(step: Step, items: Items) -> list[str]:
    count = len(items.get(step.name, ()))
    if step.for_each is None or not count:
        return [step.name]
    return [f"{step.name}.{index}" for index in range(count)]


def _items(step: Step, items: Items) -> list[JsonValue]:
    return list(items.get(step.name, ())) or [None]

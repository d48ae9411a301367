"""The expressions of a step: what its arguments are now, whether it is done at all, what it yields."""

import json
from collections.abc import Iterable, Mapping

import yaml
from pydantic import JsonValue

from interlock.crds import actions as contract
from interlock.crds.cel import ExpressionError
from interlock.crds.celprocess import Evaluator
from interlock.crds.digest import canonical
from interlock.crds.redact import looks_secret
from interlock.crds.runbook import Step
from interlock.operator.changes import is_secret
from interlock.operator.core.nodes import Node
from interlock.operator.look import TargetGone, View, mentioned
from interlock.operator.prepared import StepRefused, Subject, Waiting

OUTPUT_BYTES = 2048
ITEM_BYTES = 256


def templates(text: str) -> list[str]:
    """The expressions inside of an argument."""
    return contract.TEMPLATE.findall(text)


def needed_by(step: Step) -> frozenset[str]:
    """The variables that decide what a step does, and whether it is done."""
    found = [e for name, text in step.with_.items() if name not in contract.RAW for e in templates(text)]
    return mentioned([*found, *([step.when] if step.when else [])])


def unknown_arguments(step: Step) -> frozenset[str]:
    """The arguments that come from another step: while the plan is made nobody knows them."""
    return frozenset(
        name for name, text in step.with_.items() if name not in contract.RAW and "steps" in mentioned(templates(text))
    )


class Expressions:
    """Evaluates what a runbook's author wrote, over what is seen now."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    async def items(self, subject: Subject, step: Step) -> tuple[JsonValue, ...]:
        """What a looped step is to be done for; nothing for a step that is no loop.

        Raises:
            StepRefused: the list is none, too long, or holds what cannot stand in a plan.
        """
        if step.for_each is None:
            return ()
        try:
            variables = await subject.view.variables(mentioned([step.for_each]))
            found = await self._evaluator.evaluate(step.for_each, variables)
        except (ExpressionError, TargetGone) as error:
            raise StepRefused(f"step {step.name}: forEach: {error}") from error
        if not isinstance(found, list) or len(found) > step.max_items:
            what = f"{len(found)} items" if isinstance(found, list) else "no list"
            raise StepRefused(f"step {step.name}: forEach gives {what}; at most {step.max_items} are allowed")
        if not all(isinstance(item, str | int | float) and len(json.dumps(item)) <= ITEM_BYTES for item in found):
            raise StepRefused(f"step {step.name}: forEach gives something else than short texts and numbers")
        return tuple(found)

    async def variables(self, subject: Subject, node: Node, needed: Iterable[str]) -> dict[str, JsonValue]:
        """What the expressions of a step see now."""
        return await _view(subject, node).variables(needed)

    async def skips(self, subject: Subject, node: Node, variables: Mapping[str, JsonValue]) -> bool:
        """Whether `when` is false; while the plan is made nobody knows it of a step that builds on another."""
        when = node.step.when
        if when is None or (subject.planning and "steps" in mentioned([when])):
            return False
        return not await self._evaluator.holds(when, variables)

    async def arguments(self, given: Mapping[str, str], variables: Mapping[str, JsonValue]) -> dict[str, str]:
        """The arguments with their templates evaluated."""
        arguments = {}
        for name, text in given.items():
            if name in contract.RAW:
                arguments[name] = text
            elif name in contract.STRUCTURED:
                arguments[name] = json.dumps(await self._expand(yaml.safe_load(text), variables))
            else:
                arguments[name] = _text(await self._expand(text, variables))
        return arguments

    async def _expand(self, value: JsonValue, variables: Mapping[str, JsonValue]) -> JsonValue:
        """The value with `${…}` evaluated; a text that is nothing but one expression becomes its value."""
        if isinstance(value, dict):
            return {key: await self._expand(content, variables) for key, content in value.items()}
        if isinstance(value, list):
            return [await self._expand(item, variables) for item in value]
        if not isinstance(value, str):
            return value
        if whole := contract.TEMPLATE.fullmatch(value):
            return await self._evaluator.evaluate(whole[1], variables)
        text, end = "", 0
        for match in contract.TEMPLATE.finditer(value):
            text += value[end : match.start()] + _text(await self._evaluator.evaluate(match[1], variables))
            end = match.end()
        return text + value[end:]

    async def outcome(
        self, subject: Subject, node: Node, result: Mapping[str, JsonValue]
    ) -> Waiting | dict[str, JsonValue]:
        """What a step yields beside `result`, once its `until` has come true.

        Raises:
            StepRefused: it yields what may not be passed on.
            ApiError: something could not be read.
        """
        step = node.step
        needed = [e for e in (step.until, *step.outputs.values()) if e]
        try:
            seen = await _view(subject, node).variables(mentioned(needed))
            variables: dict[str, JsonValue] = {**seen, "result": dict(result)}
            if step.until and not await self._evaluator.holds(step.until, variables):
                return Waiting(f"waits until {step.until}")
        except (ExpressionError, TargetGone) as error:
            return Waiting(str(error))
        return await self._outputs(node, variables)

    async def _outputs(self, node: Node, variables: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        try:
            found = {name: await self._evaluator.evaluate(e, variables) for name, e in node.step.outputs.items()}
        except ExpressionError as error:
            raise StepRefused(f"step {node.name}: outputs: {error}") from error
        if len(canonical(found)) > OUTPUT_BYTES:
            raise StepRefused(f"step {node.name}: its outputs have more than {OUTPUT_BYTES} bytes")
        for name, value in found.items():
            if is_secret((name,), value) or (isinstance(value, str) and looks_secret(value)):
                raise StepRefused(f"step {node.name}: output {name} looks like a secret; those are not passed on")
        return found


def _view(subject: Subject, node: Node) -> View:
    return subject.view.giving(item=node.item, steps=dict(subject.outputs or {}))


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)

"""One step from look to outcome: what it would do, doing it once, finding out whether it was done, what came of it.

Every write is a merge patch on one object, conditional on the resourceVersion of the look before it, and leaves a
marker; so at most one of two equal attempts can win, and a probe can tell afterwards which.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import yaml
from pydantic import JsonValue

from interlock.crds import actions as contract
from interlock.crds.cel import ExpressionError
from interlock.crds.celprocess import Evaluator
from interlock.crds.digest import canonical
from interlock.crds.execution import PlannedObject, PlannedStep, RunbookExecution, Target
from interlock.crds.names import LAST_STEP_ANNOTATION
from interlock.crds.redact import looks_secret
from interlock.crds.runbook import Runbook, Step
from interlock.operator.actions import ACTIONS
from interlock.operator.actions.base import ActionRefused, Condition, Looking, Scene, Wanted, Writing
from interlock.operator.api import Api, Conflict, Object
from interlock.operator.changes import (
    ABSENT,
    Leaf,
    UndoConflict,
    allowed,
    differences,
    is_secret,
    merge_patch,
    pointer,
    restored,
    segments,
    show,
    shown,
)
from interlock.operator.changes import read as read_path
from interlock.operator.core.nodes import Node
from interlock.operator.look import TargetGone, View, mentioned
from interlock.operator.runner import NoRunner, Runners

INTENT_BYTES = 3500
OUTPUT_BYTES = 2048
ITEM_BYTES = 256
_LOOKS = 5
Probe = Literal["happened", "not", "unknown"]
Outputs = Mapping[str, JsonValue]
"""By the name of a step what it yielded, each a mapping."""


class StepRefused(Exception):
    """The step must not be done; nothing was changed. The message says why."""


@dataclass(frozen=True)
class Prepared:
    """A step as it would be done now."""

    planned: PlannedStep
    intent: dict[str, JsonValue]
    path: str = ""
    patch: dict[str, Any] | None = None
    condition: Condition | None = None
    skipped: bool = False


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

    outputs: Mapping[str, JsonValue]


class MovingObject(StepRefused):
    """The object never held still; nothing was changed."""


Guard = Callable[[], object]
"""Raises where nothing may be written any more."""


class Steps:
    """Carries out steps under the runner's account."""

    def __init__(self, api: Api, runners: Runners, evaluator: Evaluator, key: bytes, guard: Guard) -> None:
        self._api = api
        self._runners = runners
        self._guard = guard
        self._evaluator = evaluator
        self._key = key

    async def items(self, subject: Subject, step: Step) -> tuple[JsonValue, ...]:
        """What a looped step is to be done for; nothing for a step that is no loop.

        Raises:
            StepRefused: the list is none, too long, or holds what cannot stand in a plan.
        """
        if step.for_each is None:
            return ()
        try:
            found = await self._evaluator.evaluate(
                step.for_each, await subject.view.variables(mentioned([step.for_each]))
            )
        except (ExpressionError, TargetGone) as error:
            raise StepRefused(f"step {step.name}: forEach: {error}") from error
        if not isinstance(found, list) or len(found) > step.max_items:
            what = f"{len(found)} items" if isinstance(found, list) else "no list"
            raise StepRefused(f"step {step.name}: forEach gives {what}; at most {step.max_items} are allowed")
        if not all(isinstance(item, str | int | float) and len(json.dumps(item)) <= ITEM_BYTES for item in found):
            raise StepRefused(f"step {step.name}: forEach gives something else than short texts and numbers")
        return tuple(found)

    async def prepare(
        self, subject: Subject, node: Node, *, attempt: int, written: frozenset[PlannedObject] = frozenset()
    ) -> Prepared:
        """What the step would do, by the API server's own dry run. Objects in `written` change before its turn.

        Raises:
            StepRefused: it cannot or must not be done.
            ApiError: the API server refused the dry run or did not answer.
        """
        if node.empty:
            return _skipped(node, "nothing to do it for")
        for _ in range(_LOOKS):
            try:
                return await self._prepare(subject, node, attempt, written)
            except Conflict:  # the object changed between the look and its dry run
                subject = replace(subject, view=subject.view.anew())
        raise MovingObject(f"step {node.name}: its object changes faster than it can be looked at")

    async def _prepare(self, subject: Subject, node: Node, attempt: int, written: frozenset[PlannedObject]) -> Prepared:
        action = ACTIONS[node.step.action]
        try:
            variables = await self._variables(subject, node, action)
            if await self._skips(subject, node, variables):
                return _skipped(node, f"skipped: {node.step.when}")
            if isinstance(action, Looking):
                return _looking(node, action.condition(node.step.with_))
            unknown = subject.outputs is None and "steps" in mentioned(_expressions(node.step))
            known = _only_the_object(node) if unknown else node.step.with_
            arguments = await self._arguments(known, variables)
            live = await self._object(subject, arguments)
            if unknown or _identity(live) in written:
                return _deferred(node, live, subject.runbook, by_output=unknown)
            wanted = action.wanted(arguments, Scene(live, variables, subject.made_at))
            return await self._writing(subject, node, live, wanted, attempt)
        except (ActionRefused, TargetGone, NoRunner, ValueError) as refused:
            raise StepRefused(f"step {node.name}: {refused}") from refused

    async def _variables(self, subject: Subject, node: Node, action: Writing | Looking) -> Mapping[str, JsonValue]:
        needed = mentioned([*_templates(node.step), *([node.step.when] if node.step.when else [])])
        if isinstance(action, Writing):
            needed |= action.needs | {"target"}
        return await subject.view.giving(item=node.item, steps=dict(subject.outputs or {})).variables(needed)

    async def _skips(self, subject: Subject, node: Node, variables: Mapping[str, JsonValue]) -> bool:
        """Whether `when` is false; while the plan is made nobody knows it of a step that builds on another."""
        when = node.step.when
        if when is None or (subject.outputs is None and "steps" in mentioned([when])):
            return False
        return not await self._evaluator.holds(when, variables)

    async def _arguments(self, given: Mapping[str, str], variables: Mapping[str, JsonValue]) -> dict[str, str]:
        """The arguments with their expressions evaluated."""
        arguments = {}
        for name, text in given.items():
            if name in contract.STRUCTURED:
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

    async def _writing(self, subject: Subject, node: Node, live: Object, wanted: Wanted, attempt: int) -> Prepared:
        step = node.step
        planned = _planned(node, object=_identity(live))
        patch = merge_patch(live, wanted.body)
        path = await self._path(live)
        if not patch:
            note = planned.model_copy(update={"note": "nothing to change"})
            return Prepared(note, {"writes": False}, skipped=True)
        patch = _conditional(patch, live, marker(subject.execution, node.name, attempt))
        runner = await self._runners.runner(subject.execution)
        after = await runner.api.merge_patch(path, patch, dry_run=True)
        leaves = differences(live, after)
        _inside(leaves, subject.runbook, node)
        if step.bounds and not await self._evaluator.holds(step.bounds, {"before": live, "after": after}):
            raise StepRefused(f"step {node.name} would leave its bounds: {step.bounds} is false")
        intent = self._intent(live, leaves, wanted, runner.credential)
        said = ": ".join(filter(None, (step.description, wanted.note)))[:256]
        changes = planned.model_copy(update={"changes": shown(leaves, self._key), "note": said})
        return Prepared(changes, intent, path, patch)

    async def _object(self, subject: Subject, arguments: Mapping[str, str]) -> Object:
        if "kind" not in arguments:
            return await subject.view.live()
        namespace = subject.execution.spec.target.namespace
        live = await self._api.find(arguments["apiVersion"], arguments["kind"], namespace, arguments["name"])
        if live is None:
            raise ActionRefused(f"{arguments['kind']} {arguments['name']} does not exist")
        return live

    async def _path(self, live: Mapping[str, Any]) -> str:
        meta = live["metadata"]
        return await self._api.path(live["apiVersion"], live["kind"], meta.get("namespace"), meta["name"])

    def _intent(self, live: Object, leaves: tuple[Leaf, ...], wanted: Wanted, credential: str) -> dict[str, JsonValue]:
        """What is durable before the effect: enough to tell afterwards whether it happened, and to put it back."""
        meta = live["metadata"]
        intent: dict[str, JsonValue] = {
            "writes": True,
            "object": {
                "apiVersion": live["apiVersion"],
                "kind": live["kind"],
                "namespace": meta.get("namespace", ""),
                "name": meta["name"],
            },
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
            "generation": meta.get("generation", 0),
            "leaves": [self._kept(leaf) for leaf in leaves],
            "credential": credential,
        }
        if wanted.origin:
            intent["origin"] = dict(wanted.origin)
        if len(canonical(intent)) > INTENT_BYTES:
            raise ActionRefused("the change is too large to be recorded so that it can be undone exactly")
        return intent

    def _kept(self, leaf: Leaf) -> dict[str, JsonValue]:
        kept: dict[str, JsonValue] = {"path": pointer(leaf.path)}
        if leaf.index:
            kept["index"] = leaf.index
        if is_secret(leaf.path, leaf.before) or is_secret(leaf.path, leaf.after):
            kept["hidden"] = [show(leaf.path, leaf.before, self._key), show(leaf.path, leaf.after, self._key)]
            return kept
        if leaf.before is not ABSENT:
            kept["before"] = leaf.before
        if leaf.after is not ABSENT:
            kept["after"] = leaf.after
        return kept

    async def act(self, execution: RunbookExecution, ready: Prepared) -> Acted | Waiting:
        """Sends the effect, once.

        Raises:
            StepRefused: the runner's account or grant is gone; it did not happen.
            NotLeader: somebody else may lead by now; it did not happen.
            ApiError: Conflict, Forbidden and Invalid mean that it did not happen; Unavailable tells nothing.
        """
        try:
            runner = await self._runners.runner(execution)
        except NoRunner as missing:
            raise StepRefused(str(missing)) from missing
        self._guard()
        after = await runner.api.merge_patch(ready.path, ready.patch or {})
        meta = after["metadata"]
        return Acted({"resourceVersion": meta["resourceVersion"], "generation": meta.get("generation", 0)})

    async def settle(self, subject: Subject, node: Node, intent: Mapping[str, JsonValue]) -> Settled | Waiting:
        """What follows the effect: waits until it has come to its end, then says what it yields.

        Raises:
            StepRefused: it will not come to its end, or yields what it may not.
            ApiError: something could not be read.
        """
        result: JsonValue = {}
        needed = [e for e in (node.step.until, *node.step.outputs.values()) if e]
        if not needed:
            return Settled({})
        view = subject.view.giving(item=node.item, steps=dict(subject.outputs or {}), result=result)
        try:
            variables = {**await view.variables(mentioned(needed)), "result": result}
            if node.step.until and not await self._evaluator.holds(node.step.until, variables):
                return Waiting(f"waits until {node.step.until}")
        except (ExpressionError, TargetGone) as error:
            return Waiting(str(error))
        return Settled(await self._outputs(node, variables))

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

    async def probe(self, intent: Mapping[str, Any], ours: Callable[[str], bool]) -> Probe:
        """Whether the effect of an intent happened; `ours` knows the marks that its attempts leave."""
        live = await self._find(intent)
        if live is None or live["metadata"]["uid"] != intent["uid"]:
            return "unknown"
        meta = live["metadata"]
        if ours((meta.get("annotations") or {}).get(LAST_STEP_ANNOTATION, "")):
            return "happened"
        if meta["resourceVersion"] == intent["resourceVersion"]:
            return "not"
        of_spec = all(str(leaf["path"]).startswith("/spec/") for leaf in intent["leaves"])
        if of_spec and meta.get("generation", 0) == intent["generation"]:
            return "not"
        return "unknown"

    async def _find(self, intent: Mapping[str, Any]) -> Object | None:
        place = intent["object"]
        return await self._api.find(place["apiVersion"], place["kind"], place["namespace"] or None, place["name"])

    async def prepare_undo(self, execution: RunbookExecution, name: str, intent: Mapping[str, Any]) -> Prepared | None:
        """What puts back exactly what the step changed; None if nothing of it is there any more.

        Raises:
            UndoConflict: somebody has changed it since.
            ApiError: the API server did not answer.
        """
        live = await self._find(intent)
        if live is None or live["metadata"]["uid"] != intent["uid"]:
            raise UndoConflict(f"{intent['object']['kind']} {intent['object']['name']} is gone")
        leaves = [await self._recall(kept, intent, live) for kept in intent["leaves"]]
        if all(read_path(live, leaf.path) == leaf.before for leaf in leaves):
            return None
        patch = merge_patch(live, restored(live, leaves))
        patch = _conditional(patch, live, undo_marker(execution, name))
        meta = live["metadata"]
        undo_intent: dict[str, JsonValue] = {
            **{key: intent[key] for key in ("object", "uid")},
            "resourceVersion": meta["resourceVersion"],
            "generation": meta.get("generation", 0),
            "leaves": [{"path": kept["path"]} for kept in intent["leaves"]],
        }
        planned = PlannedStep(name=name, action="undo", object=_identity(live))
        return Prepared(planned, undo_intent, await self._path(live), patch)

    async def _recall(self, kept: Mapping[str, Any], intent: Mapping[str, Any], live: Object) -> Leaf:
        path = segments(str(kept["path"]))
        index = int(kept.get("index", 0))
        if "hidden" not in kept:
            return Leaf(path, kept.get("before", ABSENT), kept.get("after", ABSENT), index)
        before, after = kept["hidden"]
        now = read_path(live, path)
        if show(path, now, self._key) != after:
            raise UndoConflict(f"{pointer(path)} no longer holds what was written")
        if before is None:
            return Leaf(path, ABSENT, now, index)
        return Leaf(path, await self._from_origin(path, before, intent), now, index)

    async def _from_origin(self, path: tuple[str, ...], digest: str, intent: Mapping[str, Any]) -> Any:
        origin = intent.get("origin") or {}
        namespace = intent["object"]["namespace"] or None
        kept = await self._api.find(origin["apiVersion"], origin["kind"], namespace, origin["name"]) if origin else None
        value = ABSENT if kept is None else read_path(kept, path)
        if show(path, value, self._key) != digest:
            raise UndoConflict(f"the former value of {pointer(path)} is secret and is kept nowhere")
        return value


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


def _templates(step: Step) -> list[str]:
    """The expressions in the arguments of a step."""
    return [expression for text in step.with_.values() for expression in contract.TEMPLATE.findall(text)]


def _expressions(step: Step) -> list[str]:
    """All expressions that decide what a step writes, and whether it does."""
    return [*_templates(step), *([step.when] if step.when else [])]


def _only_the_object(node: Node) -> dict[str, str]:
    """The arguments that name the object; it must be known when the plan is made."""
    named = {name: text for name, text in node.step.with_.items() if name in ("apiVersion", "kind", "name")}
    if "steps" in mentioned(e for text in named.values() for e in contract.TEMPLATE.findall(text)):
        raise ActionRefused("which object it writes must be known when the plan is made, not come from another step")
    return named


def _planned(node: Node, **changes: Any) -> PlannedStep:
    item = None if node.item is None else json.dumps(node.item)
    return PlannedStep(name=node.name, action=node.step.action, item=item, **changes)


def _skipped(node: Node, why: str) -> Prepared:
    return Prepared(_planned(node, note=" ".join(why.split())[:256]), {"writes": False}, skipped=True)


def _looking(node: Node, condition: Condition) -> Prepared:
    what = condition.expression or f"{condition.promql} satisfies {condition.satisfies}"
    note = node.step.description or (f"waits until {what}" if node.step.action == "wait" else f"asserts {what}")
    return Prepared(_planned(node, note=" ".join(note.split())[:256]), {"writes": False}, condition=condition)


def _deferred(node: Node, live: Object, runbook: Runbook, *, by_output: bool) -> Prepared:
    """A step that builds on an earlier one: planned by its bounds, looked at when its turn has come."""
    if by_output and node.step.bounds is None:
        raise ActionRefused("what it writes comes from another step, so it must say its bounds")
    paths, note = list(runbook.spec.allowed_paths), node.step.description[:256]
    planned = _planned(node, object=_identity(live), deferred=paths, bounds=node.step.bounds, note=note)
    return Prepared(planned, {"writes": True})


def _inside(leaves: tuple[Leaf, ...], runbook: Runbook, node: Node) -> None:
    for leaf in leaves:
        if not allowed(leaf.path, runbook.spec.allowed_paths):
            raise StepRefused(f"step {node.name} would write {pointer(leaf.path)}, outside the runbook's allowed paths")


def _identity(live: Mapping[str, Any]) -> PlannedObject:
    meta = live["metadata"]
    return PlannedObject(api_version=live["apiVersion"], kind=live["kind"], name=meta["name"], uid=meta["uid"])


def _conditional(patch: Mapping[str, Any], live: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """The patch with its condition and its marker."""
    meta = dict(patch.get("metadata") or {})
    annotations = {**(meta.get("annotations") or {}), LAST_STEP_ANNOTATION: mark}
    meta |= {"resourceVersion": live["metadata"]["resourceVersion"], "annotations": annotations}
    return {**patch, "metadata": meta}


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def target_key(target: Target) -> str:
    """Identifies a target among all that are worked on."""
    return f"{target.api_version}/{target.kind}/{target.namespace or ''}/{target.name}"

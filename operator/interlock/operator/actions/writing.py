"""Changes of one object's fields: planned by dry run, made by a conditional patch, put back value by value."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from interlock.crds.digest import canonical
from interlock.crds.execution import PlannedStep, RunbookExecution
from interlock.crds.names import LAST_STEP_ANNOTATION
from interlock.operator.actions.base import Action, ActionRefused, Effect, Means, Turn
from interlock.operator.api import Api, Object
from interlock.operator.changes import (
    ABSENT,
    Leaf,
    Segments,
    UndoConflict,
    allowed,
    differences,
    is_secret,
    pointer,
    read,
    restored,
    segments,
    show,
    shown,
)
from interlock.operator.patches import conditional, rehearse, send
from interlock.operator.prepared import (
    Acted,
    Intent,
    Prepared,
    Probe,
    StepRefused,
    identity,
    marker,
    place_of,
    planned_step,
    undo_marker,
)

INTENT_BYTES = 3500
_ANNOTATIONS_COUNT = frozenset({"Deployment"})
"""Kinds whose generation grows with their annotations too, and so with each of our marks."""
_NAMING = frozenset({"apiVersion", "kind", "name"})


@dataclass(frozen=True)
class Scene:
    """What an action sees when it is planned."""

    live: Mapping[str, Any]
    """The object that it writes."""
    variables: Mapping[str, JsonValue]
    """What expressions see: target, parameters, pods, revisions, now."""
    made_at: str
    """The time of the plan; a time that is written is this one, so that the plan can be computed again."""


@dataclass(frozen=True)
class Wanted:
    """What an object should become. `origin` is an object that keeps its present pod template, if there is one;
    `revision` the one whose template it gets back, for whoever compares them later."""

    body: Mapping[str, Any]
    origin: Mapping[str, str] | None = None
    revision: Mapping[str, str] | None = None
    note: str = ""


class Write(Action):
    """An action that changes one object: a subclass only says what the object should become."""

    @abstractmethod
    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """What the object should become.

        Raises:
            ActionRefused: it cannot be done on this object.
            ValueError: an argument is not what the action takes.
        """

    async def plan(self, means: Means, turn: Turn) -> Prepared:
        """By the API server's own dry run; deferred where its object changes before, or another step has a say."""
        live = await _object(means.api, turn)
        if turn.uncertain or identity(live) in turn.written:
            return _deferred(turn, live)
        wanted = self.wanted(turn.arguments, Scene(live, turn.variables, turn.subject.made_at))
        mark = marker(turn.subject.execution, turn.node.name, turn.attempt)
        patch = conditional(live, wanted.body, mark)
        if patch is None:
            note = planned_step(turn.node, object=identity(live), note="nothing to change")
            return Prepared(note, {"writes": False}, skipped=True)
        path = await _path(means.api, live)
        runner = await means.runners.runner(turn.subject.execution)
        after = await rehearse(runner.api, path, patch, live)
        leaves = differences(live, after)
        await _demand_bounds(means, turn, live, after, leaves)
        step = turn.node.step
        planned = planned_step(
            turn.node,
            object=identity(live),
            changes=shown(leaves, means.key),
            note=": ".join(filter(None, (step.description, wanted.note))),
        )
        intent = _intent(live, leaves, wanted, means.key, runner.credential)
        return Prepared(planned, intent, path, patch)


async def _object(api: Api, turn: Turn) -> Object:
    if turn.unknown & _NAMING:
        raise ActionRefused("which object it writes must be known when the plan is made, not come from another step")
    if "kind" not in turn.arguments:
        return await turn.subject.view.live()
    kind, name = turn.arguments["kind"], turn.arguments["name"]
    live = await api.find(turn.arguments["apiVersion"], kind, turn.subject.execution.spec.target.namespace, name)
    if live is None:
        raise ActionRefused(f"{kind} {name} does not exist")
    return live


async def _path(api: Api, live: Mapping[str, Any]) -> str:
    meta = live["metadata"]
    return await api.path(live["apiVersion"], live["kind"], meta.get("namespace"), meta["name"])


def _deferred(turn: Turn, live: Object) -> Prepared:
    """A step that builds on an earlier one: planned by its bounds, looked at when its turn has come."""
    step = turn.node.step
    if turn.uncertain and step.bounds is None:
        raise ActionRefused("what it writes comes from another step, so it must say its bounds")
    planned = planned_step(
        turn.node,
        object=identity(live),
        deferred=list(turn.subject.runbook.spec.allowed_paths),
        bounds=step.bounds,
        note=step.description,
    )
    return Prepared(planned, {"writes": True})


async def _demand_bounds(means: Means, turn: Turn, before: Object, after: Object, leaves: Sequence[Leaf]) -> None:
    node = turn.node
    for leaf in leaves:
        if not allowed(leaf.path, turn.subject.runbook.spec.allowed_paths):
            raise StepRefused(f"step {node.name} would write {pointer(leaf.path)}, outside the runbook's allowed paths")
    bounds = node.step.bounds
    if bounds and not await means.evaluator.holds(bounds, {"before": before, "after": after}):
        raise StepRefused(f"step {node.name} would leave its bounds: {bounds} is false")


def _intent(live: Object, leaves: Sequence[Leaf], wanted: Wanted, key: bytes, credential: str) -> dict[str, JsonValue]:
    intent: dict[str, JsonValue] = {
        "writes": True,
        **_condition(live),
        "leaves": [_kept(leaf, key) for leaf in leaves],
        "credential": credential,
    }
    if wanted.origin:
        intent["origin"] = dict(wanted.origin)
    if wanted.revision:
        intent["revision"] = dict(wanted.revision)
    if len(canonical(intent)) > INTENT_BYTES:
        raise ActionRefused("the change is too large to be recorded so that it can be undone exactly")
    return intent


def _condition(live: Object) -> dict[str, JsonValue]:
    meta = live["metadata"]
    return {
        "effect": "patch",
        "object": place_of(live),
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
        "generation": meta.get("generation", 0),
        **({"mark": mark} if (mark := _mark(live)) else {}),
    }


def _mark(live: Object) -> str:
    """Which write of ours was the last on an object, if one was."""
    return str((live["metadata"].get("annotations") or {}).get(LAST_STEP_ANNOTATION, ""))


def _of_spec(intent: Intent) -> bool:
    return all(str(leaf["path"]).startswith("/spec/") for leaf in intent["leaves"])


def _kept(leaf: Leaf, key: bytes) -> dict[str, JsonValue]:
    kept: dict[str, JsonValue] = {"path": pointer(leaf.path)}
    if leaf.index:
        kept["index"] = leaf.index
    if is_secret(leaf.path, leaf.before) or is_secret(leaf.path, leaf.after):
        kept["hidden"] = [show(leaf.path, leaf.before, key), show(leaf.path, leaf.after, key)]
        return kept
    if leaf.before is not ABSENT:
        kept["before"] = leaf.before
    if leaf.after is not ABSENT:
        kept["after"] = leaf.after
    return kept


class Patching(Effect):
    """A patch of one object."""

    async def apply(self, means: Means, execution: RunbookExecution, ready: Prepared) -> Acted:
        """Sends the patch; its condition lets at most one of two equal ones win."""
        runner = await means.acting_as(execution)
        meta = (await send(runner, ready.path, ready.body))["metadata"]
        return Acted({"resourceVersion": meta["resourceVersion"], "generation": meta.get("generation", 0)})

    async def probe(self, means: Means, intent: Intent, ours: Callable[[str], bool]) -> Probe:
        """By our mark; without it by what stands unchanged: the mark of the write before, or the version it needs."""
        live = await _find(means.api, intent)
        if live is None or live["metadata"]["uid"] != intent["uid"]:
            return "unknown"
        meta, mark = live["metadata"], _mark(live)
        if ours(mark):
            return "happened"
        if meta["resourceVersion"] == intent["resourceVersion"] or (mark and mark == intent.get("mark")):
            return "not"
        counts = intent["object"]["kind"] in _ANNOTATIONS_COUNT or _of_spec(intent)
        if counts and intent["generation"] >= 1 and meta.get("generation", 0) == intent["generation"]:
            return "not"
        return "unknown"

    async def undo(self, means: Means, execution: RunbookExecution, name: str, intent: Intent) -> Prepared | None:
        """Puts every value back that still is what was written; all or nothing."""
        live = await _find(means.api, intent)
        if live is None or live["metadata"]["uid"] != intent["uid"]:
            raise UndoConflict(f"{intent['object']['kind']} {intent['object']['name']} is gone")
        leaves = [await _recall(means, kept, intent, live) for kept in intent["leaves"]]
        if all(read(live, leaf.path) == leaf.before for leaf in leaves):
            return None
        patch = conditional(live, restored(live, leaves), undo_marker(execution, name))
        paths: list[JsonValue] = [{"path": kept["path"]} for kept in intent["leaves"]]
        planned = PlannedStep(name=name, action="undo", object=identity(live))
        return Prepared(planned, {**_condition(live), "leaves": paths}, await _path(means.api, live), patch)


async def _find(api: Api, intent: Intent) -> Object | None:
    place = intent["object"]
    return await api.find(place["apiVersion"], place["kind"], place["namespace"] or None, place["name"])


async def _recall(means: Means, kept: Mapping[str, Any], intent: Intent, live: Object) -> Leaf:
    path = segments(str(kept["path"]))
    index = int(kept.get("index", 0))
    if "hidden" not in kept:
        return Leaf(path, kept.get("before", ABSENT), kept.get("after", ABSENT), index)
    before, after = kept["hidden"]
    now = read(live, path)
    if show(path, now, means.key) != after:
        raise UndoConflict(f"{pointer(path)} no longer holds what was written")
    if before is None:
        return Leaf(path, ABSENT, now, index)
    return Leaf(path, await _from_origin(means, path, before, intent), now, index)


async def _from_origin(means: Means, path: Segments, digest: str, intent: Intent) -> Any:
    origin = intent.get("origin") or {}
    namespace = intent["object"]["namespace"] or None
    kept = await means.api.find(origin["apiVersion"], origin["kind"], namespace, origin["name"]) if origin else None
    value = ABSENT if kept is None else read(kept.get("data", kept), path)  # a ControllerRevision keeps it under data
    if show(path, value, means.key) != digest:
        raise UndoConflict(f"the former value of {pointer(path)} is secret and is kept nowhere")
    return value

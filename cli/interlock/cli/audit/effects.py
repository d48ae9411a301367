"""Whether what was written is what was allowed: each effect beside the plan, the runbook and the revisions.

The operator looks at all of this before it sends an effect. Here it is looked at once more by what the record says, so
that an operator which went past its own rules shows. What cannot be compared any more (a runbook or a revision that is
gone, a value that is hidden) is counted, and is no flaw.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.cli.audit.intents import Intent, intents
from interlock.crds.execution import PlannedStep, RunbookExecution
from interlock.crds.names import LAST_STEP_ANNOTATION
from interlock.crds.quantity import quantity
from interlock.crds.runbook import Runbook
from interlock.operator.changes import ABSENT, Segments, allowed, pointer, read, segments

_TEMPLATE = ("spec", "template")
_CONDITIONS = frozenset(
    {("metadata", "resourceVersion"), ("metadata", "uid"), ("metadata", "annotations", LAST_STEP_ANNOTATION)}
)
"""What every write carries beside its change: on what it depends, and whose it is."""
_VERBS = {"patch": "patch", "delete": "delete", "evict": "create", "create": "create"}

FindRevision = Callable[[str, str, str], Mapping[str, Any] | None]
"""The revision of a namespace, a kind and a name, if it is there: a ReplicaSet or a ControllerRevision."""


@dataclass
class Comparison:
    """What effects are compared with, and how much of it was there."""

    runbooks: Mapping[str, Runbook] = field(default_factory=dict)
    """By their digests."""
    revision: FindRevision | None = None
    effects: int = 0
    without_runbook: int = 0
    revisions: int = 0

    def flaws(self, execution: RunbookExecution) -> Iterator[str]:
        """What an execution said that it would write, and must not have; each names step, intent and path."""
        plan = execution.status.plan if execution.status else None
        steps = {step.name: step for step in plan.steps} if plan else {}
        runbook = self.runbooks.get(execution.spec.runbook.digest)
        written: dict[str, set[Segments]] = {}
        for intent in intents(execution):
            self.effects += 1
            self.without_runbook += runbook is None
            if intent.undo:
                found = list(_beyond_undo(intent, written))
            else:
                found = [
                    *_beyond_plan(intent, steps),
                    *_beyond_runbook(intent, runbook),
                    *self._no_rollback(intent, steps),
                ]
            written.setdefault(intent.step, set()).update(_paths(intent))
            yield from (f"{_place(intent)}: {what}" for what in found)

    def _no_rollback(self, intent: Intent, steps: Mapping[str, PlannedStep]) -> Iterator[str]:
        """What makes a rollback another change than to an existing revision."""
        step = steps.get(intent.step)
        if step is None or step.action != "rolloutUndo":
            return
        revision = intent.data.get("revision")
        if not isinstance(revision, Mapping):
            yield "it is a rollback and names no revision"
            return
        for path in _paths(intent):
            if path[:2] != _TEMPLATE:
                yield f"it is a rollback and writes {pointer(path)}"
        named = _namespace(intent), str(revision["kind"]), str(revision["name"])
        kept = self.revision(*named) if self.revision else None
        if kept is None or kept["metadata"]["uid"] != revision["uid"]:
            return
        kept = kept.get("data", kept)  # of a ControllerRevision
        self.revisions += 1
        for leaf in _leaves(intent):
            path = segments(str(leaf["path"]))
            if "hidden" not in leaf and path[:2] == _TEMPLATE and read(kept, path) != leaf.get("after", ABSENT):
                yield f"{pointer(path)} is not what revision {revision['name']} holds"


def beyond_intent(intent: Intent, verb: str, body: object) -> Iterator[str]:
    """What the API server was sent beyond what the intent says; `body` is None where the log does not hold it."""
    effect = str(intent.data.get("effect", ""))
    if effect and _VERBS.get(effect) != verb:
        yield f"its step's intent is to {effect}"
        return
    if effect != "patch" or not isinstance(body, list | Mapping):
        return
    said = [(segments(str(leaf["path"])), leaf) for leaf in _leaves(intent)]
    for path, value in _sent(body):
        near = [(about, leaf) for about, leaf in said if _overlap(about, path)]
        if not near:
            yield f"it writes {pointer(path)}, which its step's intent does not name"
        for about, leaf in near:
            if "after" in leaf and len(about) >= len(path) and _differs(read(value, about[len(path) :]), leaf["after"]):
                yield f"it writes another value to {pointer(about)} than its step's intent says"


def _beyond_plan(intent: Intent, steps: Mapping[str, PlannedStep]) -> Iterator[str]:
    step = steps.get(intent.step)
    if step is None:
        yield "the plan has no such step"
        return
    uid = intent.data.get("uid")
    if step.object is not None and uid is not None and uid != step.object.uid:
        yield f"it writes the object with UID {uid}, the plan names {step.object.uid}"
    planned = {change.path for change in step.changes}
    for path in _paths(intent):
        if step.deferred is None and pointer(path) not in planned:
            yield f"it writes {pointer(path)}, which the plan does not show"
        if step.deferred is not None and not allowed(path, step.deferred):
            yield f"it writes {pointer(path)}, outside of the paths that the plan allows"


def _beyond_runbook(intent: Intent, runbook: Runbook | None) -> Iterator[str]:
    for path in _paths(intent) if runbook is not None else ():
        if not allowed(path, runbook.spec.allowed_paths if runbook else ()):
            yield f"it writes {pointer(path)}, outside of the runbook's allowed paths"


def _beyond_undo(intent: Intent, written: Mapping[str, set[Segments]]) -> Iterator[str]:
    for path in _paths(intent):
        if path not in written.get(intent.step, set()):
            yield f"it writes {pointer(path)}, which its step had not written"


def _leaves(intent: Intent) -> list[Mapping[str, Any]]:
    found = intent.data.get("leaves")
    return found if isinstance(found, list) else []


def _paths(intent: Intent) -> list[Segments]:
    return [segments(str(leaf["path"])) for leaf in _leaves(intent)]


def _namespace(intent: Intent) -> str:
    place = intent.data.get("object")
    return str(place.get("namespace", "")) if isinstance(place, Mapping) else ""


def _place(intent: Intent) -> str:
    return f"{'undo of ' if intent.undo else ''}step {intent.step}, intent of {intent.at}"


def _sent(body: list[Any] | Mapping[str, Any]) -> Iterator[tuple[Segments, Any]]:
    """Paths and values of a JSON patch or of a merge patch; what is removed is ABSENT."""
    if isinstance(body, Mapping):
        yield from _merged((), body)
        return
    for operation in body:
        path = segments(operation["path"])
        if operation["op"] != "test" and path not in _CONDITIONS:
            yield path, operation.get("value", ABSENT)


def _merged(path: Segments, value: object) -> Iterator[tuple[Segments, Any]]:
    if path in _CONDITIONS:
        return
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _merged((*path, key), value[key])
    else:
        yield path, ABSENT if value is None else value


def _overlap(one: Segments, other: Segments) -> bool:
    """Whether one holds the other; a place in a list may be told by its number or by its element's name."""
    return all(a == b or (_is_element(a) and _is_element(b)) for a, b in zip(one, other, strict=False))


def _is_element(segment: str) -> bool:
    return segment.isdigit() or segment == "-" or segment.startswith("[name=")


def _differs(sent: object, said: object) -> bool:
    """Whether two plain values differ; quantities are written in many ways, and objects are completed by defaults."""
    plain = str | int | float | bool
    if not isinstance(sent, plain) or not isinstance(said, plain) or sent == said:
        return False
    try:
        return quantity(str(sent)) != quantity(str(said))
    except ValueError:
        return True

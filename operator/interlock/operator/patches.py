"""Patches that hold only while the object is as it was seen, and leave a mark that says whose they are.

A change of nothing but the spec is sent as a JSON patch that tests uid and generation, so that it does not lose races
against controllers that write the status; every other change as a merge patch on exactly the resourceVersion seen.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from interlock.crds.actions import JsonOperation
from interlock.crds.names import LAST_STEP_ANNOTATION
from interlock.operator.api import Api, Object
from interlock.operator.changes import ABSENT, Segments, pointer, read, segments

MergePatch = dict[str, Any]
JsonPatch = list[dict[str, Any]]
_MARK = ("metadata", "annotations", LAST_STEP_ANNOTATION)


class NotApplicable(Exception):
    """An operation of a JSON patch has no place in the object, or its test fails; the message says which."""


def merge_patch(before: Any, after: Any) -> dict[str, JsonValue]:
    """The merge patch (RFC 7386) that turns `before` into `after`; both are objects."""
    patch: dict[str, JsonValue] = {}
    for key in {*before, *after}:
        if key not in after:
            patch[key] = None
        elif key not in before:
            patch[key] = after[key]
        elif isinstance(before[key], dict) and isinstance(after[key], dict):
            if inner := merge_patch(before[key], after[key]):
                patch[key] = inner
        elif before[key] != after[key]:
            patch[key] = after[key]
    return patch


def json_patch(before: Any, after: Any) -> JsonPatch:
    """The JSON patch (RFC 6902) that turns `before` into `after`, value by value."""
    return list(_operations((), before, after))


def _operations(path: Segments, before: Any, after: Any) -> Iterable[dict[str, Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _operations((*path, key), before.get(key, ABSENT), after.get(key, ABSENT))
    elif _elementwise(before, after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _operations((*path, str(index)), old, new)
    elif after is ABSENT:
        yield {"op": "remove", "path": pointer(path)}
    else:
        yield {"op": "add" if before is ABSENT else "replace", "path": pointer(path), "value": after}


def _elementwise(before: Any, after: Any) -> bool:
    both = isinstance(before, list) and isinstance(after, list) and len(before) == len(after)
    return both and all(isinstance(item, dict) for item in [*before, *after])


def conditional(live: Mapping[str, Any], wanted: Mapping[str, Any], mark: str) -> MergePatch | JsonPatch | None:
    """What makes `live` into `wanted` and leaves the mark, if it is still as it was seen; None if nothing differs."""
    patch: MergePatch = merge_patch(live, wanted)
    if not patch:
        return None
    meta = live["metadata"]
    if set(patch) == {"spec"} and meta.get("generation", 0) >= 1 and meta.get("annotations"):
        return [
            _test(("metadata", "uid"), meta["uid"]),
            _test(("metadata", "generation"), meta["generation"]),
            *json_patch(live, wanted),
            {"op": "add", "path": pointer(_MARK), "value": mark},
        ]
    changed = dict(patch.get("metadata") or {})
    annotations = {**(changed.get("annotations") or {}), LAST_STEP_ANNOTATION: mark}
    changed |= {"resourceVersion": meta["resourceVersion"], "annotations": annotations}
    return {**patch, "metadata": changed}


async def send(api: Api, path: str, patch: MergePatch | JsonPatch) -> Object:
    """The object after the patch.

    Raises:
        Conflict: its condition does not hold.
        ApiError: see its subclasses.
    """
    return await (api.merge_patch(path, patch) if isinstance(patch, dict) else api.json_patch(path, patch))


async def rehearse(api: Api, path: str, patch: MergePatch | JsonPatch, live: Mapping[str, Any]) -> Object:
    """What the patch would make of exactly what was seen, so that all that differs is the patch's doing.

    Raises:
        Conflict: the object has changed since, if only in its status.
        ApiError: see its subclasses.
    """
    if isinstance(patch, dict):
        return await api.merge_patch(path, patch, dry_run=True)
    seen = _test(("metadata", "resourceVersion"), live["metadata"]["resourceVersion"])
    return await api.json_patch(path, [seen, *patch], dry_run=True)


def _test(path: Segments, value: JsonValue) -> dict[str, Any]:
    return {"op": "test", "path": pointer(path), "value": value}


def patched(value: Mapping[str, Any], operations: Sequence[JsonOperation]) -> dict[str, Any]:
    """The result of a JSON patch (RFC 6902).

    Raises:
        NotApplicable: a path does not exist, or a test fails.
    """
    result: dict[str, Any] = copy.deepcopy(dict(value))
    for operation in operations:
        _apply(result, operation)
    return result


def _apply(root: dict[str, Any], operation: JsonOperation) -> None:
    path = segments(operation.path)
    parent, last = read(root, path[:-1]), path[-1]
    if operation.op == "add" and isinstance(parent, dict):
        parent[last] = operation.value
        return
    if operation.op == "add" and isinstance(parent, list):
        _insert(parent, last, operation)
        return
    if parent is ABSENT or last.startswith("[") or read(parent, (last,)) is ABSENT:
        raise NotApplicable(f"{operation.op} {operation.path}: there is no such path")
    key = int(last) if isinstance(parent, list) else last
    match operation.op:
        case "test" if parent[key] != operation.value:
            raise NotApplicable(f"test {operation.path}: the value is another one")
        case "replace":
            parent[key] = operation.value
        case "remove":
            del parent[key]


def _insert(items: list[Any], last: str, operation: JsonOperation) -> None:
    index = len(items) if last == "-" else int(last) if last.isdigit() else -1
    if not 0 <= index <= len(items):
        raise NotApplicable(f"add {operation.path}: there is no such place in the list")
    items.insert(index, operation.value)

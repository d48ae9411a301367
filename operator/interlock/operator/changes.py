"""What a write changes, path by path: compared, bounded, shown to people, and taken back.

Paths are JSON Pointers; in lists whose elements carry unique names an element is `[name=x]`, as a person would say
it, so that adding one variable is one change and not a new list.
"""

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.crds.execution import Change
from interlock.crds.names import LAST_STEP_ANNOTATION
from interlock.crds.redact import is_secret_name, keyed_digest, looks_secret, redact_object, redact_text

Segments = tuple[str, ...]


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()
"""No value at a path, as opposed to null."""

_UNSEEN: frozenset[Segments] = frozenset(
    {
        ("status",),
        ("metadata", "managedFields"),
        ("metadata", "resourceVersion"),
        ("metadata", "generation"),
        ("metadata", "annotations", LAST_STEP_ANNOTATION),
        ("metadata", "annotations", "deprecated.daemonset.template.generation"),
    }
)
EXCERPT_BYTES = 256


@dataclass(frozen=True)
class Leaf:
    """One path with its value before and after; either may be ABSENT. `index` is where a list's element stood."""

    path: Segments
    before: Any
    after: Any
    index: int = 0


class UndoConflict(Exception):
    """The object no longer holds what was written; restoring would overwrite somebody else's change."""


def pointer(path: Segments) -> str:
    """The path as a JSON Pointer (RFC 6901)."""
    return "".join("/" + segment.replace("~", "~0").replace("/", "~1") for segment in path)


def segments(text: str) -> Segments:
    """The path that a JSON Pointer stands for."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def differences(before: Any, after: Any) -> tuple[Leaf, ...]:
    """Every path at which two objects differ, without what the API server or our own marker accounts for."""
    return tuple(leaf for leaf in _walk((), before, after) if leaf.before != leaf.after)


def _walk(path: Segments, before: Any, after: Any) -> Iterable[Leaf]:
    if path in _UNSEEN or before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _walk((*path, key), before.get(key, ABSENT), after.get(key, ABSENT))
    elif isinstance(after, dict) and after and before is ABSENT and path[:1] == ("metadata",):
        for key in sorted(after):
            yield from _walk((*path, key), ABSENT, after[key])
    elif (names := _comparable(before, after)) is not None:
        yield from _walk_named(path, before, after, names)
    elif _elementwise(before, after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk((*path, str(index)), old, new)
    else:
        yield Leaf(path, before, after)


def _elementwise(before: Any, after: Any) -> bool:
    """Lists of as many objects are compared one by one; a list of words, such as a command line, is one value."""
    both = isinstance(before, list) and isinstance(after, list) and len(before) == len(after)
    return both and bool(before) and all(isinstance(item, dict | list) for item in [*before, *after])


def _walk_named(path: Segments, before: list[Any], after: list[Any], names: Sequence[str]) -> Iterable[Leaf]:
    old, new = _by_name(before), _by_name(after)
    positions = {name: index for index, name in enumerate(old)}
    for name in names:
        where = (*path, f"[name={name}]")
        if name in old and name in new:
            yield from _walk(where, old[name], new[name])
        else:
            yield Leaf(where, old.get(name, ABSENT), new.get(name, ABSENT), positions.get(name, len(before)))


def _comparable(before: Any, after: Any) -> list[str] | None:
    """The names to compare by, if both lists carry unique names and keep the order of what they share."""
    if not (isinstance(before, list) and isinstance(after, list) and before and after):
        return None
    if not (_is_named(before) and _is_named(after)):
        return None
    old, new = list(_by_name(before)), list(_by_name(after))
    if [n for n in old if n in new] != [n for n in new if n in old]:
        return None
    added = [n for n in new if n not in old]
    if added and new[-len(added) :] != added:
        return None
    return old + added


def _is_named(items: list[Any]) -> bool:
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _by_name(items: list[Any]) -> dict[str, Any]:
    return {item["name"]: item for item in items}


def allowed(path: Segments, patterns: Iterable[str]) -> bool:
    """Whether one of a runbook's allowed paths covers `path`."""
    return any(_covers(segments(pattern), path) for pattern in patterns)


def _covers(pattern: Segments, path: Segments) -> bool:
    if pattern and pattern[-1] == "**":
        pattern, path = pattern[:-1], path[: len(pattern) - 1]
    return len(pattern) == len(path) and all(p in ("*", s) for p, s in zip(pattern, path, strict=True))


def is_secret(path: Segments, value: Any) -> bool:
    """Whether a value must not be shown: for the name it stands under, or for what it looks like."""
    if value is ABSENT:
        return False
    named = [s[6:-1] if s.startswith("[name=") else s for s in path]
    under = is_secret_name(named[-1]) or (len(named) > 1 and named[-1] == "value" and is_secret_name(named[-2]))
    if isinstance(value, dict | list):
        return redact_object(value, named[-1]) != value or _has_secret_option(value)
    if isinstance(value, str):
        return bool(value) and (under or looks_secret(value) or redact_text(value) != value)
    return under and value is not None and not isinstance(value, bool)


def _has_secret_option(value: Any) -> bool:
    """Whether a command line carries an option that usually holds a secret, as in `--password x`."""
    words = value if isinstance(value, list) else []
    return any(isinstance(w, str) and w.startswith("-") and is_secret_name(w.lstrip("-").split("=")[0]) for w in words)


def show(path: Segments, value: Any, key: bytes) -> str | None:
    """A value as an approver sees it: JSON, an excerpt with its digest when long, a keyed digest when secret."""
    if value is ABSENT:
        return None
    text = json.dumps(value, sort_keys=True, ensure_ascii=True).replace("\x7f", "\\u007f")
    if is_secret(path, value):
        return keyed_digest(key, text)
    if len(text) <= EXCERPT_BYTES:
        return text
    return f"{text[:EXCERPT_BYTES]}… sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def shown(leaves: Iterable[Leaf], key: bytes) -> list[Change]:
    """The changes as the plan states them."""
    return [
        Change(
            path=pointer(leaf.path), before=show(leaf.path, leaf.before, key), after=show(leaf.path, leaf.after, key)
        )
        for leaf in leaves
    ]


def restored(live: Mapping[str, Any], leaves: Iterable[Leaf]) -> dict[str, Any]:
    """The object with what was changed put back, and all else as it is now.

    Raises:
        UndoConflict: somebody changed a path since; the message names it.
    """
    wanted: dict[str, Any] = copy.deepcopy(dict(live))
    for leaf in sorted(leaves, key=lambda leaf: leaf.index):
        if read(wanted, leaf.path) != leaf.after:
            raise UndoConflict(f"{pointer(leaf.path)} no longer holds what was written")
        _put(wanted, leaf)
    return wanted


def read(value: Any, path: Segments) -> Any:
    """The value at a path, or ABSENT."""
    for segment in path:
        if isinstance(value, dict):
            value = value.get(segment, ABSENT)
        elif isinstance(value, list):
            position = _position(value, segment)
            value = ABSENT if position is None else value[position]
        else:
            return ABSENT
    return value


def _position(items: list[Any], segment: str) -> int | None:
    if segment.startswith("[name="):
        name = segment[6:-1]
        return next((i for i, item in enumerate(items) if isinstance(item, dict) and item.get("name") == name), None)
    return int(segment) if segment.isdigit() and int(segment) < len(items) else None


def _put(root: dict[str, Any], leaf: Leaf) -> None:
    parent, last = root, leaf.path[-1]
    for segment in leaf.path[:-1]:
        inner = read(parent, (segment,))
        if inner is ABSENT and isinstance(parent, dict):
            inner = parent.setdefault(segment, {})
        parent = inner
    if isinstance(parent, dict):
        if leaf.before is ABSENT:
            parent.pop(last, None)
        else:
            parent[last] = leaf.before
    elif isinstance(parent, list):
        _put_in_list(parent, leaf)
    else:
        raise UndoConflict(f"{pointer(leaf.path)} has no place any more")


def _put_in_list(items: list[Any], leaf: Leaf) -> None:
    position = _position(items, leaf.path[-1])
    if leaf.before is ABSENT and position is not None:
        del items[position]
    elif position is not None:
        items[position] = leaf.before
    else:
        items.insert(leaf.index, leaf.before)

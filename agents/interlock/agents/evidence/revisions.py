"""What a rollout changed: the difference between two pod templates, path by path.

Entries of lists that have a name (containers, variables, ports, volumes) are compared by it, so that an inserted
variable is one change and not a shift of all that follow. Values are compared before they are redacted: a changed
password shows as changed without being shown.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import JsonValue

from interlock.crds.redact import HIDDEN, is_secret_name, looks_secret, redact_text

_KEYS = ("name", "containerPort", "key", "mountPath", "ip")
_OURS = frozenset({"pod-template-hash"})
_SETTINGS = frozenset({"env", "annotations"})


def changes(before: JsonValue, after: JsonValue) -> list[dict[str, JsonValue]]:
    """The changed paths of two pod templates: `{path, before, after}`, null where there is nothing."""
    return [
        {"path": path, "before": _shown(path, old), "after": _shown(path, new)}
        for path, old, new in _walk("", before, after)
        if path.rpartition("/")[2] not in _OURS
    ]


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    if isinstance(old, list | None) and isinstance(new, list | None):
        old, new = by_name(old or [], _KEYS), by_name(new or [], _KEYS)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _walk(f"{path}/{_escape(key)}", old.get(key), new.get(key))
        return
    yield path, old, new


def by_name(entries: Sequence[Any], keys: Sequence[str]) -> dict[str, Any]:
    """The entries of a list by the first of these keys that they have, so that one more or less moves no other."""
    named: dict[str, Any] = {}
    for position, entry in enumerate(entries):
        key = next((str(entry[k]) for k in keys if isinstance(entry, dict) and k in entry), str(position))
        named[key if key not in named else f"{key}#{position}"] = entry
    return named


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _shown(path: str, value: JsonValue) -> JsonValue:
    names = path.split("/")
    named = next((names[i + 1] for i in range(len(names) - 1) if names[i] in _SETTINGS), None)
    return _redacted(value, secret=named is not None and is_secret_name(named), setting=named is not None)


def _redacted(value: JsonValue, *, secret: bool, setting: bool) -> JsonValue:
    if isinstance(value, str):
        return HIDDEN if secret or (setting and looks_secret(value)) else redact_text(value)
    if isinstance(value, dict):
        named = secret or is_secret_name(str(value.get("name", "")))
        return {k: _redacted(v, secret=named and k == "value", setting=k == "value") for k, v in value.items()}
    if isinstance(value, list):
        return [_redacted(entry, secret=secret, setting=setting) for entry in value]
    return value

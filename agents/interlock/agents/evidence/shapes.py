"""What stands where it should not is left out of objects at the edge, so that nothing behind it has to expect it.

A snapshot is anybody's file. Only the structure that is walked without a model is looked at; the rest is typed later.
"""

from collections.abc import Iterable
from typing import Any

from interlock.agents.cluster import Json

_OBJECTS = frozenset(
    """metadata spec status template labels annotations involvedObject source series valueFrom configMapKeyRef
    configMapRef configMap projected state lastState running terminated waiting rollingUpdate data binaryData
    stringData""".split()  # noqa: SIM905 - one word after the other reads best
)
_LISTS = frozenset(
    """ownerReferences containers initContainers env envFrom volumes sources containerStatuses initContainerStatuses
    conditions webhooks""".split()  # noqa: SIM905
)
_TEXTS = frozenset(
    "name namespace uid kind reason message note type creationTimestamp fieldPath component".split()  # noqa: SIM905
)
_NAMED = frozenset({"containers", "initContainers", "env", "volumes", "containerStatuses", "initContainerStatuses"})


def sound(bodies: Iterable[Any], namespace: str | None) -> list[Json]:
    """The objects that have a name, without what has the wrong shape; `namespace` is that of those that say none."""
    found: list[Json] = []
    for body in bodies:
        if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
            kept = _object(body)
            if isinstance(kept.get("status"), str):
                del kept["status"]
            if kept["metadata"].get("name"):
                kept.setdefault("spec", {})
                if namespace:
                    kept["metadata"].setdefault("namespace", namespace)
                found.append(kept)
    return found


def _object(value: Json) -> Json:
    kept: Json = {}
    for key, content in value.items():
        if key in _OBJECTS:
            if isinstance(content, dict):
                kept[key] = _texts(content) if key in ("labels", "annotations") else _object(content)
            elif key == "status" and isinstance(content, str):  # of a condition
                kept[key] = content
        elif key in _LISTS:
            if isinstance(content, list):
                kept[key] = [_object(one) for one in content if isinstance(one, dict) and _has_name(key, one)]
        elif key not in _TEXTS or isinstance(content, str):
            kept[key] = content
    return kept


def _has_name(key: str, one: Json) -> bool:
    return key not in _NAMED or isinstance(one.get("name"), str)


def _texts(content: Json) -> Json:
    return {name: text for name, text in content.items() if isinstance(text, str)}

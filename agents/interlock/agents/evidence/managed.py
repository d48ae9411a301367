"""Recent changes by hand, out of managed fields: who set which fields of an object after it was made, and when.

Managed fields say which fields a writer set, not which of them the last write changed. So only writers are told of that
set few fields of one part and did not make the object: who applies whole manifests would seem to have changed them all.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from interlock.agents.cluster import KINDS
from interlock.agents.model import moment

MOST_FIELDS = 8
WITH_THE_OBJECT = timedelta(seconds=60)
_KIND_OF = {of: kind for kind, (_, of) in KINDS.items()}
_PARTS = ("spec", "data", "binaryData", "rules", "subjects", "roleRef")
_PROGRAMS = re.compile(r"(?i)^kube-|kubelet|controller|operator|interlock|scheduler|autoscaler")
_WITHOUT_MEANING = re.compile(r"^spec\.template\.metadata\.annotations\b")


def changes_by_hand(plural: str, items: Iterable[Any]) -> Iterator[dict[str, JsonValue]]:
    """An entry as of `changes.json` for each such writer of each object; values are not in them."""
    for item in items if plural != "secrets" else ():
        metadata = item.get("metadata") if isinstance(item, dict) else None
        if not isinstance(metadata, dict):
            continue
        made = moment(metadata.get("creationTimestamp"))
        written = metadata.get("managedFields")
        for entry in written if isinstance(written, list) else ():
            at = moment(entry.get("time")) if isinstance(entry, dict) else None
            if made is None or at is None or at - made <= WITH_THE_OBJECT or not _is_by_hand(entry):
                continue
            fields = [field for field in _fields(entry.get("fieldsV1") or {}) if not _WITHOUT_MEANING.match(field)]
            if len(fields) <= MOST_FIELDS and len({field.rpartition(".")[0] for field in fields}) == 1:
                yield {
                    "at": entry["time"],
                    "who": str(entry.get("manager")),
                    "object": f"{_KIND_OF.get(plural, plural)} {metadata.get('namespace')}/{metadata.get('name')}",
                    "summary": f"set {', '.join(fields)}",
                    "diff": "",
                }


def _is_by_hand(entry: Any) -> bool:
    if entry.get("operation") != "Update" or entry.get("subresource") not in (None, "", "scale"):
        return False
    return not _PROGRAMS.search(str(entry.get("manager") or "")) and "f:kubectl.kubernetes.io/last-applied" not in str(
        entry.get("fieldsV1")
    )


def _fields(part: Any, path: str = "") -> Iterator[str]:
    """The paths of the leaves, with the names of list entries in the place of their keys."""
    for key, inner in part.items() if isinstance(part, dict) else ():
        name = _name(str(key))
        if not path and name not in _PARTS:
            continue
        here = f"{path}.{name}" if path and name else path or name
        if key == ".":
            continue
        if isinstance(inner, dict) and inner.keys() - {"."}:
            yield from _fields(inner, here)
        else:
            yield here


def _name(key: str) -> str:
    """`f:image` is image, `k:{"name":"app"}` is app, `v:"x"` is x."""
    kind, _, name = key.partition(":")
    return "-".join(re.findall(r'[^{}":,]+(?=[,}]|"[,}])', name)) if kind == "k" else name.strip('"')

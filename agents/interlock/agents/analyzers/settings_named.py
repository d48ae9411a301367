"""The program names in its last words what was changed of its settings: that change is the fault, however it is put.

A log line is data from the workload; only a variable that the current revision did change counts.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.scene import Scene
from interlock.agents.analyzers.told import Change

LAST_LINES = 60
SHORTEST_VALUE = 3
_VARIABLE = re.compile(r"/containers/(?P<container>[^/]+)/env/(?P<name>[^/]+)(?:/value)?$")
_ADDRESS = re.compile(r"://|^[a-z][a-z0-9.-]*:\d{2,5}$|\.svc\b")


def analyze(scene: Scene) -> Iterator[Finding]:
    """One finding for each changed variable that a container names before it ends with an error."""
    ended = {s.name for _, s in scene.broken_statuses() if s.ended is not None and s.ended.exit_code != 0}
    if not ended or scene.previous_broken:
        return
    for change in scene.effective_changes:
        found = _VARIABLE.search(change.path)
        if found is None or found["container"] not in ended or _ADDRESS.search(_text(change.after)):
            continue
        said = _said(scene, found["container"], found["name"], _text(change.after))
        if said is not None:
            yield _finding(scene, change, found["name"], said)


def _text(value: object) -> str:
    return str(value.get("value", "")) if isinstance(value, dict) else str(value or "")


def _said(scene: Scene, container: str, name: str, value: str) -> Quote | None:
    words = [name, *([value] if len(value) >= SHORTEST_VALUE else [])]
    named = re.compile("|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in words))
    for item, log in scene.logs:
        if log.container == container:
            for line in reversed(log.text.splitlines()[-LAST_LINES:]):
                if named.search(line):
                    return Quote(id=item, excerpt=line.strip()[:300])
    return None


def _finding(scene: Scene, change: Change, name: str, said: Quote) -> Finding:
    removed = change.after is None
    return Finding(
        cause="workload.env.missing" if removed else "workload.env.invalid",
        object=scene.target,
        confidence=0.9,
        summary=f"{scene.target} ends over {name}, which its current revision {'removed' if removed else 'changed'}.",
        quotes=(said, *scene.quote_changes((change,))),
        introduced="yes",
    )

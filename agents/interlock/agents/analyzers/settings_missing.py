"""The program says that a setting is missing: its last words name a variable that the pod template does not set.

A log line is data from the workload: it can name a variable, and what is concluded from it is checked against the
template and its diff. Alone it is worth little.
"""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Introduced, Quote
from interlock.agents.analyzers.objects import Container
from interlock.agents.analyzers.scene import Scene
from interlock.agents.model import ObjectRef

_NAME = r"[\"'`$]?\{?(?P<name>[A-Z][A-Z0-9_]{2,63})\}?[\"'`]?"
_MISSING = r"(?:is|was|must be|not|isn't|has to be|unset|missing|required|undefined|empty)"
_SAYS = (
    re.compile(rf"KeyError: {_NAME}"),
    re.compile(rf"(?i:key|variable|setting|option|property) (?:is )?(?i:not found|missing|not set)[:\s]+{_NAME}"),
    re.compile(
        rf"(?i:missing|required|unset|undefined|no value for|could not find|cannot find|not set|need)[^\n]{{0,60}}?"
        rf"(?i:env\w*|variable|setting|configuration|config|option|key)s?[^\n]{{0,20}}?[\s:=]{_NAME}\b"
    ),
    re.compile(rf"(?i:placeholder)\s+{_NAME}"),
    re.compile(
        rf"(?i:env\w*|variable|setting|option|property)s?\s+(?i:is |was )?"
        rf"(?i:not (?:found|set|present|defined|provided))[:\s]+{_NAME}"
    ),
    re.compile(
        rf"(?i:env\w*|variable|setting|config\w*|option)(?i: value| key)?\s*[:=]?\s*{_NAME}"
        rf"[^\n]{{0,20}}?\b(?i:{_MISSING})"
    ),
    re.compile(
        rf"{_NAME}[:\s]+(?i:is|was|must be|has to be)?\s*(?i:not set|unset|required|missing|undefined|not defined)"
    ),
)
_WORDS_NOT_NAMES = frozenset({"ERROR", "FATAL", "PANIC", "WARN", "WARNING", "INFO", "DEBUG", "CRITICAL", "ENV", "HTTP"})


def analyze(scene: Scene) -> Iterator[Finding]:
    """One finding for each variable that a crashing container asks for."""
    crashing = {(p.name, s.name) for p, s in scene.broken_statuses() if s.ended is not None and s.ended.exit_code != 0}
    seen: set[tuple[str, str]] = set()
    for item, log in scene.logs:
        if (log.pod, log.container) not in crashing:
            continue
        for name, line in variables(log.text):
            container = scene.template.container(log.container)
            if container is not None and (log.container, name) not in seen:
                seen.add((log.container, name))
                yield _finding(scene, container, name, Quote(id=item, excerpt=line[:300]))


def variables(text: str) -> Iterator[tuple[str, str]]:
    """Variables that a log says are missing, each with its line."""
    for line in text.replace('\\"', '"').splitlines()[-60:]:  # as it was before it was written as JSON
        for pattern in _SAYS:
            found = pattern.search(line)
            if found and found["name"] not in _WORDS_NOT_NAMES:
                yield found["name"], line.strip()
                break


def _finding(scene: Scene, container: Container, name: str, quote: Quote) -> Finding:
    changes = scene.changed("containers", container.name, "env", name)
    sources = scene.changed("containers", container.name, "envFrom")
    since = bool(changes or sources) or (scene.previous_works and bool(scene.effective_changes))
    introduced: Introduced = "yes" if since and scene.previous else "no"
    cause, confidence, target = _judged(scene, container, name, removed=bool(changes), sourced=bool(sources))
    return Finding(
        cause=cause,
        object=target,
        confidence=confidence,
        summary=f"Container {container.name} ends because its setting {name} is missing or empty.",
        quotes=(quote, *scene.quote_changes(changes or sources or (scene.effective_changes if since else ()))),
        introduced=introduced,
    )


def _judged(
    scene: Scene, container: Container, name: str, *, removed: bool, sourced: bool
) -> tuple[str, float, ObjectRef]:
    set_to = next((v for v in container.env if v.name == name), None)
    if set_to is not None and (set_to.value or set_to.value_from):
        return "workload.env.invalid", 0.8 if removed else 0.45, scene.target
    if removed or sourced:
        return "workload.env.missing", 0.95 if removed else 0.85, scene.target
    if scene.previous_works and scene.effective_changes:
        return "workload.env.missing", 0.85, scene.target  # the new version asks for more than the old one did
    maps = [s.config_map_ref.name for s in container.env_from if s.config_map_ref]
    if len(maps) == 1 and name not in (scene.config_maps.get(maps[0]) or (name,)):
        where = ObjectRef(kind="ConfigMap", namespace=scene.target.namespace, name=maps[0])
        return "workload.config.key-missing", 0.6, where
    return "workload.env.missing", 0.75, scene.target

"""A Secret, a ConfigMap or a key is not there: the kubelet says which, the diff says who is to blame.

If the current revision began to refer to it, the workload is at fault and going back helps. If the reference stood
before, the object was taken away, and it is the object that must come back.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.objects import Pod
from interlock.agents.analyzers.scene import Scene
from interlock.agents.analyzers.told import Change
from interlock.agents.model import ObjectRef

_ABSENT = re.compile(r'(?P<kind>secret|configmap|\[redacted\]) "(?P<name>[^"]+)" not found', re.I)
_NO_KEY = re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) (?P<ns>[^/\s]+)/(?P<name>[^\s,]+)")
_NO_FILE = re.compile(
    r'volume "(?P<volume>[^"]+)" ?: .*references non-existent (?P<kind>secret|config) key: (?P<key>\S+)'
)


@dataclass(frozen=True)
class Absent:
    """What the kubelet misses."""

    kind: str
    name: str
    key: str | None
    words: str
    quotes: tuple[Quote, ...]

    @property
    def cause(self) -> str:
        """Its name in the vocabulary."""
        if self.kind == "Secret":
            return "workload.secret.key-missing" if self.key else "workload.secret.not-found"
        return "workload.config.key-missing" if self.key else "workload.config.config-map-not-found"


def analyze(scene: Scene) -> Iterator[Finding]:
    """One finding for each thing that is missed."""
    seen: set[tuple[str, str, str | None]] = set()
    for absent in _absent(scene):
        if (absent.kind, absent.name, absent.key) in seen:
            continue
        seen.add((absent.kind, absent.name, absent.key))
        yield _finding(scene, absent)


def _finding(scene: Scene, absent: Absent) -> Finding:
    changes = tuple(change for change in scene.changes if _brings(change, absent))
    brought = bool(changes) and scene.previous is not None
    kind, namespace = absent.kind, scene.target.namespace
    against = _contradicted(scene, absent)
    what = f"{kind} {absent.name}" + (f" has no key {absent.key}" if absent.key else " does not exist")
    since = "which the current revision began to use" if brought else "which the revision before used as well"
    return Finding(
        cause=absent.cause,
        object=scene.target if brought else ObjectRef(kind=kind, namespace=namespace, name=absent.name),
        confidence=0.4 if against else 0.95 if brought else 0.9,
        summary=f"{what}, {since if scene.previous else 'and pods need it to start'}.",
        quotes=(*absent.quotes, *scene.quote_changes(changes), *_listing(scene, absent)),
        introduced="yes" if brought else "no",
        against=against,
    )


def _brings(change: Change, absent: Absent) -> bool:
    if "env" not in change.path and "volume" not in change.path.lower():
        return False
    mentioned = repr(change.after)
    return absent.name in mentioned or (absent.key is not None and absent.key in mentioned)


def _contradicted(scene: Scene, absent: Absent) -> tuple[str, ...]:
    if absent.kind != "ConfigMap" or absent.name not in scene.config_maps:
        return ()
    keys = scene.config_maps[absent.name]
    if keys is None or (absent.key and absent.key not in keys):
        return ()
    return (f"ConfigMap {absent.name} was there when this was looked at",)


def _listing(scene: Scene, absent: Absent) -> tuple[Quote, ...]:
    if absent.kind != "ConfigMap" or absent.name not in scene.config_maps:
        return ()
    keys = scene.config_maps[absent.name]
    return scene.quote("config-maps", f"{absent.name}: {'does not exist' if keys is None else ', '.join(keys)}")


def _absent(scene: Scene) -> Iterator[Absent]:
    for pod, status in scene.broken_statuses():
        if status.waiting.reason == "CreateContainerConfigError":
            quotes = scene.quote("pods", f"{pod.name}/{status.name}: {status.waiting.message}")
            yield from _parsed(pod, status.waiting.message, quotes)
    starting = {p.name: p for p in scene.broken_pods if any(not s.state.running for s in p.statuses()) or not p.status}
    for event in scene.events:
        pod_of = starting.get(event.object.name)
        if pod_of is not None and event.reason == "FailedMount":
            yield from _parsed(pod_of, event.message, scene.quote("events", event.message))


def _parsed(pod: Pod, words: str, quotes: tuple[Quote, ...]) -> Iterator[Absent]:
    if found := _NO_KEY.search(words):
        yield Absent(found["kind"], found["name"], found["key"], words, quotes)
    elif found := _NO_FILE.search(words):
        kind, name = _volume(pod, found["volume"])
        yield Absent(kind, name, found["key"], words, quotes)
    elif found := _ABSENT.search(words):
        # Redaction hides the word after a volume whose name sounds secret; the volume itself says what it is.
        kind = {"secret": "Secret", "configmap": "ConfigMap"}.get(found["kind"].lower()) or _kind(pod, found["name"])
        yield Absent(kind, found["name"], None, words, quotes)


def _volume(pod: Pod, name: str) -> tuple[str, str]:
    for volume in pod.spec.volumes:
        if volume.name == name and volume.secret:
            return "Secret", volume.secret.secret_name
        if volume.name == name and volume.config_map:
            return "ConfigMap", volume.config_map.name
    return "ConfigMap", name


def _kind(pod: Pod, name: str) -> str:
    return "Secret" if any(v.secret and v.secret.secret_name == name for v in pod.spec.volumes) else "ConfigMap"

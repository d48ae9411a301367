"""A directory of files as a source: one incident, collected earlier and perhaps elsewhere.

The layout is that of `kubectl cluster-info dump --output-directory`, widened. Files are read when they are asked for,
as a snapshot of a busy namespace is large. Whatever they contain is data, and a file that is not what its name says
ends the look with an error that names it.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydantic_core
import yaml
from pydantic import JsonValue

from interlock.agents.cluster import Json
from interlock.agents.errors import AgentError
from interlock.agents.evidence.shapes import sound
from interlock.agents.evidence.source import DOCUMENTS, FOLDERS, RunLog
from interlock.agents.evidence.survey import NAMESPACED, OF_THE_CLUSTER

MARKER = "snapshot.json"
LARGEST_FILE = 512 * 1024 * 1024
LARGEST_LOG = 64 * 1024
MOST_VALUES = 1_000_000
LOGS = {"logs.txt": False, "logs-previous.txt": True}
WELL_KNOWN = frozenset({*NAMESPACED, *OF_THE_CLUSTER})
_PLURAL = re.compile(r"[a-z]+(-controllers)?")
_START = re.compile(r"^==== START logs for container (?P<container>\S*) of pod (?P<pod>\S*) ====$", re.M)
_END = re.compile(r"^==== END logs for container .* ====$", re.M)


class SnapshotError(AgentError):
    """A file of a snapshot is not what it should be; the message names it, `way_out` says what helps."""

    def __init__(self, file: Path, problem: str, way_out: str) -> None:
        super().__init__(f"{file}: {problem}")
        self.way_out = way_out


class Snapshot:
    """One snapshot directory."""

    def __init__(self, folder: Path) -> None:
        """Opens it.

        Raises:
            SnapshotError: it is no snapshot.
        """
        self._folder = folder
        self._read: dict[Path, Any] = {}
        self._lists: dict[tuple[str, str | None], list[Json] | None] = {}
        self._listed: dict[str | None, frozenset[str]] = {}
        self._plurals: dict[str | None, tuple[str, ...]] = {}
        self._logs: dict[tuple[str, str], tuple[RunLog, ...]] = {}
        self._documents: dict[str, dict[str, JsonValue]] = {}
        marker = folder / MARKER
        if not marker.is_file():
            way_out = f'A snapshot has a file {MARKER}: {{"collectedAt": "2026-01-31T12:00:00Z", "namespace": "shop"}}'
            raise SnapshotError(folder, f"is no snapshot, it has no {MARKER}", way_out)
        self.collected_at, self.namespace = _marker(marker)
        self._folders = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name not in FOLDERS)

    def namespaces(self) -> tuple[str, ...]:
        """The folders that are namespaces."""
        return tuple(self._folders)

    def plurals(self, namespace: str | None) -> tuple[str, ...]:
        """The kinds of which there is a file."""
        if namespace not in self._plurals:
            self._plurals[namespace] = self._plurals_in(namespace)
        return self._plurals[namespace]

    def _plurals_in(self, namespace: str | None) -> tuple[str, ...]:
        if namespace is not None and namespace not in self._folders:
            return ()
        files = (p for p in (self._folder / (namespace or "")).iterdir() if p.is_file() and _is_list(p))
        kept = (p for p in files if p.name != MARKER and p.stem not in DOCUMENTS)
        return tuple(sorted(p.stem for p in kept if p.stem in WELL_KNOWN or self._holds_objects(p)))

    def objects(self, plural: str, namespace: str | None) -> list[Json] | None:
        """The items of a List.

        Raises:
            SnapshotError: the file holds no List of objects.
        """
        key = (plural, namespace)
        if key not in self._lists:
            there = f"{plural}.json" in self._names(namespace)
            self._lists[key] = (
                self._items(self._folder / (namespace or "") / f"{plural}.json", namespace) if there else None
            )
        return self._lists[key]

    def _names(self, namespace: str | None) -> frozenset[str]:
        """What is in the folder of a namespace: most kinds that are asked for have no file."""
        if namespace not in self._listed:
            there = namespace is None or namespace in self._folders
            paths = (self._folder / (namespace or "")).iterdir() if there else ()
            self._listed[namespace] = frozenset(path.name for path in paths)
        return self._listed[namespace]

    def where(self, plural: str, namespace: str | None) -> str:
        """The file's path inside of the snapshot."""
        return f"{namespace}/{plural}.json" if namespace else f"{plural}.json"

    def logs(self, namespace: str, pod: str) -> Sequence[RunLog]:
        """The ends of the logs of one pod, the previous run's first."""
        key = (namespace, pod)
        if key not in self._logs:
            self._logs[key] = tuple(self._logs_of(namespace, pod))
        return self._logs[key]

    def _logs_of(self, namespace: str, pod: str) -> Sequence[RunLog]:
        if not _is_name(namespace) or not _is_name(pod):
            return ()
        folder = self._folder / namespace / pod
        found: list[RunLog] = []
        for name, previous in sorted(LOGS.items()):
            file = folder / name
            if file.is_file():
                where = f"{namespace}/{pod}/{name}"
                text = _text(file)
                found += [RunLog(namespace, pod, c, previous, t[-LARGEST_LOG:], where) for c, t in _by_container(text)]
        return sorted(found, key=lambda log: not log.previous)

    def document(self, name: str) -> JsonValue:
        """The content of `<name>.json`; None when there is no such file.

        Raises:
            SnapshotError: it is not JSON.
        """
        content: JsonValue = self._json(self._folder / f"{name}.json")
        return content

    def documents(self, folder: str) -> dict[str, JsonValue]:
        """The contents of a folder's files by name without ending; a YAML file is the list of its documents.

        Raises:
            SnapshotError: one of them is neither JSON nor YAML.
        """
        if folder not in self._documents:
            self._documents[folder] = self._documents_in(folder)
        return self._documents[folder]

    def _documents_in(self, folder: str) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        for file in sorted((self._folder / folder).glob("*")):
            if file.suffix == ".json":
                found[file.stem] = self._json(file)
            elif file.suffix in {".yaml", ".yml"}:
                found[file.stem] = _yaml(file)
        return found

    def unknown(self) -> tuple[str, ...]:
        """Files that say nothing to anybody here: they are ignored, and it is said."""
        return tuple(sorted(str(p.relative_to(self._folder)) for p in self._unknown()))

    def _unknown(self) -> Iterator[Path]:
        for path in self._folder.iterdir():
            if path.is_dir() and path.name not in FOLDERS:
                yield from (p for p in path.iterdir() if not _is_known(p))
            elif path.is_dir():
                yield from (p for p in path.iterdir() if p.suffix not in {".json", ".yaml", ".yml"})
            elif not _is_list(path) and path.name != MARKER and path.stem not in DOCUMENTS:
                yield path

    def _items(self, file: Path, namespace: str | None) -> list[Json] | None:
        content = self._json(file)
        if content is None:
            return None
        items = content.get("items", "") if isinstance(content, dict) else content
        if items is None:  # how Go writes a list of nothing
            items = []
        if not isinstance(items, list):
            raise SnapshotError(
                file, "has no items", "Each such file is a List: kubectl get PLURAL -n NAMESPACE -o json"
            )
        return sound(items, namespace)

    def _holds_objects(self, file: Path) -> bool:
        """Whether a file that nobody asked for by its name is a List."""
        try:
            content = _json(file)
        except SnapshotError:
            return False
        return isinstance(content, dict) and isinstance(content.get("items"), list)

    def _json(self, file: Path) -> Any:
        if file not in self._read:
            self._read[file] = _json(file) if file.is_file() else None
        return self._read[file]


def is_snapshot(folder: Path) -> bool:
    """Whether the folder says that it is one."""
    return (folder / MARKER).is_file()


def cases(folder: Path) -> tuple[Path, ...]:
    """The snapshots in a folder of snapshots, by name."""
    return tuple(sorted((p for p in folder.iterdir() if p.is_dir() and is_snapshot(p)), key=lambda p: p.name))


def _marker(file: Path) -> tuple[datetime, str | None]:
    content = _json(file)
    said = content.get("collectedAt") if isinstance(content, dict) else None
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError as wrong:
        way_out = 'Write when it was taken, as in {"collectedAt": "2026-01-31T12:00:00Z", "namespace": null}'
        raise SnapshotError(file, f"collectedAt: {str(said)[:60]!r} is not a time of RFC 3339", way_out) from wrong
    namespace = content.get("namespace")
    if namespace is not None and not (isinstance(namespace, str) and _is_name(namespace)):
        raise SnapshotError(
            file, f"namespace: {str(namespace)[:60]!r} is not a name", "Name a namespace, or write null."
        )
    return at if at.tzinfo else at.replace(tzinfo=UTC), namespace


def _json(file: Path) -> Any:
    try:
        return pydantic_core.from_json(_bytes(file))
    except ValueError as wrong:
        raise SnapshotError(file, f"is not JSON: {wrong}", "Take the snapshot again, or remove the file.") from wrong


def _yaml(file: Path) -> JsonValue:
    try:
        documents: JsonValue = [d for d in yaml.load_all(_bytes(file), _Loader) if d is not None]
        _expanded(documents, {})
    except (yaml.YAMLError, RecursionError) as wrong:
        problem = " ".join(str(wrong).split())[:200]
        raise SnapshotError(file, f"is not YAML: {problem}", "Mend the file, or remove it.") from wrong
    return documents


def _expanded(value: object, sizes: dict[int, int]) -> int:
    """How many values there are once aliases are written out; raises YAMLError for more than MOST_VALUES."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in sizes:
        sizes[id(value)] = MOST_VALUES  # what contains itself has no end
        inner = value.values() if isinstance(value, dict) else value
        sizes[id(value)] = 1 + sum(_expanded(one, sizes) for one in inner)
    if sizes[id(value)] > MOST_VALUES:
        raise yaml.YAMLError(f"its aliases stand for more than {MOST_VALUES} values")
    return sizes[id(value)]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML with times left as text, as JSON has them."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise SnapshotError(file, f"is larger than {LARGEST_FILE} bytes", "Take the snapshot of one namespace.")
        return file.read_bytes()
    except OSError as wrong:
        raise SnapshotError(file, wrong.strerror or str(wrong), "Make it readable, or remove it.") from wrong


def _text(file: Path) -> str:
    return _bytes(file).decode("utf-8", errors="replace")


def _by_container(text: str) -> Iterator[tuple[str, str]]:
    """The log of each container; all of it for a container without a name where no line says whose it is."""
    starts = list(_START.finditer(text))
    if not starts and text.strip():
        yield "", text
    for start, after in zip(starts, [*starts[1:], None], strict=True):
        part = text[start.end() : after.start() if after else len(text)]
        yield start["container"], _END.sub("", part).strip("\n")


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?", text) is not None


def _is_list(path: Path) -> bool:
    return path.suffix == ".json" and _PLURAL.fullmatch(path.stem) is not None


def _is_known(path: Path) -> bool:
    if path.is_dir():
        return all(inner.name in LOGS for inner in path.iterdir())
    return _is_list(path)

"""A YAML document that remembers where each of its values stands, so that a complaint can point at the line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import JsonValue

Location = Sequence[str | int]
_SHOWN = 120


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file, with the way out."""

    path: Path
    line: int
    column: int
    field: str
    value: str
    message: str
    way_out: str

    def __str__(self) -> str:
        shown = f", got {self.value}" if self.value else ""
        return f"{self.path}:{self.line}:{self.column}: {self.field}: {self.message}{shown}. {self.way_out}"


class RunbookRefused(Exception):
    """A file is not a runbook that may be used; `problems` name file, line, field, value and the way out."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Source:
    """A parsed file."""

    path: Path
    root: yaml.Node
    value: JsonValue

    def problem(self, location: Location, message: str, way_out: str, field: str = "") -> Problem:
        """A complaint about the value at `location`, or about the nearest one around it that exists."""
        node, depth = self._nearest(location)
        value = shown(node) if depth == len(location) else ""
        mark = node.start_mark
        name = field or dotted(location) or "file"
        return Problem(self.path, mark.line + 1, mark.column + 1, name, value, message.rstrip("."), way_out)

    def where(self, location: Location, words: Sequence[str]) -> Location:
        """Where below `location` the first of these words stands, as a key or a value; `location` where none does."""
        node, depth = self._nearest(location)
        found = (place for word in words for place in _standing(node, word))
        return (*location[:depth], *next(found, location[depth:]))

    def _nearest(self, location: Location) -> tuple[yaml.Node, int]:
        node = self.root
        for depth, key in enumerate(location):
            child = _child(node, key)
            if child is None:
                return node, depth
            node = child
        return node, len(location)


def read(path: Path) -> Source:
    """The document of a file.

    Raises:
        RunbookRefused: the file cannot be read, is not YAML, or says a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise RunbookRefused(
            [_whole(path, f"cannot be read: {wrong}", "Name a runbook.yaml or its folder.")]
        ) from wrong
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            raise RunbookRefused([_whole(path, "is empty", "Start from a runbook of the catalogue.")])
        twice = _twice(path, root)
        if twice:
            raise RunbookRefused(twice)
        return Source(path, root, loader.construct_document(root))
    except yaml.YAMLError as wrong:
        raise RunbookRefused([_not_yaml(path, wrong)]) from wrong


def dotted(location: Location) -> str:
    """A location as people write it: `spec.steps[0].with`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in location)
    return text.removeprefix(".")


def shown(node: yaml.Node) -> str:
    """A value in a complaint: short, in one line, quoted."""
    if not isinstance(node, yaml.ScalarNode):
        return ""
    text = repr(str(node.value))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 2] + "…'"


def _standing(node: yaml.Node, word: str) -> Iterator[Location]:
    if isinstance(node, yaml.ScalarNode) and node.value == word:
        yield ()
    below: list[tuple[str | int, yaml.Node]] = []
    if isinstance(node, yaml.SequenceNode):
        below = list(enumerate(node.value))
    elif isinstance(node, yaml.MappingNode):
        below = [(str(name.value), value) for name, value in node.value]
    for key, child in below:
        if key == word:
            yield (key,)
        yield from ((key, *place) for place in _standing(child, word))


def _child(node: yaml.Node, key: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
        return node.value[key] if key < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    return None


def _twice(path: Path, node: yaml.Node) -> list[Problem]:
    if isinstance(node, yaml.SequenceNode):
        return [problem for item in node.value for problem in _twice(path, item)]
    if not isinstance(node, yaml.MappingNode):
        return []
    found: list[Problem] = []
    seen: set[str] = set()
    for name, value in node.value:
        if name.value in seen:
            mark = name.start_mark
            way_out = "Keep one of them; YAML would silently take the last."
            found.append(Problem(path, mark.line + 1, mark.column + 1, name.value, "", "is given twice", way_out))
        seen.add(name.value)
        found.extend(_twice(path, value))
    return found


def _not_yaml(path: Path, wrong: yaml.YAMLError) -> Problem:
    mark = getattr(wrong, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    reason = getattr(wrong, "problem", None) or str(wrong)
    return Problem(path, line, column, "file", "", f"is not YAML: {reason}", "Check indentation and quotes here.")


def _whole(path: Path, message: str, way_out: str) -> Problem:
    return Problem(path, 1, 1, "file", "", message, way_out)

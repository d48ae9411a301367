"""Loads runbooks from files: one file, a family's folder, or a whole catalogue.

What comes out satisfies the contract; whether it is also a good runbook is for `lint` to say.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from interlock.crds import runbook as contract
from interlock.crds.runbook import Runbook
from interlock.runbooks.source import Location, Problem, RunbookRefused, Source, dotted, read

FILE = "runbook.yaml"
PAGE = "README.md"


@dataclass(frozen=True)
class Loaded:
    """A runbook and the file that it stands in."""

    runbook: Runbook
    source: Source

    @property
    def page(self) -> str:
        """The page for the on-call, empty if the folder has none."""
        page = self.source.path.parent / PAGE
        return page.read_text(encoding="utf-8") if page.is_file() else ""


def catalogue_folder() -> Path:
    """The catalogue that ships with Interlock: package data of the installed wheel, or the repository's folder."""
    packaged = Path(__file__).parent / "catalogue"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "catalogue"


def load_catalogue() -> tuple[Loaded, ...]:
    """All runbooks that ship with Interlock, by name.

    Raises:
        RunbookRefused: one of them is not valid, or the installation has no catalogue.
    """
    return load(catalogue_folder())


def load(path: Path) -> tuple[Loaded, ...]:
    """The runbooks of a file, of a family's folder, or of a folder of such folders, by name.

    Raises:
        RunbookRefused: there is none, or one is not valid; all problems of all files are named.
    """
    loaded: list[Loaded] = []
    problems: list[Problem] = []
    for file in _files(path):
        try:
            loaded.append(load_file(file))
        except RunbookRefused as refused:
            problems.extend(refused.problems)
    if problems:
        raise RunbookRefused(problems)
    return tuple(sorted(loaded, key=lambda item: item.runbook.metadata.name))


def load_file(path: Path) -> Loaded:
    """The runbook of one file.

    Raises:
        RunbookRefused: it is not YAML or does not satisfy the contract; every problem names its line and field.
    """
    source = read(path)
    try:
        return Loaded(Runbook.model_validate(source.value), source)
    except ValidationError as wrong:
        raise RunbookRefused([_problem(source, error) for error in wrong.errors()]) from wrong


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = [path / FILE] if (path / FILE).is_file() else sorted(path.glob(f"*/{FILE}"))
    if not found:
        way_out = f"Name a {FILE}, a folder that holds one, or a folder of such folders."
        raise RunbookRefused([Problem(path, 1, 1, "path", "", "there is no runbook", way_out)])
    return found


def _problem(source: Source, error: ErrorDetails) -> Problem:
    location = error["loc"]
    message = error["msg"].removeprefix("Value error, ")
    return source.problem(location, message[:1].lower() + message[1:], _way_out(error["type"], location))


def _way_out(kind: str, location: Location) -> str:
    name = str(location[-1]) if location else ""
    match kind:
        case "extra_forbidden":
            near = difflib.get_close_matches(name, _known_fields(), n=1)
            return f"Did you mean {near[0]!r}?" if near else "Remove it: no field of that name exists here."
        case "missing":
            return f"Add {dotted(location)}."
        case "string_type":
            return "Put the value in quotes."
        case "string_pattern_mismatch":
            return "Write it so that it matches the pattern; control and invisible characters never do."
        case "literal_error":
            return "Take one of the values named."
        case _:
            return "Correct it here; `interlock runbook show NAME` shows a valid runbook."


def _known_fields() -> frozenset[str]:
    models = (item for item in vars(contract).values() if isinstance(item, type) and issubclass(item, BaseModel))
    return frozenset(field.alias or name for model in models for name, field in model.model_fields.items())

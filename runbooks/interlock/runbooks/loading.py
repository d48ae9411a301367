"""Loads runbooks from files: one file, a family's folder, or a whole catalogue.

What comes out satisfies the contract; whether it is also a good runbook is for `lint` to say.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from interlock.crds import runbook as contract
from interlock.crds.runbook import Runbook
from interlock.runbooks.source import Location, Problem, RunbookRefused, Source, dotted, read

FILE = "runbook.yaml"
PAGE = "README.md"
_QUOTED, _WORD = re.compile(r"'([^']+)'"), re.compile(r"[\w./-]+")


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
        raise RunbookRefused(problems_of(source, wrong, _MODELS)) from wrong


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = [path / FILE] if (path / FILE).is_file() else sorted(path.glob(f"*/{FILE}"))
    if not found:
        way_out = f"Name a {FILE}, a folder that holds one, or a folder of such folders."
        raise RunbookRefused([Problem(path, 1, 1, "path", "", "there is no runbook", way_out)])
    return found


def problems_of(source: Source, wrong: ValidationError, models: Iterable[type[BaseModel]]) -> list[Problem]:
    """What a file gets wrong, at its lines; the models' fields are what a misspelt one may have meant."""
    known = [field.alias or name for model in models for name, field in model.model_fields.items()]
    return [_problem(source, error, known) for error in wrong.errors()]


def _problem(source: Source, error: ErrorDetails, known: Sequence[str]) -> Problem:
    location: Location = error["loc"]
    message = error["msg"].removeprefix("Value error, ")
    way_out = _way_out(error["type"], location, known, message)
    if error["type"] == "value_error":
        words = _QUOTED.findall(message) or _WORD.findall(message.rpartition(": ")[2])
        location = source.where(location, words)
    return source.problem(location, message[:1].lower() + message[1:], way_out)


def _way_out(kind: str, location: Location, known: Sequence[str], message: str) -> str:
    name = str(location[-1]) if location else ""
    match kind:
        case "extra_forbidden":
            near = difflib.get_close_matches(name, known, n=1)
            return f"Did you mean {near[0]!r}?" if near else "Remove it: no field of that name exists here."
        case "missing":
            return f"Add {dotted(location)}."
        case "string_type":
            return "Put the value in quotes."
        case "string_pattern_mismatch":
            return "Write it so that it matches the pattern; control and invisible characters never do."
        case "literal_error":
            return "Take one of the values named."
        case "value_error" if (meant := _nearest(message)) is not None:
            return f"Did you mean {meant!r}?"
        case "value_error" if "may be granted" in message:
            return "Do without it: that is for a person."
        case "value_error" if "in a circle" in message:
            return "Take one of them out of `needs`."
        case _:
            return "Correct it here; `interlock runbook show NAME` shows a valid runbook."


def _nearest(message: str) -> str | None:
    """Of what a message says is known, what is closest to the word that it complains about."""
    complaint, _, known = message.partition("known are")
    near = difflib.get_close_matches((_QUOTED.findall(complaint) or [""])[0], _WORD.findall(known), n=1)
    return near[0] if near else None


_MODELS = [item for item in vars(contract).values() if isinstance(item, type) and issubclass(item, BaseModel)]

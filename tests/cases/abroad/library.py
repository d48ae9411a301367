"""Faults on applications that the rules were not written for: cases as in the library, by mechanism split in two."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cases.abroad.places import PLACES, Place, Town, built
from tests.cases.library import Expected, Split

Fault = Callable[[Town, Place], Expected]


@dataclass(frozen=True)
class Kind:
    """A mechanism: how it breaks an application, and which families of runbooks would cure it."""

    breaks: Fault
    cures: tuple[str, ...]
    flavour: str


KINDS: dict[str, Kind] = {}


def strange(*cures: str, flavour: str = "fault") -> Callable[[Fault], Fault]:
    """Enters a mechanism by its function's name, with the families that would cure it."""

    def entered(function: Fault) -> Fault:
        KINDS[function.__name__.replace("_", "-")] = Kind(function, cures, flavour)
        return function

    return entered


def split_of(name: str) -> Split:
    """Which part a mechanism belongs to; those that came later are only reported on."""
    if name.startswith("later-"):
        return "held-out"
    return "held-out" if hashlib.sha256(f"abroad/{name}".encode()).digest()[0] % 2 else "tune"


def names() -> Iterator[tuple[str, str]]:
    """All cases: mechanism and application."""
    for name in sorted(KINDS):
        for place in PLACES:
            yield name, place


def write(name: str, place: str, folder: Path) -> None:
    """One case as a snapshot, and what is expected of it beside it."""
    kind, where = KINDS[name], PLACES[place]
    town = built(where)
    expected = kind.breaks(town, where)
    town.settle()
    town.write(folder)
    about = {
        "mechanism": name,
        "flavour": kind.flavour,
        "split": split_of(name),
        "causes": [expected.cause, *expected.also],
        "object": {"kind": expected.kind, "name": expected.name},
        "cures": kind.cures,
    }
    (folder / "expected.json").write_text(json.dumps(about))

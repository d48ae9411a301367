"""Incidents on two applications that the rules were not written for, each once, by its name split in two parts."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cases.foreign.places import PLACES
from tests.cases.foreign.world import World
from tests.cases.library import Split

Answer = tuple[str, str, str]
"""A cause, and the kind and name of the object that must be changed."""
NOTHING: Answer = ("unknown.insufficient-evidence", "Namespace", "*")
Fault = Callable[[World], list[Answer]]


@dataclass(frozen=True)
class Incident:
    """What happens where, and which families of runbooks would cure it."""

    place: str
    happens: Fault
    cures: tuple[str, ...]
    flavour: str


INCIDENTS: dict[str, Incident] = {}


def incident(place: str, *cures: str, flavour: str = "fault") -> Callable[[Fault], Fault]:
    """Enters an incident by its function's name."""

    def entered(function: Fault) -> Fault:
        INCIDENTS[function.__name__.replace("_", "-")] = Incident(place, function, cures, flavour)
        return function

    return entered


def split_of(name: str) -> Split:
    """Which part an incident belongs to; those that came later are only reported on."""
    if name.startswith("later-"):
        return "held-out"
    return "held-out" if hashlib.sha256(f"foreign/{name}".encode()).digest()[0] % 2 else "tune"


def names() -> Iterator[str]:
    """All incidents."""
    yield from sorted(INCIDENTS)


def write(name: str, folder: Path) -> None:
    """One incident as a snapshot, and what is expected of it beside it: of several right answers each."""
    one = INCIDENTS[name]
    world = PLACES[one.place]()
    answers = one.happens(world) or [NOTHING]
    world.write(folder)
    first, *others = dict.fromkeys((kind, about) for _, kind, about in answers)
    expected = {
        "mechanism": name,
        "flavour": one.flavour,
        "split": split_of(name),
        "causes": list(dict.fromkeys(cause for cause, *_ in answers)),
        "object": {"kind": first[0], "name": first[1]},
        "others": [{"kind": kind, "name": about} for kind, about in others],
        "cures": one.cures,
    }
    (folder / "expected.json").write_text(json.dumps(expected))

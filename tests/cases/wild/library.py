"""The list of incidents, and how one is written down."""

# Objects read better in few long lines.
# fmt: off

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cases.library import Split
from tests.cases.wild import apps
from tests.cases.wild.around import chatter, platform, scars
from tests.cases.wild.collected import write
from tests.cases.wild.controllers import settle
from tests.cases.wild.world import World

APPS = {"harbour": apps.harbour, "orchard": apps.orchard, "meridian": apps.meridian}
ALERTED = ("alerts", "patterns", "dependencies", "connectivity", "metrics")


@dataclass(frozen=True)
class Incident:
    name: str
    app: str
    style: str
    break_it: Callable[[World], None]
    causes: tuple[str, ...]
    objects: tuple[tuple[str, str], ...]
    cures: tuple[str, ...]
    flavour: str
    signals: tuple[str, ...]
    named: bool
    drop: tuple[str, ...]

    @property
    def split(self) -> Split:
        """Half by a hash of the name, decided before any was measured; those that came later are only reported on."""
        if "-later-" in self.name:
            return "held-out"
        return "tune" if hashlib.sha256(self.name.encode()).digest()[0] % 2 else "held-out"


INCIDENTS: dict[str, Incident] = {}


def incident(
    app: str, style: str, causes: str, objects: str = "", cures: str = "", flavour: str = "fault",
    signals: tuple[str, ...] | None = None, named: bool = True, drop: str = "",
) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """``causes`` and ``cures``: words, any of them right; ``objects``: ``Kind/name`` likewise, the first the best."""

    def keep(do: Callable[[World], None]) -> Callable[[World], None]:
        sides = signals if signals is not None else ALERTED if style == "signals" else ()
        pairs = tuple((kind, name) for kind, name in (word.split("/", 1) for word in objects.split()))
        name = f"{app}-{do.__name__.replace('_', '-')}"
        INCIDENTS[name] = Incident(name, app, style, do, tuple(causes.split()), pairs, tuple(cures.split()), flavour, sides, named, tuple(drop.split()))
        return do

    return keep


def names() -> Iterator[str]:
    """All incidents."""
    yield from sorted(INCIDENTS)


def lay_out(name: str, folder: Path) -> None:
    """One incident as a snapshot, and what is expected of it beside it: of several right answers each."""
    case = INCIDENTS[name]
    write_down(case, settle(broken(case, APPS[case.app]())), folder)


def broken(case: Incident, world: World) -> World:
    """The application with its platform, after the incident, with the usual trouble elsewhere."""
    platform(world)
    case.break_it(world)
    touched = {one for _, name in case.objects for one in (name, *_neighbours(world, name))}
    scars(world, case.name, touched)
    chatter(world, case.name)
    return world


def write_down(case: Incident, world: World, folder: Path) -> None:
    """The snapshot, and beside it what is expected."""
    write(world, folder, case.style, case.named, case.drop, case.signals)
    about = [{"kind": kind, "name": name} for kind, name in case.objects or (("Namespace", world.ns),)]
    expected = {
        "mechanism": case.name, "flavour": case.flavour, "split": case.split, "cures": case.cures,
        "causes": case.causes or ("unknown.insufficient-evidence",), "object": about[0], "others": about[1:],
    }
    (folder / "expected.json").write_text(json.dumps(expected))


def _neighbours(world: World, name: str) -> list[str]:
    return [s.name for s in world.svcs if s.name.startswith(name) or name in s.calls]

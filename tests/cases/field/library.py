"""The list of incidents; most are entered twice: with all that was collected, and with objects, events and logs alone."""

# Objects read better in few long lines.
# fmt: off

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cases.field import apps
from tests.cases.library import Split
from tests.cases.wild.around import chatter, platform, scars
from tests.cases.wild.controllers import is_ready, settle, target
from tests.cases.wild.library import Incident, write_down
from tests.cases.wild.world import World, healthy_endpoints

APPS = {"campsites": apps.campsites, "teashop": apps.teashop}
ALL = ("alerts", "patterns", "dependencies", "connectivity", "metrics", "changes", "manifests")
PLAIN = "-plain"


@dataclass(frozen=True)
class Seen(Incident):
    @property
    def split(self) -> Split:
        """Half by a hash of the name, decided before any was measured, both versions in one; later ones only count."""
        if "-later-" in self.name:
            return "held-out"
        name = self.name.removesuffix(PLAIN)
        return "tune" if hashlib.sha256(name.encode()).digest()[0] % 2 else "held-out"


INCIDENTS: dict[str, Seen] = {}


def incident(
    app: str, collected: str, causes: str, objects: str = "", cures: str = "", flavour: str = "fault", drop: str = "",
) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """``collected``: ``all``, ``plain`` or ``both``; ``causes``, ``cures`` and ``objects`` as in the library before."""

    def keep(do: Callable[[World], None]) -> Callable[[World], None]:
        pairs = tuple((kind, name) for kind, name in (word.split("/", 1) for word in objects.split()))
        base = f"{app}-{do.__name__.replace('_', '-')}"
        for style, signals in (("all", ALL), ("plain", ())):
            if collected in (style, "both"):
                name = base + (PLAIN if style == "plain" else "")
                INCIDENTS[name] = Seen(name, app, "dump", do, tuple(causes.split()), pairs, tuple(cures.split()), flavour, signals, True, tuple(drop.split()))
        return do

    return keep


def names() -> Iterator[str]:
    """All incidents."""
    yield from sorted(INCIDENTS)


def lay_out(name: str, folder: Path) -> None:
    """One incident as a snapshot, and what is expected of it beside it."""
    case = INCIDENTS[name]
    world = APPS[case.app]()
    platform(world)
    world.intended = {s.name: [copy.deepcopy(o) for o in world.objs if o["metadata"]["name"] in (s.name, f"{s.name}-config") and o["kind"] in apps.MEANT] for s in world.svcs}
    case.break_it(world)
    if sum(s.kind == "Deployment" for s in world.svcs if s.name not in touched(world, case)) >= 3:
        scars(world, case.name, touched(world, case))
    chatter(world, case.name)
    settle(world)
    if case.signals:
        reached(world)
    else:
        world.units.clear()
    write_down(case, world, folder)


def touched(world: World, case: Incident) -> set[str]:
    """What the incident is about, what complains, and what is not ready: old trouble would blur it."""
    about = {name for _, name in case.objects}
    loud = {container for ns, _, container, _ in world.logs if ns == world.ns}
    down = {s.name for s in world.svcs if not all(is_ready(p) for p in world.pods(s.name)) or not world.pods(s.name)}
    return about | loud | down | {s.name for s in world.svcs if any(s.name.startswith(name) for name in about)}


def reached(world: World) -> None:
    """A connection check of every Service that the incident said nothing about, as its endpoints would answer."""
    said = {service for service, _, _, _ in world.refused}
    for service in world.all("Service"):
        name = service["metadata"]["name"]
        ready = healthy_endpoints(world, service)[0]
        port = service["spec"]["ports"][0]
        open_ports = {c["containerPort"] for p in ready for one in p["spec"]["containers"] for c in one.get("ports", [])}
        if name not in said and not any(target(p, port) in open_ports for p in ready):
            callers = world.callers(name) or ["prober"]
            world.connect(name, port["port"], False, *((who, False) for who in callers))

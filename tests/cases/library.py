"""The case library: mechanisms of failure, each on several applications, with controls and red herrings.

A mechanism is a function that breaks a running application and says what must be found. From each come a case on every
application; a red herring is the same with a change beside it that did nothing, in a namespace full of noise; a thin one
lacks a part of the evidence, in the same noise, so that only honesty can be asked; a control is the application well, with
what looks like a fault. Rules are tuned on the part `tune`, and reported on `held-out`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.cases.apps import APPS, App, deployed
from tests.cases.builder import Cluster
from tests.cases.cures import CURES
from tests.cases.noise import noise

Split = Literal["tune", "held-out"]


@dataclass(frozen=True)
class Expected:
    """What must be found: a cause, and the object that must be changed; `also` are equally right."""

    cause: str
    kind: str
    name: str
    also: tuple[str, ...] = field(default=())


THIN: tuple[frozenset[str], ...] = (
    frozenset({"events"}),
    frozenset({"logs"}),
    frozenset({"replicasets", "endpoints"}),
    frozenset({"events", "logs"}),
    frozenset({"configmaps", "networkpolicies", "nodes", "persistentvolumes"}),
)
"""What was not collected in the cases that are called thin."""

Break = Callable[[Cluster, App], Expected]
Decoy = Callable[[Cluster, App], None]
MECHANISMS: dict[str, Break] = {}
DECOYS: dict[str, Decoy] = {}


@dataclass(frozen=True)
class Case:
    """One snapshot and what must be found in it."""

    name: str
    mechanism: str
    flavour: Literal["fault", "herring", "control", "thin"]
    split: Split
    cluster: Cluster
    expected: Expected

    def write(self, folder: Path) -> None:
        """The snapshot, and what is expected of it beside it."""
        self.cluster.settle()
        self.cluster.write(folder)
        about = {
            "mechanism": self.mechanism,
            "flavour": self.flavour,
            "split": self.split,
            "causes": [self.expected.cause, *self.expected.also],
            "object": {"kind": self.expected.kind, "name": self.expected.name},
            "cures": CURES.get(self.mechanism, ()),
        }
        (folder / "expected.json").write_text(json.dumps(about))


def mechanism(function: Break) -> Break:
    """Enters a mechanism by its function's name."""
    MECHANISMS[function.__name__.replace("_", "-")] = function
    return function


def decoy(function: Decoy) -> Decoy:
    """Enters something that looks like a fault and is none."""
    DECOYS[function.__name__.replace("_", "-")] = function
    return function


def cases(*, every: bool = True) -> Iterator[Case]:
    """All cases, by name the same each time; not `every`: each mechanism on one application only."""
    decoys = sorted(DECOYS.items())
    for number, (name, breaks) in enumerate(sorted(MECHANISMS.items())):
        split: Split = "held-out" if hashlib.sha256(name.encode()).digest()[0] % 2 else "tune"
        for app_number, (app_name, app) in enumerate(APPS.items()):
            if not every and app_number != (number + 1) % len(APPS):
                continue
            cluster = deployed(app)
            yield Case(f"{name}--{app_name}", name, "fault", split, cluster, breaks(cluster, app))
        app = list(APPS.values())[number % len(APPS)]
        cluster = deployed(app)
        lure, distracts = decoys[number % len(decoys)]
        distracts(cluster, app)
        noise(cluster, app)
        yield Case(f"{name}--beside-{lure}", name, "herring", split, cluster, breaks(cluster, app))
        cluster = deployed(app)
        noise(cluster, app)
        thin = breaks(cluster, app)
        cluster.lacks = THIN[number % len(THIN)]
        yield Case(f"{name}--thin", name, "thin", split, cluster, thin)
    for lure, distracts in decoys:
        for app_name, app in APPS.items():
            cluster = deployed(app)
            distracts(cluster, app)
            noise(cluster, app)
            split = "held-out" if app_name == "media" else "tune"
            well = Expected(
                "none.healthy", "Namespace", app.namespace, ("none.recovered", "none.watchdog", "none.false-alarm")
            )
            yield Case(f"well-{lure}--{app_name}", lure, "control", split, cluster, well)

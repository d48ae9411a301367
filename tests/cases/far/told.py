"""What a case is: an application, what was broken in it, and what an expert would say."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cases.far.ground import Estate
from tests.cases.far.tongues import number

FLAVOURS = {"none": "control", "unknown": "thin"}


@dataclass(frozen=True)
class Case:
    """`right` are "cause Kind/name", several where experts would differ; `second` is another fault beside it."""

    build: Callable[[], Estate]
    right: tuple[str, ...]
    second: str
    cures: tuple[str, ...]

    def expected(self, name: str) -> dict[str, Any]:
        """The content of expected.json."""
        causes, objects = zip(*(said.split(" ") for said in self.right), strict=True)
        named = [dict(zip(("kind", "name"), one.split("/"), strict=True)) for one in dict.fromkeys(objects)]
        return {
            "mechanism": name,
            "flavour": FLAVOURS.get(causes[0].split(".")[0], "fault"),
            "split": "tune" if number(f"{name}/split", 2) and not name.startswith("later-") else "held-out",
            "causes": [*dict.fromkeys(causes)],
            "object": named[0],
            "others": named[1:],
            "cures": self.cures,
        }


CASES: dict[str, Case] = {}


def case(
    ground: Callable[[], Estate], *right: str, second: str = "", cures: str = ""
) -> Callable[[Callable[[Estate], None]], Callable[[Estate], None]]:
    """Makes a case of a function that breaks something, named like it."""

    def made(breaks: Callable[[Estate], None]) -> Callable[[Estate], None]:
        def build() -> Estate:
            estate = ground()
            breaks(estate)
            return estate

        CASES[breaks.__name__.replace("_", "-")] = Case(build, right, second, tuple(cures.split()))
        return breaks

    return made


def write(name: str, folder: Path) -> None:
    """One case as a snapshot, and what is expected of it beside it."""
    estate = CASES[name].build()
    estate.settle()
    estate.write(folder)
    (folder / "expected.json").write_text(json.dumps(CASES[name].expected(name)))

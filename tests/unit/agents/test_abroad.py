"""Faults on applications that the rules were not written for: what is found there, and that nothing wrong is done."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cases.abroad import KINDS, names, write
from tests.cases.abroad.places import PLACES, built
from tests.cases.builder import crashing

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evaluate import Result, score
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.examine import examine
from interlock.cli.evaluate import judged

SURE = 0.8


def one_place_each() -> Iterator[tuple[str, str]]:
    """Each mechanism on one application, these in turn."""
    every = list(names())
    yield from (every[3 * number + number % 3] for number in range(len(every) // 3))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("abroad")
    found = []
    for name, place in one_place_each():
        write(name, place, folder / f"{name}--{place}")
        found.append(judged(folder / f"{name}--{place}"))
    return found


def test_what_is_wrong_is_found_in_applications_of_another_make(results: list[Result]) -> None:
    held_out = score(r for r in results if r.expected.split == "held-out")
    assert held_out.mechanisms >= 60
    assert held_out.at_one >= 0.95
    assert held_out.at_three >= 0.98
    assert held_out.confidently_wrong == 0


def test_complaints_of_every_day_are_not_taken_for_the_fault(results: list[Result]) -> None:
    wrong = [(r.case, r.found[0], r.sure[0]) for r in results if r.found and r.sure[0] >= SURE and not r.is_true]
    assert not wrong


def test_nothing_is_done_that_does_not_cure(results: list[Result]) -> None:
    assert not {r.case: r.asked for r in results if r.asked and r.asked not in r.expected.cures}


def test_what_is_well_is_called_well_though_it_is_loud(results: list[Result]) -> None:
    assert all(r.right_at(1) for r in results if r.expected.flavour == "control")


def test_nothing_is_said_where_nothing_can_be_known(results: list[Result]) -> None:
    assert not [(r.case, r.found) for r in results if r.expected.flavour == "thin" and r.found]


def test_two_faults_at_once_are_both_told(tmp_path: Path) -> None:
    place = PLACES["arena"]
    town = built(place)
    first = KINDS["class-is-unknown"].breaks(town, place)
    town.state(place.others[0], crashing(137, "OOMKilled", restarts=6, ran=50))
    town.settle()
    town.write(tmp_path)
    hypotheses = examine(Landscape(Snapshot(tmp_path)), 0.5).hypotheses[:3]
    told = {(f.cause, f.object.name) for f in hypotheses if f.confidence >= SURE}
    assert {(first.cause, first.name), ("workload.memory.oom-killed", place.others[0])} <= told

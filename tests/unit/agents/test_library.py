"""The case library, judged: what the rules find in it, how sure they say they are, and what cruder rules would find."""

from collections import Counter
from pathlib import Path

import pytest
from tests.cases import cases

from interlock.agents.evaluate import Result, score
from interlock.cli.evaluate import judged


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("library")
    judged_cases = []
    for case in cases(every=False):
        case.write(folder / case.name)
        judged_cases.append(judged(folder / case.name))
    return judged_cases


def held_out(results: list[Result]) -> list[Result]:
    return [r for r in results if r.expected.split == "held-out"]


def test_the_library_is_wide(results: list[Result]) -> None:
    flavours = Counter(r.expected.flavour for r in results)
    assert len({r.expected.mechanism for r in results if r.expected.flavour in ("fault", "herring")}) >= 110
    assert flavours["fault"] + flavours["herring"] + flavours["control"] >= 250
    assert flavours["herring"] >= 110
    assert flavours["control"] >= 30


def test_what_is_wrong_is_found(results: list[Result]) -> None:
    figures = score(held_out(results))
    assert figures.at_one >= 0.95
    assert figures.at_three >= 0.98
    assert figures.at_one > figures.newest_change_is_guilty
    assert figures.at_one > figures.restart_everything


def test_nothing_is_done_to_what_is_well(results: list[Result]) -> None:
    assert score(results).wrong_actions == 0


def test_nothing_is_proposed_that_does_not_cure(results: list[Result]) -> None:
    wrong = {r.case: r.asked for r in results if r.asked and r.asked not in r.expected.cures}
    assert not wrong


def test_what_is_well_is_called_well(results: list[Result]) -> None:
    assert all(r.right_at(1) for r in results if r.expected.flavour == "control")


def test_confidence_does_not_promise_more_than_it_keeps(results: list[Result]) -> None:
    # The library is easier than the world, so to be right more often than one says is wanted here.
    figures = score(held_out(results))
    assert figures.calibration_error <= 0.05
    assert all(found.sure - found.right <= 0.1 for found in figures.reliability if found.count >= 10)


def test_what_is_said_surely_is_never_wrong(results: list[Result]) -> None:
    assert score(results).confidently_wrong == 0


def test_the_library_is_the_same_each_time(tmp_path: Path) -> None:
    first, again = (next(iter(cases())) for _ in range(2))
    first.write(tmp_path / "a")
    again.write(tmp_path / "b")
    files = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in (tmp_path / "a").rglob("*") if p.is_file()}
    assert files == {p.relative_to(tmp_path / "b"): p.read_bytes() for p in (tmp_path / "b").rglob("*") if p.is_file()}

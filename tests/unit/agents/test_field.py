"""Incidents with all that was collected, and with objects, events and logs alone: nothing wrong is said or done."""

from pathlib import Path

import pytest
from tests.cases.field import lay_out, names

from interlock.agents.evaluate import Result, score
from interlock.cli.evaluate import judged

SURE = 0.8
TURNS = 6
"""A look at all of them is long on a crowded machine; each test looks at every sixth."""


def looked_at(turn: int, folder: Path) -> list[Result]:
    found = []
    for name in list(names())[turn::TURNS]:
        lay_out(name, folder / name)
        found.append(judged(folder / name))
    return found


@pytest.mark.parametrize("turn", range(TURNS))
def test_whatever_was_collected_faults_are_found_and_nothing_wrong_is_said_or_done(tmp_path: Path, turn: int) -> None:
    results = looked_at(turn, tmp_path)
    figures = score(results)
    assert figures.mechanisms >= 15
    assert figures.at_one >= 0.9
    assert not [(r.case, r.found[0], r.sure[0]) for r in results if r.found and r.sure[0] >= SURE and not r.is_true]
    assert not {r.case: r.asked for r in results if r.asked and r.asked not in r.expected.cures}
    assert not [(r.case, r.found) for r in results if r.expected.flavour == "control" and not r.right_at(1)]
    assert not [(r.case, r.found) for r in results if r.expected.flavour == "thin" and r.found]

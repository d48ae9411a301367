"""Incidents written without a look at the rules: what is found there, and that nothing wrong is done."""

import pytest
from tests.cases.far import CASES, write

from interlock.agents.evaluate import Result, score
from interlock.cli.evaluate import judged
from interlock.crds.causes import covers


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("far")
    found = []
    for name in CASES:
        write(name, folder / name)
        found.append(judged(folder / name))
    return found


def test_most_of_what_nobody_prepared_for_is_found(results: list[Result]) -> None:
    assert score(results).at_one >= 0.95


def test_nothing_is_done_that_does_not_cure(results: list[Result]) -> None:
    assert not {r.case: r.asked for r in results if r.asked and r.asked not in r.expected.cures}


def test_noise_alone_is_no_fault_and_little_evidence_no_answer(results: list[Result]) -> None:
    quiet = [r for r in results if r.expected.flavour in ("control", "thin")]
    wrong = {r.case: r.found[0] for r in quiet if r.found and not covers("none", r.found[0][0])}
    assert len(quiet) == 12
    assert not wrong


def test_of_two_faults_both_are_named(results: list[Result]) -> None:
    double = {name: case.second.split(" ") for name, case in CASES.items() if case.second}
    for result in results:
        if result.case in double:
            cause, place = double[result.case]
            assert any(covers(cause, c) and f"{ref.kind}/{ref.name}" == place for c, ref in result.found[:3])

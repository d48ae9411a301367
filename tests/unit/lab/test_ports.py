from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.lab import ports
from interlock.lab.ports import CANDIDATES, Ports, beside, clients

NONE = range(0)


@given(st.integers(1, 65_535), st.integers(1, 65_535))
def test_no_port_of_the_kernels_clients_is_taken_while_there_are_others(first: int, last: int) -> None:
    given_away = range(first, last + 1)
    left = beside(given_away)
    everything_is_given_away = first <= CANDIDATES.start and last >= CANDIDATES.stop - 1
    assert left
    assert set(left) <= set(CANDIDATES)
    assert everything_is_given_away or not set(left) & set(given_away)


@pytest.mark.parametrize(("said", "meant"), [("16000\t65535\n", range(16_000, 65_536)), ("", NONE), (None, NONE)])
def test_a_kernel_that_does_not_say_gives_nothing_away(
    said: str | None, meant: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "ip_local_port_range"
    if said is not None:
        place.write_text(said)
    monkeypatch.setattr(ports, "CLIENTS", place)
    assert clients() == meant


def test_the_ports_of_a_lab_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    offered: Iterator[int] = (port for port in range(20_000, 20_100) for _ in range(3))
    monkeypatch.setattr(ports, "free_port", lambda: next(offered))
    taken = Ports.free().model_dump().values()
    assert len(set(taken)) == len(taken)

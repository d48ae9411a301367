"""A store in a file of the test's own, a clock that tests move, and a look at a cluster that is only written down."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cases.builder import Cluster

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evidence.snapshot import Snapshot
from interlock.agents.examine import examine
from interlock.agents.store import Store

Found = list[tuple[str, str, str]]
Look = Callable[[Cluster], Found]


class Clock:
    """The time, as far as the store knows."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'agents.db'}"


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[Store]:
    opened = Store(database_url, clock)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Cause, kind and name of what is found in a cluster and at least as likely as not, the likeliest first."""

    def found(cluster: Cluster) -> Found:
        cluster.settle()
        cluster.write(tmp_path)
        diagnosis = examine(Landscape(Snapshot(tmp_path)), 0.6)
        return [(h.cause, h.object.kind, h.object.name) for h in diagnosis.hypotheses if h.confidence >= 0.5]

    return found

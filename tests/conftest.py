"""What all tests share: properties are judged by what they find, not by how busy the machine is; and a PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests.support.postgres import NoPostgres, Postgres, server

settings.register_profile("interlock", deadline=None)
settings.load_profile("interlock")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for this worker."""
    try:
        with server() as running:
            yield running
    except NoPostgres as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind, as settings name it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'own.db'}"
        return
    running: Postgres = request.getfixturevalue("postgres")
    with running.database() as made:
        yield made.replace("postgresql+psycopg:", "postgresql:")

"""One place for the tests of a file: they make executions of their own in it."""

from collections.abc import Iterator

import pytest
from tests.support.executions import Place, place
from tests.support.installation import Installation


@pytest.fixture(scope="module")
def shop(installation: Installation) -> Iterator[Place]:
    """An opted-in namespace where alice and dave may ask, and bob and carol may approve."""
    with place(installation) as made:
        yield made

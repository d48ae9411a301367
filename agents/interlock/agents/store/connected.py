"""A connection to the agents' database: how it is opened and closed, and how it is read and written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlmodel import Session

from interlock.agents.database import connect, translated
from interlock.agents.store.schema import upgrade


class Connected:
    """What all who keep something share. Methods block; callers run them in a thread."""

    def __init__(self, url: str, now: Callable[[], datetime]) -> None:
        self._engine = connect(url)
        self._now = now

    def open(self) -> None:
        """Creates what is not there yet, and brings tables of an earlier version up to this one.

        Raises:
            StoreUnavailableError: the database cannot be written.
            StoreTooNewError: a later version of the agents wrote it.
        """
        with translated():
            upgrade(self._engine)

    def close(self) -> None:
        """Gives back all connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with translated(), Session(self._engine, expire_on_commit=False) as session:
            yield session
            session.commit()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with translated(), Session(self._engine.execution_options(reads=True), expire_on_commit=False) as session:
            yield session

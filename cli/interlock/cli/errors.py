"""What a command says instead of a traceback: what is wrong, and the way out."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError


class CommandError(Exception):
    """The command cannot do what was asked; exit code 1."""

    exit_code = 1

    def __init__(self, message: str, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out


class UsageError(CommandError):
    """The command was called wrongly: the message names the field and its value; exit code 2."""

    exit_code = 2


class Refused(CommandError):
    """The API server did not do it; `status` is its HTTP status, 0 when there was no answer."""

    def __init__(self, status: int, message: str, way_out: str = "") -> None:
        super().__init__(message, way_out)
        self.status = status


@contextmanager
def as_usage(option: str) -> Iterator[None]:
    """A value of `option` that the contract refuses becomes a UsageError that names it."""
    try:
        yield
    except ValidationError as wrong:
        first = wrong.errors()[0]
        way_out = "Control and invisible characters are refused everywhere, and lengths are bounded."
        raise UsageError(f"{option}: {first['msg']}, got {str(first['input'])[:100]!r}", way_out) from wrong

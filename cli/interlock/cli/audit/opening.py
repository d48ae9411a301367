"""The archive that a command names, with complaints that help."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from interlock.cli.errors import CommandError, UsageError
from interlock.operator.archive import Archive, ArchiveError

Url = Annotated[str, typer.Option("--archive", envvar="INTERLOCK_OPERATOR_ARCHIVE_URL", help="SQLAlchemy URL or file.")]


@contextmanager
def opened(url: str) -> Iterator[Archive]:
    """The archive, while the block runs.

    Raises:
        UsageError: none is named, or there is none.
        CommandError: it cannot be used; the message is the database's own.
    """
    with complaining(url):
        archive = Archive(existing(url))
        try:
            yield archive
        finally:
            archive.close()


@contextmanager
def complaining(url: str) -> Iterator[None]:
    """What an archive or its database says becomes a CommandError."""
    try:
        yield
    except ArchiveError as wrong:
        raise CommandError(str(wrong)) from wrong
    except SQLAlchemyError as wrong:
        raise CommandError(
            f"--archive: {shown(url)} cannot be used: {wrong}", "Name the operator's archive."
        ) from wrong


def existing(text: str) -> str:
    """The URL of an archive that is there: a file is an SQLite URL; one that does not exist is never made.

    Raises:
        UsageError: none is named, or there is none.
    """
    url = as_url(text)
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not path.is_file():
        raise UsageError(f"--archive: {os.fspath(path)} does not exist", "It is archive.db in the operator's DATA_DIR.")
    return url


def as_url(text: str) -> str:
    """The URL that a file's name or a URL means; raises UsageError if none is named."""
    if not text:
        way_out = "For example: --archive sqlite:////var/lib/interlock/archive.db, or a file."
        raise UsageError("--archive must be given", way_out)
    if text.startswith("sqlite:///") or "://" not in text:
        return f"sqlite:///{Path(text.removeprefix('sqlite:///')).absolute()}"
    return text


def shown(url: str) -> str:
    """A URL without its password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url

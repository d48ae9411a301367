"""What the platform's owner does with an archive: migrate, back up, restore, prune."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.audit.opening import Url, as_url, complaining, existing, opened
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.screen import say
from interlock.operator.archive import Archive
from interlock.operator.archive import backup as backups
from interlock.operator.archive import migrate as schema
from interlock.operator.archive.prune import prune as prune_before
from interlock.operator.archive.signing import Signer


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not be there yet.")], archive: Url = ""
) -> None:
    """Write the whole archive to a file, as it is at one moment; the operator may go on meanwhile."""
    with opened(archive) as store:
        try:
            with file.open("x") as out:
                end = backups.backup(store, out)
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}", "Name a new file.") from error
    say(f"{file}: up to seq {end.seq}, {end.hash}. The key that signs is not in it: keep signing.key as well.")


def restore(file: Annotated[Path, typer.Argument(help="A backup.")], archive: Url = "") -> None:
    """Put a backup into a new archive, of the same or another database, and verify it."""
    with complaining(archive):
        schema.upgrade(as_url(archive))
        store = Archive(as_url(archive))
        try:
            with file.open() as lines:
                verdict = backups.restore(store, lines)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file}: {error}") from error
        finally:
            store.close()
    for flaw in verdict.flaws:
        say(f"WRONG {flaw}", "red")
    say(f"{verdict.executions} executions restored, seq {verdict.first} to {verdict.last}, head {verdict.head}")
    if verdict.flaws:
        raise CommandError("the backup is of an archive that was changed", "It is restored as it was.")


def prune(
    before: Annotated[str, typer.Option(help="Remove what was archived before this day (UTC), such as 2026-01-31.")],
    key: Annotated[Path, typer.Option(help="The key that signs: signing.key in the operator's DATA_DIR.")],
    archive: Url = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the oldest executions for good; the chain goes on from a signed anchor, and what remains verifies."""
    try:
        day = datetime.fromisoformat(before)
    except ValueError as wrong:
        raise UsageError(f"--before: {before!r} is no day", "Such as 2026-01-31.") from wrong
    until = (day if day.tzinfo else day.replace(tzinfo=UTC)).astimezone(UTC)
    if until > datetime.now(UTC):
        raise UsageError(f"--before: {before} is in the future", "Name a day that is over.")
    with opened(archive) as store:
        signer = Signer.load(key)
        if not yes:
            typer.confirm(f"Remove for good what was archived before {before}? Back it up first", abort=True)
        count = prune_before(store, until.isoformat(timespec="milliseconds"), signer)
    say(f"{count} executions removed")


def migrate(
    archive: Url = "",
    down: Annotated[str, typer.Option(help="Go back to this revision, such as 0001; 0001 has no chain.")] = "",
) -> None:
    """Bring the archive's schema to this version, as the operator does at its start; or back."""
    with complaining(archive):
        if down:
            schema.downgrade(existing(archive), down)
        else:
            schema.upgrade(existing(archive))
    say(f"the archive's schema is {down or schema.CURRENT}")

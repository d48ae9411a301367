"""`interlock key`: keys that attest vettings and sign catalogues."""

import os
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.errors import CommandError
from interlock.cli.screen import fields, say
from interlock.crds.signing import KeyRefused, SigningKey

app = typer.Typer(no_args_is_help=True, help="Keys that attest vettings and sign catalogues.", rich_markup_mode=None)

File = Annotated[Path, typer.Argument(help="Where the private key is kept.", metavar="FILE")]


@app.command()
def new(file: File) -> None:
    """Make a key: the private one into FILE, which only you may read; the public one is printed."""
    key = SigningKey.new()
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
            made.write(key.pem())
    except FileExistsError as error:
        raise CommandError(f"{file} is there already", "A key is never overwritten: name another file.") from error
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from error
    _describe(key)


@app.command()
def show(file: File) -> None:
    """Print the public key of FILE, and how to have it trusted."""
    _describe(load_key(file))


def load_key(file: Path) -> SigningKey:
    """The private key in a file.

    Raises:
        CommandError: it cannot be read, or holds no Ed25519 key.
    """
    try:
        return SigningKey.load(file.read_bytes())
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}", "Make a key: interlock key new FILE") from error
    except KeyRefused as refused:
        raise CommandError(f"{file}: {refused}", "Make a key: interlock key new FILE") from refused


def _describe(key: SigningKey) -> None:
    fields([("public key", key.key_id)])
    say("\nTo have it trusted, among the values of the chart:\n")
    say(f'operator:\n  trust:\n    keys:\n      - {{name: NAME, key: "{key.key_id}"}}')

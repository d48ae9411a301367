"""Groups of commands that are imported when they are called, so that `--help` and short commands start at once."""

import importlib
from collections.abc import Mapping
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from interlock.cli import screen
from interlock.cli.errors import CommandError


class Deferred(TyperGroup):
    """Stands for the Typer app `app` of a module until it is called."""

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name=name, help=summary, short_help=summary)
        self._module = module

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """The context of the real command."""
        command = typer.main.get_command(importlib.import_module(self._module).app)
        command.name = self.name
        return command.make_context(*args, **kwargs)


class Root(TyperGroup):
    """A group that knows expected errors, and groups that are loaded when they are called."""

    deferred: Mapping[str, tuple[str, str]] = {}
    """Module and summary of each deferred group, by its name."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (module, summary) in self.deferred.items():
            self.add_command(Deferred(name, module, summary), name)

    def list_commands(self, ctx: Any) -> list[str]:
        """Commands in the order in which a newcomer needs them."""
        return [*self.deferred, *(name for name in super().list_commands(ctx) if name not in self.deferred)]

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; an expected error becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except CommandError as error:
            _end(error)


def _end(error: CommandError) -> NoReturn:
    screen.complain(error)
    raise typer.Exit(error.exit_code) from error

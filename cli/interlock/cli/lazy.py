"""Groups of commands that are imported when they are called, so that `--help` and short commands start at once."""

import importlib
from collections.abc import Mapping
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from interlock.cli import screen
from interlock.cli.errors import CommandError


class Deferred(TyperGroup):
    """Stands for the Typer app of a module (`module`, or `module:name`) until it is called."""

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name=name, help=summary, short_help=summary)
        self._module = module

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """The context of the real command."""
        module, _, name = self._module.partition(":")
        try:
            command = typer.main.get_command(getattr(importlib.import_module(module), name or "app"))
        except ModuleNotFoundError as missing:
            message = f"`interlock {self.name}` needs {missing.name}, which is not installed"
            way_out = "Install the parts that you use: pip install 'interlock[operator,agents,lab]'"
            raise CommandError(message, way_out) from missing
        command.name = self.name
        command.params = [p for p in command.params if p.name not in ("install_completion", "show_completion")]
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

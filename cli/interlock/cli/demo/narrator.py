"""Tells the story: chapters, what happens with the time since the fault, and what it means for a newcomer."""

import time
from dataclasses import dataclass, field

from rich.rule import Rule
from rich.text import Text

from interlock.cli import screen
from interlock.cli.text import safe, safe_lines


@dataclass
class Narrator:
    """Prints, and keeps the times at which things happened."""

    started: float = field(default_factory=time.monotonic)
    times: dict[str, float] = field(default_factory=dict)

    def chapter(self, title: str) -> None:
        """A new part of the story."""
        out = screen.console()
        out.print()
        if out.is_terminal:
            out.print(Rule(Text(title, style="bold"), align="left"))
        else:
            out.print(Text(f"== {title}", style="bold"))

    def tell(self, text: str) -> None:
        """What it means."""
        for line in safe_lines(text):
            screen.console().print(Text(line, style="italic"))

    def happens(self, text: str, style: str = "") -> None:
        """Something happens now."""
        first, *rest = safe_lines(text)
        out = screen.console()
        out.print(Text.assemble((f"{self.clock():>7}  ", "dim"), (first, style)), soft_wrap=True)
        for line in rest:
            out.print(Text(" " * 9 + line, style=style), soft_wrap=True)

    def shows(self, text: str, style: str = "") -> None:
        """What stands somewhere, indented."""
        for line in safe_lines(text):
            screen.console().print(Text("         " + line, style=style), soft_wrap=True)

    def command(self, who: str, line: str) -> None:
        """A command that somebody types."""
        screen.console().print(Text.assemble((f"         {safe(who)}$ ", "bold cyan"), safe(line)), soft_wrap=True)

    def note(self, what: str) -> None:
        """Remembers when this happened, the first time."""
        self.times.setdefault(what, time.monotonic())

    def between(self, first: str, last: str) -> str:
        """How long it was from one thing to another."""
        if first not in self.times or last not in self.times:
            return "not seen"
        return f"{self.times[last] - self.times[first]:.1f} s"

    def clock(self) -> str:
        """Seconds since the fault, or since the beginning before there was one."""
        return f"{time.monotonic() - self.times.get('fault', self.started):.1f}s"

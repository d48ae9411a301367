"""Follows one execution to its end, printing each thing that happens once."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rich.text import Text

from interlock.cli import screen
from interlock.cli.cluster import Cluster, executions_path
from interlock.cli.executions import Seen, seen
from interlock.cli.journal_view import entry_line
from interlock.cli.text import safe
from interlock.crds.execution import TERMINAL

LOOK_SECONDS = 0.4


@dataclass
class News:
    """What is new in an execution since it was last looked at."""

    entries: int = 0
    phase: str = ""
    conditions: set[str] = field(default_factory=set)

    def lines(self, found: Seen) -> Iterator[Text]:
        """The lines to print for what is new."""
        for entry in found.execution.journal[self.entries :]:
            yield entry_line(entry)
        self.entries = len(found.execution.journal)
        if found.phase != self.phase:
            self.phase = found.phase
            status = found.execution.status
            why = f": {safe(status.message)}" if status and status.message else ""
            yield Text.assemble("     ", (found.phase, screen.tone(found.phase) or "bold"), why)
        for condition in found.execution.status.conditions if found.execution.status else ():
            held = f"{condition.type}={condition.status}: {condition.message}"
            if condition.status == "True" and condition.type != "Archived" and held not in self.conditions:
                self.conditions.add(held)
                yield Text("     " + safe(held), style="yellow")


def follow(
    cluster: Cluster, name: str, *, until: Callable[[Seen], bool] = lambda found: found.phase in TERMINAL
) -> str:
    """Prints what happens until the condition holds; returns the phase, `Archived` if the object is gone.

    Raises:
        Refused: it cannot be read.
    """
    news, out, path = News(), screen.console(), executions_path(cluster.namespace, name)
    while True:
        body = cluster.find(path)
        if body is None:
            screen.say(f"{cluster.namespace}/{name} is gone; the archive has it: interlock audit show")
            return "Archived"
        found = seen(body)
        for line in news.lines(found):
            out.print(line, soft_wrap=True)
        if until(found):
            return found.phase
        time.sleep(LOOK_SECONDS)

"""One way of an execution from request to end, read from its journal by other means than the core's own.

A defect in the core's replay cannot hide itself here.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from pydantic import JsonValue
from tests.unit.operator.shell import Shell

from interlock.operator.core.nodes import Node, by_name, of_plan
from interlock.operator.core.state import parse_time

BEGINS = ("StepStarted", "StepSkipped")


@dataclass(frozen=True)
class Line:
    """One journal entry, read."""

    number: int
    event: str
    step: str
    data: dict[str, JsonValue]
    at: datetime

    @property
    def then(self) -> str:
        """What a failure means."""
        return str(self.data["then"]) if self.event == "StepFailed" else ""

    @property
    def troubles(self) -> bool:
        """Whether nothing goes forward from here on."""
        return (
            self.event in {"CancelRequested", "Halted", "VerificationFailed"}
            or self.then in {"Undo", "Stop"}
            or (self.event == "PersonDecided" and self.data["verdict"] == "Undo")
        )


@dataclass
class Way:
    """One way from request to end."""

    shell: Shell
    lines: list[Line] = field(init=False)
    nodes: dict[str, Node] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = [Line(e.seq, e.event, e.step or "", e.details(), parse_time(e.at)) for e in self.shell.journal]
        plan = self.shell.status.plan if self.shell.status else None
        self.nodes = dict(by_name(of_plan(self.shell.runbook.spec.steps, plan))) if plan else {}

    @cached_property
    def last(self) -> Line:
        """The end."""
        return self.lines[-1]

    @cached_property
    def began(self) -> int | None:
        """The number of the first entry about a step."""
        return next((line.number for line in self.lines if line.event in BEGINS), None)

    @cached_property
    def turned(self) -> int | None:
        """The number of the entry from which on it goes back, or only ends."""
        undoing: set[str] = set()
        for line in self.lines:
            undoing |= {line.step} if line.event == "UndoStarted" else set()
            if line.troubles and line.step not in undoing:
                return line.number
        return None

    def of(self, *events: str) -> list[Line]:
        """The entries about these."""
        return [line for line in self.lines if line.event in events]

    @cached_property
    def gave_up(self) -> bool:
        """Whether the journal had no room for the whole way back."""
        return self.last.data["reason"] == "JournalFull" and "no room" in str(self.last.data["message"])

    @cached_property
    def judged(self) -> set[str]:
        """The steps of which a person said what came of them."""
        return {line.step for line in self.of("PersonDecided")}

    def effects(self, until: int | None = None) -> list[str]:
        """The steps that had, or may have had, an effect, by their latest intents."""
        order: list[str] = []
        writes: dict[str, bool] = {}
        had: set[str] = set()
        failed: set[str] = set()
        undoing: set[str] = set()
        turned = False
        for line in self.lines[:until]:
            name = line.step
            turned = turned or (line.troubles and line.event != "PersonDecided")
            match line.event:
                case "StepStarted":
                    order = [*(other for other in order if other != name), name]
                    writes[name] = line.data["writes"] is True
                    failed.discard(name)
                case "StepActed" | "StepSucceeded":
                    had.add(name)
                case "StepFailed":
                    failed.add(name)
                case "UndoStarted":
                    undoing.add(name)
                case "PersonDecided" if name not in undoing and _means_effect(line, name in failed, turned):
                    had.add(name)
        return [name for name in order if name in had and writes[name]]

    def undoable(self, name: str) -> bool:
        """Whether a step says of itself that it can be undone."""
        return self.nodes[name].step.name not in self.shell.traits.lasting


def _means_effect(decided: Line, failed: bool, turned: bool) -> bool:
    """Whether a person's word leaves it possible that a step had its effect."""
    match decided.data["verdict"]:
        case "Confirm":
            return True
        case "Resume":
            return turned and not failed
        case _:
            return not failed

"""`interlock drill`."""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli import screen
from interlock.cli.cluster import Cluster, executions_path
from interlock.cli.demo.narrator import Narrator
from interlock.cli.demo.stage import APPROVER, Stage, stage
from interlock.cli.demo.world import firing_everywhere
from interlock.cli.drill.breaking import break_all
from interlock.cli.drill.cases import ESCALATE, Case, cases
from interlock.cli.drill.exercise import Exercise
from interlock.cli.errors import UsageError
from interlock.cli.executions import Seen, seen
from interlock.cli.runbooks import catalogue
from interlock.cli.vetting.keeping import kept

LOOK_SECONDS = 0.5
NODES = 6
STEPS = (("alert", "fault"), ("proposal", "alert"), ("approval", "proposal"), ("end", "approval"), ("calm", "end"))

app = typer.Typer(rich_markup_mode=None)


@app.command()
def drill(
    faults: Annotated[list[str] | None, typer.Argument(metavar="[FAULT]...", help="All by default.")] = None,
    seconds: Annotated[int, typer.Option("--timeout", help="Seconds for all of them.")] = 600,
) -> None:
    """Break many things at once on a lab, and see each cured by the right runbook, or left to a person.

    Every fault gets a namespace of its own; real alerts go the whole way, and every plan is approved by itself. A shop
    beside them stays well: nothing may be asked for there. Takes minutes and leaves nothing running.

    \b
        interlock drill                              every fault
        interlock drill image-not-found job-failed   some
        interlock lab faults                         what they are
    """
    exercises = [Exercise(case) for case in chosen(faults or ())]
    narrator = Narrator()
    unvetted = _unvetted(exercises)
    if unvetted:
        screen.say(f"not vetted on this machine, and run all the same: {', '.join(unvetted)}")
        screen.say("Vet them first, and only what passed runs: interlock runbook vet --catalogue")
    with tempfile.TemporaryDirectory(prefix="interlock-drill-") as folder:
        progress = narrator.happens
        with stage(Path(folder), keep=False, progress=progress, nodes=NODES, unvetted=bool(unvetted)) as set_up:
            strays = carry_out(set_up, exercises, narrator, seconds)
        show(exercises)
    for stray in strays:
        screen.say(f"asked for where nothing is wrong: {stray}", "red")
    if strays or any(exercise.wrong() for exercise in exercises):
        raise typer.Exit(1)


def _unvetted(exercises: Iterable[Exercise]) -> list[str]:
    """The families that will be needed and have not passed their vetting on this machine."""
    needed = {exercise.case.runbook for exercise in exercises} - {ESCALATE}
    found = (item.runbook for item in catalogue() if item.runbook.spec.family in needed)
    return [runbook.spec.family for runbook in found if kept(runbook) is None]


def chosen(names: Sequence[str]) -> tuple[Case, ...]:
    """The cases of these names, all without any; raises UsageError for one that there is not."""
    known = {case.name: case for case in cases()}
    for name in names:
        if name not in known:
            raise UsageError(f"no drill has the fault {name!r}", f"Choose of: {', '.join(known)}")
    return tuple(known[name] for name in names) or tuple(known.values())


def carry_out(set_up: Stage, exercises: Sequence[Exercise], narrator: Narrator, seconds: float) -> Sequence[str]:
    """Breaks everything and looks until all is over; returns what was asked for where nothing is wrong.

    Raises:
        CommandError: a part of Interlock ended, or something could not be set up.
    """
    narrator.happens(f"setting up {len(exercises)} namespaces, each with what will be broken")
    asyncio.run(break_all(set_up.lab, exercises))
    narrator.happens("everything is broken")
    person = set_up.person(APPROVER)
    deadline = time.monotonic() + seconds
    told: set[str] = set()
    asked = _look(set_up, person, exercises)
    while time.monotonic() < deadline and not all(exercise.over for exercise in exercises):
        time.sleep(LOOK_SECONDS)
        asked = _look(set_up, person, exercises)
        for exercise in exercises:
            if exercise.over and exercise.namespace not in told:
                told.add(exercise.namespace)
                narrator.happens(f"{exercise.case.name}: {_verdict(exercise)}", "red" if exercise.wrong() else "green")
    return [
        f"{item.execution.key} ({item.execution.spec.reason.summary})"
        for item in asked
        if not any(exercise.is_about(item) for exercise in exercises)
    ]


def _look(set_up: Stage, person: Cluster, exercises: Iterable[Exercise]) -> list[Seen]:
    set_up.demand_alive()
    alerts: dict[str, set[str]] = defaultdict(set)
    for alert in firing_everywhere(set_up.lab):
        alerts[alert.namespace].add(alert.name)
    asked = [seen(body) for body in person.items(executions_path())]
    for exercise in exercises:
        exercise.sees_executions([item for item in asked if exercise.is_about(item)])
        exercise.sees_alerts(alerts[exercise.namespace])
        exercise.approve(person)
    return asked


def _verdict(exercise: Exercise) -> str:
    wrong = exercise.wrong()
    return "; ".join(wrong) if wrong else f"{exercise.case.runbook}, {exercise.case.ends}"


def show(exercises: Iterable[Exercise]) -> None:
    """A table: what each came to, and how long each part of the way took."""
    columns = ("fault", "verdict", *(f"{first} to {last}" for last, first in STEPS), "alert to end")
    screen.table(columns, [_row(exercise) for exercise in exercises], "nothing was broken")


def _row(exercise: Exercise) -> tuple[str, ...]:
    spans = [*((first, last) for last, first in STEPS), ("alert", "end")]
    seconds = [exercise.between(first, last) for first, last in spans]
    return (exercise.case.name, _verdict(exercise), *("" if t is None else f"{t:.1f} s" for t in seconds))

"""`interlock eval DIR`: how right the diagnosis is on snapshots whose fault is known."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from interlock.agents.analyzers.wide import Landscape
from interlock.agents.evaluate import Expectation, ExpectedRefusedError, Result, failures, result, score
from interlock.agents.evidence.snapshot import Snapshot, SnapshotError, cases
from interlock.agents.examine import examine
from interlock.cli.diagnose import MIN_CONFIDENCE, proposed, shown
from interlock.cli.errors import CommandError, UsageError
from interlock.cli.screen import Output, as_json, fields, say, table

app = typer.Typer(help="Score the diagnosis on snapshots whose fault is known.", rich_markup_mode=None)


@app.command("eval")
def evaluate(
    folder: Annotated[Path, typer.Argument(help="A folder of snapshots with expected.json.", metavar="DIR")],
    split: Annotated[str, typer.Option(help="Which part: tune, held-out or all.")] = "held-out",
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=256, help="Processes.")] = 1,
    output: Annotated[Output, typer.Option("--output", "-o", help="For people, or for a machine.")] = Output.table,
    wrong: Annotated[bool, typer.Option("--wrong", help="Also list what was not right.")] = False,
) -> None:
    """Say how right the diagnosis is on a library of cases.

    Each case is a snapshot with a file expected.json: {"mechanism": …, "flavour": "fault|herring|thin|control",
    "split": "tune|held-out", "causes": […], "object": {"kind": …, "name": …}, "cures": [family of runbooks, …]}.

    \b
        interlock eval ./cases --jobs 4
        interlock eval ./cases --split tune --wrong
    """
    if split not in ("tune", "held-out", "all"):
        raise UsageError(f"--split: {split!r} is no part", "Take tune, held-out or all.")
    folders = cases(folder) if folder.is_dir() else ()
    if not folders:
        raise UsageError(
            f"DIR: {folder} holds no snapshots", "A case is a folder with snapshot.json and expected.json."
        )
    try:
        results = [r for r in _results(list(folders), jobs) if split in ("all", r.expected.split)]
    except (ExpectedRefusedError, SnapshotError) as refused:
        raise CommandError(str(refused), "Mend the case, or remove it.") from refused
    figures = score(results)
    if output is Output.json:
        as_json({**figures.model_dump(), "split": split, **({"wrong": failures(results)} if wrong else {})})
        return
    fields((name.replace("_", " "), value) for name, value in figures.model_dump().items() if name != "reliability")
    say()
    rows = [(f"{b.low:.2f}-{b.high:.2f}", b.count, f"{b.sure:.3f}", f"{b.right:.3f}") for b in figures.reliability]
    table(("confidence", "cases", "mean", "right"), rows, "Nothing was found.")
    for failure in failures(results) if wrong else ():
        say(f"\n{failure['case']}: expected {failure['expected']}")
        say("\n".join(f"   {line}" for line in failure["found"]) or "   not sure")


def _results(folders: list[Path], jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(judged, folders)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(judged, folders, chunksize=16)


def judged(folder: Path) -> Result:
    """One case, judged.

    Raises:
        SnapshotError, ExpectedRefusedError: it cannot be read.
    """
    expected = Expectation.read(folder)
    world = Landscape(Snapshot(folder))
    world.load()
    began = time.process_time()
    diagnosis = examine(world, MIN_CONFIDENCE)
    seconds = time.process_time() - began
    choice = proposed(world, diagnosis)
    asked = choice.family if choice is not None and not choice.handover else ""
    return result(folder.name, expected, world, shown(diagnosis), asked=asked, seconds=seconds)

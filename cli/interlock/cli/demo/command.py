"""`interlock demo`."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from interlock.cli.demo.narrator import Narrator
from interlock.cli.demo.stage import APPROVER, Stage, stage
from interlock.cli.demo.story import CURE, tell, times
from interlock.cli.errors import UsageError
from interlock.cli.runbooks import from_names
from interlock.cli.screen import say
from interlock.cli.vetting.command import demand_passed
from interlock.cli.vetting.keeping import kept
from interlock.lab import Lab
from interlock.lab.settings import LabSettings
from interlock.lab.shop import NAMESPACE

PREFACE = """\
Agents ask. Runbooks act.

You will see a Deployment break, an alert fire, agents find the cause and ask for a runbook, and an operator carry it
out once a person has approved exactly what will change. The API server, Prometheus, Alertmanager, the roles and the
policies are real; only the containers are simulated.
"""
VETTED = """\
Nothing runs here that has not passed its vetting: the operator trusts one key, made for this lab, which signed what
passed on this machine. Whatever else is published it refuses.
"""
UNVETTED = """\
Openly said: this lab lets runbooks run that nobody has vetted. An installation refuses them unless told otherwise.
"""

app = typer.Typer(rich_markup_mode=None)


@app.command()
def demo(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve by itself, where nobody types.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running, to try more.")] = False,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="The lab's folder; by default a temporary one, or with --keep the usual."),
    ] = None,
    unvetted: Annotated[
        bool, typer.Option("--allow-unvetted", help="Vet nothing first, and let runbooks run that nobody has vetted.")
    ] = False,
) -> None:
    """Watch an alert become an approved, verified fix, on a Kubernetes of its own.

    Takes about a minute, and some more the first time, when the Kubernetes is compiled and the runbook that will be
    used is vetted on it; what that finds is kept. Leaves nothing running.

    \b
        interlock demo                 you approve
        interlock demo --yes           for where nobody types
        interlock demo --keep          then look around with kubectl and interlock
    """
    folder, temporary = _folder(directory, keep=keep)
    narrator, ended_well = Narrator(), False
    say(PREFACE)
    say(UNVETTED if unvetted else VETTED)
    try:
        if not unvetted:
            _vet(narrator)
        with _signals(), stage(folder, keep=keep, progress=narrator.happens, unvetted=unvetted) as set_up:
            cured = tell(set_up, narrator, yes=yes)
            times(narrator)
            _what_next(set_up, keep=keep)
        ended_well = True
    except KeyboardInterrupt as interrupted:
        say("interrupted; nothing is left running")
        ended_well = True
        raise typer.Exit(130) from interrupted
    finally:
        if temporary and ended_well and Lab.load(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
    if not cured:
        raise typer.Exit(1)


def _vet(narrator: Narrator) -> None:
    missing = [loaded for loaded in from_names([CURE]) if kept(loaded.runbook) is None]
    if missing:
        narrator.happens(f"vetting {CURE} on a Kubernetes of its own, which takes a minute and is kept:")
        demand_passed(missing)


def _folder(directory: Path | None, *, keep: bool) -> tuple[Path, bool]:
    """The lab's folder, and whether it goes away at the end."""
    if directory is None and not keep:
        return Path(tempfile.mkdtemp(prefix="interlock-demo-")), True
    folder = (directory or LabSettings().default_directory).absolute()
    if folder.is_dir() and Lab.load(folder) is not None:
        way_out = f"Stop it (interlock lab down --dir {folder}), or name another folder with --dir."
        raise UsageError(f"a lab runs in {folder} already", way_out)
    return folder, False


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: in order."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _what_next(set_up: Stage, *, keep: bool) -> None:
    if not keep:
        say("\nWhat next", "bold")
        say("  interlock demo --keep                          the same, and left running for you to look around")
        say("  interlock runbook show rollback-deployment     what it did, and what it will not do")
        say("  interlock lab faults                           what else can break")
        say("  interlock install --help                       put it on a cluster of yours")
        return
    folder = set_up.lab.directory
    bob = set_up.lab.client_certificate_kubeconfig(APPROVER)
    say("\nIt is left running. What next", "bold")
    say(f"  export KUBECONFIG={set_up.lab.kubeconfig} PATH={set_up.lab.kubectl.parent}:$PATH")
    say(f"  interlock lab break image-not-found --dir {folder}")
    say(f"  kubectl get runbookexecutions -n {NAMESPACE} -w")
    say(f"  KUBECONFIG={bob} kubectl interlock approve NAME -n {NAMESPACE}")
    say(f"  interlock incident list --database {set_up.database_url}")
    say(f"  interlock audit verify --archive {set_up.archive_url} --live")
    say("  interlock doctor")
    say(f"Stop it, and all of it: interlock lab down --dir {folder}")

"""The demo tells the whole story, from a real alert to a verified cure, and leaves nothing running."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.support.vetting import vetting

from interlock.cli.demo.story import CURE
from interlock.cli.runbooks import from_names
from interlock.cli.vetting.keeping import keep
from interlock.crds.attestation import statement_of
from interlock.lab import Lab
from interlock.lab.settings import LabSettings
from interlock.lab.tools import CONTROL_PLANE, MONITORING, VERSIONS, ensure_helm, ensure_tools

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    """The first compilation takes minutes, and is no part of the story."""
    for ensure in (partial(ensure_tools, (*CONTROL_PLANE, *MONITORING)), ensure_helm):
        ensure(lambda line: print(line, file=sys.__stderr__, flush=True))


@pytest.fixture(scope="module", autouse=True)
def cache(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The compiled tools, and a result to keep in the place of a vetting, which has tests of its own."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "tools").symlink_to(LabSettings().cache / "tools")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("INTERLOCK_CACHE", str(folder))
        version = VERSIONS[LabSettings().interlock_lab_kubernetes]
        for loaded in from_names([CURE]):
            keep(statement_of(loaded.runbook, vetting(kubernetes=version.removeprefix("v"))))
        yield


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "interlock.cli", "demo", "--dir", str(folder), *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_an_alert_becomes_an_approved_and_verified_cure(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    with start(folder, "--yes") as demo:
        out, error = demo.communicate(timeout=600)
    assert demo.returncode == 0, out + error
    for scene in (
        "the operator trusts one key, made for this lab",
        "1 of them passed their vetting on this machine",
        "rollback-deployment-1.1.0   rollback-deployment   1.1.0     Medium   Active   True     Trusted",
        "FIRING",
        "incident inc-",
        "[E",
        "cannot patch resource",
        "/spec/template/spec/containers/[name=checkout]/image",
        "Approve by bob: sha256:",
        "StepSucceeded       undo",
        "VerificationPassed",
        "it ended as Succeeded",
        "no alert fires any more",
        ": resolved.",
        "chain verified:",
        "rollback-deployment-1.1.0   checkout   Succeeded",
        "alert to proposal",
        "What next",
    ):
        assert scene in out, f"{scene!r} is missing in:\n{out}"
    assert Lab.load(folder) is None
    assert processes_of(folder) == []


def test_a_denial_changes_nothing_and_is_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    with start(folder) as demo:
        out, error = demo.communicate("no\n", timeout=600)
    assert demo.returncode == 1, out + error
    assert "Deny by bob" in out
    assert "Denied" in out
    assert "StepStarted" not in out
    assert processes_of(folder) == []


def test_an_interrupt_ends_everything(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    with start(folder, "--yes") as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "starting the operator" in line:
                break
        demo.send_signal(signal.SIGTERM)
        out, _ = demo.communicate(timeout=300)
    assert demo.returncode == 130
    assert "nothing is left running" in out
    assert processes_of(folder) == []

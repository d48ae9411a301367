"""Status writes of an execution with n steps, counted in the API server's audit log."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.installation import Installation, install
from tests.support.scene import Scene, operator_environment, runbook
from tests.support.waiting import eventually

from bench.figure import Figure
from interlock.crds.names import OPERATOR_USER
from interlock.crds.runbook import Runbook
from interlock.lab import Lab, lab_up

STEPS = (1, 2, 4, 8)


def figures() -> Iterator[Figure]:
    """One figure for each number of steps."""
    with tempfile.TemporaryDirectory() as folder:
        lab = lab_up(Path(folder) / "lab", monitoring=False, progress=_say)
        try:
            installation = install(lab)
            with _operator(installation, Path(folder) / "operator"):
                for steps in STEPS:
                    writes = _run(lab, installation, steps, Path(folder) / "operator/archive.db")
                    yield Figure(f"status writes, {steps} steps", writes, steps + 3, "n + 3", "writes", wanted="1")
        finally:
            lab.stop()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _operator(installation: Installation, data: Path) -> Iterator[None]:
    environment = operator_environment(installation.operator_kubeconfig, data)
    process = subprocess.Popen([sys.executable, "-m", "interlock.operator"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _run(lab: Lab, installation: Installation, steps: int, archive: Path) -> int:
    """The number of status writes from request to end."""
    namespace = f"bench-{steps}"
    installation.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}])
    scene = Scene.prepare(installation, namespace, archive)
    # Objects that nobody else writes: on a Deployment each conflict with its controller costs one more intent.
    installation.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"of-{n}", "namespace": namespace}}
        for n in range(steps)
    )
    scene.ask(_runbook(steps))
    scene.approve()
    scene.ends("Succeeded")
    return eventually("the audit log", lambda: _status_writes(lab.audit_log, namespace))


def _runbook(steps: int) -> Runbook:
    """Each step writes another ConfigMap."""
    return runbook(
        f"bench-{steps}",
        [
            {
                "name": f"write-{n}",
                "action": "patch",
                "with": {"apiVersion": "v1", "kind": "ConfigMap", "name": f"of-{n}", "merge": "data: {done: 'true'}"},
            }
            for n in range(steps)
        ],
        permissions=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]}],
        allowedPaths=["/data/**"],
    )


def _status_writes(audit_log: Path, namespace: str) -> int:
    entries = (json.loads(line) for line in audit_log.read_text().splitlines() if '"status"' in line)
    return sum(
        1
        for entry in entries
        if entry["user"]["username"] == OPERATOR_USER
        and entry["verb"] in {"patch", "update"}
        and entry["objectRef"].get("resource") == "runbookexecutions"
        and entry["objectRef"].get("subresource") == "status"
        and entry["objectRef"].get("namespace") == namespace
        and entry["responseStatus"]["code"] == 200
    )

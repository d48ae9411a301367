"""What the measurements stand on: one lab with the contract in force, an operator as it is deployed, and targets."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.identity import Identity, Json
from tests.support.installation import API, Installation, install
from tests.support.scene import open_namespace, operator_environment, runbook

from bench.meter import Meter
from interlock.cli.releases import definitions
from interlock.crds.execution import Reason, RunbookExecutionSpec, RunbookRef, Target, new_execution
from interlock.crds.runbook import Runbook
from interlock.lab import Lab, lab_up
from interlock.lab.lab import lab_state
from interlock.lab.tools.build import Progress
from interlock.operator.settings import OperatorSettings

STEPS = 5
MOST_STEPS = 8
AS_DEPLOYED = {
    f"INTERLOCK_OPERATOR_{name.upper()}": str(OperatorSettings.model_fields[name].default)
    for name in ("lease_seconds", "poll_seconds", "drift_seconds")
} | {"INTERLOCK_OPERATOR_SWEEP_SECONDS": "86400", "INTERLOCK_OPERATOR_SHOW_SECONDS": "86400"}
"""Waits are as long as they are by default; tests shorten them. What has ended stays while it is counted."""
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap"}


@dataclass(frozen=True)
class Stand:
    """A lab, Interlock's contract in force on it, and a folder for what is started."""

    installation: Installation
    directory: Path
    progress: Progress

    @property
    def lab(self) -> Lab:
        """The control plane."""
        return self.installation.lab

    def meter(self, **more: int) -> Meter:
        """The control plane's processes, this one, and those that are named."""
        state = lab_state(self.lab.directory)
        known = dict(state.pids) if state else {}
        shown = {"API server": known.pop("kube-apiserver"), "etcd": known.pop("etcd")}
        return Meter({**more, **shown, "clients": os.getpid(), **known})

    @contextmanager
    def operator(self, **settings: str) -> Iterator["Operator"]:
        """An operator at work, with the settings that it is deployed with but for those given."""
        data = self.directory / "operator"
        environment = operator_environment(self.installation.operator_kubeconfig, data) | AS_DEPLOYED
        environment |= {f"INTERLOCK_OPERATOR_{name.upper()}": value for name, value in settings.items()}
        with (self.directory / "operator.log").open("a") as log:
            command = [sys.executable, "-m", "interlock.operator"]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
            try:
                yield Operator(process.pid)
            finally:
                process.terminate()
                process.wait(timeout=60)


@dataclass(frozen=True)
class Operator:
    """A running operator."""

    pid: int


@dataclass(frozen=True)
class Space:
    """A namespace that is opted in, with one target for each thing in flight: nothing waits for another's lock."""

    stand: Stand
    name: str
    slots: int
    runbook: Runbook
    requester: Identity
    approver: Identity

    @property
    def path(self) -> str:
        """Where its executions are served."""
        return f"{API}/namespaces/{self.name}/runbookexecutions"

    @cached_property
    def _digest(self) -> str:
        return self.runbook.digest()

    def request(self, name: str, slot: int, run: str = "") -> Json:
        """An execution to create."""
        spec = RunbookExecutionSpec(
            runbook=RunbookRef(name=self.runbook.metadata.name, digest=self._digest),
            target=Target(api_version="v1", kind="ConfigMap", namespace=self.name, name=f"target-{slot}"),
            parameters={"run": run} if self.runbook.spec.parameters else {},
            reason=Reason(summary="a measurement"),
            requested_by=self.requester.name,
        )
        return new_execution(name=name, namespace=self.name, spec=spec)


@contextmanager
def stand(progress: Progress) -> Iterator[Stand]:
    """A lab of its own for all measurements of one run."""
    with TemporaryDirectory(prefix="bench-") as folder:
        directory = Path(folder)
        lab = lab_up(directory / "lab", monitoring=False, releases=(definitions(),), progress=progress)
        try:
            yield Stand(install(lab), directory, progress)
        finally:
            lab.stop()


def open_space(stand: Stand, name: str, book: Runbook, slots: int) -> Space:
    """Everything that executions of a runbook need to run there."""
    installation = stand.installation
    open_namespace(installation, name)
    installation.opt_in(name, [book])
    installation.bind("erin", "interlock-requester", name)
    installation.bind("bob", "interlock-approver", name)
    names = [f"target-{slot}{part}" for slot in range(slots) for part in ("", *(f"-{n}" for n in range(MOST_STEPS)))]
    installation.apply({**CONFIG_MAP, "metadata": {"name": n, "namespace": name}} for n in names)
    return Space(stand, name, slots, book, installation.person("erin"), installation.person("bob"))


def asserting() -> Runbook:
    """Five steps that look at the target and change nothing."""
    steps = [
        {"name": f"look-{n}", "action": "assert", "with": {"expression": f"size(target.metadata.name) > {n}"}}
        for n in range(STEPS)
    ]
    return _runbook("bench-assert", steps)


def changing(count: int = STEPS) -> Runbook:
    """Steps that each change an object of its own."""
    steps = [
        {
            "name": f"write-{n}",
            "action": "patch",
            "with": {
                **CONFIG_MAP,
                "name": f"${{target.metadata.name}}-{n}",
                "merge": "data: {run: '${parameters.run}'}",
            },
        }
        for n in range(count)
    ]
    parameter = {"name": "run", "description": "Which run it is.", "pattern": "[a-z0-9-]{1,63}"}
    return _runbook("bench-change", steps, parameters=[parameter], allowedPaths=["/data/**"])


def _runbook(family: str, steps: Sequence[Json], **spec: Any) -> Runbook:
    return runbook(
        family,
        steps,
        checks=[{"name": "there", "expression": "size(target.metadata.name) > 0"}],
        targets=[CONFIG_MAP],
        permissions=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]}],
        **spec,
    )

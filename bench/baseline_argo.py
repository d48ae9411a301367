"""Runs the five steps on Argo Workflows, tuned, in the same closed loop and on the same API server."""

import asyncio
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from tests.support.identity import Identity, Json
from tests.support.waiting import eventually

from bench.argo_build import Controller, controller
from bench.argo_steps import API, Answerer, workflow
from bench.arrivals import Arrivals, listen, meanwhile
from bench.audit import ANSWERER, CONTROLLER
from bench.loop import Rhythm, Sample, closed_loop
from bench.stand import Space, Stand
from bench.wire import Wire
from interlock.crds.celprocess import Evaluator
from interlock.lab.tools.build import Progress

NAMESPACE = "argo"
TUNED = ("--qps", "100", "--burst", "200", "--workflow-workers", "32")
REQUEUE = {"DEFAULT_REQUEUE_TIME": "1s", "LEADER_ELECTION_DISABLE": "true"}
"""By default ten seconds pass before each level of the graph."""
SETTINGS = "workflow-controller-configmap"


def argo(space: Space, rhythm: Rhythm, progress: Progress) -> Sample[None]:
    """How many workflows of five steps are through in a second."""
    built = controller(progress)
    _install(space, built)
    with _at_work(space.stand, built) as pid:
        return asyncio.run(_measure(space, rhythm, pid))


def _install(space: Space, built: Controller) -> None:
    installation = space.stand.installation
    installation.apply(yaml.safe_load(path.read_text()) for path in built.definitions)
    served = f"{API}/namespaces/{space.name}"
    for plural in ("workflows", "workflowtasksets"):
        eventually(f"{plural} to be served", _served(installation.admin, f"{served}/{plural}"))
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": SETTINGS, "namespace": NAMESPACE}}
    disabled = {"metricsConfig": "enabled: false\n", "telemetryConfig": "enabled: false\n"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    installation.apply([namespace, {**settings, "data": disabled}])


def _served(admin: Identity, path: str) -> Callable[[], bool]:
    return lambda: admin.get(path).ok


@contextmanager
def _at_work(stand: Stand, built: Controller) -> Iterator[int]:
    """The controller as an administrator; the identifier of its process."""
    command: list[str | Path] = [built.program, "--kubeconfig", _kubeconfig(stand), "--configmap", SETTINGS]
    with (stand.directory / "argo.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--executor-image", "none:none", *TUNED],
            env={**os.environ, **REQUEUE},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(timeout=60)


def _kubeconfig(stand: Stand) -> Path:
    """The controller looks for its settings in the context's namespace."""
    document = yaml.safe_load(stand.lab.client_certificate_kubeconfig(CONTROLLER, ["system:masters"]).read_text())
    document["contexts"][0]["context"]["namespace"] = NAMESPACE
    path = stand.directory / "argo.kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


async def _measure(space: Space, rhythm: Rhythm, pid: int) -> Sample[None]:
    numbers = itertools.count()
    ended = Arrivals(_ended)
    workflows = f"{API}/namespaces/{space.name}/workflows"
    answers = space.stand.installation.person(ANSWERER, ["system:masters"])
    async with (
        Wire(space.stand.installation.admin) as wire,
        Wire(answers) as answering,
        Evaluator() as evaluator,
        meanwhile(Answerer(answering, evaluator, space.name).listen()),
        meanwhile(listen(wire, workflows, ended)),
    ):

        async def once(slot: int) -> None:
            name = f"five-{next(numbers)}"
            ended.expect(name)
            await wire.request("POST", workflows, workflow(name, f"target-{slot}"))
            if (phase := await ended.of(name)) != "Succeeded":
                raise RuntimeError(f"{name} ended as {phase}")

        await once(0)
        return await closed_loop(rhythm, once, space.stand.meter(operator=pid))


def _ended(body: Json) -> str | None:
    phase = (body.get("status") or {}).get("phase")
    return phase if phase in {"Succeeded", "Failed", "Error"} else None

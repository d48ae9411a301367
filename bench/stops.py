"""How long each stop takes from its write until the API server refuses what it stops, beside one write of a runner."""

import statistics
import time
from collections.abc import Callable, Iterator

from tests.support.executions import place
from tests.support.identity import Answer, Identity, path_of
from tests.support.stops import emergency_stop

from bench.figure import Figure, Result
from bench.options import Options
from bench.stand import Stand
from interlock.crds.names import OPT_IN_LABEL, OPT_IN_VALUE, RUNNERS_GROUP, RUNNERS_NAMESPACE

TRIES = 5
AGAINST = "one write"


def results(ground: Stand, _: Options) -> Iterator[Result]:
    """The median of some tries, in milliseconds."""
    admin = ground.installation.admin
    with place(ground.installation) as here:
        user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:bench.{here.namespace}"
        runner = admin.impersonating(user, RUNNERS_GROUP, "system:masters")
        space, guardrail = f"/api/v1/namespaces/{here.namespace}", _guardrail(here.namespace)
        execution = here.execution("Approved")

        def write() -> Answer:
            return runner.post(f"{space}/configmaps", {"metadata": {"generateName": "stop-"}})

        def start() -> Answer:
            return execution.move("Running", dry_run=True)

        baseline = statistics.median(_milliseconds(lambda: write().ok) for _ in range(TRIES))
        label = (lambda: _label(admin, space, "paused"), lambda: _label(admin, space, OPT_IN_VALUE))
        switch = (lambda: admin.apply(guardrail), lambda: admin.delete(path_of(guardrail)))
        with emergency_stop(ground.installation, here.namespace) as stop:
            for what, (on, off), tried in (
                ("label of the namespace", label, write),
                ("emergency stop", (stop.pull, stop.lift), write),
                ("guardrail, what begins", switch, start),
            ):
                yield Figure(what, _median(on, off, tried), baseline, AGAINST, "ms")


def _guardrail(namespace: str) -> dict[str, object]:
    spec = {"selector": {"namespaces": [namespace]}, "stop": True}
    return {"apiVersion": "interlock.dev/v1alpha1", "kind": "Guardrail", "metadata": {"name": namespace}, "spec": spec}


def _label(admin: Identity, space: str, value: str) -> Answer:
    return admin.patch(space, {"metadata": {"labels": {OPT_IN_LABEL: value}}})


def _median(on: Callable[[], object], off: Callable[[], object], tried: Callable[[], Answer]) -> float:
    taken = []
    for _ in range(TRIES):
        _milliseconds(lambda: tried().ok)
        on()
        taken.append(_milliseconds(lambda: not tried().ok))
        off()
    return statistics.median(taken)


def _milliseconds(holds: Callable[[], bool]) -> float:
    """How long until it holds, asked again and again."""
    begun = time.perf_counter()
    while not holds():
        pass
    return (time.perf_counter() - begun) * 1000

"""How long each stop takes from its write until the API server refuses what it stops, and until what runs is held.

Both stand beside one write of a runner, the time of which nothing that is asked of an API server can beat.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from tests.support.audit import AuditLog
from tests.support.executions import place
from tests.support.identity import Answer
from tests.support.motion import WAYS, Motion, effects_after
from tests.support.scene import Scene, open_namespace
from tests.support.stops import STOPS, Stop, stop_of

from bench.figure import Counts, Figure, Goal, Result
from bench.options import Options
from bench.stand import Stand
from interlock.crds.names import RUNNERS_GROUP, RUNNERS_NAMESPACE

TRIES = 5
AGAINST = "one write"
WITHIN = 1000.0
"""Milliseconds within which what runs is to be held."""


def results(ground: Stand, _: Options) -> Iterator[Result]:
    """What begins: the median of some tries; what runs: the longest of three executions. In milliseconds."""
    installation = ground.installation
    with place(installation) as here:
        user = f"system:serviceaccount:{RUNNERS_NAMESPACE}:bench.{here.namespace}"
        runner = installation.admin.impersonating(user, RUNNERS_GROUP, "system:masters")
        execution = here.execution("Approved")

        def write() -> Answer:
            return runner.post(f"/api/v1/namespaces/{here.namespace}/configmaps", {"metadata": {"generateName": "s-"}})

        def start() -> Answer:
            return execution.move("Running", dry_run=True)

        baseline = statistics.median(_milliseconds(lambda: write().ok) for _ in range(TRIES))
        for which in STOPS:
            with stop_of(which, installation, here.namespace) as stop:
                tried = write if stop.refusal else start
                yield Figure(f"{which} to a refusal", _median(stop, tried), baseline, AGAINST, "ms")
    rows = []
    with ground.operator():
        for which in STOPS:
            held, late = _in_motion(ground, which)
            rows.append((which, [*held.values(), float(late)]))
            slowest, goal = max(held.values()), Goal(at_most=WITHIN / baseline)
            yield Figure(f"{which} to all held", slowest, baseline, AGAINST, "ms", goal)
    columns = [*(f"{name}, ms" for name in WAYS), "effects sent after it"]
    yield Counts("From a stop's write to its hold in an execution under way", columns, rows)


def _in_motion(ground: Stand, which: str) -> tuple[Mapping[str, float], int]:
    """Milliseconds from a stop's write to the hold of each execution, and the effects that came after the write."""
    installation, name = ground.installation, f"motion-{STOPS.index(which)}"
    open_namespace(installation, name)
    scene = Scene.prepare(installation, name, ground.directory / "operator" / "archive.db")
    motion, audit = Motion(scene), AuditLog(ground.lab.directory / "logs" / "audit.log")
    with stop_of(which, installation, name) as stop:
        motion.begin()
        motion.go()
        audit.skip()
        stop.pull()
        pulled, begun = datetime.now().astimezone(), time.perf_counter()
        held: dict[str, float] = {}
        while len(held) < len(WAYS):
            for way in WAYS:
                if way not in held and motion.held(way):
                    held[way] = (time.perf_counter() - begun) * 1000
        late = len(effects_after(audit, pulled, name))
        stop.lift()
        for way, end in motion.ENDS.items():
            scene.ends(end, name=way)
    audit.close()
    return held, late


def _median(stop: Stop, tried: Callable[[], Answer]) -> float:
    taken = []
    for _ in range(TRIES):
        _milliseconds(lambda: tried().ok)
        stop.pull()
        taken.append(_milliseconds(lambda: not tried().ok))
        stop.lift()
    return statistics.median(taken)


def _milliseconds(holds: Callable[[], bool]) -> float:
    """How long until it holds, asked again and again."""
    begun = time.perf_counter()
    while not holds():
        pass
    return (time.perf_counter() - begun) * 1000

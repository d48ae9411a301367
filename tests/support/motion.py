"""Executions in full motion: one that goes forth, one that undoes, one that puts back a temporary measure.

Each has many small writes of its runner before it, so that a stop meets all three between two effects.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tests.support.audit import RUNNERS, AuditLog, took_effect
from tests.support.identity import Json
from tests.support.scene import Scene, deployment, happened, runbook, settled, waiting
from tests.support.waiting import eventually

from interlock.crds.execution import Condition

EFFECTS = 14
WAYS = {"forth": "StepSucceeded", "back": "UndoSucceeded", "revert": "UndoSucceeded"}
"""Each execution with the event that tells of one effect more; its target has its name."""


@dataclass(frozen=True)
class Motion:
    """The three, in a namespace of their own."""

    scene: Scene
    ENDS: ClassVar = {"forth": "Succeeded", "back": "Undone", "revert": "Succeeded"}

    def begin(self) -> None:
        """Returns when each is right before its many effects: `go` starts them all."""
        scene = self.scene
        for name in WAYS:
            scene.create(deployment(name))
        for name in WAYS:
            eventually(f"{name} to settle", lambda name=name: settled(scene.workload(name)))  # type: ignore[misc]
        books = {
            "forth": runbook("test-forth", [waiting("go"), *_labels()]),
            "back": runbook("test-back", [*_labels(), waiting("go"), _FAILING]),
            "revert": runbook("test-revert", _labels(), revertAfterSeconds=3600),
        }
        for name, book in books.items():
            scene.ask(book, name=name, target=name)
            scene.approve(name)
        for name in ("forth", "back"):
            scene.happens("StepStarted", "go", name=name)
        scene.reaches("Reverting", name="revert")

    def go(self) -> None:
        """Lets them all go, and returns when each has had effects and has more of them before it."""
        for name in ("forth", "back"):
            self.scene.change({"metadata": {"labels": {"go": "yes"}}}, name)
        self.scene.cancel("revert")
        for name, event in WAYS.items():
            eventually(f"{name} to be in motion", lambda n=name, e=event: self._moved(n, e) > 1)  # type: ignore[misc]

    def _moved(self, name: str, event: str) -> int:
        return len(happened(self.scene.execution(name), event))

    def held(self, name: str) -> Condition | None:
        """Why an execution is held, if it is."""
        status = self.scene.execution(name).status
        found = [c for c in status.conditions if c.type == "Held" and c.status == "True"] if status else []
        return found[0] if found else None


def _labels() -> list[Json]:
    steps = (f"l{number}" for number in range(EFFECTS))
    return [{"name": n, "action": "patch", "with": {"merge": f"metadata: {{labels: {{{n}: 'on'}}}}"}} for n in steps]


_FAILING: Json = {"name": "fail", "action": "assert", "with": {"expression": "false"}}


def effects_after(log: AuditLog, moment: datetime, namespace: str) -> list[tuple[str, float]]:
    """What runners wrote in a namespace by requests that came later: the object, and how many seconds later."""
    found = []
    for event in log.fresh():
        late = (datetime.fromisoformat(event["requestReceivedTimestamp"]) - moment).total_seconds()
        reference = event.get("objectRef", {})
        ours = event["user"]["username"].startswith(RUNNERS) and reference.get("namespace") == namespace
        if ours and late > 0 and took_effect(event):
            found.append((str(reference.get("name")), late))
    return found

"""The same five steps as a Workflow of Argo's, and who answers them: an executor outside of any pod.

The controller offers each step as a task in a WorkflowTaskSet; the answerer looks at the target and writes the outcome
into its status. Between the controller's two cleaning patches an answered task looks open again, so one that has been
answered is left alone for a while.
"""

import time
from dataclasses import dataclass, field

from tests.support.identity import Json

from bench.stand import STEPS
from bench.wire import Wire
from interlock.crds.celprocess import Evaluator

GROUP = "argoproj.io"
API = f"/apis/{GROUP}/v1alpha1"
PLUGIN = "interlock"
LEFT_ALONE_SECONDS = 2.0


def workflow(name: str, target: str) -> Json:
    """Five steps in a row. The agent's pod, which nobody needs here, is held back by a scheduling gate."""
    tasks = [
        {"name": f"look-{n}", "template": f"look-{n}", **({"depends": f"look-{n - 1}"} if n else {})}
        for n in range(STEPS)
    ]
    looks = [{"name": f"look-{n}", "plugin": {PLUGIN: {"target": target, "step": n}}} for n in range(STEPS)]
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {
            "entrypoint": "main",
            "podSpecPatch": '{"schedulingGates":[{"name":"interlock.dev/agent-not-needed"}]}',
            "templates": [{"name": "main", "dag": {"tasks": tasks}}, *looks],
        },
    }


@dataclass
class Answerer:
    """Answers the open tasks of one namespace."""

    wire: Wire
    evaluator: Evaluator
    namespace: str
    _answered: dict[str, float] = field(default_factory=dict)

    async def listen(self) -> None:
        """Answers until cancelled."""
        sets = f"{API}/namespaces/{self.namespace}/workflowtasksets"
        async for event in self.wire.watch(sets):
            if event["type"] != "DELETED":
                await self._answer(sets, event["object"])

    async def _answer(self, sets: str, body: Json) -> None:
        done = (body.get("status") or {}).get("nodes") or {}
        for node, task in ((body.get("spec") or {}).get("tasks") or {}).items():
            if node in done or time.monotonic() - self._answered.get(node, 0) < LEFT_ALONE_SECONDS:
                continue
            self._answered[node] = time.monotonic()
            phase = "Succeeded" if await self._holds(task["plugin"][PLUGIN]) else "Failed"
            status = {"status": {"nodes": {node: {"phase": phase}}}}
            await self.wire.request("PATCH", f"{sets}/{body['metadata']['name']}/status", status)

    async def _holds(self, plugin: Json) -> bool:
        target = await self.wire.request("GET", f"/api/v1/namespaces/{self.namespace}/configmaps/{plugin['target']}")
        return await self.evaluator.holds(f"size(target.metadata.name) > {plugin['step']}", {"target": target})

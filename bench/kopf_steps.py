"""The same five steps as plain Kopf does them: one create-handler each, progress kept by Kopf's own storage.

Run as a process of its own, so that its use of the processor can be told apart.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import kopf
from tests.support.identity import Identity, Json

from bench.wire import Wire
from interlock.crds.celprocess import Evaluator

GROUP, VERSION, PLURAL = "bench.interlock.dev", "v1", "fives"
STEPS = 5

DEFINITION: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "Five", "plural": PLURAL, "singular": "five"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def five(name: str, target: str) -> Json:
    """An object whose creation is five steps of work."""
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Five", "metadata": {"name": name}, "spec": {"target": target}}


def registry(wire: Wire, evaluator: Evaluator) -> kopf.OperatorRegistry:
    """Five handlers, each of which reads the target and looks whether an expression holds."""
    made = kopf.OperatorRegistry()

    def add(number: int) -> None:
        async def look(*, spec: kopf.Spec, namespace: str | None, **_: Any) -> dict[str, bool]:
            target = await wire.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{spec['target']}")
            holds = await evaluator.holds(f"size(target.metadata.name) > {number}", {"target": target})
            if not holds:
                raise kopf.PermanentError("it does not hold")
            return {"done": True}

        kopf.on.create(GROUP, VERSION, PLURAL, id=f"look-{number}", registry=made)(look)

    for number in range(STEPS):
        add(number)
    kopf.on.login(registry=made)(kopf.login_with_kubeconfig)
    return made


@asynccontextmanager
async def _needed(kubeconfig: Path) -> AsyncIterator[kopf.OperatorRegistry]:
    async with Wire(Identity.load(kubeconfig)) as wire, Evaluator() as evaluator:
        yield registry(wire, evaluator)


async def main(kubeconfig: Path) -> None:
    """Runs until it is told to stop."""
    settings = kopf.OperatorSettings()
    settings.persistence.progress_storage = kopf.StatusProgressStorage()
    async with _needed(kubeconfig) as handlers:
        await kopf.operator(registry=handlers, settings=settings, clusterwide=True, standalone=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

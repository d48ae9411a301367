"""Watches what a kubelet watches (pods, what they refer to, nodes) and keeps one worker per pod."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from interlock.lab.kubelet.client import ApiClient, Change
from interlock.lab.kubelet.container import World
from interlock.lab.kubelet.images import ImageTable
from interlock.lab.kubelet.network import Network
from interlock.lab.kubelet.pods import Pod
from interlock.lab.kubelet.references import References
from interlock.lab.kubelet.worker import PodWorker

Json = dict[str, Any]
POLICIES, SERVICES = "/apis/networking.k8s.io/v1/networkpolicies", "/api/v1/services"
SYNCHRONIZE = ("/api/v1/secrets", "/api/v1/configmaps", "/api/v1/nodes", POLICIES, SERVICES)


class Kubelet:
    """The kubelets of all simulated nodes."""

    def __init__(self, client: ApiClient, images: ImageTable) -> None:
        self._client = client
        self._references = References()
        self._network = Network()
        self._world = World(images, self._references, self._network)
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._nodes: dict[str, bool] = {}
        self._synchronized = {path: asyncio.Event() for path in SYNCHRONIZE}

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        """The worker of a pod, None when no such pod is on a node."""
        named = (
            worker
            for worker in self._workers.values()
            if (worker.pod.metadata.namespace, worker.pod.metadata.name) == (namespace, name)
        )
        return next(named, None)

    def pods(self, namespace: str) -> Iterator[Pod]:
        """The pods of a namespace that are on a node."""
        yield from (w.pod for w in list(self._workers.values()) if w.pod.metadata.namespace == namespace)

    async def run(self) -> None:
        """Watches for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow("/api/v1/secrets", self._on_secret))
            group.create_task(self._follow("/api/v1/configmaps", self._on_config_map))
            group.create_task(self._follow("/api/v1/nodes", self._on_node))
            group.create_task(self._follow(POLICIES, partial(_keep, self._network.policies)))
            group.create_task(self._follow(SERVICES, partial(_keep, self._network.services)))
            for event in self._synchronized.values():
                await event.wait()
            group.create_task(self._follow("/api/v1/pods", self._on_pod))

    async def _follow(self, path: str, handle: Callable[[Change], None]) -> None:
        async for change in self._client.follow(path):
            if change.kind == "synchronized":
                if path in self._synchronized:
                    self._synchronized[path].set()
            else:
                handle(change)

    def _on_secret(self, change: Change) -> None:
        self._on_reference("Secret", change, self._references.secrets)

    def _on_config_map(self, change: Change) -> None:
        self._on_reference("ConfigMap", change, self._references.config_maps)

    def _on_reference(self, kind: str, change: Change, objects: dict[tuple[str, str], frozenset[str]]) -> None:
        metadata = change.item["metadata"]
        name = metadata["namespace"], metadata["name"]
        if change.kind == "gone":
            objects.pop(name, None)
            self._references.versions.pop((kind, name), None)
        else:
            keys = (change.item.get("data") or {}).keys() | (change.item.get("binaryData") or {}).keys()
            objects[name] = frozenset(keys)
            self._references.versions[kind, name] = metadata["resourceVersion"]
        for worker in self._workers.values():
            if worker.pod.metadata.namespace == metadata["namespace"]:
                worker.wake()

    def _on_node(self, change: Change) -> None:
        name = change.item["metadata"]["name"]
        # A node without the label is one whose machine is off: kwok renews no lease, and its pods stand still.
        self._nodes[name] = change.kind == "present" and change.item["metadata"].get("labels", {}).get("type") == "kwok"
        for worker in self._workers.values():
            if worker.pod.spec.node_name == name:
                worker.node_up = self._nodes[name]
                worker.wake()

    def _on_pod(self, change: Change) -> None:
        meta = change.item["metadata"]
        uid = meta["uid"]
        self._network.pods[uid] = meta["namespace"], meta.get("labels") or {}
        if change.kind == "gone":
            self._forget(uid)
        elif uid in self._workers:
            self._workers[uid].observe(change.item)
        elif change.item["spec"].get("nodeName"):
            self._adopt(uid, change.item)

    def _adopt(self, uid: str, item: Json) -> None:
        worker = PodWorker(self._client, self._world, item)
        worker.node_up = self._nodes.get(worker.pod.spec.node_name, False)
        self._workers[uid] = worker
        task = asyncio.create_task(worker.run(), name=f"pod {worker.pod.metadata.namespace}/{worker.pod.metadata.name}")
        task.add_done_callback(_report)
        self._tasks[uid] = task

    def _forget(self, uid: str) -> None:
        self._network.pods.pop(uid, None)
        self._workers.pop(uid, None)
        task = self._tasks.pop(uid, None)
        if task is not None:
            task.cancel()


def _keep(specs: dict[tuple[str, str], Json], change: Change) -> None:
    """Probes ask again by themselves, so nobody needs to be woken."""
    metadata = change.item["metadata"]
    name = metadata["namespace"], metadata["name"]
    if change.kind == "gone":
        specs.pop(name, None)
    else:
        specs[name] = change.item.get("spec") or {}


def _report(task: "asyncio.Task[None]") -> None:
    """A worker must not die unseen."""
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"{task.get_name()} is no longer driven", "exception": failure, "task": task}
        )

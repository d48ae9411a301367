"""Drives one pod: applies the core to it when something changed or its time has come, and writes what follows."""

import asyncio
import time
from typing import Any

import aiohttp

from interlock.lab.errors import ApiError
from interlock.lab.kubelet.client import ApiClient
from interlock.lab.kubelet.container import World
from interlock.lab.kubelet.core import PodStep, admit, advance
from interlock.lab.kubelet.events import PodRecorder
from interlock.lab.kubelet.history import PodHistory
from interlock.lab.kubelet.pods import Pod
from interlock.lab.kubelet.status import pod_status

Json = dict[str, Any]
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
ADMISSION_SECONDS = 0.25
RETRY_SECONDS = 1.0


class PodWorker:
    """One pod of the lab and the task that drives it."""

    def __init__(self, client: ApiClient, world: World, item: Json) -> None:
        self._client = client
        self._world = world
        self._recorder = PodRecorder(client)
        self._changed = asyncio.Event()
        self._written: Json = {}
        self.pod = Pod.model_validate(item)
        self.history: PodHistory = admit(self.pod, time.time())
        self.node_up = True

    def observe(self, item: Json) -> None:
        """Takes note of a newer version of the pod."""
        self.pod = Pod.model_validate(item)
        self.wake()

    def wake(self) -> None:
        """Something that the pod depends on changed."""
        self._changed.set()

    async def run(self) -> None:
        """Returns when the pod's object may go; cancel it when the object is gone."""
        # References arrive by other watches than the pod: give those a moment, as pulling and mounting would.
        await asyncio.sleep(ADMISSION_SECONDS)
        while True:
            self._changed.clear()
            if not self.node_up:
                await self._changed.wait()
                continue
            try:
                step = await self._step()
            except (ApiError, aiohttp.ClientError, TimeoutError):  # gone, changed or not heard: the watch tells
                await self._sleep_until(time.time() + RETRY_SECONDS)
                continue
            if step.finished:
                return
            await self._sleep_until(step.wake_at)

    async def _step(self) -> PodStep:
        now = time.time()
        step = advance(self.pod, self.history, self._world, now)
        self.history = step.history
        if step.finished:
            await self._delete()
            return step
        for event in step.events:
            await self._recorder.record(self.pod, event, now)
        await self._write_status(now)
        return step

    async def _write_status(self, now: float) -> None:
        status = pod_status(self.pod, self.history, now)
        if status == self._written and not self._overruled(status):
            return
        patch = {"metadata": {"uid": self.pod.metadata.uid}, "status": status}
        answer = await self._client.request("PATCH", f"{self._path}/status", patch, STRATEGIC_MERGE)
        self.pod = Pod.model_validate(answer)
        # Dates of conditions are those that the API server now holds.
        self._written = pod_status(self.pod, self.history, now)

    def _overruled(self, status: Json) -> bool:
        """Whether somebody else wrote over what we said: the node controller does when a node is lost."""
        observed = {condition.type: condition.status for condition in self.pod.status.conditions}
        wanted = {condition["type"]: condition["status"] for condition in status["conditions"]}
        return any(observed.get(name) != value for name, value in wanted.items())

    async def _delete(self) -> None:
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.pod.metadata.uid}}
        await self._client.request("DELETE", self._path, body)

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.pod.metadata.namespace}/pods/{self.pod.metadata.name}"

    async def _sleep_until(self, moment: float | None) -> None:
        timeout = None if moment is None else max(0.0, moment - time.time()) + 0.01
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            return

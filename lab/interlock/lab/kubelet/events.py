"""Writes Events as the kubelet's recorder does: one object per message, counted up instead of repeated."""

import secrets
from dataclasses import dataclass
from typing import Any

from interlock.lab.errors import ApiError
from interlock.lab.kubelet.client import ApiClient
from interlock.lab.kubelet.history import KubeletEvent
from interlock.lab.kubelet.pods import Pod
from interlock.lab.kubelet.status import timestamp

MERGE_PATCH = "application/merge-patch+json"
REMEMBERED = 100


@dataclass
class _Recorded:
    name: str
    count: int


class PodRecorder:
    """The Events of one pod."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._recorded: dict[KubeletEvent, _Recorded] = {}

    async def record(self, pod: Pod, event: KubeletEvent, now: float) -> None:
        """Writes the Event, or counts up the one that says the same. Losing one is no error: so it is with kubelets."""
        try:
            if not await self._counted_up(pod, event, now):
                await self._create(pod, event, now)
        except ApiError:
            return

    async def _counted_up(self, pod: Pod, event: KubeletEvent, now: float) -> bool:
        before = self._recorded.get(event)
        if before is None:
            return False
        before.count += 1
        patch = {"count": before.count, "lastTimestamp": timestamp(now)}
        try:
            await self._client.request("PATCH", f"{_path(pod)}/{before.name}", patch, MERGE_PATCH)
        except ApiError:
            del self._recorded[event]
            return False
        return True

    async def _create(self, pod: Pod, event: KubeletEvent, now: float) -> None:
        name = f"{pod.metadata.name}.{secrets.token_hex(8)}"
        await self._client.request("POST", _path(pod), _object(pod, event, name, timestamp(now)))
        if len(self._recorded) >= REMEMBERED:
            self._recorded.pop(next(iter(self._recorded)))
        self._recorded[event] = _Recorded(name, 1)


def _path(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod.metadata.namespace}/events"


def _object(pod: Pod, event: KubeletEvent, name: str, when: str) -> dict[str, Any]:
    involved = {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": pod.metadata.namespace,
        "name": pod.metadata.name,
        "uid": pod.metadata.uid,
    }
    if event.field_path is not None:
        involved["fieldPath"] = event.field_path
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": pod.metadata.namespace},
        "involvedObject": involved,
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "count": 1,
        "firstTimestamp": when,
        "lastTimestamp": when,
        "source": {"component": "kubelet", "host": pod.spec.node_name},
        "reportingComponent": "kubelet",
        "reportingInstance": pod.spec.node_name,
    }

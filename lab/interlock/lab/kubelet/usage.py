"""What pods use, as metrics-server tells it (metrics.k8s.io): what autoscalers go by.

A program uses what its image says, and its share of what the callers of all its ready pods ask for together.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from interlock.lab.kubelet.images import ImageTable, PullFailure, millicores, split_reference
from interlock.lab.kubelet.pods import Container, Pod
from interlock.lab.kubelet.shell import Kubelet

GROUP_VERSION = "metrics.k8s.io/v1beta1"
_ROOT = f"/apis/{GROUP_VERSION}"
_WINDOW = "1s"
Json = dict[str, Any]


def add_usage(application: web.Application, kubelet: Kubelet, images: ImageTable) -> None:
    """Lets the kubelets' port answer for pods by label; of anything else under /apis it says that there is none."""

    async def resources(_: web.Request) -> web.Response:
        pods = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["list"]}
        body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": [pods]}
        return web.json_response(body)

    async def pods(request: web.Request) -> web.Response:
        terms = [term for term in request.query.get("labelSelector", "").split(",") if term]
        if not all("=" in term for term in terms):
            return web.Response(status=400, text="the lab's metrics are selected by labels that are equal")
        wanted = dict(term.split("=", 1) for term in terms)
        everyone = list(kubelet.pods(request.match_info["namespace"]))
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        items = [
            _metrics(pod, everyone, images, now) for pod in everyone if wanted.items() <= pod.metadata.labels.items()
        ]
        body = {"kind": "PodMetricsList", "apiVersion": GROUP_VERSION, "metadata": {}, "items": items}
        return web.json_response(body)

    async def nothing(_: web.Request) -> web.Response:
        return web.Response(status=404)

    application.router.add_get(_ROOT, resources)
    application.router.add_get(f"{_ROOT}/namespaces/{{namespace}}/pods", pods)
    for path in ("/apis", "/apis/{rest:.*}", "/openapi/{rest:.*}"):
        application.router.add_get(path, nothing)


def _metrics(pod: Pod, everyone: Sequence[Pod], images: ImageTable, now: str) -> Json:
    used = [
        {"name": c.name, "usage": {"cpu": f"{cpu_used(c, everyone, images)}m", "memory": "0"}}
        for c in pod.spec.containers
    ]
    meta = {"name": pod.metadata.name, "namespace": pod.metadata.namespace, "labels": dict(pod.metadata.labels)}
    return {"metadata": meta, "timestamp": now, "window": _WINDOW, "containers": used}


def cpu_used(container: Container, everyone: Iterable[Pod], images: ImageTable) -> int:
    """Thousandths of a processor that one of these pods' containers uses, never more than its limit."""
    image = images.find(container.image)
    if isinstance(image, PullFailure):
        return 0
    serving = sum(1 for pod in everyone if _is_ready(pod) and _runs(pod, container.image))
    used = image.cpu + image.load // max(1, serving)
    limit = container.resources.limits.get("cpu")
    return used if limit is None else min(used, millicores(limit))


def _runs(pod: Pod, image: str) -> bool:
    return split_reference(image)[0] in (split_reference(c.image)[0] for c in pod.spec.containers)


def _is_ready(pod: Pod) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)

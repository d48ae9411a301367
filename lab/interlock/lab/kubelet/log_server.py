"""The kubelet's HTTPS port: what `kubectl logs` reads through the API server."""

import ssl
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from aiohttp import web

from interlock.lab.kubelet.history import Run, current_run, previous_run
from interlock.lab.kubelet.log import LogOptions, lines, render
from interlock.lab.kubelet.shell import Kubelet


def add_logs(application: web.Application, kubelet: Kubelet) -> None:
    """Answers /containerLogs; whatever else a kubelet can do, this one says that it cannot: add it last."""

    async def container_logs(request: web.Request) -> web.Response:
        found = _run(kubelet, request.match_info, previous=request.query.get("previous") == "true")
        if isinstance(found, str):
            return web.Response(status=400, text=found)
        now = time.time()
        return web.Response(body=render(lines(found, now), _options(request.query, now)), content_type="text/plain")

    async def unsupported(_: web.Request) -> web.Response:
        return web.Response(status=501, text="the lab's nodes run no containers: only logs can be read")

    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", container_logs)
    application.router.add_route("*", "/{rest:.*}", unsupported)


def server_context(certificate: Path, key: Path, client_ca: Path) -> ssl.SSLContext:
    """TLS that lets in the API server only."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client_ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    return context


def _run(kubelet: Kubelet, match: Mapping[str, str], *, previous: bool) -> Run | str:
    namespace, pod, container = match["namespace"], match["pod"], match["container"]
    worker = kubelet.worker(namespace, pod)
    history = worker.history.containers.get(container) if worker is not None else None
    if history is None:
        return f'container "{container}" in pod "{pod}" is not available'
    run = previous_run(history) if previous else current_run(history)
    if run is None and previous:
        return f'previous terminated container "{container}" in pod "{pod}" not found'
    if run is None:
        reason = getattr(history.state, "reason", "ContainerCreating")
        return f'container "{container}" in pod "{pod}" is waiting to start: {reason}'
    return run


def _options(query: Mapping[str, str], now: float) -> LogOptions:
    since = None
    if "sinceSeconds" in query:
        since = now - int(query["sinceSeconds"])
    elif "sinceTime" in query:
        since = datetime.fromisoformat(query["sinceTime"]).timestamp()
    return LogOptions(
        tail=int(query["tailLines"]) if "tailLines" in query else None,
        limit_bytes=int(query["limitBytes"]) if "limitBytes" in query else None,
        since=since,
        timestamps=query.get("timestamps") == "true",
    )

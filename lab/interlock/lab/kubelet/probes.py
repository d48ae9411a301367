"""What a probe finds, and what its results add up to (kubelet's prober and worker)."""

from dataclasses import replace

from interlock.lab.kubelet.history import ProbeHistory, ProbeKind
from interlock.lab.kubelet.images import Image
from interlock.lab.kubelet.pods import Container, HttpGet, PortCheck, Probe

FIRST_PROBE_SECONDS = 0.35
SUCCESS_STATUS = range(200, 400)


def probes_of(container: Container) -> dict[ProbeKind, Probe]:
    """The probes that a container asks for, in the order in which they matter."""
    named: tuple[tuple[ProbeKind, Probe | None], ...] = (
        ("startup", container.startup_probe),
        ("liveness", container.liveness_probe),
        ("readiness", container.readiness_probe),
    )
    return {kind: probe for kind, probe in named if probe is not None}


def first(kind: ProbeKind, probe: Probe, started: float) -> ProbeHistory:
    """The history of a probe before it ran: only liveness is presumed."""
    return ProbeHistory(
        next_at=started + max(float(probe.initial_delay_seconds), FIRST_PROBE_SECONDS), passed=kind == "liveness"
    )


def judge(probe: Probe, history: ProbeHistory, failed: bool, now: float) -> ProbeHistory:
    """The history after one more result: it flips only after as many equal results as its threshold says."""
    failures = history.failures + 1 if failed else 0
    successes = 0 if failed else history.successes + 1
    passed = history.passed
    if failures >= probe.failure_threshold:
        passed = False
    elif successes >= probe.success_threshold:
        passed = True
    return replace(history, next_at=now + probe.period_seconds, failures=failures, successes=successes, passed=passed)


def failure(probe: Probe, container: Container, image: Image, pod_ip: str, elapsed: float) -> str | None:
    """Why the probe fails now, in the prober's words; None when it succeeds."""
    if probe.http_get is not None:
        return _http(probe.http_get, container, image, pod_ip, elapsed, patience=probe.timeout_seconds)
    check = probe.tcp_socket or probe.grpc
    return _port(check, container, image, pod_ip, elapsed) if check is not None else None


def _http(
    get: HttpGet, container: Container, image: Image, pod_ip: str, elapsed: float, *, patience: float
) -> str | None:
    path = get.path if get.path.startswith("/") else f"/{get.path}"
    refused = _port(PortCheck(port=get.port), container, image, pod_ip, elapsed)
    if refused is None and image.answers_in > patience:
        refused = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if refused is not None:
        return f'Get "{get.scheme.lower()}://{pod_ip}:{container.port(get.port)}{path}": {refused}'
    status = _status(image, path, container.port(get.port))
    return None if status in SUCCESS_STATUS else status_words(status)


def status_words(status: int) -> str:
    """What the prober says of an answer that is no success."""
    return f"HTTP probe failed with statuscode: {status}"


def _port(check: PortCheck, container: Container, image: Image, pod_ip: str, elapsed: float) -> str | None:
    port = container.port(check.port)
    if port is None:
        return f"couldn't find port: {check.port}"
    declared = tuple(item.container_port for item in container.ports)
    # A program of which nothing is known listens where its container says, or, if that says nothing, anywhere.
    listens = image.listens if image.listens is not None else declared or (port,)
    if port not in listens or elapsed < image.starts_in:
        return f"dial tcp {pod_ip}:{port}: connect: connection refused"
    return None


def _status(image: Image, path: str, port: int | None) -> int:
    if image.endpoints is None:
        return 200
    asked = path.partition("?")[0]
    found = (item for item in image.endpoints if item.path == asked and item.port in (None, port))
    return next((item.status for item in found), 404)

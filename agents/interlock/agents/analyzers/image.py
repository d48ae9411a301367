"""The image cannot be pulled: the runtime's own words say why, the revision's diff says since when."""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.objects import ContainerStatus, Pod
from interlock.agents.analyzers.scene import Scene

PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})

# The first that matches wins; what is ambiguous in the registry's words stays ambiguous here. Texts are those of
# containerd, CRI-O and Docker as the kubelet repeats them.
_WORDS: tuple[tuple[str, str, float], ...] = (
    (r"toomanyrequests|\b429\b|rate limit", "workload.image.rate-limited", 0.9),
    (r"no such host|server misbehaving|name or service not known", "workload.image.registry-unresolvable", 0.93),
    (r"no match for platform|exec format error|no matching manifest", "workload.image.architecture-mismatch", 0.93),
    (r"no basic auth credentials", "workload.image.unauthorized", 0.9),  # asked for credentials, and had none
    (r"repository does not exist or may require|may require 'docker login'", "workload.image", 0.8),
    (r"\b401\b|\b403\b|unauthorized|authentication required|access denied|denied:", "workload.image.unauthorized", 0.9),
    (r"\bnot found\b|manifest unknown|code = notfound|name unknown", "workload.image.not-found", 0.95),
    (
        r"i/o timeout|connection refused|context deadline exceeded|tls handshake|network is unreachable",
        "workload.image.registry-unreachable",
        0.85,
    ),
)
_NO_PULL_SECRET = re.compile(r"Unable to retrieve some image pull secrets \(([^)]*)\)")


def analyze(scene: Scene) -> Iterator[Finding]:
    """One finding for each container whose image cannot be had."""
    seen: set[tuple[str, str]] = set()
    for pod, status in scene.broken_statuses():
        reason = status.waiting.reason
        spec = pod.spec.container(status.name)
        image = spec.image if spec else status.image
        if (status.name, image) in seen or reason not in {*PULLING, "InvalidImageName", "ErrImageNeverPull"}:
            continue
        seen.add((status.name, image))
        yield _finding(scene, pod, status, image)


def _finding(scene: Scene, pod: Pod, status: ContainerStatus, image: str) -> Finding:
    words, quotes = _words(scene, pod, status)
    cause, confidence = _cause(scene, status.waiting.reason, words)
    changed = scene.changed("containers", status.name, "image")
    introduced = scene.introduced(status.name, "image")
    shared = cause.endswith(("registry-unreachable", "registry-unresolvable", "rate-limited"))
    if shared and introduced != "yes":
        confidence = min(confidence, 0.75)  # the registry or the name service may be at fault instead
    return Finding(
        cause=cause,
        object=scene.target,
        confidence=confidence,
        summary=f"The image {image} of container {status.name} cannot be pulled: {words[:200] or 'no reason is given'}",
        quotes=(*quotes, *scene.quote_changes(changed)),
        introduced=introduced,
    )


def _words(scene: Scene, pod: Pod, status: ContainerStatus) -> tuple[str, tuple[Quote, ...]]:
    waiting = status.waiting.message
    said = [e.message for e in scene.events if e.object.name == pod.name and _about_pulling(e.reason, e.message)]
    # The back-off message repeats the reason only in newer kubelets; the event of the failed pull always has it.
    telling = next((text for text in (waiting, *said) if any(re.search(w, text, re.I) for w, _, _ in _WORDS)), "")
    quotes = scene.quote("pods", f"{pod.name}/{status.name}: {status.waiting.reason}: {waiting}")
    if telling and telling != waiting:
        quotes += scene.quote("events", telling)
    return telling or waiting or next(iter(said), ""), quotes


def _about_pulling(reason: str, message: str) -> bool:
    return reason in {"Failed", "FailedToRetrieveImagePullSecret", "InspectFailed"} and "image" in message.lower()


def _cause(scene: Scene, reason: str, words: str) -> tuple[str, float]:
    if reason == "InvalidImageName":
        return "workload.image.reference-invalid", 0.96
    if reason == "ErrImageNeverPull":
        return "workload.image.never-present", 0.95
    cause, confidence = next(
        ((cause, sure) for pattern, cause, sure in _WORDS if re.search(pattern, words, re.I)), ("workload.image", 0.72)
    )
    refused = cause in {"workload.image.unauthorized", "workload.image"}
    if refused and any(_NO_PULL_SECRET.search(event.message) for event in scene.events):
        return "workload.image.pull-secret-missing", 0.9
    return cause, confidence

"""The API server refuses its pods: a quota, a limit range, a security level, a service account that is not there."""

import re
from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.scene import Scene
from interlock.agents.model import ObjectRef
from interlock.crds.quantity import is_quantity, quantity

_QUOTA = re.compile(
    r"exceeded quota: (?P<quota>[^,\s]+), requested: (?P<asked>.+?), used: (?P<used>.+?), limited: (?P<limit>.+)", re.S
)
_ACCOUNT = re.compile(r'serviceaccount "(?P<name>[^"]+)" not found')
_LIMIT = re.compile(r"(?:maximum|minimum) \S+ (?:usage|limit to request ratio) per (?:Container|Pod)")
_SECURITY = re.compile(r'violates PodSecurity "(?P<level>[^"]+)"')

_RESOURCES = {
    "pods": "pods",
    "count/pods": "pods",
    "requests.cpu": "cpu",
    "limits.cpu": "cpu",
    "cpu": "cpu",
    "requests.memory": "memory",
    "limits.memory": "memory",
    "memory": "memory",
    "requests.storage": "storage",
    "services": "services",
}


def analyze(scene: Scene) -> Iterator[Finding]:
    """A finding for the newest refusal, if the workload still lacks pods; or for a quota that is itself the target."""
    if scene.target.kind == "ResourceQuota":
        yield from _used_up(scene)
    workload = scene.workload
    if workload is None:
        return
    wanted = workload.spec.replicas or 0
    if min(workload.status.replicas, workload.status.updated_replicas or workload.status.replicas) >= wanted:
        failing = workload.condition("ReplicaFailure")
        if failing is None or failing.status != "True":
            return
    words, quotes = _refusal(scene)
    if not words:
        return
    if found := _QUOTA.search(words):
        yield _quota(scene, found, quotes)
    elif found := _ACCOUNT.search(words):
        changes = scene.changed("spec", "serviceAccountName")
        yield Finding(
            cause="workload.service-account.not-found",
            object=scene.target if changes else _named(scene, "ServiceAccount", found["name"]),
            confidence=0.94 if changes else 0.75,  # a new name, or an account that went?
            summary=f"Pods need the ServiceAccount {found['name']}, which does not exist.",
            quotes=(*quotes, *scene.quote_changes(changes)),
            introduced="yes" if changes and scene.previous else "no",
        )
    elif _LIMIT.search(words):
        yield _by_spec(scene, "namespace.limit-range.violated", "resources", words, quotes)
    elif _SECURITY.search(words):
        yield _by_spec(scene, "namespace.pod-security.rejected", "securityContext", words, quotes)
    else:
        yield _by_spec(scene, "workload.security.admission-rejected", "spec", words, quotes, confidence=0.7)


def _used_up(scene: Scene) -> Iterator[Finding]:
    quota = scene.quota
    if quota is None:
        return
    full = sorted(
        name
        for name, hard in quota.status.hard.items()
        if is_quantity(hard) and quantity(quota.status.used.get(name, "0")) >= quantity(hard) > 0
    )
    causes = {f"namespace.quota.{_RESOURCES.get(name, 'objects')}-exceeded" for name in full}
    if full:
        shown = ", ".join(f"{name} {quota.status.used[name]} of {quota.status.hard[name]}" for name in full)
        yield Finding(
            cause=causes.pop() if len(causes) == 1 else "namespace.quota",
            object=scene.target,
            confidence=0.85,
            summary=f"Quota {quota.metadata.name} is used up: {shown}.",
            quotes=scene.quote("target", shown),
            introduced="no",
        )


def _refusal(scene: Scene) -> tuple[str, tuple[Quote, ...]]:
    said = next((e.message for e in scene.events if e.reason == "FailedCreate"), "")
    condition = scene.workload.condition("ReplicaFailure") if scene.workload else None
    if condition is not None and condition.status == "True":
        return said or condition.message, (
            *scene.quote("target", f"ReplicaFailure: {condition.message}"),
            *(scene.quote("events", said) if said else ()),
        )
    return "", ()  # refused once, but not now


def _quota(scene: Scene, found: re.Match[str], quotes: tuple[Quote, ...]) -> Finding:
    asked = [part.partition("=")[0].strip() for part in found["asked"].split(",")]
    causes = {f"namespace.quota.{_RESOURCES.get(resource, 'objects')}-exceeded" for resource in asked}
    return Finding(
        cause=causes.pop() if len(causes) == 1 else "namespace.quota",
        object=_named(scene, "ResourceQuota", found["quota"]),
        confidence=0.95,
        summary=f"Quota {found['quota']} refuses pods: asked {found['asked']}, used {found['used']}, "
        f"limited to {found['limit'].strip()[:80]}.",
        quotes=(*quotes, *scene.quote("quotas", f"{found['quota']}: used {found['used']} of {found['limit'][:80]}")),
        introduced="no",
    )


def _by_spec(
    scene: Scene, cause: str, field: str, words: str, quotes: tuple[Quote, ...], *, confidence: float = 0.92
) -> Finding:
    changes = scene.changed(field)
    brought = bool(changes) and scene.previous_works
    return Finding(
        cause=cause,
        object=scene.target,
        confidence=confidence,
        summary=f"The API server refuses pods of {scene.target}: {words[-250:]}",
        quotes=(*quotes, *scene.quote_changes(changes)),
        introduced="yes" if brought else "no",
    )


def _named(scene: Scene, kind: str, name: str) -> ObjectRef:
    return ObjectRef(kind=kind, namespace=scene.target.namespace, name=name)

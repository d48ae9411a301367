"""What controllers beside Kubernetes say of their objects: certificates, deliveries from Git, vertical autoscalers."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.cluster import Json
from interlock.agents.model import ObjectRef

_SOURCE = re.compile(
    r"(?i)unable to (?:clone|resolve|fetch|checkout)|failed to (?:clone|checkout|fetch|download|list)|authentication"
    r"|repository not found|repository .*not accessible|dial tcp|i/o timeout|no such host|connection refused|x509"
)
_WAITS_FOR_SOURCE = re.compile(r"(?i)source .*(?:not ready|not found)|ArtifactFailed|SourceNotReady|DependencyNotReady")
_EXPIRING_SECONDS = 3 * 24 * 3600
Verdict = tuple[str, float, str]


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each such object that says of itself that it fails."""
    for place in (*land.focus, *(n for n in land.source.namespaces() if n not in land.focus), None):
        for plural, judge in _JUDGES.items():
            for body in land.source.objects(plural, place) or ():
                verdict = judge(land, body)
                if verdict is not None and not _is_suspended(body):
                    yield _finding(land, plural, place, body, verdict)


def _finding(land: Landscape, plural: str, place: str | None, body: Json, verdict: Verdict) -> Finding:
    cause, sure, words = verdict
    kind = str(body.get("kind") or _KINDS[plural])
    ref = ObjectRef(kind=kind, namespace=place, name=str(body["metadata"]["name"]))
    hurts = bool(land.symptoms or land.lines)
    return Finding(
        cause=cause,
        object=ref,
        confidence=sure if hurts else min(sure, 0.75),
        summary=f"{ref}: {words[:250]}",
        quotes=land.quote(ref, words),
    )


def _is_suspended(body: Json) -> bool:
    spec = body.get("spec")
    return isinstance(spec, dict) and spec.get("suspend") is True


def _status(body: Json) -> Mapping[str, Any]:
    status = body.get("status")
    return status if isinstance(status, dict) else {}


def _not_ready(body: Json) -> str:
    """Why an object is not ready; empty where it is, or is still at it."""
    for condition in records(_status(body).get("conditions")):
        if condition.get("type") == "Ready" and condition.get("status") == "False":
            return f"{condition.get('reason')}: {condition.get('message')}"
    return ""


def _certificate(land: Landscape, body: Json) -> Verdict | None:
    ends = _time(_status(body).get("notAfter"))
    left = (ends - land.now).total_seconds() if ends is not None else None
    if left is not None and left <= 0:
        return "certificate.expired", 0.93, f"it ended at {_status(body)['notAfter']}"
    renewal = _time(_status(body).get("renewalTime"))
    if left is not None and left < _EXPIRING_SECONDS and renewal is not None and renewal < land.now:
        return "certificate.expiring", 0.8, f"it ends at {_status(body)['notAfter']} and was not renewed"
    why = _not_ready(body)
    return ("certificate", 0.55, why) if why and "Issuing" not in why else None


def _time(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _issuer(land: Landscape, body: Json) -> Verdict | None:
    why = _not_ready(body)
    return ("certificate.issuer.failing", 0.88, why) if why else None


def _source(land: Landscape, body: Json) -> Verdict | None:
    why = _not_ready(body)
    return ("gitops.source.unreachable", 0.88, why) if why else None


def _delivery(land: Landscape, body: Json) -> Verdict | None:
    why = _not_ready(body)
    if not why:
        return None
    return ("gitops.sync.failed", 0.45 if _WAITS_FOR_SOURCE.search(why) else 0.82, why)


def _application(land: Landscape, body: Json) -> Verdict | None:
    for condition in records(_status(body).get("conditions")):
        if str(condition.get("type")).endswith("Error"):
            words = str(condition.get("message"))
            return (
                ("gitops.source.unreachable", 0.85, words)
                if _SOURCE.search(words)
                else ("gitops.sync.failed", 0.82, words)
            )
    state = _status(body).get("operationState")
    if isinstance(state, dict) and state.get("phase") in ("Failed", "Error"):
        return "gitops.sync.failed", 0.82, f"{state.get('phase')}: {state.get('message')}"
    return None


def _vertical(land: Landscape, body: Json) -> Verdict | None:
    """A vertical autoscaler that evicts: only where pods were seen to go for it."""
    spec = body.get("spec")
    target = spec.get("targetRef") if isinstance(spec, dict) else None
    name = str(target.get("name")) if isinstance(target, dict) else ""
    gone = [e for e in land.events if e.reason == "EvictedByVPA" and e.object.name.startswith(f"{name}-")]
    if not name or sum(e.count for e in gone) < 2:
        return None
    return "autoscaling.vpa.evicting", 0.85, f"pods of {name} are evicted: {gone[0].message}"


_JUDGES = {
    "certificates": _certificate,
    "issuers": _issuer,
    "clusterissuers": _issuer,
    "gitrepositories": _source,
    "helmrepositories": _source,
    "ocirepositories": _source,
    "buckets": _source,
    "kustomizations": _delivery,
    "helmreleases": _delivery,
    "applications": _application,
    "verticalpodautoscalers": _vertical,
}
_KINDS = {
    "certificates": "Certificate",
    "issuers": "Issuer",
    "clusterissuers": "ClusterIssuer",
    "gitrepositories": "GitRepository",
    "helmrepositories": "HelmRepository",
    "ocirepositories": "OCIRepository",
    "buckets": "Bucket",
    "kustomizations": "Kustomization",
    "helmreleases": "HelmRelease",
    "applications": "Application",
    "verticalpodautoscalers": "VerticalPodAutoscaler",
}

"""What controllers beside Kubernetes say of their objects: certificates, deliveries from Git, vertical autoscalers."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.wide.drift import named
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.cluster import Json
from interlock.agents.model import ObjectRef, moment
from interlock.crds.redact import redact_text

_SOURCE = re.compile(
    r"(?i)unable to (?:clone|resolve|fetch|checkout)|failed to (?:clone|checkout|fetch|download|list)|authentication"
    r"|repository not found|repository .*not accessible|dial tcp|i/o timeout|no such host|connection refused|x509"
)
_WAITS_FOR_SOURCE = re.compile(r"(?i)source .*(?:not ready|not found)|ArtifactFailed|SourceNotReady|DependencyNotReady")
_DELIVERS = re.compile(r"(?i)argo-?cd|\bflux|kustomize-controller|helm-controller|gitops|fleet-agent|config-sync")
_TURNED_DOWN = re.compile(r"(?i)fail\w* to (?:create|finali[sz]e) order|urn:ietf:params:acme:error|request has failed")
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
    yield from _refused_orders(land)
    yield from _reverted(land)


def _reverted(land: Landscape) -> Iterator[Finding]:
    """What somebody changes by hand and a delivery from Git takes back, again and again."""
    by_object: dict[ObjectRef, list[Json]] = {}
    for entry in records(land.source.document("changes")):
        ref = named(land, entry.get("object"))
        if ref is not None and moment(entry.get("at")) is not None:
            by_object.setdefault(ref, []).append(entry)
    for ref, entries in by_object.items():
        told = sorted(entries, key=lambda entry: str(moment(entry["at"])))
        back = [
            later
            for earlier, later in pairwise(told)
            if _DELIVERS.search(str(later.get("who")))
            and not _DELIVERS.search(str(earlier.get("who")))
            and _takes_back(str(later.get("diff")), str(earlier.get("diff")))
        ]
        if back:
            words = f"{len(back)} times taken back by {back[-1].get('who')}: {redact_text(str(back[-1].get('diff')))}"
            yield Finding(
                cause="gitops.drift.reverted",
                object=ref,
                confidence=0.88 if len(back) > 1 else 0.7,
                summary=f"What is changed of {ref} by hand is {words[:250]}",
                quotes=land.quote(ref, words),
            )


def _takes_back(later: str, earlier: str) -> bool:
    """Whether a diff removes what another adds, and adds what it removes."""
    added, removed = _sides(earlier)
    return bool(added or removed) and _sides(later) == (removed, added)


def _sides(diff: str) -> tuple[frozenset[str], frozenset[str]]:
    lines = [line for line in diff.splitlines() if not line.startswith(("+++", "---"))]
    added, removed = (frozenset(x[1:].strip() for x in lines if x.startswith(sign)) for sign in "+-")
    return added, removed


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
    ends = moment(_status(body).get("notAfter"))
    left = (ends - land.now).total_seconds() if ends is not None else None
    if left is not None and left <= 0:
        return "certificate.expired", 0.93, f"it ended at {_status(body)['notAfter']}"
    renewal = moment(_status(body).get("renewalTime"))
    if left is not None and left < _EXPIRING_SECONDS and renewal is not None and renewal < land.now:
        return "certificate.expiring", 0.8, f"it ends at {_status(body)['notAfter']} and was not renewed"
    why = _not_ready(body)
    return ("certificate", 0.55, why) if why and "Issuing" not in why else None


def _refused_orders(land: Landscape) -> Iterator[Finding]:
    """Issuers who turn down what was asked of them: said in events about the requests, not by the issuers."""
    for place in (*land.focus, *(n for n in land.source.namespaces() if n not in land.focus)):
        for body in land.source.objects("certificates", place) or ():
            spec, name = body.get("spec"), str(body["metadata"]["name"])
            issuer = spec.get("issuerRef") if isinstance(spec, dict) else None
            said = [
                e
                for e in land.source.objects("events", place) or ()
                if _is_request(str((e.get("involvedObject") or {}).get("kind")))
                and re.match(rf"{re.escape(name)}(-[\w-]+)?$", str((e.get("involvedObject") or {}).get("name")))
                and _TURNED_DOWN.search(str(e.get("message")))
            ]
            if said and isinstance(issuer, dict) and isinstance(issuer.get("name"), str):
                kind = str(issuer.get("kind") or "Issuer")
                ref = ObjectRef(kind=kind, namespace=None if kind == "ClusterIssuer" else place, name=issuer["name"])
                words = str(said[-1]["message"])
                yield Finding(
                    cause="certificate.issuer.failing",
                    object=ref,
                    confidence=0.85,
                    summary=f"{ref} turns down what is asked for {name}: {words[:200]}",
                    quotes=land.quote(ObjectRef(kind="Certificate", namespace=place, name=name), words),
                )


def _is_request(kind: str) -> bool:
    return kind in ("Certificate", "CertificateRequest", "Order", "Challenge")


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

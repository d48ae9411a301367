"""What is not as it was meant, as causes: each path of a manifest stands for the fault that a wrong value there makes.

A difference alone proves nothing: it counts where the object, or who depends on it, hurts.
"""

import re
from collections.abc import Iterator
from typing import Any

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.kinds import ConfigMap
from interlock.agents.analyzers.wide.drift import Drift
from interlock.agents.analyzers.wide.landscape import Landscape, says
from interlock.agents.analyzers.wide.reach import reach
from interlock.agents.analyzers.wide.relevance import is_well
from interlock.agents.analyzers.wide.speech import OFTEN
from interlock.agents.model import ObjectRef

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_ADDRESS = re.compile(r"://|^[a-z][a-z0-9.-]*:\d{2,5}$|\.svc\b")

COMPLAINED = 0.76
SILENT = 0.4
ONE_OF_SEVERAL = 0.75
_WORD = re.compile(r"[A-Za-z0-9]{7,}")
_COINED = re.compile(r"(?<![\w$/.-])[a-z]{3,}[A-Z][a-z]+(?:[A-Z]?[a-z]+)*(?=[\"'])")
_COMMON = frozenset({"changed", "removed", "replaced", "properties", "settings", "endpoint", "default", "enabled"})
_FAILS = re.compile(r"(?i)error|exception|fail|fatal|panic|crit")

# What was changed was not necessarily wrong; what is not as it was meant is at least not meant.
WITNESSES = {"manifest": 1.0, "revision": 0.8, "change": 0.8}

# Kind, path, cause, how sure where it hurts. The first that fits counts.
_PATHS: tuple[tuple[str, str, str, float], ...] = (
    ("workload", r"livenessProbe/.*port", "workload.probe.liveness-port-wrong", 0.9),
    ("workload", r"readinessProbe/.*port", "workload.probe.readiness-port-wrong", 0.9),
    ("workload", r"livenessProbe/.*path", "workload.probe.liveness-path-wrong", 0.9),
    ("workload", r"readinessProbe/.*path", "workload.probe.readiness-path-wrong", 0.9),
    (
        "workload",
        r"livenessProbe/(httpGet|tcpSocket|grpc|exec|.*scheme)",
        "workload.probe.liveness-protocol-wrong",
        0.85,
    ),
    (
        "workload",
        r"readinessProbe/(httpGet|tcpSocket|grpc|exec|.*scheme)",
        "workload.probe.readiness-protocol-wrong",
        0.85,
    ),
    ("workload", r"livenessProbe/", "workload.probe.liveness-timing-wrong", 0.85),
    ("workload", r"readinessProbe/", "workload.probe.readiness-timing-wrong", 0.85),
    ("workload", r"startupProbe", "workload.probe.startup-too-short", 0.8),
    ("workload", r"limits/memory", "workload.memory.limit-too-low", 0.85),
    ("workload", r"requests/memory", "workload.memory.request-too-high", 0.85),
    ("workload", r"limits/cpu", "workload.cpu.throttled", 0.8),
    ("workload", r"requests/cpu", "workload.cpu.request-too-high", 0.85),
    ("workload", r"nodeSelector", "scheduling.node-selector.mismatch", 0.85),
    ("workload", r"nodeAffinity", "scheduling.node-affinity.mismatch", 0.85),
    ("workload", r"podAntiAffinity", "scheduling.pod-anti-affinity.conflict", 0.85),
    ("workload", r"podAffinity", "scheduling.pod-affinity.unsatisfied", 0.85),
    ("workload", r"tolerations", "scheduling.taint.untolerated", 0.8),
    ("workload", r"topologySpread", "scheduling.topology-spread.unsatisfiable", 0.8),
    ("workload", r"dnsPolicy|dnsConfig", "workload.dns.misconfigured", 0.9),
    ("workload", r"serviceAccountName|serviceAccount$", "workload.service-account.not-found", 0.75),
    ("workload", r"securityContext", "workload.security.context-denied", 0.75),
    ("workload", r"containerPort", "workload.port.not-listening", 0.75),
    ("workload", r"/ports/", "workload.port.name-mismatch", 0.75),
    ("workload", r"volumeMounts|/volumes/", "workload.volume.mount-failed", 0.7),
    ("workload", r"/(command|args)", "workload.crash.after-change", 0.72),
    ("Service", r"/selector", "service.selector.mismatch", 0.93),
    ("Service", r"/protocol", "service.port.protocol-mismatch", 0.92),
    ("Service", r"targetPort", "service.port.target-mismatch", 0.93),
    ("Service", r"/ports", "service.port.target-mismatch", 0.85),
    ("Service", r"sessionAffinity", "service.session-affinity.skewed", 0.7),
    ("Service", r"externalName", "service.external-name.wrong", 0.9),
    ("PersistentVolumeClaim", r"storageClassName", "storage.claim.class-mismatch", 0.9),
    ("PersistentVolumeClaim", r"storage$", "storage.claim.capacity-mismatch", 0.85),
    ("PersistentVolumeClaim", r"accessModes", "storage.claim.access-mode-mismatch", 0.9),
    ("PersistentVolumeClaim", r"selector", "storage.claim.selector-mismatch", 0.9),
    ("HorizontalPodAutoscaler", r"scaleTargetRef", "autoscaling.hpa.target-wrong", 0.85),
    ("HorizontalPodAutoscaler", r"maxReplicas", "autoscaling.hpa.at-maximum", 0.7),
    ("Secret", r"/data/", "workload.secret.key-missing", 0.8),
    ("Role", r"/rules", "rbac.role.too-narrow", 0.8),
    ("RoleBinding", r"/", "rbac.binding.missing", 0.75),
    ("Ingress", r"tls", "gateway.tls.mismatch", 0.75),
    ("Ingress", r"ingressClassName", "gateway.class.not-found", 0.8),
    ("Ingress", r"backend", "gateway.backend.not-found", 0.8),
    ("Ingress", r"/", "gateway.route.wrong", 0.75),
    ("CronJob", r"suspend", "job.cron.suspended", 0.9),
)


def analyze(land: Landscape) -> Iterator[Finding]:
    """A finding for each difference whose object, or who depends on it, hurts."""
    seen: set[tuple[str, ObjectRef]] = set()
    for drift in (*land.drifts, *land.changes):
        if not drift.path:
            continue
        known = _cause(land, drift)
        if known is None or (known[0], drift.object) in seen:
            continue
        seen.add((known[0], drift.object))
        hurt = hurts(land, drift.object)
        sure = known[1] * {"seen": 1.0, "somewhere": 0.8, "": 0.0}[hurt] * WITNESSES[drift.witness]
        sure = max(sure, COMPLAINED if complained_of(land, drift) else 0)
        if known[0].startswith("workload.probe") and len(_of_probe(land, drift.object, known[0])) > 1:
            sure *= ONE_OF_SEVERAL
        if sure:
            yield Finding(
                cause=known[0],
                object=drift.object,
                confidence=round(sure, 3),
                summary=f"{drift.object} is not as it was meant: {drift.words}.",
                quotes=land.quote(drift.object, drift.words),
                introduced="yes",
            )


def _of_probe(land: Landscape, ref: ObjectRef, cause: str) -> set[str]:
    """What may be wrong with a probe of which several things were changed at once, but for what is ruled out."""
    known = (_cause(land, drift) for drift in land.drifted(ref, "Probe/") if drift.witness != "manifest")
    family = cause.partition("-")[0]
    return {one[0] for one in known if one is not None and one[0].startswith(family)}


def hurts(land: Landscape, ref: ObjectRef) -> str:
    """`seen` where something within its reach hurts, `somewhere` where only something else does, else empty."""
    within = reach(land, ref)
    named = {(r.kind, r.name) for r in within} | {
        ("Service", s.name) for r in within for s in land.services_of.get(r, ())
    }
    if land.hurt & (named | {(ref.kind, ref.name)}):
        return "seen"
    return "somewhere" if land.hurt else ""


def complained_of(land: Landscape, drift: Drift) -> bool:
    """Whether a reader of a ConfigMap that somebody changed says errors in the words of what was changed.

    Or somebody who depends on a reader says again and again a name that was coined in it, as those of flags are.
    """
    if drift.object.kind != "ConfigMap" or drift.witness != "change":
        return False
    words = {word.lower() for word in _WORD.findall(drift.path)} - _COMMON
    readers = land.readers(drift.object.name)
    told = (line.text for group in readers for line in land.lines_of.get(group.ref, ()))
    if any(word in text.lower() for text in told if _FAILS.search(text) for word in words):
        return True
    found = land.find(ConfigMap, drift.object.namespace, drift.object.name)
    coined = {word for text in (found.data.values() if found else ()) for word in _COINED.findall(text)}
    heard = (line for ref in land.dependents(readers) for line in land.lines_of.get(ref, ()))
    return any(says(line.text, word) for line in heard if line.count >= OFTEN for word in coined)


def _is_unanswered(land: Landscape, drift: Drift) -> bool:
    """Whether a probe whose path was changed gets no answer at all: a wrong path would get one."""
    probe = re.search(r"(readiness|liveness|startup)Probe/.*path$", drift.path)
    group = land.group(drift.object)
    if probe is None or group is None:
        return False
    told = [e.message for p in group.pods for e in land.said_of.get(p.name, ()) if e.reason == "Unhealthy"]
    mine = [words for words in told if words.lower().startswith(probe[1])]
    return bool(mine) and not any("statuscode" in words for words in mine)


def _is_passed(land: Landscape, drift: Drift) -> bool:
    """Whether where a probe looks was changed by a revision, and all of its pods pass it."""
    group = land.group(drift.object)
    looks = re.search(r"Probe/.*(?:port|path|scheme)", drift.path) is not None and drift.witness == "revision"
    return looks and group is not None and is_well(land, group)


def _cause(land: Landscape, drift: Drift) -> tuple[str, float] | None:
    kind = "workload" if drift.object.kind in _WORKLOADS else drift.object.kind
    if _is_unanswered(land, drift) or _is_passed(land, drift):
        return None
    if kind == "workload" and "/env/" in drift.path:
        return _variable(drift)
    if kind == "ConfigMap":
        return _entry(drift)
    if kind == "workload" and re.search(r"/image(/|\b)", drift.path):
        group = land.group(drift.object)
        if group is None or not group.whole:
            return "workload.crash.after-change", 0.6
        # Of one that is well and of which nobody complains, a release is one of many things that happened.
        return "workload.errors.regressed-after-change", 0.66 if land.is_hurt(drift.object) else SILENT
    return next(((c, s) for of, path, c, s in _PATHS if of == kind and re.search(path, drift.path)), None)


def _variable(drift: Drift) -> tuple[str, float]:
    if drift.live is None:
        return "workload.env.missing", 0.88
    if _ADDRESS.search(_text(drift.live)) or _ADDRESS.search(_text(drift.meant)):
        return "workload.env.address-wrong", 0.92
    return "workload.env.invalid", 0.8 if drift.meant is not None else 0.6


def _entry(drift: Drift) -> tuple[str, float]:
    if drift.live is None:
        return "workload.config.key-missing", 0.88
    if _ADDRESS.search(_text(drift.live)) and len(_text(drift.live)) < 200:
        return "workload.config.dependency-address-wrong", 0.9
    return "workload.config.changed-and-broken", 0.8


def _text(value: Any) -> str:
    return str(value.get("value", value)) if isinstance(value, dict) else str(value or "")

"""What a runbook's expressions are about, out of what was collected: the same names as the operator gives them.

The operator reads each from the API server; here only what was seen whole is given, so that an expression about
anything else has no value instead of a wrong one.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from interlock.agents.analyzers.objects import PARTIAL, Pod
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.analyzers.workloads import LabelSelector
from interlock.agents.analyzers.world import selects
from interlock.agents.cluster import Json
from interlock.agents.evidence.parts import REVISION, owned_by
from interlock.agents.facts import Facts
from interlock.agents.model import ObjectRef
from interlock.crds.celobjects import LAST_APPLIED, references
from interlock.crds.redact import HIDDEN
from interlock.crds.types import rfc3339

SERVICE_LABEL = "kubernetes.io/service-name"
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_SUFFIX = re.compile(r"(.+)-(?:[bcdfghjklmnpqrstvwxz2456789]{10}|v?[0-9]{1,10}|(?=[a-f]*[0-9])[0-9a-f]{5,40})")


def views(facts: Facts) -> dict[str, JsonValue]:
    """The variables by name; none where the object itself was not seen whole."""
    land, body = facts.land, facts.body
    if body is None or not _whole(body):
        return {}
    target = _remembering(land, {**body, "kind": facts.object.kind}) if land is not None else None
    if land is None or target is None:  # what the target says of itself counts all the same, such as who owns it
        return {"target": {**body, "kind": facts.object.kind}, "now": rfc3339(facts.evidence.collected_at, "auto")}
    place = Place(land, facts.object.namespace)
    found: dict[str, JsonValue | list[Json] | None] = {
        "pods": place.pods(facts),
        "revisions": place.revisions(target),
        "workloads": place.workloads(),
        "configMaps": place.config_maps(target),
        "claims": place.claims(target),
        "warnings": place.warnings(facts),
        "jobs": place.jobs(),
        "nodes": place.nodes(),
        "endpointSlices": place.endpoint_slices(facts.object.name),
        "services": place.services(),
    }
    seen: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
    return {**seen, "target": target, "now": rfc3339(land.now, "auto")}


@dataclass(frozen=True)
class Place:
    """A namespace of what was collected; each answer is None where it is not known."""

    land: Landscape
    namespace: str | None

    def pods(self, facts: Facts) -> list[Json] | None:
        """The pods of the target, the youngest first."""
        bodies = self._all("pods", "Pod")
        if bodies is None:
            return None
        ref = facts.object
        if ref.kind == "ConfigMap":
            mine = [pod for pod in bodies if ref.name in references(pod, "ConfigMap")]
        elif ref.kind == "Pod":
            uid = _controller(facts.body or {}).get("uid")
            mine = owned_by(bodies, str(uid)) if uid else []
        else:
            names = self._pods_of(ref, (facts.body or {}).get("spec") or {})
            mine = [pod for pod in bodies if pod["metadata"].get("name") in names]
        return _youngest_first(mine)

    def _pods_of(self, ref: ObjectRef, spec: Json) -> frozenset[str]:
        """The names of the pods that an object asks for, scales or selects."""
        scaled = spec.get("scaleTargetRef")
        if isinstance(scaled, dict):
            ref = ref.model_copy(update={"kind": str(scaled.get("kind")), "name": str(scaled.get("name"))})
        group = self.land.group(ref)
        if group is not None:
            return frozenset(pod.name for pod in group.pods)
        chosen = spec.get("podSelector" if ref.kind == "NetworkPolicy" else "selector")
        if not isinstance(chosen, dict) or (not chosen and ref.kind != "NetworkPolicy"):
            return frozenset()
        selector = LabelSelector.model_validate({"matchLabels": chosen} if ref.kind == "Service" else chosen)
        pods = self.land.within(Pod, self.namespace).values()
        return frozenset(pod.name for pod in pods if selects(selector, pod.metadata.labels))

    def jobs(self) -> list[Json] | None:
        """The Jobs, the youngest first."""
        bodies = self._all("jobs", "Job")
        return _youngest_first(bodies) if bodies is not None else None

    def nodes(self) -> list[Json] | None:
        """The nodes of the cluster."""
        return self._all("nodes", "Node", everywhere=True)

    def services(self) -> list[Json] | None:
        """The Services."""
        return self._all("services", "Service")

    def endpoint_slices(self, service: str) -> list[Json] | None:
        """The EndpointSlices of a Service."""
        bodies = self._all("endpointslices", "EndpointSlice")
        if bodies is None:
            return None
        mine = [b for b in bodies if (b["metadata"].get("labels") or {}).get(SERVICE_LABEL) == service]
        return [{**body, "endpoints": body.get("endpoints") or []} for body in mine]

    def workloads(self) -> list[Json] | None:
        """The Deployments, StatefulSets and DaemonSets; of a kind that was not collected none where no pod has one."""
        listed = [self._each(kind) for kind in WORKLOADS]
        seen = [bodies for bodies in listed if bodies is not None]
        return [body for bodies in seen for body in bodies] if len(seen) == len(listed) else None

    def _each(self, kind: str) -> list[Json] | None:
        """The workloads of a kind; where none were listed, none are known to be there if no pod belongs to one."""
        listed = self._all(f"{kind.lower()}s", kind)
        if listed is not None:
            return listed
        pods = self._all("pods", "Pod")
        owner = "ReplicaSet" if kind == "Deployment" else kind
        return [] if pods is not None and all(_controller(pod).get("kind") != owner for pod in pods) else None

    def revisions(self, target: Json) -> list[Json] | None:
        """The revisions of the target, of a ConfigMap those of all workloads that refer to it, the newest first."""
        if target["kind"] == "ConfigMap":
            users = [w for w in self.workloads() or () if target["metadata"]["name"] in references(w, "ConfigMap")]
        else:
            users = [target] if target["kind"] in WORKLOADS else []
        found: list[Json] = []
        for user in users:
            kind = "ReplicaSet" if user["kind"] == "Deployment" else "ControllerRevision"
            bodies = self._all(f"{kind.lower()}s", kind)
            if bodies is None:
                return None
            found += owned_by(bodies, str(user["metadata"].get("uid")))
        return sorted(found, key=_number, reverse=True)

    def config_maps(self, target: Json) -> list[Json] | None:
        """Those that the target or a revision refers to; of a ConfigMap its other versions."""
        names = self._referred(target, "ConfigMap")
        if names is not None and target["kind"] == "ConfigMap":
            names = list(_versions(target["metadata"]["name"], names))
        return self._named("configmaps", "ConfigMap", names)

    def claims(self, target: Json) -> list[Json] | None:
        """The claims that the target or a revision refers to, and that exist."""
        wanted = self._referred(target, "PersistentVolumeClaim")
        return self._named("persistentvolumeclaims", "PersistentVolumeClaim", wanted)

    def warnings(self, facts: Facts) -> list[Json] | None:
        """The Warning events about the target and its pods, the latest first."""
        bodies, pods = self._all("events", "Event"), self.pods(facts)
        if bodies is None or pods is None:
            return None
        names = {facts.object.name, *(pod["metadata"].get("name") for pod in pods)}
        found = [e for e in bodies if e.get("type") == "Warning" and _about(e) in names]
        return sorted(found, key=lambda event: str(event.get("lastTimestamp") or ""), reverse=True)

    def _referred(self, target: Json, kind: str) -> list[str] | None:
        revisions = self.revisions(target)
        if revisions is None:
            return None
        return list(dict.fromkeys(name for one in (target, *revisions) for name in references(one, kind)))

    def _named(self, plural: str, kind: str, names: list[str] | None) -> list[Json] | None:
        bodies = self._all(plural, kind)
        if bodies is None or names is None:
            return None
        by_name = {body["metadata"].get("name"): body for body in bodies}
        return [by_name[name] for name in names if name in by_name]

    def _all(self, plural: str, kind: str, *, everywhere: bool = False) -> list[Json] | None:
        bodies = self.land.source.objects(plural, None if everywhere else self.namespace)
        if bodies is None or not all(map(_whole, bodies)):
            return None
        return [{**body, "kind": kind} for body in bodies]


def _whole(body: Json) -> bool:
    return PARTIAL not in (body["metadata"].get("annotations") or {})


def _remembering(land: Landscape, target: Json) -> Json | None:
    """The target with what was applied last, which snapshots keep beside the objects; None where that is not known."""
    annotations = target["metadata"].get("annotations") or {}
    if annotations.get(LAST_APPLIED) != HIDDEN:
        return target
    kept = land.source.documents("manifests").get("last-applied")
    named = (target["kind"], target["metadata"]["name"])
    for document in records(kept if isinstance(kept, list) else [kept]):
        about = document.get("metadata")
        if isinstance(about, dict) and (document.get("kind"), about.get("name")) == named:
            metadata = {**target["metadata"], "annotations": {**annotations, LAST_APPLIED: json.dumps(document)}}
            return {**target, "metadata": metadata}
    return None


def _youngest_first(bodies: Iterable[Json]) -> list[Json]:
    return sorted(bodies, key=lambda body: str(body["metadata"].get("creationTimestamp")), reverse=True)


def _controller(body: Json) -> Json:
    owners: Iterable[Json] = (body.get("metadata") or {}).get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), {})


def _number(revision: Json) -> int:
    said = revision.get("revision") or (revision["metadata"].get("annotations") or {}).get(REVISION, 0)
    return int(said) if str(said).isdigit() else 0


def _versions(name: str, others: Iterable[str]) -> Iterator[str]:
    """The same name with another hash or number at its end."""
    mine = _SUFFIX.fullmatch(name)
    for other in others:
        its = _SUFFIX.fullmatch(other)
        if mine is not None and its is not None and other != name and its[1] == mine[1]:
            yield other


def _about(event: Json) -> str:
    return str((event.get("involvedObject") or {}).get("name") or "")

"""A namespace of a live cluster as a source: what a snapshot holds as files, held in memory.

Which kinds are looked at, and what is taken out of them before anything else sees them, is said here once; who asks,
under whose identity, is the caller's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from interlock.agents.cluster import Json
from interlock.agents.evidence.managed import changes_by_hand
from interlock.agents.evidence.shapes import sound
from interlock.agents.evidence.source import RunLog
from interlock.crds.celobjects import LAST_APPLIED
from interlock.crds.redact import HIDDEN, redact_object

CORE, APPS, BATCH = "/api/v1", "/apis/apps/v1", "/apis/batch/v1"
NETWORK, STORAGE, RBAC = "/apis/networking.k8s.io/v1", "/apis/storage.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1"

NAMESPACED: Mapping[str, str] = {
    "pods": CORE,
    "events": CORE,
    "services": CORE,
    "endpoints": CORE,
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "deployments": APPS,
    "replicasets": APPS,
    "statefulsets": APPS,
    "daemonsets": APPS,
    "controllerrevisions": APPS,
    "jobs": BATCH,
    "cronjobs": BATCH,
    "configmaps": CORE,
    "secrets": CORE,
    "persistentvolumeclaims": CORE,
    "resourcequotas": CORE,
    "limitranges": CORE,
    "networkpolicies": NETWORK,
    "ingresses": NETWORK,
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1",
    "serviceaccounts": CORE,
    "roles": RBAC,
    "rolebindings": RBAC,
    "leases": "/apis/coordination.k8s.io/v1",
}
"""Plural and the path that serves it, of what lives in a namespace."""

OF_THE_SYSTEM = (
    "pods",
    "events",
    "services",
    "endpoints",
    "endpointslices",
    "deployments",
    "replicasets",
    "daemonsets",
    "leases",
    "configmaps",
)
"""What is looked at in kube-system."""

OF_THE_CLUSTER: Mapping[str, str] = {
    "nodes": CORE,
    "namespaces": CORE,
    "persistentvolumes": CORE,
    "storageclasses": STORAGE,
    "ingressclasses": NETWORK,
    "validatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1",
    "mutatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1",
    "apiservices": "/apis/apiregistration.k8s.io/v1",
}
"""Plural and the path that serves it, of what is cluster-scoped."""

HEARTBEATS = "kube-node-lease"
"""Where the Leases of nodes are."""
OF_NODES = "default"
"""Where the events about nodes are."""
LAST_APPLIED_FILE = "last-applied"


@dataclass
class Surveyed:
    """What was collected of a namespace; kinds that are not there were not collected."""

    collected_at: datetime
    namespace: str | None
    bodies: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    texts: dict[tuple[str, str], tuple[RunLog, ...]] = field(default_factory=dict)
    papers: dict[str, JsonValue] = field(default_factory=dict)
    folders: dict[str, dict[str, JsonValue]] = field(default_factory=dict)

    def keep(self, plural: str, namespace: str | None, items: Sequence[Any]) -> None:
        """Keeps the objects of one kind, redacted and of sound shape."""
        self.bodies[plural, namespace or ""] = sound([redacted(plural, item) for item in items], namespace)

    def hold(self, plural: str, namespace: str | None, items: Sequence[Any]) -> None:
        """Keeps the objects of one kind as they are, of sound shape: for a look of which nothing is kept or told."""
        self.bodies[plural, namespace or ""] = sound(items, namespace)

    def remember(self, plural: str, items: Sequence[Any]) -> None:
        """Keeps what objects of the incident's namespace say of their past: what was applied last, changes by hand."""
        meant = [m for item in items if (m := last_applied(plural, item)) is not None]
        if meant:
            self.folders["manifests"] = {
                LAST_APPLIED_FILE: [*_list(self.documents("manifests").get(LAST_APPLIED_FILE)), *meant]
            }
        if made := list(changes_by_hand(plural, items)):
            known = _list(self.papers.get("changes"))
            self.papers["changes"] = sorted([*known, *made], key=_moment_of, reverse=True)

    def namespaces(self) -> tuple[str, ...]:
        """Namespaces of which anything was collected."""
        return tuple(sorted({place for _, place in self.bodies if place}))

    def plurals(self, namespace: str | None) -> tuple[str, ...]:
        """The kinds that were collected in a namespace."""
        return tuple(sorted(plural for plural, place in self.bodies if place == (namespace or "")))

    def objects(self, plural: str, namespace: str | None) -> list[Json] | None:
        """The objects of one kind; None when not collected."""
        return self.bodies.get((plural, namespace or ""))

    def where(self, plural: str, namespace: str | None) -> str:
        """The kind's plural, in its namespace."""
        return f"{namespace}/{plural}" if namespace else plural

    def logs(self, namespace: str, pod: str) -> Sequence[RunLog]:
        """The logs of one pod."""
        return self.texts.get((namespace, pod), ())

    def document(self, name: str) -> JsonValue:
        """A document by its name."""
        return self.papers.get(name)

    def documents(self, folder: str) -> dict[str, JsonValue]:
        """The documents of a folder."""
        return self.folders.get(folder, {})


def _list(content: JsonValue) -> list[JsonValue]:
    return content if isinstance(content, list) else []


def _moment_of(change: JsonValue) -> tuple[str, str]:
    return (str(change.get("at")), str(change.get("object"))) if isinstance(change, dict) else ("", "")


def redacted(plural: str, body: Any) -> Any:
    """An object without managed fields and secret values; of a Secret the names of its keys, every value empty."""
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        return body
    metadata = {key: content for key, content in body["metadata"].items() if key != "managedFields"}
    if plural != "secrets":
        return redact_object({**body, "metadata": metadata})
    annotations = dict.fromkeys(metadata.get("annotations") or {}, "")
    values = {
        part: dict.fromkeys(body[part], "") for part in ("data", "stringData") if isinstance(body.get(part), dict)
    }
    shown: dict[str, Any] = {"kind": "Secret", "apiVersion": "v1", "type": body.get("type"), **values}
    return {**shown, "metadata": {**metadata, "annotations": annotations}}


def last_applied(plural: str, body: Json) -> Json | None:
    """What somebody applied, as the object remembers it, redacted; None where it does not, or of a Secret."""
    text = ((body.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if plural == "secrets" or not isinstance(text, str) or text == HIDDEN:
        return None
    try:
        meant = json.loads(text)
    except ValueError:
        return None
    kept = redacted(plural, meant)
    return kept if isinstance(kept, dict) else None

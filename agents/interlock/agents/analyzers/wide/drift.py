"""What is against what was meant: live objects beside their manifests, path by path, and beside recent changes.

Only what a manifest says is compared, as the API server fills in the rest; what live objects say beyond it counts
where it changes behaviour.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from interlock.agents.analyzers import kinds, networking, workloads
from interlock.agents.analyzers.objects import Resource
from interlock.agents.analyzers.wide.symptoms import records
from interlock.agents.analyzers.world import World
from interlock.agents.cluster import Json
from interlock.agents.evidence.managed import changes_by_hand
from interlock.agents.evidence.parts import sorted_revisions
from interlock.agents.evidence.revisions import by_name, changes
from interlock.agents.model import ObjectRef, moment
from interlock.crds.quantity import is_quantity, quantity
from interlock.crds.redact import is_secret_name, redact_text

COMPARED: tuple[type[Resource], ...] = (
    workloads.Deployment,
    workloads.StatefulSet,
    workloads.DaemonSet,
    workloads.Job,
    workloads.CronJob,
    networking.Service,
    networking.NetworkPolicy,
    networking.Route,
    kinds.ConfigMap,
    kinds.Secret,
    kinds.Claim,
    kinds.PersistentVolume,
    kinds.StorageClass,
    kinds.Autoscaler,
    kinds.Budget,
    kinds.Quota,
    kinds.LimitRange,
    kinds.ServiceAccount,
    kinds.Role,
    kinds.RoleBinding,
)
_KINDS = {kind.kind: kind for kind in COMPARED}
_PARTS = ("spec", "data", "rules", "subjects", "roleRef", "provisioner", "volumeBindingMode")
_BEYOND = re.compile(
    r"/(env|command|args|nodeSelector|affinity|tolerations|topologySpreadConstraints|selector|ingress"
    r"|egress|dnsConfig|livenessProbe|readinessProbe|startupProbe|hostAliases|schedulingGates)$"
)
_FILLED_IN = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
"""What the API server adds to a probe that does not say it."""
_NAMES = ("name", "containerPort", "key", "mountPath", "ip", "port")


Witness = Literal["manifest", "revision", "change"]
"""What says how it was: what was meant, the revision before, or a record of changes."""

RECENT = timedelta(hours=6)
_KIND_OF = {kind.kind.lower(): kind.kind for kind in COMPARED} | {"netpol": "NetworkPolicy", "cm": "ConfigMap"}
_OBJECT = re.compile(r"(?P<kind>[A-Za-z]+)[ /](?:(?P<ns>[a-z0-9-]+)/)?(?P<name>[a-z0-9][a-z0-9.-]*)$")


@dataclass(frozen=True)
class Drift:
    """One path in which an object is not as it was meant; None is absent, an empty path is the whole object."""

    object: ObjectRef
    path: str
    meant: Any
    live: Any
    witness: Witness = "manifest"

    @property
    def words(self) -> str:
        """As a sentence for a quote."""
        if not self.path:
            return "is in the manifests and not in the cluster" if self.live is None else "is not in the manifests"
        if any(is_secret_name(part) for part in self.path.split("/")[2:]):
            return f"{self.path} is not as it was meant"
        was = "meant" if self.witness == "manifest" else "was"
        return f"{self.path[:300]}: {was} {_short(self.meant)}, is {_short(self.live)}"


def meant(world: World) -> Iterator[tuple[type[Resource], str, Json]]:
    """The objects of the manifests, each with its kind and namespace."""
    for documents in world.source.documents("manifests").values():
        for body in _flat(documents):
            kind, meta = _KINDS.get(str(body.get("kind"))), body.get("metadata")
            if kind is not None and isinstance(meta, dict) and isinstance(meta.get("name"), str):
                place = meta.get("namespace") or world.source.namespace or (world.focus[0] if world.focus else "")
                yield kind, str(place), body


def _flat(documents: Any) -> Iterator[Json]:
    for document in documents if isinstance(documents, list) else [documents]:
        if isinstance(document, dict) and isinstance(document.get("items"), list):
            yield from _flat(document["items"])
        elif isinstance(document, dict):
            yield document


def drifts(world: World) -> Iterator[Drift]:
    """All differences between manifests and what is live."""
    named: set[ObjectRef] = set()
    for kind, place, body in meant(world):
        namespace = place if kind.namespaced else None
        ref = ObjectRef(kind=kind.kind, namespace=namespace, name=body["metadata"]["name"])
        named.add(ref)
        live = world.raw(kind, namespace, ref.name)
        if live is not None:
            yield from _between(ref, body, live)
        elif world.known(kind, namespace):
            yield Drift(ref, "", body, None)
    if named:
        yield from _unmeant(world, named)


def _unmeant(world: World, named: set[ObjectRef]) -> Iterator[Drift]:
    for kind in (networking.NetworkPolicy, kinds.Quota, kinds.LimitRange):
        for one in world.every(kind):
            if one.ref not in named:
                yield Drift(one.ref, "", None, {})


def revised(world: World) -> Iterator[Drift]:
    """What the newest revisions of Deployments changed, where they are recent."""
    for namespace in world.focus:
        by_owner: dict[str, list[Json]] = {}
        for body in world.source.objects("replicasets", namespace) or ():
            for owner in body["metadata"].get("ownerReferences") or ():
                if isinstance(body.get("spec"), dict) and isinstance(body["spec"].get("template"), dict):
                    by_owner.setdefault(str(owner.get("name")), []).append(body)
        for name, sets in by_owner.items():
            newest = sorted_revisions(sets)[:2]
            if len(newest) == 2 and _recent(world, newest[0]["metadata"].get("creationTimestamp")):
                ref = ObjectRef(kind="Deployment", namespace=namespace, name=name)
                for change in changes(newest[1]["spec"]["template"], newest[0]["spec"]["template"]):
                    path = f"/spec/template{change['path']}"
                    if "/metadata/annotations" not in path:
                        yield Drift(ref, path, change["before"], change["after"], "revision")


def recorded(world: World) -> Iterator[Drift]:
    """What the record of changes says of the last hours; without one, what the objects themselves remember of them."""
    told = world.source.document("changes")
    for entry in records(told) if told is not None else _remembered(world):
        ref = named(world, entry.get("object"))
        if ref is not None and _recent(world, entry.get("at")):
            said = f"{entry.get('summary') or ''} {entry.get('diff') or ''}"
            yield Drift(ref, "/" + re.sub(r"[.\[\]]+", "/", redact_text(said))[:500], None, "changed", "change")


def _remembered(world: World) -> Iterator[dict[str, Any]]:
    since = f"{world.now - RECENT:%Y-%m-%dT%H:%M:%SZ}"
    for kind in COMPARED:
        for namespace in world.focus if kind.namespaced else ():
            bodies = world.source.objects(kind.plural, namespace) or ()
            yield from changes_by_hand(kind.plural, (body for body in bodies if _written_since(body, since)))


def _written_since(body: Json, since: str) -> bool:
    """Whether somebody wrote the object after a time; times of the API server compare as text."""
    return any(str(entry.get("time")) > since for entry in records(body["metadata"].get("managedFields")))


def named(world: World, about: Any) -> ObjectRef | None:
    """The object that a record of a change is about; None where it is of no kind that is compared."""
    if isinstance(about, dict):
        about = f"{about.get('kind')} {about.get('namespace') or ''}/{about.get('name')}".replace(" /", " ")
    found = _OBJECT.match(str(about).strip())
    kind = _KIND_OF.get(re.sub(r"(?<=[a-z])s$", "", found["kind"].lower())) if found else None
    if found is None or kind is None:
        return None
    namespace = (found["ns"] or (world.focus[0] if world.focus else "")) if _KINDS[kind].namespaced else None
    return ObjectRef(kind=kind, namespace=namespace, name=found["name"])


def _recent(world: World, at: Any) -> bool:
    made = moment(at)
    return made is not None and world.now - made < RECENT


def _between(ref: ObjectRef, body: Json, live: Json) -> Iterator[Drift]:
    secret = ref.kind == "Secret"
    for part in _PARTS:
        if part in body and not (secret and part == "data"):
            yield from (Drift(ref, *found) for found in _walk(f"/{part}", body[part], live.get(part)))
    if secret or ref.kind == "ConfigMap":
        had = {*(body.get("data") or {}), *(body.get("stringData") or {}), *(body.get("binaryData") or {})}
        has = {*(live.get("data") or {}), *(live.get("binaryData") or {})}
        if secret:
            yield from (Drift(ref, f"/data/{key}", "present", None) for key in sorted(had - has))


def _walk(path: str, wanted: Any, live: Any) -> Iterator[tuple[str, Any, Any]]:
    if _same(wanted, live):
        return
    if isinstance(wanted, list) and isinstance(live, list):
        wanted, live = by_name(wanted, _NAMES), by_name(live, _NAMES)
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key in wanted:
            yield from _walk(f"{path}/{key}", wanted[key], live.get(key))
        for key in sorted(live.keys() - wanted.keys()):
            if path.endswith("Probe") and _FILLED_IN.get(key) == live[key]:
                continue
            if _BEYOND.search(path) or _BEYOND.search(f"{path}/{key}"):
                yield f"{path}/{key}", None, live[key]
        return
    yield path, wanted, live


def _same(wanted: Any, live: Any) -> bool:
    if wanted == live or str(wanted) == str(live):
        return True
    if live is None:
        return wanted in (None, "", 0, False) or (isinstance(wanted, dict | list) and not wanted)
    if isinstance(wanted, dict | list) or isinstance(live, dict | list):
        return False
    return is_quantity(wanted) and is_quantity(live) and quantity(wanted) == quantity(live)


def _short(value: Any) -> str:
    return "absent" if value is None else str(value)[:100]

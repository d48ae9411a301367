"""Claims and volumes: why a claim is not bound is told by comparing it with the volumes and classes that there are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from interlock.agents.analyzers.findings import Finding, Quote
from interlock.agents.analyzers.kinds import Claim, ClaimSpec, PersistentVolume, StorageClass, VolumeSpec
from interlock.agents.analyzers.told import Event
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.world import selects
from interlock.agents.model import ObjectRef
from interlock.crds.quantity import is_quantity, quantity

_MOUNTS: tuple[tuple[str, str, float], ...] = (
    (r"Multi-Attach error", "workload.volume.multi-attach", 0.93),
    (r"permission denied|access denied|operation not permitted", "workload.volume.permission-denied", 0.88),
    (
        r"hostPath type check failed|no such file or directory|is not a (?:directory|file)",
        "workload.volume.not-found",
        0.85,
    ),
    (r"read-only file system", "workload.volume.read-only", 0.88),
    (
        r"MountVolume\.\w+ failed|mount failed|Unable to attach or mount|AttachVolume\.Attach failed",
        "workload.volume.mount-failed",
        0.7,
    ),
)
_KNOWN_ELSEWHERE = re.compile(r'(secret|configmap) "|references non-existent|failed to sync (secret|configmap)', re.I)
_NOT_FOUND = re.compile(r'persistentvolumeclaim "(?P<name>[^"]+)" not found')
Reason = tuple[str, float, str, tuple[Quote, ...], ObjectRef]


def analyze(land: Landscape) -> Iterator[Finding]:
    """Findings about each claim, each volume that is missed, and each mount that fails."""
    for claim in land.every(Claim):
        if claim.status.phase in ("Pending", "Lost") and not claim.metadata.partial:
            yield from _pending(land, claim)
    yield from _missing(land)
    yield from _mounts(land)


def _pending(land: Landscape, claim: Claim) -> Iterator[Finding]:
    if _waits_for_pod(land, claim):
        return
    for cause, sure, words, quotes, target in _reasons(land, claim):
        drifted = land.drifted(claim.ref)
        yield Finding(
            cause=cause,
            object=target,
            confidence=min(0.97, sure + (0.04 if drifted else 0)),
            summary=f"{claim.ref} is not bound: {words}.",
            quotes=(*land.quote(claim, _shown(claim)), *quotes, *_said(land, claim)),
        )
        return


def _waits_for_pod(land: Landscape, claim: Claim) -> bool:
    used = any(
        v.persistent_volume_claim and v.persistent_volume_claim.claim_name == claim.name
        for p in land.pods
        for v in p.spec.volumes
    )
    return not used and any(e.reason == "WaitForFirstConsumer" for e in land.events_about(claim.ref))


@dataclass(frozen=True)
class _Stock:
    """The volumes that there are, as far as a claim is concerned."""

    volumes: tuple[PersistentVolume, ...]
    name: str
    """Of the claim's class; empty for none."""
    found: StorageClass | None
    """The claim's class."""

    @classmethod
    def around(cls, land: Landscape, claim: Claim) -> "_Stock":
        name = claim.spec.storage_class_name or ""
        found = land.find(StorageClass, None, name) if name else None
        return cls(tuple(land.within(PersistentVolume).values()), name, found)

    @cached_property
    def free(self) -> list[PersistentVolume]:
        """Those that nobody has."""
        return [
            v
            for v in self.volumes
            if v.status.phase == "Available" or (v.spec.claim_ref is None and not v.status.phase)
        ]

    @cached_property
    def fitting(self) -> list[PersistentVolume]:
        """Those that are free and of the claim's class."""
        return [v for v in self.free if v.spec.storage_class_name == self.name]

    @property
    def is_by_hand(self) -> bool:
        """Whether nobody makes volumes of the claim's class."""
        return self.found is not None and self.found.provisioner.endswith("no-provisioner")

    def in_phase(self, phase: str) -> list[PersistentVolume]:
        """Those of the claim's class in this phase."""
        return [v for v in self.volumes if v.status.phase == phase and v.spec.storage_class_name == self.name]


def _reasons(land: Landscape, claim: Claim) -> Iterator[Reason]:
    """Why it is not bound, the most telling first."""
    stock = _Stock.around(land, claim)
    if claim.spec.volume_name:
        yield from _named_volume(land, claim, claim.spec.volume_name)
    yield from _no_class(land, claim, stock)
    for cause, words, volume in list(_unfit(claim, stock.fitting))[:1]:
        yield cause, 0.9, words, land.quote(volume, _volume(volume)), claim.ref
    mine = next(
        (v for v in stock.volumes if v.spec.claim_ref is not None and v.spec.claim_ref.name == claim.name), None
    )
    if mine is not None and mine.status.phase == "Released":
        words = f"its volume {mine.name} is released and kept"
        yield "storage.volume.released", 0.9, words, land.quote(mine, "Released"), mine.ref
    if stock.free and not stock.fitting:
        yield from _other_class(land, claim, stock)
    yield from _taken(land, claim, stock)
    yield from _provisioner(land, claim, stock.found)


def _no_class(land: Landscape, claim: Claim, stock: _Stock) -> Iterator[Reason]:
    if not stock.name or not land.known(StorageClass) or stock.found is not None or stock.fitting:
        return
    near = [v for v in stock.free if _fits(claim, v)]
    cause = "storage.claim.class-mismatch" if near else "storage.class.not-found"
    shown = tuple(q for v in near[:1] for q in land.quote(v, f"storageClassName: {v.spec.storage_class_name}"))
    yield cause, 0.93, f"there is no storage class {stock.name}", shown, claim.ref


def _other_class(land: Landscape, claim: Claim, stock: _Stock) -> Iterator[Reason]:
    volume = stock.free[0]
    shown = land.quote(volume, _volume(volume))
    if stock.is_by_hand:
        words = f"volumes that are free have class {volume.spec.storage_class_name or 'none'}"
        yield "storage.claim.class-mismatch", 0.88, words, shown, claim.ref
    if not stock.name:
        words = "free volumes have a class and it names none"
        yield "storage.claim.class-mismatch", 0.75, words, shown, claim.ref


def _taken(land: Landscape, claim: Claim, stock: _Stock) -> Iterator[Reason]:
    for volume in stock.in_phase("Released")[:1]:
        words = f"{volume.name} is released and not free"
        yield "storage.volume.released", 0.85, words, land.quote(volume, "Released"), volume.ref
    for volume in stock.in_phase("Bound")[:1] if stock.is_by_hand else ():
        words = f"all volumes of class {stock.name} are bound to others"
        yield "storage.volume.already-bound", 0.75, words, land.quote(volume, "Bound"), claim.ref


def _named_volume(land: Landscape, claim: Claim, name: str) -> Iterator[Reason]:
    volume = land.find(PersistentVolume, None, name)
    if volume is None:
        if land.known(PersistentVolume):
            yield "storage.claim.pending", 0.85, f"it names the volume {name}, which does not exist", (), claim.ref
        return
    owner = volume.spec.claim_ref
    if owner is not None and (owner.name, owner.namespace or claim.metadata.namespace) != (
        claim.name,
        claim.metadata.namespace,
    ):
        words = f"its volume {name} belongs to {owner.namespace}/{owner.name}"
        cause = "storage.volume.released" if volume.status.phase == "Released" else "storage.volume.already-bound"
        yield (
            cause,
            0.92,
            words,
            land.quote(volume, f"claimRef {owner.namespace}/{owner.name}, {volume.status.phase}"),
            claim.ref,
        )
    for cause, words, one in _unfit(claim, [volume]):
        yield cause, 0.92, words, land.quote(one, _volume(one)), claim.ref
    if volume.spec.storage_class_name != (claim.spec.storage_class_name or ""):
        yield (
            "storage.claim.class-mismatch",
            0.9,
            f"its volume {name} has class {volume.spec.storage_class_name}",
            land.quote(volume, _volume(volume)),
            claim.ref,
        )


def _unfit(claim: Claim, volumes: list[PersistentVolume]) -> Iterator[tuple[str, str, PersistentVolume]]:
    """Why none of the volumes fits; nothing when one does."""
    if any(_fits(claim, v) for v in volumes):
        return
    for volume in volumes:
        selector = claim.spec.selector
        if not _large_enough(claim, volume):
            yield (
                "storage.claim.capacity-mismatch",
                f"it asks for {claim.spec.requested}, {volume.name} has {volume.spec.capacity.get('storage')}",
                volume,
            )
        if not set(claim.spec.access_modes) <= set(volume.spec.access_modes):
            yield (
                "storage.claim.access-mode-mismatch",
                f"it asks for {_modes(claim.spec)}, {volume.name} offers {_modes(volume.spec)}",
                volume,
            )
        if selector is not None and not selects(selector, volume.metadata.labels):
            yield "storage.claim.selector-mismatch", f"its selector does not match the labels of {volume.name}", volume


def _fits(claim: Claim, volume: PersistentVolume) -> bool:
    selector = claim.spec.selector
    modes = set(claim.spec.access_modes) <= set(volume.spec.access_modes)
    return modes and _large_enough(claim, volume) and (selector is None or selects(selector, volume.metadata.labels))


def _large_enough(claim: Claim, volume: PersistentVolume) -> bool:
    asked, has = claim.spec.requested, volume.spec.capacity.get("storage", "")
    return not (is_quantity(asked) and is_quantity(has)) or quantity(asked) <= quantity(has)


# A provisioner that refuses is there: what it was asked for is what it cannot make.
_REFUSED: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"(?i)MULTI_NODE|access ?modes?\b.*not supported|only AccessModes|does not support .*(?:many|access)"
        ),
        "storage.claim.access-mode-mismatch",
    ),
    (re.compile(r"code = OutOfRange"), "storage.claim.capacity-mismatch"),
)


def _provisioner(land: Landscape, claim: Claim, found: StorageClass | None) -> Iterator[Reason]:
    said = " ".join(q.excerpt for q in _said(land, claim))
    if "storageclass.storage.k8s.io" in said and "not found" in said:
        yield "storage.class.not-found", 0.93, "its storage class does not exist", (), claim.ref
    elif "ExternalProvisioning" in said or "waiting for a volume to be created" in said.lower():
        target = found.ref if found is not None else claim.ref
        yield "storage.provisioner.down", 0.8, "its provisioner does not answer", (), target
    elif "ProvisioningFailed" in said and (refused := next((r for r in _REFUSED if r[0].search(said)), None)):
        yield refused[1], 0.88, "its provisioner makes no such volume", (), claim.ref
    elif "ProvisioningFailed" in said:
        yield "storage.provisioner.down", 0.65, "its provisioner fails", (), claim.ref
    elif "no persistent volumes available" in said:
        yield "storage.claim.pending", 0.8, "no volume is available for it", (), claim.ref
    elif claim.status.phase == "Lost":
        yield "storage.volume.orphaned", 0.8, "its volume is gone", (), claim.ref
    elif found is not None and _may_be_silent(land, claim, found):
        yield "storage.provisioner.down", 0.62, "its provisioner has not made a volume", (), found.ref
    else:
        yield "storage.claim.pending", 0.55, "nothing says why", (), claim.ref


def _may_be_silent(land: Landscape, claim: Claim, found: StorageClass) -> bool:
    """Whether a provisioner should have made its volume by now, and nobody could have told why it did not."""
    if found.provisioner.endswith("no-provisioner") or found.volume_binding_mode != "Immediate":
        return False
    return land.source.objects("events", claim.metadata.namespace) is None


def _said(land: Landscape, claim: Claim) -> tuple[Quote, ...]:
    found = [e for e in land.events_about(claim.ref) if e.reason != "WaitForFirstConsumer"]
    return tuple(Quote(id=f"event about {claim.ref}", excerpt=f"{e.reason}: {e.message}"[:300]) for e in found[:2])


def _missing(land: Landscape) -> Iterator[Finding]:
    """Pods that ask for a claim that is not there."""
    for group in land.groups:
        for volume in group.spec.volumes:
            name = volume.persistent_volume_claim.claim_name if volume.persistent_volume_claim else ""
            place = group.ref.namespace or ""
            if name and land.known(Claim, place) and land.find(Claim, place, name) is None and not group.whole:
                drifted = land.drifted(group.ref, "/volumes")
                claims = land.within(Claim, place)
                yield Finding(
                    cause="workload.volume.not-found",
                    object=group.ref
                    if drifted or claims
                    else ObjectRef(kind="PersistentVolumeClaim", namespace=place, name=name),
                    confidence=0.93,
                    summary=f"{group.ref} mounts the claim {name}, which does not exist.",
                    quotes=(
                        *land.quote(group.ref, f"volume {volume.name}: claim {name}"),
                        *(q for d in drifted for q in land.quote(group.ref, d.words)),
                    ),
                )


def _mounts(land: Landscape) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for event in land.events:
        if event.reason not in ("FailedMount", "FailedAttachVolume", "FailedMapVolume") or _KNOWN_ELSEWHERE.search(
            event.message
        ):
            continue
        found = next(((c, s) for words, c, s in _MOUNTS if re.search(words, event.message)), None)
        pod = next((p for p in land.pods if p.name == event.object.name and not p.ready), None)
        if found is None or pod is None or _NOT_FOUND.search(event.message):
            continue
        group = land.group_of.get((pod.metadata.namespace, pod.name))
        target = group.ref if group else pod.ref
        if (found[0], str(target)) not in seen:
            seen.add((found[0], str(target)))
            yield _mount(land, event, found, target)


def _mount(land: Landscape, event: Event, found: tuple[str, float], target: ObjectRef) -> Finding:
    drifted = land.drifted(target, "/volume")
    return Finding(
        cause=found[0],
        object=target,
        confidence=min(0.96, found[1] + (0.05 if drifted else 0)),
        summary=f"A volume of {target} cannot be mounted: {event.message[:200]}",
        quotes=(Quote(id=f"event about Pod {event.object.name}", excerpt=event.message[:300]),),
    )


def _shown(claim: Claim) -> str:
    spec = claim.spec
    return f"{claim.status.phase}, class {spec.storage_class_name}, {spec.requested}, {', '.join(spec.access_modes)}"


def _volume(volume: PersistentVolume) -> str:
    spec = volume.spec
    size = spec.capacity.get("storage")
    return f"{volume.status.phase}, class {spec.storage_class_name}, {size}, {_modes(spec)}"


def _modes(spec: ClaimSpec | VolumeSpec) -> str:
    return ", ".join(spec.access_modes)

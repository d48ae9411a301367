"""A workload refers to a ConfigMap or Secret that is not there: misspelt, or taken away?

The kubelet says only that it is missing. Where one of nearly that name exists, and nothing says that the other was
meant to, the reference is what must be mended.
"""

from collections.abc import Iterator

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.kinds import ConfigMap, Secret
from interlock.agents.analyzers.objects import PodSpec
from interlock.agents.analyzers.wide.landscape import Landscape
from interlock.agents.analyzers.wide.likeness import alike
from interlock.agents.analyzers.world import Group

_CAUSES: tuple[tuple[type[ConfigMap], str], ...] = (
    (ConfigMap, "workload.config.config-map-not-found"),
    (Secret, "workload.secret.not-found"),
)
MISSPELT = 0.8


def analyze(land: Landscape) -> Iterator[Finding]:
    """A finding for each reference of a workload that is not well to an object that was collected and is not there."""
    for group in land.groups:
        if group.whole and not group.refused:
            continue
        for kind, cause in _CAUSES:
            if land.known(kind, group.ref.namespace):
                yield from _missing(land, group, kind, cause)


def _missing(land: Landscape, group: Group, kind: type[ConfigMap], cause: str) -> Iterator[Finding]:
    there = land.within(kind, group.ref.namespace)
    for name in sorted(_needed(group.spec, secret=kind is Secret) - there.keys()):
        target = group.ref.model_copy(update={"kind": kind.kind, "name": name})
        near = max(there, key=lambda other: alike(name, other), default="")
        misspelt = alike(name, near) >= MISSPELT and not land.drifted(target)
        yield Finding(
            cause=cause,
            object=group.ref if misspelt else target,
            confidence=0.94 if misspelt else 0.8,
            summary=f"{group.ref} needs {target}, which does not exist" + (f"; {near} does." if misspelt else "."),
            quotes=(
                *land.quote(group.ref, f"refers to {kind.kind} {name}"),
                *(land.quote(there[near], "exists") if misspelt else ()),
            ),
        )


def _needed(spec: PodSpec, *, secret: bool) -> set[str]:
    """Names without which pods do not start."""
    found: set[str] = set()
    for volume in spec.volumes:
        if secret and volume.secret and not volume.secret.optional:
            found.add(volume.secret.secret_name)
        if not secret and volume.config_map and not volume.config_map.optional:
            found.add(volume.config_map.name)
    for container in (*spec.containers, *spec.init_containers):
        sources = [s.secret_ref if secret else s.config_map_ref for s in container.env_from]
        froms = [v.value_from for v in container.env if v.value_from is not None]
        keys = [f.secret_key_ref if secret else f.config_map_key_ref for f in froms]
        found |= {reference.name for reference in (*sources, *keys) if reference is not None and not reference.optional}
    return found - {""}

"""What is known about the object that a cure would change: the look at it, and what stands around it.

Parameters and fitness are judged by this and nothing else, so that a value never comes from another object than the
one that is at fault.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from interlock.agents.analyzers import Finding, Scene
from interlock.agents.analyzers.looks import look_at
from interlock.agents.analyzers.objects import Resource
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.analyzers.world import loaded
from interlock.agents.cluster import Json
from interlock.agents.evidence import Evidence
from interlock.agents.model import ObjectRef


@dataclass(frozen=True)
class Facts:
    """A finding, its rivals, and what was seen of the object that it blames; `land` is what stands around it."""

    finding: Finding
    rivals: tuple[Finding, ...]
    evidence: Evidence
    land: Landscape | None = None

    @classmethod
    def about(cls, finding: Finding, rivals: tuple[Finding, ...], seen: Evidence, land: Landscape | None) -> "Facts":
        """The facts about the finding's object, of a look that may have been at another one."""
        others = tuple(one for one in rivals if one != finding)
        return cls(finding, others, _about(finding.object, seen, land), land)

    @property
    def object(self) -> ObjectRef:
        """What would be changed."""
        return self.finding.object

    @cached_property
    def scene(self) -> Scene:
        """The look at the object, typed."""
        return Scene(self.evidence)

    @cached_property
    def body(self) -> Json | None:
        """The object as the API server wrote it; None where it was not seen."""
        item = self.evidence.first("target")
        if item is not None and isinstance(item.content, dict) and item.content:
            return item.content
        kind = kind_of(self.object.kind)
        if kind is None or self.land is None:
            return None
        return self.land.raw(kind, self.object.namespace, self.object.name)

    @property
    def unseen(self) -> bool:
        """Whether somebody looked around and did not see the object, or no single one is meant."""
        return self.object.name == "*" or (self.land is not None and self.body is None)

    def spec(self, *path: str) -> Any:
        """A part of the object's spec; None where it has none."""
        part: Any = (self.body or {}).get("spec")
        for name in path:
            part = part.get(name) if isinstance(part, dict) else None
        return part

    def meant(self, *words: str) -> Any:
        """What the object was meant to have, or had, in the first path with one of these words; None where unknown."""
        drifts = self.land.drifted(self.object, *words) if self.land is not None else ()
        return next((drift.meant for drift in drifts if drift.meant is not None), None)


def kind_of(name: str) -> type[Resource] | None:
    """How objects of this kind are read; None for one that nobody here knows."""
    return next((kind for kind in loaded() if kind.kind == name), None)


def _about(ref: ObjectRef, seen: Evidence, land: Landscape | None) -> Evidence:
    if seen.target == ref and seen.items:
        return seen
    group = land.group(ref) if land is not None else None
    if land is not None and group is not None:
        return look_at(land, group)
    return Evidence(target=ref, collected_at=seen.collected_at)

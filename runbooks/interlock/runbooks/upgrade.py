"""What a new version of a runbook may do that the old one may not, and the other way round.

Whoever upgrades a catalogue decides on this, not on YAML: permissions, paths, bounds of parameters, risk, approval.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from interlock.crds.parameters import Parameter
from interlock.crds.runbook import Runbook, RunbookSpec

Way = Literal["more", "less", "other"]
"""Whether the new version may do more, less, or just something else."""

_RISKS = ("Low", "Medium", "High")


@dataclass(frozen=True)
class PowerChange:
    """One difference in what may be done."""

    way: Way
    what: str

    def __str__(self) -> str:
        return f"{ {'more': '+', 'less': '-', 'other': '~'}[self.way] } {self.what}"


def power_changes(old: Runbook | None, new: Runbook) -> list[PowerChange]:
    """How the powers differ; of a runbook that is new all of them are more."""
    before = old.spec if old is not None else None
    return [
        *_set_changes("use", _rights(before), _rights(new.spec)),
        *_set_changes("write", _paths(before), _paths(new.spec)),
        *_set_changes("be pointed at", _targets(before), _targets(new.spec)),
        *_parameter_changes(before, new.spec),
        *(_scalar_changes(before, new.spec) if before is not None else _first(new.spec)),
    ]


def _set_changes(said: str, old: frozenset[str], new: frozenset[str]) -> Iterator[PowerChange]:
    yield from (PowerChange("more", f"may {said} {item}") for item in sorted(new - old))
    yield from (PowerChange("less", f"may no longer {said} {item}") for item in sorted(old - new))


def _rights(spec: RunbookSpec | None) -> frozenset[str]:
    """Each verb on each resource, under each name to which it is limited."""
    rules = spec.permissions if spec else ()
    return frozenset(
        f"{verb} {resource}" + (f".{group}" if group else "") + (f" named {name}" if name else "")
        for rule in rules
        for verb, resource, group, name in product(
            rule.verbs, rule.resources, rule.api_groups, rule.resource_names or ("",)
        )
    )


def _paths(spec: RunbookSpec | None) -> frozenset[str]:
    return frozenset(spec.allowed_paths if spec else ())


def _targets(spec: RunbookSpec | None) -> frozenset[str]:
    return frozenset(f"{target.kind} ({target.api_version})" for target in spec.targets) if spec else frozenset()


def _parameter_changes(old: RunbookSpec | None, new: RunbookSpec) -> Iterator[PowerChange]:
    before = {parameter.name: parameter for parameter in old.parameters} if old else {}
    after = {parameter.name: parameter for parameter in new.parameters}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield PowerChange("less", f"parameter {name} is gone")
        elif name not in before:
            yield PowerChange("more", f"parameter {name}: {_bounds(after[name])}")
        elif _bounds(before[name]) != _bounds(after[name]):
            way: Way = "less" if _within(after[name], before[name]) else "more"
            yield PowerChange(way, f"parameter {name}: {_bounds(before[name])} becomes {_bounds(after[name])}")


def _bounds(parameter: Parameter) -> str:
    said = [
        *([f"from {parameter.minimum}"] if parameter.minimum is not None else []),
        *([f"to {parameter.maximum}"] if parameter.maximum is not None else []),
        *([f"one of {', '.join(parameter.allowed)}"] if parameter.allowed else []),
        *([f"like {parameter.pattern}"] if parameter.pattern else []),
    ]
    return " ".join([parameter.type, *said])


def _within(inner: Parameter, outer: Parameter) -> bool:
    """Whether every value of the one is certainly one of the other; of patterns nobody can tell."""
    if inner.type != outer.type or (outer.pattern and inner.pattern != outer.pattern):
        return False
    low = outer.minimum is None or (inner.minimum is not None and inner.minimum >= outer.minimum)
    high = outer.maximum is None or (inner.maximum is not None and inner.maximum <= outer.maximum)
    among = not outer.allowed or (bool(inner.allowed) and set(inner.allowed) <= set(outer.allowed))
    return low and high and among


def _scalar_changes(old: RunbookSpec, new: RunbookSpec) -> Iterator[PowerChange]:
    if old.risk != new.risk:
        way: Way = "more" if _RISKS.index(new.risk) > _RISKS.index(old.risk) else "less"
        yield PowerChange(way, f"risk {old.risk} becomes {new.risk}")
    if old.scope != new.scope:
        yield PowerChange("more" if new.scope == "Cluster" else "less", f"scope {old.scope} becomes {new.scope}")
    if old.approval.quorum != new.approval.quorum:
        fewer = new.approval.quorum < old.approval.quorum
        said = f"approvals {old.approval.quorum} become {new.approval.quorum}"
        yield PowerChange("more" if fewer else "less", said)
    if old.undo != new.undo:
        yield PowerChange("more" if new.undo == "Never" else "less", f"undo {old.undo} becomes {new.undo}")
    yield from _texts(old, new)


def _texts(old: RunbookSpec, new: RunbookSpec) -> Iterator[PowerChange]:
    """What is no bound, and yet decides what happens."""
    for what, before, after in (
        ("preconditions", old.preconditions, new.preconditions),
        ("steps", old.steps, new.steps),
        ("verification", old.verification, new.verification),
    ):
        if before != after:
            yield PowerChange("other", f"other {what}")


def _first(new: RunbookSpec) -> Iterator[PowerChange]:
    yield PowerChange("more", f"risk {new.risk}, scope {new.scope}")


def grows(changes: Iterable[PowerChange]) -> bool:
    """Whether anything may be done that could not be done before."""
    return any(change.way == "more" for change in changes)

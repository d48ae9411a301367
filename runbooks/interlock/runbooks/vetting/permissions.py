"""Compares what a runbook declares that its runner needs with what the API server saw its runner use."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from interlock.crds.runbook import PolicyRule


@dataclass(frozen=True)
class Use:
    """One request of a runner, as RBAC judges it."""

    group: str
    """API group, the core group as an empty string."""
    resource: str
    """Resource or resource/subresource."""
    verb: str
    name: str
    """Name of the object; empty where it is asked for none, or for many."""
    allowed: bool

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


def misfits(rules: Iterable[PolicyRule], uses: Iterable[Use]) -> Iterator[str]:
    """What is missing, and what is there for nothing, each in words; nothing where the rules are minimal."""
    seen = list(uses)
    for missing in sorted({str(use) for use in seen if not use.allowed}):
        yield f"insufficient: the runner was refused to {missing}; add it to spec.permissions"
    allowed = [use for use in seen if use.allowed]
    for rule in rules:
        for granted in _each(rule):
            if not any(_is(granted, use) and _named(rule, use) for use in allowed):
                yield f"superfluous: nothing needed to {granted}; remove it from spec.permissions"
        for name in rule.resource_names:
            if not any(use.name == name and any(_is(granted, use) for granted in _each(rule)) for use in allowed):
                yield f"superfluous: nothing was done to {name!r}; remove it from resourceNames"


def _each(rule: PolicyRule) -> Iterator[Use]:
    for group in rule.api_groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                yield Use(group, resource, verb, "", True)


def _is(granted: Use, use: Use) -> bool:
    return (granted.group, granted.resource, granted.verb) == (use.group, use.resource, use.verb)


def _named(rule: PolicyRule, use: Use) -> bool:
    return not rule.resource_names or use.name in rule.resource_names

"""The order in which steps run: each after those that it needs, which without a word is the one before it."""

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

Needs = Mapping[str, frozenset[str]]
"""By the name of a step, the names of those that must be done before it."""


class NoOrder(ValueError):
    """The needs name what does not exist, or lead back to where they began."""


def needs_of(steps: Iterable[tuple[str, Sequence[str] | None]]) -> Needs:
    """What each step needs: what it lists, or the step before it where it lists nothing at all."""
    needs: dict[str, frozenset[str]] = {}
    before: list[str] = []
    for name, listed in steps:
        needs[name] = frozenset(before if listed is None else listed)
        before = [name]
    return needs


def in_order(needs: Needs) -> tuple[str, ...]:
    """The steps, each after all that it needs; as they were listed where both ways would do.

    Raises:
        NoOrder: there is no such order; the message names the steps.
    """
    for name, needed in needs.items():
        if unknown := sorted(needed - needs.keys()):
            raise NoOrder(f"step {name!r} needs {unknown[0]!r}, which does not exist")
    sorter = TopologicalSorter(needs)
    try:
        sorter.prepare()
    except CycleError as cycle:
        raise NoOrder(f"steps need each other in a circle: {' needs '.join(reversed(cycle.args[1]))}") from cycle
    ordered: list[str] = []
    ready: set[str] = set()
    while sorter.is_active():
        ready |= set(sorter.get_ready())
        following = next(name for name in needs if name in ready)
        ready.remove(following)
        ordered.append(following)
        sorter.done(following)
    return tuple(ordered)

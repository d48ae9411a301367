"""Unrelated faults at the same time stay as many as they are, and one fault stays one, however many its alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.agents.test_fold import START, Desk, alert, deployment, node, pod, seen

from interlock.agents.fold import Placed, roots_of
from interlock.agents.model import ObjectRef
from interlock.agents.topology import Standing, State, Topology

SIDES = ("left", "right")
STATES: st.SearchStrategy[State] = st.sampled_from(get_args(State))
NUMBERS = st.integers(0, 4)


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, what suffers from it, and the alerts about either."""

    root: ObjectRef
    topology: Topology
    alerts: tuple[Placed, ...]


def ref(side: str, number: int) -> ObjectRef:
    return ObjectRef(kind="Deployment", namespace="shop", name=f"{side}-{number}")


@st.composite
def tangles(draw: st.DrawFn, side: str) -> tuple[Topology, list[Placed]]:
    """Anything that may be known of some workloads, and alerts about them."""
    states = draw(st.dictionaries(NUMBERS, st.tuples(STATES, st.none() | st.integers(-2000, 2000))))
    edges = draw(st.dictionaries(NUMBERS, st.frozensets(NUMBERS, max_size=3)))
    standings = {
        ref(side, n): Standing(state, None if since is None else START + timedelta(seconds=since))
        for n, (state, since) in states.items()
    }
    below = {ref(side, n): frozenset(ref(side, m) for m in to if m != n) for n, to in edges.items()}
    told = draw(st.lists(st.tuples(NUMBERS, st.integers(-1500, 1500)), unique=True, max_size=6))
    return Topology(standings, below), [alert(ref(side, n), after=after) for n, after in told]


@settings(max_examples=60)
@given(tangles(SIDES[0]), tangles(SIDES[1]))
def test_what_has_nothing_to_do_with_an_alert_changes_nothing_of_it(
    one: tuple[Topology, list[Placed]], other: tuple[Topology, list[Placed]]
) -> None:
    together = roots_of([*one[1], *other[1]], one[0] | other[0])
    assert together == {**roots_of(one[1], one[0]), **roots_of(other[1], other[0])}


@st.composite
def faults(draw: st.DrawFn, side: str) -> Fault:
    """A node, a store, a policy, a configuration that is wrong, and callers in a row or side by side who suffer."""
    kind = draw(st.sampled_from(["Node", "Deployment", "Service", "PersistentVolumeClaim", "ConfigMap"]))
    root = ObjectRef(kind=kind, namespace=None if kind == "Node" else "shop", name=f"{side}-root")
    began = START + timedelta(seconds=draw(st.integers(-30, 30)))
    suffering = [ref(side, n) for n in range(draw(st.integers(1, 6)))]
    in_a_row = draw(st.booleans())
    below = {
        one: frozenset({suffering[n - 1] if in_a_row and n and kind != "Node" else root})
        for n, one in enumerate(suffering)
    }
    standings = {root: Standing(draw(st.sampled_from(["faulty", "unwell"])), began)}
    standings |= {one: Standing("unwell", began + timedelta(seconds=5)) for one in suffering}
    told = draw(st.lists(st.tuples(st.sampled_from([root, *suffering]), st.integers(0, 60)), min_size=1, max_size=12))
    return Fault(
        root,
        Topology(standings, below),
        tuple(alert(about, n, after=(began - START).total_seconds() + after) for n, (about, after) in enumerate(told)),
    )


@settings(max_examples=60)
@given(faults(SIDES[0]), faults(SIDES[1]), st.randoms(use_true_random=False), st.integers(1, 24))
def test_two_unrelated_faults_at_once_stay_two(one: Fault, other: Fault, random: Random, size: int) -> None:
    alerts = [*one.alerts, *other.alerts]
    random.shuffle(alerts)
    desk = Desk(one.topology | other.topology)
    for start in range(0, len(alerts), size):
        desk.file(*alerts[start : start + size])
    assert desk.picture() == {
        str(fault.root): frozenset(told.identity for told in fault.alerts) for fault in (one, other)
    }


def storm(about: Sequence[ObjectRef], count: int, random: Random) -> list[Placed]:
    """So many alerts about these, in any order, within some minutes."""
    found = [alert(about[n % len(about)], n, after=random.uniform(0, 240)) for n in range(count)]
    random.shuffle(found)
    return found


@pytest.mark.parametrize("seed", range(2))
def test_five_hundred_alerts_of_one_node_are_one_whatever_else_fails_meanwhile(seed: int) -> None:
    random = Random(seed)
    failed = ObjectRef(kind="Node", namespace=None, name="n1")
    on_it = [ref("left", n) for n in range(40)]
    standings = {failed: Standing("faulty", START - timedelta(seconds=60))}
    standings |= {one: Standing("unwell", START - timedelta(seconds=random.uniform(0, 30))) for one in on_it}
    store, callers = ref("right", 0), [ref("right", n) for n in range(1, 6)]
    standings |= {one: Standing("unwell", START) for one in (store, *callers)}
    below = {**{one: frozenset({failed}) for one in on_it}, **{one: frozenset({store}) for one in callers}}
    alerts = [*storm([failed, *on_it], 500, random), *storm([store, *callers], 20, random)]
    random.shuffle(alerts)
    desk = Desk(Topology(standings, below))
    size = (520, 75)[seed]
    for start in range(0, len(alerts), size):
        desk.file(*alerts[start : start + size])
    assert {root: len(told) for root, told in desk.picture().items()} == {str(failed): 500, str(store): 20}


def test_what_live_objects_say_keeps_a_lost_node_and_a_missing_configuration_apart() -> None:
    source = [{"configMapRef": {"name": "gone"}}]
    topology = seen(
        nodes=[node("n1", "Unknown"), node("n2", "True")],
        deployments=[deployment("lost"), deployment("waits", envFrom=source), deployment("broken")],
        configmaps=[{"metadata": {"name": "there"}}],
        pods=[
            pod("lost-1", node="n1"),
            pod("waits-1", node="n2", waiting="CreateContainerConfigError"),
            pod("broken-1", node="n2", waiting="ImagePullBackOff"),
        ],
    )
    names = ("lost", "waits", "broken")
    roots = roots_of([alert(ObjectRef(kind="Deployment", namespace="shop", name=n)) for n in names], topology)
    assert sorted(map(str, roots.values())) == ["ConfigMap shop/gone", "Deployment shop/broken", "Node n1"]

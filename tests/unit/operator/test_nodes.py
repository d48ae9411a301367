"""Graphs, loops and retries: the arithmetic beneath the core, for every runbook that may be written."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.unit.operator.making import CREATED, TARGET_UID, digest, runbook

from interlock.crds.execution import Plan, PlannedStep
from interlock.crds.graph import Needs, NoOrder, in_order, needs_of
from interlock.crds.runbook import LOOPED_NAME, Retry, Step
from interlock.operator.core.failing import backoff, deadline, failure, stopped
from interlock.operator.core.nodes import planned_items, unrolled
from interlock.operator.core.state import StepState, parse_time

NOW = datetime(2026, 1, 1, tzinfo=UTC)

graphs = st.dictionaries(st.sampled_from("abcdefgh"), st.frozensets(st.sampled_from("abcdefgh"), max_size=3))
items = st.lists(st.text(max_size=8) | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False), max_size=16)


def ordered(needs: Needs) -> tuple[str, ...] | None:
    try:
        return in_order(needs)
    except NoOrder:
        return None


@given(graphs)
def test_an_order_has_each_step_once_and_after_all_that_it_needs(needs: Needs) -> None:
    if (found := ordered(needs)) is not None:
        assert sorted(found) == sorted(needs)
        assert all(needs[name] <= set(found[:position]) for position, name in enumerate(found))


@given(graphs)
def test_an_order_is_as_listed_where_that_will_do(needs: Needs) -> None:
    """At each place stands the first of those listed that could stand there."""
    placed: set[str] = set()
    for name in ordered(needs) or ():
        could = [other for other in needs if other not in placed and needs[other] <= placed]
        assert name == could[0]
        placed.add(name)


@given(graphs)
def test_there_is_no_order_only_where_needs_are_unknown_or_in_a_circle(needs: Needs) -> None:
    """Taking away what needs nothing that is left comes to an end with nothing left, or there is no order."""
    left = dict(needs)
    while free := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in free:
            del left[name]
    unknown = any(needed - needs.keys() for needed in needs.values())
    assert (ordered(needs) is None) == (bool(left) or unknown)


def test_a_circle_is_named() -> None:
    with pytest.raises(NoOrder, match="needs"):
        in_order({"a": frozenset("b"), "b": frozenset("a")})


def test_without_a_word_a_step_needs_the_one_before() -> None:
    assert needs_of([("a", None), ("b", None), ("c", []), ("d", ["a"])]) == {
        "a": frozenset(),
        "b": {"a"},
        "c": frozenset(),
        "d": {"a"},
    }


@st.composite
def looped(draw: st.DrawFn) -> tuple[list[Step], dict[str, list[JsonValue]]]:
    """Steps in any graph without circles, some of them loops, and what these are done for."""
    names = ["a", "b.c", "d" * LOOPED_NAME, "e-f"][: draw(st.integers(1, 4))]
    steps: list[dict[str, Any]] = []
    given_items: dict[str, list[JsonValue]] = {}
    for number, name in enumerate(names):
        needs = draw(st.none() | st.lists(st.sampled_from(names[:number] or ["-"]), unique=True, max_size=3))
        step = {"name": name, "needs": [n for n in needs if n != "-"] if needs is not None else None}
        if draw(st.booleans()):
            step["forEach"] = "[1]"
            given_items[name] = list(draw(items))
        steps.append(step)
    return list(runbook([{k: v for k, v in s.items() if v is not None} for s in steps]).spec.steps), given_items


@given(looped())
def test_loops_are_unrolled_into_steps_of_one_graph(given_steps: tuple[list[Step], dict[str, list[JsonValue]]]) -> None:
    steps, given_items = given_steps
    nodes = unrolled(steps, given_items)
    names = [node.name for node in nodes]
    assert len(set(names)) == len(names) == sum(len(given_items.get(s.name, [])) or 1 for s in steps)
    assert all(len(name) <= 40 for name in names)
    assert all(node.needs <= set(names[:position]) for position, node in enumerate(nodes))
    for step in steps:
        own = [node for node in nodes if node.step == step]
        assert [node.item for node in own] == (given_items.get(step.name) or [None])
        assert all(node.needs == {before.name} for before, node in pairwise(own))
        assert own[0].empty == (step.for_each is not None and not given_items[step.name])
        assert not any(node.empty for node in own[1:])


@given(looped())
def test_what_a_plan_has_fixed_for_loops_is_read_back(
    given_steps: tuple[list[Step], dict[str, list[JsonValue]]],
) -> None:
    steps, given_items = given_steps
    nodes = unrolled(steps, given_items)
    planned = [
        PlannedStep(name=n.name, action="scale", item=None if n.item is None else json.dumps(n.item)) for n in nodes
    ]
    plan = Plan(
        digest=digest(1), target_uid=TARGET_UID, made_at=CREATED, expires_at=CREATED, quorum=1, steps=planned[:32]
    )
    if len(planned) <= 32:
        assert unrolled(steps, planned_items(plan)) == nodes


retries = st.builds(
    Retry,
    limit=st.integers(1, 8),
    on=st.lists(st.sampled_from(["Conflict", "Refused", "NotHolding"]), min_size=1, max_size=3, unique=True),
    backoff_seconds=st.integers(1, 3600),
    max_backoff_seconds=st.integers(1, 3600),
    jitter_percent=st.integers(0, 100),
)


@given(retries, st.integers(1, 9), st.floats(0, 1))
def test_backoff_doubles_up_to_the_longest_less_what_is_left_to_chance(retry: Retry, tries: int, chance: float) -> None:
    longest = min(retry.backoff_seconds * 2 ** (tries - 1), retry.max_backoff_seconds)
    assert backoff(retry, tries, 0.0) == longest
    assert backoff(retry, tries, chance) <= longest
    assert backoff(retry, tries, 1.0) == pytest.approx(longest * (100 - retry.jitter_percent) / 100)


@given(retries | st.none(), st.integers(1, 9), st.sampled_from(["Conflict", "Refused", "NotHolding", "TimedOut"]))
def test_a_failure_means_another_try_or_what_the_runbook_says(retry: Retry | None, tries: int, error: str) -> None:
    definition = Step.model_validate({**STEP, "retry": retry, "onFailure": "Stop", "timeoutSeconds": 1000})
    for acted in (False, True):
        step = StepState("a", {"writes": True}, NOW, tries=tries, acted=acted)
        event = failure("a", definition, step, error, "why", now=NOW, chance=0.0)  # type: ignore[arg-type]
        again = retry is not None and error in retry.on and tries <= retry.limit and not acted
        again = again and retry is not None and backoff(retry, tries, 0.0) < 1000
        assert (event.step, event.data["error"], event.data["message"]) == ("a", error, "why")
        assert event.data["then"] == ("Retry" if again else "Stop")
        if again and retry is not None:
            wait = timedelta(seconds=backoff(retry, tries, 0.0))
            assert parse_time(str(event.data["retryAt"])) == NOW + wait < deadline(definition, step)


STEP = {"name": "a", "action": "scale", "with": {"replicas": "3"}}


def test_what_is_given_up_means_nothing_by_itself() -> None:
    assert stopped("a", "why").data == {"error": "Stopped", "message": "why", "then": "Continue"}

"""Patches hold only while the object is as it was seen, and make of it exactly what was wanted."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.crds.actions import JsonOperation
from interlock.crds.names import LAST_STEP_ANNOTATION
from interlock.operator.patches import NotApplicable, conditional, json_patch, patched

keys = st.sampled_from(["a", "b/c", "d~e", "name"])
values = st.recursive(
    st.integers(2, 4) | st.text("xy", max_size=2),
    lambda inner: st.dictionaries(keys, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=10,
)
specs = st.dictionaries(keys, values, max_size=3)


def live(**changes: Any) -> dict[str, Any]:
    meta = {"uid": "u", "resourceVersion": "7", "generation": 3, "annotations": {"a": "b"}}
    return {"kind": "Deployment", "metadata": {**meta, **changes}, "spec": {"replicas": 2}}


def operations(patch: list[dict[str, Any]]) -> list[JsonOperation]:
    return [JsonOperation.model_validate(operation) for operation in patch]


@given(specs, specs)
def test_a_json_patch_makes_what_is_wanted(before: dict[str, Any], after: dict[str, Any]) -> None:
    seen = copy.deepcopy(before)
    assert patched({"spec": before}, operations(json_patch({"spec": before}, {"spec": after}))) == {"spec": after}
    assert before == seen
    assert json_patch(after, after) == []


def test_a_change_of_the_spec_holds_while_the_spec_is_the_same() -> None:
    patch = conditional(live(), {**live(), "spec": {"replicas": 3}}, "mark")
    assert patch == [
        {"op": "test", "path": "/metadata/uid", "value": "u"},
        {"op": "test", "path": "/metadata/generation", "value": 3},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "add", "path": "/metadata/annotations/interlock.dev~1last-step", "value": "mark"},
    ]


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (live(), {**live(labels={"a": "b"}), "spec": {"replicas": 3}}),  # more than the spec changes
        (live(generation=0), {**live(generation=0), "spec": {"replicas": 3}}),  # nothing counts the spec's changes
        (live(annotations={}), {**live(annotations={}), "spec": {"replicas": 3}}),  # no place for the mark
    ],
)
def test_any_other_change_holds_for_the_resource_version_seen(seen: dict[str, Any], wanted: dict[str, Any]) -> None:
    patch = conditional(seen, wanted, "mark")
    assert isinstance(patch, dict)
    assert patch["metadata"]["resourceVersion"] == "7"
    assert patch["metadata"]["annotations"] == {LAST_STEP_ANNOTATION: "mark"}
    assert patch["spec"] == {"replicas": 3}


def test_no_change_is_no_patch() -> None:
    assert conditional(live(), live(), "mark") is None


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "/l/0", "value": 1}, {"l": [1, 2, 3], "m": {}}),
        ({"op": "add", "path": "/l/-", "value": 1}, {"l": [2, 3, 1], "m": {}}),
        ({"op": "add", "path": "/l", "value": 1}, {"l": 1, "m": {}}),
        ({"op": "add", "path": "/m/a~1b", "value": 1}, {"l": [2, 3], "m": {"a/b": 1}}),
        ({"op": "replace", "path": "/l/1", "value": 1}, {"l": [2, 1], "m": {}}),
        ({"op": "remove", "path": "/l/0"}, {"l": [3], "m": {}}),
        ({"op": "remove", "path": "/m"}, {"l": [2, 3]}),
        ({"op": "test", "path": "/l/0", "value": 2}, {"l": [2, 3], "m": {}}),
    ],
)
def test_an_operation_follows_the_standard(operation: dict[str, Any], result: dict[str, Any]) -> None:
    assert patched({"l": [2, 3], "m": {}}, operations([operation])) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/l/3", "value": 1},
        {"op": "add", "path": "/l/x", "value": 1},
        {"op": "add", "path": "/no/a", "value": 1},
        {"op": "replace", "path": "/l/2", "value": 1},
        {"op": "replace", "path": "/l/-", "value": 1},
        {"op": "replace", "path": "/no", "value": 1},
        {"op": "remove", "path": "/m/a"},
        {"op": "remove", "path": "/l/[name=a]"},
        {"op": "test", "path": "/l/0", "value": 9},
    ],
)
def test_an_operation_without_a_place_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(NotApplicable, match=operation["path"].replace("[", r"\[").replace("]", r"\]")):
        patched({"l": [2, 3], "m": {}}, operations([operation]))

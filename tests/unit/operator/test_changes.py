"""What a write changed can be shown, judged and taken back, whatever the object is."""

import copy
import json
import string
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from interlock.crds.names import LAST_STEP_ANNOTATION
from interlock.operator.actions.patch import merged
from interlock.operator.changes import (
    ABSENT,
    Leaf,
    UndoConflict,
    allowed,
    differences,
    is_secret,
    pointer,
    read,
    restored,
    segments,
    show,
    shown,
)
from interlock.operator.patches import merge_patch

few = settings(max_examples=40)  # objects are large: drawing them is what costs time
KEY = b"a key that the operator keeps"
names = st.sampled_from(["app", "web", "side/car", "a~b", "x]y", "0"])
# 0 and 1 are left out: to Python they equal false and true, to the API server a field is never both.
scalars = st.integers(2, 9) | st.booleans() | st.text("ab~/", max_size=3)


def named_lists(content: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Containers, variables, volumes: lists whose elements carry unique names."""
    element = st.dictionaries(names.map(lambda n: f"of-{n}"), content, max_size=2)
    return st.dictionaries(names, element, max_size=4).map(
        lambda items: [{**item, "name": name} for name, item in items.items()]
    )


values = st.recursive(
    scalars,
    lambda inner: (
        st.dictionaries(names, inner, max_size=3)
        | st.lists(inner, max_size=3)
        | named_lists(inner)
        | st.fixed_dictionaries({"containers": named_lists(inner)})
    ),
    max_leaves=12,
)
objects = st.fixed_dictionaries(
    {
        "spec": st.dictionaries(names, values, max_size=4),
        "metadata": st.fixed_dictionaries({"labels": st.dictionaries(names, st.text("ab", max_size=2), min_size=1)}),
    }
)


@st.composite
def edits(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """An object and the same a little changed, or two that have nothing to do with each other."""
    before = draw(objects)
    if draw(st.booleans()):
        return before, draw(objects)
    after = copy.deepcopy(before)
    for _ in range(draw(st.integers(1, 3))):
        _edit(draw, after["spec"])
    return before, after


def _edit(draw: st.DrawFn, place: Any) -> None:
    inner: list[Any] = [
        v for v in (place.values() if isinstance(place, dict) else place) if isinstance(v, dict | list) and v
    ]
    if inner and draw(st.integers(0, 3)) > 0:
        _edit(draw, draw(st.sampled_from(inner)))
    elif isinstance(place, dict):
        key = draw(st.sampled_from([*(k for k in place if k != "name"), "new"]))
        if key in place and draw(st.booleans()):
            del place[key]
        else:
            place[key] = draw(values)
    elif place and draw(st.booleans()):
        del place[draw(st.integers(0, len(place) - 1))]
    else:
        place.append({"name": "added", "value": draw(scalars)})


@few
@given(edits())
def test_what_was_changed_is_put_back_exactly(edit: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = edit
    untouched = copy.deepcopy(after)
    assert restored(after, differences(before, after)) == before
    assert after == untouched, "the object as it was read is not written to"


@few
@given(edits())
def test_every_difference_is_one_and_none_is_missing(edit: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = edit
    leaves = differences(before, after)
    assert bool(leaves) == (before != after)
    assert len({leaf.path for leaf in leaves}) == len(leaves)
    for leaf in leaves:
        assert (read(before, leaf.path), read(after, leaf.path)) == (leaf.before, leaf.after)


@few
@given(edits(), st.data())
def test_whoever_changes_what_was_written_is_not_overwritten(
    edit: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    before, after = edit
    leaves = differences(before, after)
    assume(leaves)
    leaf = data.draw(st.sampled_from(leaves))
    last = leaf.path[-1]
    put = {"name": last[6:-1], "by": "somebody else"} if last.startswith("[name=") else "by somebody else"
    theirs = restored(after, [Leaf(leaf.path, put, leaf.after, leaf.index)])
    with pytest.raises(UndoConflict) as conflict:
        restored(theirs, leaves)
    assert "no longer holds" in str(conflict.value) or "has no place" in str(conflict.value)


@few
@given(edits(), st.text("xyz", min_size=3, max_size=3), values)
def test_what_others_add_elsewhere_stays(edit: tuple[dict[str, Any], dict[str, Any]], key: str, value: Any) -> None:
    before, after = edit
    live = copy.deepcopy(after)
    live["spec"][key] = value
    live["metadata"]["annotations"] = {key: "theirs"}
    back = restored(live, differences(before, after))
    assert back["spec"].pop(key) == value
    assert back["metadata"].pop("annotations") == {key: "theirs"}
    assert back == before


def _with_env(*variables: tuple[str, str]) -> dict[str, Any]:
    env = [{"name": name, "value": value} for name, value in variables]
    return {"spec": {"containers": [{"name": "app", "env": env}, {"name": "side"}]}}


def test_one_changed_variable_is_one_change() -> None:
    before, after = _with_env(("A", "1"), ("B", "2")), _with_env(("A", "1"), ("B", "3"), ("C", "4"))
    assert [(pointer(leaf.path), leaf.before, leaf.after) for leaf in differences(before, after)] == [
        ("/spec/containers/[name=app]/env/[name=B]/value", "2", "3"),
        ("/spec/containers/[name=app]/env/[name=C]", ABSENT, {"name": "C", "value": "4"}),
    ]


def test_a_variable_that_somebody_else_added_survives_the_undo() -> None:
    before, after = _with_env(("A", "1"), ("B", "2")), _with_env(("A", "1"), ("B", "3"))
    live = _with_env(("Z", "theirs"), ("A", "1"), ("B", "3"))
    assert restored(live, differences(before, after)) == _with_env(("Z", "theirs"), ("A", "1"), ("B", "2"))


def test_a_removed_variable_comes_back_where_it_was() -> None:
    before, after = _with_env(("A", "1"), ("B", "2"), ("C", "3"), ("D", "4")), _with_env(("C", "3"), ("E", "5"))
    assert restored(after, differences(before, after)) == before


def test_a_container_that_is_gone_is_a_conflict() -> None:
    before, after = _with_env(("A", "1")), _with_env(("A", "2"))
    with pytest.raises(UndoConflict, match=r"/spec/containers/\[name=app\]/env/\[name=A\]/value"):
        restored({"spec": {"containers": [{"name": "side"}]}}, differences(before, after))


def test_what_the_api_server_accounts_for_and_our_marker_are_no_changes() -> None:
    before: dict[str, Any] = {
        "metadata": {"resourceVersion": "1", "generation": 1, "managedFields": [], "annotations": {"a": "b"}},
        "status": {"replicas": 1},
    }
    after: dict[str, Any] = {
        "metadata": {
            "resourceVersion": "2",
            "generation": 2,
            "managedFields": [{}],
            "annotations": {
                "a": "b",
                LAST_STEP_ANNOTATION: "uid/scale/1",
                "deprecated.daemonset.template.generation": "2",
            },
        },
        "status": {"replicas": 2},
    }
    assert differences(before, after) == ()
    del before["metadata"]["annotations"]
    after["metadata"]["annotations"] = {LAST_STEP_ANNOTATION: "uid/scale/1", "c": "d"}
    assert differences(before, after) == (Leaf(("metadata", "annotations", "c"), ABSENT, "d"),)


@few
@given(edits())
def test_a_merge_patch_gives_what_it_was_made_for(edit: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = edit
    assert merged(before, merge_patch(before, after)) == after
    assert merge_patch(after, after) == {}


@given(st.lists(st.text(max_size=5)).map(tuple))
def test_a_pointer_leads_back_to_its_path(path: tuple[str, ...]) -> None:
    assert segments(pointer(path)) == path


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("/spec/replicas", "/spec/replicas", True),
        ("/spec/replicas", "/spec", False),
        ("/spec/replicas", "/spec/replicas/x", False),
        ("/spec/*", "/spec/replicas", True),
        ("/spec/*", "/spec", False),
        ("/spec/*", "/spec/template/spec", False),
        ("/spec/*/spec", "/spec/template/spec", True),
        ("/spec/template/**", "/spec/template/spec/containers/[name=app]/image", True),
        ("/spec/template/**", "/spec/template", True),
        ("/spec/template/**", "/spec/templates/x", False),
        ("/spec/template/**", "/spec", False),
        ("/spec/**/image", "/spec/template/image", False),
        ("/spec/containers/*/image", "/spec/containers/[name=app]/image", True),
        ("/metadata/annotations/a~1b", "/metadata/annotations/a~1b", True),
        ("/metadata/annotations/a", "/metadata/annotations/a~1b", False),
        ("/**", "/anything/at/all", True),
    ],
)
def test_allowed_paths(pattern: str, path: str, covered: bool) -> None:
    assert allowed(segments(path), [pattern]) is covered
    assert allowed(segments(path), ["/nothing/like/it", pattern]) is covered
    assert allowed(segments(path), []) is False


secret_names = st.sampled_from(
    ["password", "DB_PASSWORD", "apiKey", "AUTH_TOKEN", "client_secret", "private-key", "credentials", "dsn"]
)
secrets = st.text(string.ascii_letters + string.digits, min_size=12, max_size=400).map(lambda text: f"hunter{text}")
tokens = st.text(string.ascii_letters + string.digits, min_size=24, max_size=40).flatmap(
    lambda text: st.sampled_from(
        [
            f"ghp_{text}",
            f"sk-{text}",
            f"glpat-{text}",
            f"postgres://app:{text}@db/shop",
            f"Authorization: Bearer {text}",
            f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----",
        ]
    ).map(lambda value: (text, value))
)


@given(secret_names, secrets)
def test_a_secret_is_hidden_for_its_name(name: str, secret: str) -> None:
    shown_values = [
        show(("data", name), secret, KEY),
        show(("spec", "containers", "[name=app]", "env", f"[name={name}]", "value"), secret, KEY),
        show(("spec", "containers", "[name=app]", "env", f"[name={name}]"), {"name": name, "value": secret}, KEY),
        show(("spec", "env"), [{"name": "A", "value": "b"}, {"name": name, "value": secret}], KEY),
        show(("spec", "config"), {"deep": {name: secret}}, KEY),
        show(("spec", "command"), ["serve", f"--{name.lower()}={secret}"], KEY) if "assword" in name else None,
    ]
    for text in shown_values:
        assert text is None or (text.startswith("hmac:") and secret[:12] not in text)


@given(tokens, st.sampled_from(["image", "value", "note"]))
def test_a_secret_is_hidden_for_its_looks(token: tuple[str, str], name: str) -> None:
    text, value = token
    for content in (value, [value], {"a": {"b": value}}):
        found = show(("spec", name), content, KEY)
        assert found is not None
        assert text not in found
        assert found.startswith("hmac:")


@given(values, st.binary(min_size=1, max_size=8))
def test_a_value_is_shown_the_same_by_the_same_key_and_never_at_length(value: Any, key: bytes) -> None:
    text = show(("spec", "x"), value, key)
    assert text == show(("spec", "x"), copy.deepcopy(value), key)
    assert text is not None
    assert len(text) <= 400


@given(st.text(max_size=2000))
def test_whatever_is_written_can_be_shown_in_a_plan(value: str) -> None:
    (change,) = shown([Leaf(("spec", "x"), ABSENT, value)], KEY)
    assert change.before is None
    assert change.after is not None
    assert len(change.after) <= 400
    if not is_secret(("spec", "x"), value) and len(json.dumps(value)) <= 256:
        assert json.loads(change.after) == value


@given(st.text("abc ", min_size=300, max_size=500), st.text("abc ", min_size=1, max_size=5))
def test_long_values_that_differ_only_at_the_end_are_told_apart(value: str, more: str) -> None:
    assert show(("spec", "x"), value, KEY) != show(("spec", "x"), value + more, KEY)


@given(secrets, secrets)
def test_hidden_values_are_equal_exactly_if_their_secrets_are(one: str, other: str) -> None:
    path = ("data", "password")
    assert (show(path, one, KEY) == show(path, other, KEY)) == (one == other)
    assert show(path, one, KEY) != show(path, one, b"another key")


def test_absence_and_null_are_told_apart() -> None:
    assert show(("spec", "x"), ABSENT, KEY) is None
    assert show(("spec", "x"), None, KEY) == "null"

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from interlock.crds.digest import canonical, digest

values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def reordered(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [reordered(item) for item in value]
    return value


@given(values)
def test_the_order_of_keys_does_not_matter(value: JsonValue) -> None:
    assert digest(reordered(value)) == digest(value)


@given(st.dictionaries(st.text(max_size=10), values, min_size=1, max_size=4), st.data())
def test_a_lost_key_does(value: dict[str, JsonValue], data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from(sorted(value)))
    assert digest({key: content for key, content in value.items() if key != lost}) != digest(value)


def test_the_form_is_that_of_rfc_8785() -> None:
    assert canonical({"b": 1.0, "a": [True, None, "€\u000f"]}) == '{"a":[true,null,"€\\u000f"],"b":1}'.encode()


@given(values | st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3))
def test_the_shorter_way_to_the_form_leads_to_the_same(value: JsonValue) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_a_known_digest_stays_what_it_is() -> None:
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_an_integer_that_json_cannot_carry_is_refused() -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        digest({"n": 2**53 + 1})


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical({1: "one"})  # type: ignore[dict-item]

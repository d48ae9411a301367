import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from interlock.crds.parameters import Parameter, ParameterRefused, parse_parameters


def parameter(**fields: JsonValue) -> Parameter:
    return Parameter.model_validate({"name": "value", "description": "What it is.", **fields})


replicas = parameter(type="integer", minimum=1, maximum=20, default="3")
confirmed = parameter(type="boolean")
zone = parameter(allowed=["a", "b"])
tag = parameter(pattern="v[0-9]+")


@given(st.integers(1, 20))
def test_an_integer_inside_its_bounds(value: int) -> None:
    assert replicas.parse(str(value)) == value


@given(st.integers().filter(lambda n: not 1 <= n <= 20))
def test_an_integer_outside_its_bounds(value: int) -> None:
    with pytest.raises(ParameterRefused):
        replicas.parse(str(value))


@pytest.mark.parametrize("text", ["", " 3", "3\n", "3.0", "1e1", "٣", "0x3", "+3", "three"])
def test_what_is_no_integer(text: str) -> None:
    with pytest.raises(ParameterRefused, match="is not an integer"):
        replicas.parse(text)


@pytest.mark.parametrize("text", ["True", "yes", "1", "", "true "])
def test_what_is_no_boolean(text: str) -> None:
    with pytest.raises(ParameterRefused, match="neither 'true' nor 'false'"):
        confirmed.parse(text)


def test_booleans() -> None:
    assert (confirmed.parse("true"), confirmed.parse("false")) == (True, False)


def test_strings() -> None:
    assert zone.parse("b") == "b"
    assert tag.parse("v12") == "v12"
    with pytest.raises(ParameterRefused, match="'c' is none of a, b"):
        zone.parse("c")


@pytest.mark.parametrize("text", ["v12\n", "xv12", "v12; rm", ""])
def test_a_pattern_must_match_as_a_whole(text: str) -> None:
    with pytest.raises(ParameterRefused, match="does not match"):
        tag.parse(text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "integer"}, "needs minimum and maximum"),
        ({"type": "integer", "minimum": 1}, "needs minimum and maximum"),
        ({"type": "string"}, "needs a pattern or a list"),
        ({"type": "string", "pattern": "("}, "does not compile"),
        ({"type": "integer", "minimum": 1, "maximum": 5, "default": "9"}, "outside 1 to 5"),
        ({"type": "integer", "minimum": 1, "maximum": 5, "allowed": ["1"]}, "bound strings, not a integer"),
        ({"type": "boolean", "pattern": "true"}, "bound strings, not a boolean"),
        ({"type": "string", "pattern": ".", "maximum": 5}, "bound integers, not a string"),
    ],
)
def test_a_parameter_without_bounds_or_with_bounds_that_bind_nothing(fields: dict[str, JsonValue], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        parameter(**fields)


def test_defaults_fill_what_is_not_given() -> None:
    assert parse_parameters([replicas], {}) == {"value": 3}
    assert parse_parameters([replicas], {"value": "7"}) == {"value": 7}


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ParameterRefused, match="parameter namespace is unknown; known are value"):
        parse_parameters([replicas], {"namespace": "kube-system"})


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(ParameterRefused, match=r"parameter value must be given: What it is\."):
        parse_parameters([zone], {})

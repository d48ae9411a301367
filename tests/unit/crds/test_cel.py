import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from interlock.crds.cel import (
    ExpressionError,
    evaluate,
    rewrite_optionals,
    variables_of,
)
from interlock.crds.celobjects import condition
from interlock.crds.quantity import is_quantity, quantity

POD: dict[str, JsonValue] = {
    "metadata": {"labels": {"app/name": "web"}, "annotations": {}},
    "spec": {"containers": [{"name": "web", "image": "web:1"}], "replicas": 3},
    "status": {"conditions": [{"type": "Available", "status": "False"}, {"type": "Odd"}]},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("t.?spec.replicas.orValue(0)", 3),
        ("t.?spec.missing.orValue(0)", 0),
        ("t.?missing.deeper.still.orValue(0)", 0),
        ("t\n  .?missing\n  .deeper\n  .orValue(0)", 0),
        ("t.spec.?replicas.orValue(0) + 1", 4),
        ("t.spec.containers[?0].name.orValue('')", "web"),
        ("t.spec.containers[?5].name.orValue('none')", "none"),
        ("t.metadata.labels[?'app/name'].orValue('')", "web"),
        ("t.metadata.labels[?'other'].orValue('')", ""),
        ("t.?spec.containers.orValue([]).size()", 1),
        ("t.?spec.missing.orValue([]).all(c, c.ready)", True),
        ("t.spec.containers.all(c, c.?ready.orValue(true))", True),
        ("t.?missing.hasValue()", False),
        ("t.?missing.or(t.?spec.replicas).orValue(0)", 3),
        ("has(t.spec.replicas) && t.spec.replicas == 3", True),
    ],
)
def test_optional_access(expression: str, value: JsonValue) -> None:
    assert evaluate(expression, {"t": POD}) == value


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ('"a.?b"', "a.?b"),
        ("'a[?0]'", "a[?0]"),
        ('"it\'s .?b"', "it's .?b"),
        (r'"a\".?b"', 'a".?b'),
        ('"""say "x.?y" now"""', 'say "x.?y" now'),
        ("'''it's .?b'''", "it's .?b"),
        (r'r"\d.?b"', r"\d.?b"),
        ('r"a\\" + "b.?c"', "a\\b.?c"),
    ],
)
def test_text_is_not_rewritten(literal: str, text: str) -> None:
    assert evaluate(literal, {}) == text
    assert evaluate(f"t.?missing.orValue({literal})", {"t": {}}) == text


def test_comments_are_not_rewritten() -> None:
    assert evaluate("// it's a.?b\nt.?missing.orValue('x') // \"", {"t": {}}) == "x"


@given(st.text(max_size=60))
def test_what_holds_no_optional_access_stays_as_it_is(text: str) -> None:
    if ".?" not in text and "[?" not in text:
        assert rewrite_optionals(text) == text


@given(st.text(max_size=40).filter(lambda text: not set(text) & {'"', "\\", "\n", "\r", "\0"}))
def test_any_text_survives_inside_quotes(text: str) -> None:
    assert rewrite_optionals(f'x == "{text}" && y') == f'x == "{text}" && y'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0),
        ("1500m", 1.5),
        ("1", 1.0),
        ("+1", 1.0),
        ("-1", -1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("100u", 1e-4),
        ("5n", 5e-9),
        ("1k", 1e3),
        ("2M", 2e6),
        ("1G", 1e9),
        ("1T", 1e12),
        ("1P", 1e15),
        ("1E", 1e18),
        ("1Ki", 1024.0),
        ("128Mi", 134217728.0),
        ("1.5Gi", 1610612736.0),
        ("1Ti", 2.0**40),
        ("1Pi", 2.0**50),
        ("1Ei", 2.0**60),
        ("1e3", 1000.0),
        ("1E3", 1000.0),
        ("1e-3", 0.001),
    ],
)
def test_quantities_mean_what_kubernetes_means(text: str, value: float) -> None:
    assert quantity(text) == value
    assert is_quantity(text)


@pytest.mark.parametrize(
    "text", ["", "m", "1K", "1ki", "1mi", "1 Mi", " 1", "1Mi\n", "1e", "1e3Mi", "0x1", "1_0", "１", "."]
)
def test_what_is_no_quantity_in_kubernetes(text: str) -> None:
    assert not is_quantity(text)
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity(text)


@pytest.mark.parametrize("text", ["1e999", "1e99999999999999999999"])
def test_a_quantity_beyond_all_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity(text)


@given(st.integers(-(10**6), 10**6))
def test_a_number_is_a_quantity(number: int) -> None:
    assert quantity(number) == number
    assert quantity(f"{number}m") == pytest.approx(number / 1000)


def test_quantities_in_expressions() -> None:
    assert evaluate('quantity(m) < quantity("1Gi") && isQuantity(m)', {"m": "512Mi"}) is True


@pytest.mark.parametrize(("kind", "status"), [("Available", "False"), ("Progressing", "Unknown"), ("Odd", "None")])
def test_conditions(kind: str, status: str) -> None:
    assert evaluate(f'condition(t, "{kind}")', {"t": POD}) == status


@pytest.mark.parametrize("thing", [None, {}, {"status": None}, {"status": {"conditions": None}}])
def test_an_object_without_conditions(thing: JsonValue) -> None:
    assert condition(thing, "Ready") == "Unknown"


@pytest.mark.parametrize(
    "expression",
    [
        "t.missing.deeper",
        "nobody",
        "1 / 0",
        '"a" + 1',
        "t.spec.replicas.?x",
        "t.?missing.value()",
        "[1][5]",
        'quantity("much") > 1.0',
        "t.spec.replicas ==",
        "t.?",
        "",
    ],
)
def test_what_cannot_be_evaluated(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, {"t": POD})


def test_nothing_of_the_interpreter_can_be_reached() -> None:
    for expression in ("t.__class__", "optionalField.__globals__", "__import__('os')", "t.?__class__.orValue(0) == 1"):
        try:
            assert evaluate(expression, {"t": {}}) is False
        except ExpressionError:
            continue


def test_the_names_that_an_expression_mentions() -> None:
    assert variables_of("target.?spec.replicas.orValue(0) > parameters.replicas") == {"target", "parameters"}


def test_a_library_is_no_variable() -> None:
    assert variables_of("sets.contains(names, [target.name]) && math.greatest(1, 2) > 1") == {"names", "target"}


@pytest.mark.parametrize(
    ("expression", "scale", "expected"),
    [
        ("timestamp(now) - timestamp('2026-03-01T11:59:50Z') > duration('60s')", 1, False),
        ("timestamp(now) - timestamp('2026-03-01T11:59:50Z') > duration('60s')", 0.1, True),
        ("duration('1h30m') == duration('90m')", 0.5, True),
        ("timestamp(now) + duration('-2.5s') == timestamp('2026-03-01T11:59:59.75Z')", 0.1, True),
        ("'duration' + word.duration", 0.1, "duration of it"),
    ],
)
def test_durations_are_scaled_where_time_is(expression: str, scale: float, expected: object) -> None:
    variables: dict[str, JsonValue] = {"now": "2026-03-01T12:00:00Z", "word": {"duration": " of it"}}
    assert evaluate(expression, variables, time_scale=scale) == expected


def test_no_duration_is_an_error_in_any_time() -> None:
    for scale in (1.0, 0.5):
        with pytest.raises(ExpressionError):
            evaluate("duration('soon') > duration('1s')", {}, time_scale=scale)

"""Weights as frequencies: ordered, bounded, and fitted with caution."""

from hypothesis import given
from hypothesis import strategies as st

from interlock.agents.calibration import KNOTS, MOST_SURE, calibrated, fitted, weight_of

weights = st.floats(min_value=0, max_value=1)


@given(weights, weights)
def test_what_weighs_more_is_never_less_sure(one: float, other: float) -> None:
    light, heavy = sorted((one, other))
    assert calibrated(light) <= calibrated(heavy) <= max(MOST_SURE, KNOTS[0][1])


@given(st.floats(min_value=0, max_value=0.5))
def test_what_is_too_little_to_be_said_is_left_as_it_is(weight: float) -> None:
    assert calibrated(weight) == weight


@given(st.floats(min_value=0.5, max_value=0.95))
def test_a_frequency_leads_back_to_its_weight(weight: float) -> None:
    assert abs(weight_of(calibrated(weight)) - weight) < 0.02


def test_a_few_right_ones_prove_little() -> None:
    few = dict(fitted([(0.7, True)] * 3))
    many = dict(fitted([(0.7, True)] * 300))
    assert 0.7 < few[0.7] < 0.75 < many[0.7] < MOST_SURE


def test_what_is_often_wrong_is_less_sure_than_it_weighs() -> None:
    knots = fitted([(0.85, n % 2 == 0) for n in range(200)])
    assert calibrated(0.85, knots) < 0.8


def test_the_fit_never_falls() -> None:
    knots = fitted([(0.65, True)] * 50 + [(0.85, False)] * 50)
    assert [y for _, y in knots] == sorted(y for _, y in knots)

"""How sure is sure: what analyzers weigh, as the share of cases in which it turns out right.

Analyzers say how much their evidence weighs, on a scale of their own. `KNOTS` maps that to a frequency, fitted on the
part `tune` of the case library: each step stands for the share of right ones among the cases around it, held back by
as many imagined cases as `CAUTION` that turn out as the analyzer said, since a library is easier than the world, and
never beyond `MOST_SURE`. Below the first knot nothing was ever reported, so nothing is known and nothing changed.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

Knot = tuple[float, float]

CAUTION = 20
MOST_SURE = 0.985
STEPS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)

KNOTS: tuple[Knot, ...] = (
    (0.5, 0.5),
    (0.55, 0.64),
    (0.657, 0.761),
    (0.759, 0.901),
    (0.857, 0.971),
    (0.919, 0.977),
    (0.961, 0.981),
    (1.0, 0.985),
)


def calibrated(weight: float, knots: tuple[Knot, ...] = KNOTS) -> float:
    """The frequency that a weight stands for, linear between the knots; the order of weights stays as it is."""
    if weight <= knots[0][0]:
        return weight
    place = min(bisect_right([x for x, _ in knots], weight), len(knots) - 1)
    (low, low_right), (high, high_right) = knots[place - 1], knots[place]
    return round(low_right + (high_right - low_right) * (weight - low) / (high - low), 4)


def weight_of(frequency: float, knots: tuple[Knot, ...] = KNOTS) -> float:
    """The weight that `calibrated` turned into this frequency."""
    return calibrated(frequency, tuple((y, x) for x, y in knots))


def fitted(judged: Iterable[tuple[float, bool]]) -> tuple[Knot, ...]:
    """The knots for weights of which is known whether they were right: one for each step, never falling."""
    known = list(judged)
    found: list[Knot] = [(STEPS[0], STEPS[0])]
    for low, high in pairwise(STEPS):
        inside = [(weight, right) for weight, right in known if low <= weight < high]
        middle = sum(w for w, _ in inside) / len(inside) if inside else (low + high) / 2
        share = (sum(right for _, right in inside) + CAUTION * middle) / (len(inside) + CAUTION)
        if middle > found[-1][0]:
            bound = MOST_SURE - (1 - middle) / 10  # still rising, so that what is surer stays ahead
            found.append((round(middle, 3), round(min(max(share, found[-1][1]), bound), 3)))
    return (*found, (1.0, MOST_SURE))

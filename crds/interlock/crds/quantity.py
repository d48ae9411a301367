"""Kubernetes quantities as numbers; apimachinery's resource.Quantity is the model."""

import math
import re
from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")


def quantity(text: object) -> float:
    """A Kubernetes quantity as a number: `quantity("1500m") == 1.5`, `quantity("1Ki") == 1024.0`.

    Raises:
        ValueError: it is not a quantity (apimachinery's resource.Quantity is the model).
    """
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity such as 500m, 1.5 or 128Mi")
    number, exponent, suffix = match.groups()
    try:
        value = float(Decimal(number + (exponent or "")) * _SUFFIXES[suffix or ""])
    except InvalidOperation as wrong:
        raise ValueError(f"{text!r} is not a quantity") from wrong
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is larger than any quantity")
    return value


def is_quantity(text: object) -> bool:
    """Whether `quantity` accepts it."""
    return _QUANTITY.fullmatch(str(text)) is not None

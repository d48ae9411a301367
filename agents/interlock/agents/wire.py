"""JSON as it is kept in the store's text columns."""

import json
from collections.abc import Mapping
from typing import Any


def dump(value: Mapping[str, Any]) -> str:
    """The text of an object."""
    return json.dumps(value, sort_keys=True)


def load(text: str) -> dict[str, Any]:
    """The object of a text that `dump` wrote."""
    value: dict[str, Any] = json.loads(text)
    return value


def parameters_of(text: str) -> tuple[tuple[str, str], ...]:
    """Parameters of an execution, comparable."""
    return tuple(sorted((str(name), str(value)) for name, value in load(text).items()))

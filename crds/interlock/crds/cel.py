"""CEL as Kubernetes users know it: the library's dialect plus optional access and quantities.

`common-expression-language` parses neither `.?` nor `[?…]`; `a.?b.c.orValue(x)` is rewritten to calls that return
optional values before it is compiled. It holds the interpreter's lock and has no cost limit, so expressions from
runbooks are evaluated in a process of their own with a deadline: see `celprocess`.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from types import ModuleType
from typing import Any

from pydantic import JsonValue

from interlock.crds.celaddresses import astray
from interlock.crds.celobjects import condition, last_applied, pod_spec, references
from interlock.crds.celpolicies import blocked, opened, rules_of
from interlock.crds.celrevisions import placement, pods_of, previous
from interlock.crds.celservices import intended, unserved
from interlock.crds.quantity import is_quantity, quantity

# The library imports its own command line, and a terminal toolkit with it: two thirds of the start of each evaluator.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402
from cel.stdlib import add_stdlib_to_context  # noqa: E402

# The library logs what a function of ours raised and raises it too; once is enough.
logging.getLogger("cel").addHandler(logging.NullHandler())


class ExpressionError(ValueError):
    """The expression does not compile, or has no value on this input; callers treat it as a failed check."""


_TOKENS = re.compile(
    r"""(?P<opaque>//[^\n]*                                     # a comment
          |[bB]?[rR]("{3}|'{3}|["'])[\s\S]*?\2                  # a raw string: no escapes
          |("{3}|'{3}|["'])(?:\\[\s\S]|(?!\3)[^\\])*\3)       # a string
    |\.\?\s*(?P<optional>[A-Za-z_]\w*)
    |\[\?\s*(?P<index>"[^"]*"|'[^']*'|[0-9]+)\s*\]
    |\.\s*(?P<field>[A-Za-z_]\w*)(?P<call>\s*\()?
    |(?P<space>\s+)
    |[A-Za-z_]\w*
    |[\s\S]""",
    re.VERBOSE,
)


def rewrite_optionals(expression: str) -> str:
    """`.?name` and `[?key]` as calls; fields after one stay optional until the chain ends, as CEL defines it."""
    out: list[str] = []
    optional = False
    for token in _TOKENS.finditer(expression):
        if token["optional"]:
            out.append(f".optionalField('{token['optional']}')")
            optional = True
        elif token["index"]:
            out.append(f".optionalField({token['index']})")
            optional = True
        elif token["field"] and optional and not token["call"]:
            out.append(f".optionalField('{token['field']}')")
        else:
            out.append(token[0])
            optional = optional and token["space"] is not None
    return "".join(out)


def _scale_durations(expression: str) -> str:
    """With calls of `duration` as calls of a function of ours: the library's own cannot be replaced."""
    return "".join("scaledDuration" if t[0] == "duration" else t[0] for t in _TOKENS.finditer(expression))


@lru_cache(maxsize=1024)
def compile_expression(expression: str) -> cel.Program:
    """The compiled expression.

    Raises:
        ExpressionError: it does not parse; the message says where.
    """
    try:
        return cel.compile(rewrite_optionals(expression))
    except ValueError as wrong:
        raise ExpressionError(f"{expression!r} does not compile: {wrong}") from wrong


_LIBRARIES = frozenset({"sets", "math"})
"""Prefixes of the extensions' functions, which the library takes for variables."""


def variables_of(expression: str) -> frozenset[str]:
    """The names that the expression mentions, those bound by macros included.

    Raises:
        ExpressionError: it does not parse.
    """
    return frozenset(compile_expression(expression).variables()) - _LIBRARIES


def evaluate(expression: str, variables: Mapping[str, JsonValue], *, time_scale: float = 1) -> JsonValue:
    """The value of the expression over the variables; `duration` yields its value times the scale.

    Raises:
        ExpressionError: it does not compile, or fails on this input (no such key, type mismatch, division by zero).
    """
    program = compile_expression(expression if time_scale == 1 else _scale_durations(expression))
    context = cel.Context(variables=dict(variables))
    add_stdlib_to_context(context)
    for name, function in _FUNCTIONS.items():
        context.add_function(name, function)
    if time_scale != 1:
        context.add_function("scaledDuration", lambda text: duration(text) * time_scale)
    try:
        value: JsonValue = program.execute(context)
    except Exception as wrong:
        raise ExpressionError(f"{expression!r}: {type(wrong).__name__}: {wrong}") from wrong
    return value


def _optional_field(container: Any, key: Any) -> cel.OptionalValue:
    if isinstance(container, cel.OptionalValue):
        if not container.has_value():
            return container
        container = container.value()
    if isinstance(container, Mapping):
        return cel.OptionalValue.of(container[key]) if key in container else cel.OptionalValue.none()
    if isinstance(container, list) and isinstance(key, int):
        return cel.OptionalValue.of(container[key]) if 0 <= key < len(container) else cel.OptionalValue.none()
    raise TypeError(f"no field {key!r} in a {type(container).__name__}")


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?)(h|ms|us|ns|m|s)")


def duration(text: str) -> timedelta:
    """The duration that CEL reads in such a text: "1h30m", "-2.5s".

    Raises:
        ValueError: the text is none.
    """
    rest = text.removeprefix("-")
    parts = _DURATION.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f"{text!r} is no duration")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "optionalField": _optional_field,
    "quantity": quantity,
    "isQuantity": is_quantity,
    "condition": condition,
    "lastApplied": last_applied,
    "podSpec": pod_spec,
    "references": references,
    "astray": astray,
    "blocked": blocked,
    "opened": opened,
    "rulesOf": rules_of,
    "podsOf": pods_of,
    "previous": previous,
    "placement": placement,
    "intended": intended,
    "unserved": unserved,
}

FUNCTIONS: frozenset[str] = frozenset(_FUNCTIONS) - {"optionalField"}
"""What expressions may call beyond CEL's standard library and its string, list, set and math extensions."""

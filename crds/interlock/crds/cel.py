"""CEL as Kubernetes users know it: the library's dialect plus optional access and quantities.

`common-expression-language` parses neither `.?` nor `[?…]`; `a.?b.c.orValue(x)` is rewritten to calls that return
optional values before it is compiled. It holds the interpreter's lock and has no cost limit, so expressions from
runbooks are evaluated in a process of their own with a deadline: see `celprocess`.
"""

import logging
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import cel
from cel.stdlib import add_stdlib_to_context
from pydantic import JsonValue

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


def variables_of(expression: str) -> frozenset[str]:
    """The names that the expression mentions, those bound by macros included.

    Raises:
        ExpressionError: it does not parse.
    """
    return frozenset(compile_expression(expression).variables())


def evaluate(expression: str, variables: Mapping[str, JsonValue]) -> JsonValue:
    """The value of the expression over the variables.

    Raises:
        ExpressionError: it does not compile, or fails on this input (no such key, type mismatch, division by zero).
    """
    program = compile_expression(expression)
    context = cel.Context(variables=dict(variables))
    add_stdlib_to_context(context)
    for name, function in _FUNCTIONS.items():
        context.add_function(name, function)
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


def condition(container: Any, kind: str) -> str:
    """The status of a condition of an object, "Unknown" where it has none: `condition(target, "Available")`."""
    for entry in ((container or {}).get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind:
            return str(entry.get("status"))
    return "Unknown"


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "optionalField": _optional_field,
    "quantity": quantity,
    "isQuantity": is_quantity,
    "condition": condition,
}

FUNCTIONS: frozenset[str] = frozenset({"quantity", "isQuantity", "condition"})
"""What expressions may call beyond CEL's standard library and its string, list, set and math extensions."""

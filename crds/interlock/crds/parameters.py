"""Parameters of a runbook: a bounded subset of JSON Schema, so that the worst allowed value is still survivable.

An execution carries its parameters as strings, as an approver reads them; here they become values of their type.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from interlock.crds.types import Line, Message, Model, Word

Value = str | int | bool

_Text = Annotated[str, StringConstraints(max_length=1024)]


class ParameterRefused(ValueError):
    """A parameter is unknown, missing or outside its bounds; the message names it, its value and what is allowed."""


class Parameter(Model):
    """One input of a runbook."""

    name: Word = Field(description="Name, in lowerCamelCase.")
    description: Message = Field(description="What it means and what a larger or smaller value does.")
    type: Literal["string", "integer", "boolean"] = Field(default="string", description="Type of the value.")
    default: _Text | None = Field(default=None, description="Value when none is given; without it one must be given.")
    minimum: int | None = Field(default=None, description="Smallest integer allowed.")
    maximum: int | None = Field(default=None, description="Largest integer allowed.")
    pattern: Line | None = Field(default=None, description="RE2 expression that a string must match as a whole.")
    allowed: Annotated[list[Line], Field(max_length=64)] = Field(
        default=[], description="The strings allowed; empty for any that match the pattern."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.type != "integer" and (self.minimum is not None or self.maximum is not None):
            raise ValueError(f"parameter {self.name!r}: minimum and maximum bound integers, not a {self.type}")
        if self.type != "string" and (self.pattern is not None or self.allowed):
            raise ValueError(f"parameter {self.name!r}: pattern and allowed bound strings, not a {self.type}")
        if self.type == "integer" and (self.minimum is None or self.maximum is None):
            raise ValueError(f"parameter {self.name!r}: an integer needs minimum and maximum")
        if self.type == "string" and not (self.pattern or self.allowed):
            raise ValueError(f"parameter {self.name!r}: a string needs a pattern or a list of allowed values")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as wrong:
                raise ValueError(f"parameter {self.name!r}: pattern does not compile: {wrong}") from wrong
        if self.default is not None:
            self.parse(self.default)
        return self

    def parse(self, text: str) -> Value:
        """The value that `text` stands for.

        Raises:
            ParameterRefused: it is not of the type or outside the bounds.
        """
        match self.type:
            case "integer":
                return self._integer(text)
            case "boolean":
                if text not in {"true", "false"}:
                    raise ParameterRefused(f"parameter {self.name}: {text!r} is neither 'true' nor 'false'")
                return text == "true"
            case "string":
                return self._string(text)

    def _integer(self, text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,15}", text):
            raise ParameterRefused(f"parameter {self.name}: {text!r} is not an integer")
        value = int(text)
        if (self.minimum is not None and value < self.minimum) or (self.maximum is not None and value > self.maximum):
            raise ParameterRefused(f"parameter {self.name}: {value} is outside {self.minimum} to {self.maximum}")
        return value

    def _string(self, text: str) -> str:
        if self.allowed and text not in self.allowed:
            raise ParameterRefused(f"parameter {self.name}: {text!r} is none of {', '.join(self.allowed)}")
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise ParameterRefused(f"parameter {self.name}: {text!r} does not match {self.pattern}")
        return text


def parse_parameters(declared: Sequence[Parameter], given: Mapping[str, str]) -> dict[str, Value]:
    """The typed values of all declared parameters, defaults filled.

    Raises:
        ParameterRefused: one is unknown, missing or outside its bounds.
    """
    known = {parameter.name: parameter for parameter in declared}
    if unknown := sorted(set(given) - set(known)):
        raise ParameterRefused(f"parameter {unknown[0]} is unknown; known are {', '.join(sorted(known)) or 'none'}")
    values: dict[str, Value] = {}
    for name, parameter in known.items():
        text = given.get(name, parameter.default)
        if text is None:
            raise ParameterRefused(f"parameter {name} must be given: {parameter.description}")
        values[name] = parameter.parse(text)
    return values

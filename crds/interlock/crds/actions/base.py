"""What all arguments have in common: judged as far as they are known, and by whole sentences."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, model_validator
from pydantic.fields import FieldInfo

from interlock.crds.types import Line, Model, Word

TEMPLATE = re.compile(r"\$\{([^{}]*)\}")
"""`${expression}`, without braces inside: maps and comprehension macros belong into preconditions, not arguments."""

EffectName = Literal["patch", "delete", "evict", "create"]
"""How an action changes the cluster."""


def _from_yaml(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        raise ValueError(f"is not YAML: {' '.join(str(wrong).split())}") from wrong


FROM_YAML = BeforeValidator(_from_yaml)
"""Marks an argument that is written as YAML."""


def is_structured(field: FieldInfo) -> bool:
    """Whether an argument is written as YAML."""
    return FROM_YAML in field.metadata


class Arguments(Model):
    """Arguments of one action."""

    summary: ClassVar[str]
    """One sentence for the author of a runbook."""
    example: ClassVar[str]
    """A step that uses it, as YAML."""
    notes: ClassVar[str] = ""
    """What an author must know beyond the arguments."""
    effect: ClassVar[EffectName | None] = "patch"
    """How it changes the cluster; None for an action that does not."""
    yields: ClassVar[tuple[str, ...]] = ()
    """Its outputs, beside those that the step names."""

    @classmethod
    def names(cls) -> dict[str, FieldInfo]:
        """The arguments by the names that a runbook uses."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @classmethod
    def check(cls, arguments: Mapping[str, str]) -> None:
        """Judges what can be judged before expressions are evaluated.

        Raises:
            ValueError: an argument is unknown, missing or cannot be right; the message names it.
        """
        fields = cls.names()
        if unknown := sorted(set(arguments) - set(fields)):
            raise ValueError(f"argument {unknown[0]!r} is unknown; known are {', '.join(sorted(fields)) or 'none'}")
        if missing := sorted(n for n, field in fields.items() if field.is_required() and n not in arguments):
            raise ValueError(f"argument {missing[0]!r} must be given")
        cls._judge(arguments, frozenset(name for name, text in arguments.items() if TEMPLATE.search(text)))

    @classmethod
    def parse(cls, arguments: Mapping[str, str]) -> Self:
        """The typed arguments, once all expressions are evaluated.

        Raises:
            ValueError: an argument is not what the action takes; the message names it.
        """
        cls._judge(arguments, frozenset())
        return cls.model_validate(dict(arguments), strict=False)

    @classmethod
    def _judge(cls, arguments: Mapping[str, str], open_: frozenset[str]) -> None:
        """Raises ValueError for the first argument that is wrong; those in `open_` are not known yet."""
        try:
            cls.model_validate(dict(arguments), strict=False)
        except ValidationError as wrong:
            known = [error for error in wrong.errors() if not error["loc"] or str(error["loc"][0]) not in open_]
            if not known:
                return
            where = ".".join(str(part) for part in known[0]["loc"]) or "arguments"
            said = known[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"argument {where}: {said}, got {_shortened(known[0]['input'])}") from wrong


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:119]}…"


class OnObject(Arguments):
    """An action on one object: the target, or a named one of another kind in the target's namespace."""

    api_version: Line | None = Field(default=None, description="API version of the object; without it the target.")
    kind: Word | None = Field(default=None, description="Kind of the object; without it the target.")
    name: Annotated[str, StringConstraints(max_length=253)] | None = Field(
        default=None, description="Name of the object, in the target's namespace; without it the target."
    )

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = [self.api_version, self.kind, self.name]
        if any(given) and not all(given):
            raise ValueError("apiVersion, kind and name belong together")
        return self

"""The arguments of every action: what a runbook's author may write under `with`.

They belong to the contract so that lint and the operator judge a runbook by the same models without knowing each
other. Arguments are strings on the wire; `${…}` holds CEL that the operator evaluates when it plans the step, so a
value with an expression is judged only then, once it is known.
"""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

import yaml
from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from interlock.crds.types import Expression, Line, Model, Prose, Word

TEMPLATE = re.compile(r"\$\{([^{}]*)\}")
"""`${expression}`, without braces inside: maps and comprehension macros belong into preconditions, not arguments."""


STRUCTURED = frozenset({"merge"})
"""Arguments that are YAML: expressions in them yield values, not text."""


class Arguments(Model):
    """Arguments of one action."""

    summary: ClassVar[str]
    writes: ClassVar[bool] = True

    @classmethod
    def check(cls, arguments: Mapping[str, str]) -> None:
        """Judges what can be judged before expressions are evaluated.

        Raises:
            ValueError: an argument is unknown, missing or cannot be right; the message names it.
        """
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        if unknown := sorted(set(arguments) - set(fields)):
            raise ValueError(f"argument {unknown[0]!r} is unknown; known are {', '.join(sorted(fields)) or 'none'}")
        if missing := sorted(n for n, field in fields.items() if field.is_required() and n not in arguments):
            raise ValueError(f"argument {missing[0]!r} must be given")
        if not any(TEMPLATE.search(text) for text in arguments.values()):
            cls.parse(arguments)

    @classmethod
    def parse(cls, arguments: Mapping[str, str]) -> Self:
        """The typed arguments, once all expressions are evaluated.

        Raises:
            ValueError: an argument is not what the action takes; the message names it.
        """
        try:
            return cls.model_validate(dict(arguments), strict=False)
        except ValidationError as wrong:
            first = wrong.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "arguments"
            raise ValueError(f"argument {where}: {first['msg']}, got {first['input']!r}") from wrong


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


class Patch(OnObject):
    """Changes an object by a merge patch."""

    summary = "Merge patch (RFC 7386) on one object."
    merge: Prose = Field(description="The patch, as YAML.")

    @field_validator("merge")
    @classmethod
    def _is_mapping(cls, text: str) -> str:
        if TEMPLATE.search(text):
            return text
        try:
            body = yaml.safe_load(text)
        except yaml.YAMLError as wrong:
            raise ValueError(f"is not YAML: {wrong}") from wrong
        if not isinstance(body, dict) or not body:
            raise ValueError("must be a mapping that is not empty")
        if unexpected := set(body) & {"apiVersion", "kind", "status"}:
            raise ValueError(f"may not change {', '.join(sorted(unexpected))}")
        return text


class Scale(OnObject):
    """Sets the number of replicas."""

    summary = "Sets spec.replicas of a workload."
    replicas: Annotated[int, Field(ge=0, le=1000)] = Field(description="The new number of replicas.")


class RolloutUndo(OnObject):
    """Puts a Deployment back to the pod template of an existing revision."""

    summary = "Puts a Deployment's pod template back to that of an existing revision."
    to_revision: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=0, description="The revision; 0 for the last one before the current whose template differs."
    )


class RolloutRestart(OnObject):
    """Replaces a workload's pods by its own rollout strategy."""

    summary = "Starts a rollout with an unchanged template, as kubectl rollout restart does."


class Wait(Arguments):
    """Waits until an expression holds."""

    summary = "Waits, at most for the step's timeout, until an expression over live objects is true."
    writes = False
    until: Expression = Field(description="CEL over live objects; evaluated again until it is true.")


class Assert(Arguments):
    """Fails the execution unless a condition holds now."""

    summary = "Fails unless an expression, or every sample of a Prometheus query, holds now."
    writes = False
    expression: Expression | None = Field(default=None, description="CEL over live objects.")
    promql: Prose | None = Field(default=None, description="Instant query; no sample counts as failed.")
    satisfies: Expression | None = Field(
        default=None, description="CEL over the number `value` that every sample of promql must satisfy."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.expression is None) == (self.promql is None):
            raise ValueError("needs either expression or promql")
        if (self.promql is None) != (self.satisfies is None):
            raise ValueError("promql and satisfies belong together")
        return self


ACTIONS: Mapping[str, type[Arguments]] = {
    "patch": Patch,
    "scale": Scale,
    "rolloutUndo": RolloutUndo,
    "rolloutRestart": RolloutRestart,
    "wait": Wait,
    "assert": Assert,
}
"""Every action by the name that a runbook uses."""

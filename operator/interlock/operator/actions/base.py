"""What an action is: pure functions from what is seen to what is wanted."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import JsonValue


class ActionRefused(Exception):
    """The action cannot be carried out on this object; the message says why and what would help."""


@dataclass(frozen=True)
class Scene:
    """What an action sees when it is planned."""

    live: Mapping[str, Any]
    """The object that it writes."""
    variables: Mapping[str, JsonValue]
    """What expressions see: target, parameters, pods, revisions, now."""
    made_at: str
    """The time of the plan; a time that is written is this one, so that the plan can be computed again."""


@dataclass(frozen=True)
class Wanted:
    """What an object should become. `origin` is an object that keeps its present pod template, if there is one."""

    body: dict[str, Any]
    origin: Mapping[str, str] | None = None
    note: str = ""


@dataclass(frozen=True)
class Condition:
    """What must hold: CEL, or a Prometheus query with CEL over each sample."""

    expression: str | None = None
    promql: str | None = None
    satisfies: str | None = None


@runtime_checkable
class Writing(Protocol):
    """An action that changes one object."""

    needs: frozenset[str]
    """Variables that it needs beside target and parameters."""

    @abstractmethod
    def wanted(self, arguments: Mapping[str, str], scene: Scene) -> Wanted:
        """What the object should become.

        Raises:
            ActionRefused: it cannot be done on this object.
            ValueError: an argument is not what the action takes.
        """


@runtime_checkable
class Looking(Protocol):
    """An action that changes nothing."""

    patient: bool
    """Whether it waits until the step's timeout, or fails at once."""

    @abstractmethod
    def condition(self, arguments: Mapping[str, str]) -> Condition:
        """What must hold.

        Raises:
            ValueError: an argument is not what the action takes.
        """

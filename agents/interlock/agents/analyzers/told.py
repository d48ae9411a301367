"""What is told about objects: events, logs, and what a revision changed."""

from datetime import datetime

from pydantic import Field, JsonValue

from interlock.agents.analyzers.objects import Part


class Involved(Part):
    """What an event is about."""

    kind: str = ""
    name: str = ""
    field_path: str = ""

    @property
    def container(self) -> str:
        """The container that it is about, empty when it is about the whole object."""
        return self.field_path.partition("{")[2].rstrip("}")


class Event(Part):
    """Something that a component said about an object."""

    reason: str = ""
    type: str = "Normal"
    message: str = ""
    count: int = 1
    object: Involved = Involved()
    last: datetime | None = None


class Log(Part):
    """The end of a container's log."""

    pod: str
    container: str
    previous: bool = False
    text: str = Field(default="")


class Change(Part):
    """One path in which the current pod template differs from the one before."""

    path: str
    before: JsonValue = None
    after: JsonValue = None

"""Alertmanager's webhook payload, version 4, as something that can be trusted to be small and printable.

Structure that is wrong is refused, naming field and value. Content that is merely odd (control characters, a long
label) is escaped or shortened instead: a refused delivery is not sent again, so one strange label would cost the
whole group its alerts.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from interlock.agents.errors import AgentError
from interlock.agents.model import Alert, AlertStatus

LONGEST_NAME = 128
LONGEST_VALUE = 1024
MOST_LABELS = 64
MOST_ALERTS = 20_000


class PayloadRefusedError(AgentError):
    """The body is not a version-4 payload of Alertmanager; the message names the field and the value."""


def printable(text: str, longest: int = LONGEST_VALUE) -> str:
    """Text with control, bidirectional and unassigned characters escaped, at most `longest` characters."""
    if len(text) <= longest and text.isprintable():
        return text
    shown = "".join(c if c.isprintable() else _escaped(c) for c in text[:longest])
    return shown if len(shown) <= longest and len(text) <= longest else shown[: longest - 1] + "…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _bounded(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if len(value) > MOST_LABELS:
        raise ValueError(f"has {len(value)} entries, more than {MOST_LABELS}")
    return {
        printable(name, LONGEST_NAME) if isinstance(name, str) else name: printable(text)
        if isinstance(text, str)
        else text
        for name, text in value.items()
    }


Labels = Annotated[dict[str, str], BeforeValidator(_bounded)]
Text = Annotated[str, BeforeValidator(lambda value: printable(value) if isinstance(value, str) else value)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class SentAlert(_Part):
    """One alert of a payload."""

    status: AlertStatus
    labels: Labels
    annotations: Labels = {}
    starts_at: datetime
    ends_at: datetime | None = None
    generator_url: Text = Field(default="", alias="generatorURL")
    fingerprint: Text = ""

    def alert(self) -> Alert:
        """The alert; Alertmanager's year 1 means that it has not ended."""
        ends = self.ends_at if self.status == "resolved" and self.ends_at and self.ends_at.year > 1 else None
        return Alert(
            labels=self.labels,
            annotations=self.annotations,
            status=self.status,
            starts_at=_aware(self.starts_at),
            ends_at=_aware(ends) if ends else None,
            fingerprint=self.fingerprint,
            generator_url=self.generator_url,
        )


class Payload(_Part):
    """One delivery: a group of alerts, each with its own status."""

    version: Literal["4"]
    alerts: Annotated[tuple[SentAlert, ...], Field(max_length=MOST_ALERTS)]
    status: AlertStatus = "firing"
    receiver: Text = ""
    group_key: Text = ""
    truncated_alerts: Annotated[int, Field(ge=0)] = 0

    @classmethod
    def read(cls, body: bytes) -> Self:
        """The payload in a request's body.

        Raises:
            PayloadRefusedError: it is none.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as wrong:
            first = wrong.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            given = printable(repr(first["input"]), 120)
            raise PayloadRefusedError(f"{printable(where, 200)}: {first['msg']}, got {given}") from wrong


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

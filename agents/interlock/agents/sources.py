"""Alerts of senders that are not Alertmanager: a mapping in the rules says where in their JSON each part stands."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, ValidationError

from interlock.agents.model import Record
from interlock.agents.payload import MOST_ALERTS, Payload, PayloadRefusedError, SentAlert, printable

Pointer = Annotated[str, Field(pattern=r"^(/[^/]*)*$", max_length=256)]
"""A JSON Pointer (RFC 6901) into one alert of the body, such as `/tags/service`; empty for all of it."""
_MILLISECONDS = 1e11


class Status(Record):
    """How an alert says that it fires or is over."""

    at: Pointer
    firing: frozenset[str] = frozenset({"firing"})
    resolved: frozenset[str] = frozenset({"resolved", "ok"})


class Source(Record):
    """Where the parts of a sender's alerts stand."""

    alerts: Pointer = ""
    """The list of alerts in the body; empty where the body is the list, or one alert."""
    status: Status
    name: Pointer
    starts_at: Annotated[Pointer, Field(alias="startsAt")]
    """RFC 3339, or seconds or milliseconds since 1970."""
    ends_at: Annotated[Pointer | None, Field(alias="endsAt")] = None
    labels: dict[str, Pointer] = Field(default={})
    labels_of: Annotated[Pointer | None, Field(alias="labelsOf")] = None
    """An object all of whose strings and numbers become labels; `labels` go before it."""
    annotations: dict[str, Pointer] = Field(default={})

    def read(self, body: bytes) -> Payload:
        """The delivery in a body.

        Raises:
            PayloadRefusedError: a part is not where the mapping says; the message names alert and part.
        """
        try:
            found = at(json.loads(body), self.alerts)
        except (ValueError, RecursionError) as wrong:
            raise PayloadRefusedError(f"body: {printable(str(wrong), 200)}") from wrong
        entries = found if isinstance(found, list) else [found]
        if len(entries) > MOST_ALERTS:
            raise PayloadRefusedError(f"alerts: {len(entries)}, more than {MOST_ALERTS}")
        return Payload(version="4", alerts=tuple(self._alert(n, entry) for n, entry in enumerate(entries)))

    def _alert(self, number: int, entry: Any) -> SentAlert:
        try:
            labels = {**dict(self._all(entry)), **{k: _text(at(entry, p)) for k, p in self.labels.items()}}
            return SentAlert(
                status=self._status(entry),
                labels={**labels, "alertname": _text(at(entry, self.name))},
                annotations={k: _text(at(entry, p)) for k, p in self.annotations.items()},
                starts_at=_moment(at(entry, self.starts_at)),
                ends_at=_moment(at(entry, self.ends_at)) if self.ends_at is not None else None,
            )
        except (ValueError, ValidationError) as wrong:
            raise PayloadRefusedError(f"alerts.{number}: {printable(str(wrong), 300)}") from wrong

    def _status(self, entry: Any) -> str:
        said = _text(at(entry, self.status.at))
        if said in self.status.firing:
            return "firing"
        if said in self.status.resolved:
            return "resolved"
        raise ValueError(f"{self.status.at}: {said!r} is neither firing nor resolved")

    def _all(self, entry: Any) -> Iterator[tuple[str, str]]:
        found = at(entry, self.labels_of) if self.labels_of is not None else {}
        for key, value in found.items() if isinstance(found, dict) else ():
            if isinstance(value, str | int | float):
                yield str(key), _text(value)


def at(value: Any, pointer: str) -> Any:
    """What a pointer leads to.

    Raises:
        ValueError: nothing is there.
    """
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise ValueError(f"{pointer}: nothing is there")
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"{str(value)[:60]!r} is neither text nor a number")


def _moment(value: Any) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value / 1000 if value > _MILLISECONDS else value, UTC)
        except (OverflowError, OSError) as wrong:
            raise ValueError(f"{value} is no time") from wrong
    moment = datetime.fromisoformat(_text(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

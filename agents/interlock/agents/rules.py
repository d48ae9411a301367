"""What the platform's owner says about alerts: relabelling, objects, routes, silences, maintenance, other senders.

Rules are applied when an alert is taken in, never when it is stored: what was said stays what was said, and a changed
rule counts for what waits. Everything here is pure but for the file, which is read again when it changes.
"""

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, AwareDatetime, Field, ValidationError, model_validator

from interlock.agents.cluster import CLUSTER_SCOPED, KINDS
from interlock.agents.correlate import is_name
from interlock.agents.errors import AgentError
from interlock.agents.model import Alert, ObjectRef, Record
from interlock.agents.sources import Source

_log = logging.getLogger(__name__)


class RulesError(AgentError):
    """The file of rules is missing or wrong; the message names file, field and what is wrong with it."""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as wrong:
        raise ValueError(f"{text!r} is no regular expression: {wrong}") from wrong
    return text


Regex = Annotated[str, Field(max_length=512), AfterValidator(_pattern)]
Match = dict[str, Regex]
"""Labels and what each must match as a whole; a label that is absent is empty."""


class Relabel(Record):
    """One step of relabelling, in Prometheus' words and with its meaning."""

    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: Regex = "(.*)"
    target_label: str = ""
    replacement: str = "$1"
    action: Literal["replace", "keep", "drop", "labeldrop", "labelkeep"] = "replace"

    def applied(self, labels: dict[str, str]) -> dict[str, str] | None:
        """The labels after this step; None where the alert is dropped."""
        if self.action in {"labeldrop", "labelkeep"}:
            kept = self.action == "labelkeep"
            return {k: v for k, v in labels.items() if (re.fullmatch(self.regex, k) is not None) == kept}
        found = re.fullmatch(self.regex, self.separator.join(labels.get(k, "") for k in self.source_labels))
        if self.action in {"keep", "drop"}:
            return labels if (found is not None) == (self.action == "keep") else None
        if found is None:
            return labels
        value = found.expand(re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", self.replacement))
        return {k: v for k, v in {**labels, self.target_label: value}.items() if v}


class About(Record):
    """Which object alerts are about, where their labels do not say it in the usual words; `$label` is its value."""

    match: Match
    kind: str
    namespace: str = "$namespace"
    name: str

    @model_validator(mode="after")
    def _known(self) -> "About":
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is none of {', '.join(sorted(KINDS))}")
        return self

    def ref(self, alert: Alert) -> ObjectRef | None:
        """The object; None where the rule does not match or its name is none."""
        if not matches(self.match, alert):
            return None
        place = None if self.kind in CLUSTER_SCOPED else Template(self.namespace).safe_substitute(alert.labels)
        name = Template(self.name).safe_substitute(alert.labels)
        fine = is_name(name) and (place is None or is_name(place))
        return ObjectRef(kind=self.kind, namespace=place, name=name) if fine else None


class Route(Record):
    """What becomes of alerts; the first route that matches counts."""

    match: Match
    to: Literal["investigate", "record", "escalate", "ignore"]


class Silence(Record):
    """Alerts that nobody looks at before a time."""

    match: Match
    until: AwareDatetime
    reason: str = ""

    def ends(self, now: datetime) -> datetime | None:
        """When it ends; None where it has."""
        return self.until if now < self.until else None


class Maintenance(Record):
    """A window that comes again: five fields of cron, and for how many seconds."""

    match: Match = Field(default={})
    schedule: str
    duration_seconds: Annotated[int, Field(gt=0, le=14 * 86400, alias="durationSeconds")]
    time_zone: Annotated[str, Field(alias="timeZone")] = "UTC"
    reason: str = ""

    @model_validator(mode="after")
    def _readable(self) -> "Maintenance":
        try:
            self.ends(datetime(2026, 1, 1, tzinfo=UTC))
        except (CronSimError, ZoneInfoNotFoundError) as wrong:
            raise ValueError(f"{self.schedule} in {self.time_zone}: {wrong}") from wrong
        return self

    def ends(self, now: datetime) -> datetime | None:
        """When the window that is open now ends; None where none is."""
        local = now.astimezone(ZoneInfo(self.time_zone))
        begun = next(CronSim(self.schedule, local + timedelta(seconds=1), reverse=True), None)
        end = begun.astimezone(UTC) + timedelta(seconds=self.duration_seconds) if begun is not None else now
        return end if now < end else None


class Rules(Record):
    """All of them."""

    relabel: tuple[Relabel, ...] = ()
    objects: tuple[About, ...] = ()
    routes: tuple[Route, ...] = ()
    silences: tuple[Silence, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    sources: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")], Source] = Field(default={})

    def relabelled(self, alert: Alert) -> Alert | None:
        """The alert as it is judged; None where it is dropped."""
        labels: dict[str, str] | None = dict(alert.labels)
        for step in self.relabel:
            labels = step.applied(labels) if labels is not None else None
        return alert.model_copy(update={"labels": labels}) if labels is not None else None

    def about(self, alert: Alert) -> tuple[ObjectRef, ...]:
        """The objects that rules name for an alert."""
        return tuple(ref for rule in self.objects if (ref := rule.ref(alert)) is not None)

    def route(self, alert: Alert) -> str:
        """What becomes of it."""
        return next((route.to for route in self.routes if matches(route.match, alert)), "investigate")

    def quiet(self, alert: Alert, now: datetime) -> tuple[datetime, str] | None:
        """Until when nobody looks at it, and why; None where somebody does."""
        every: tuple[Silence | Maintenance, ...] = (*self.silences, *self.maintenance)
        open_ = [(end, rule) for rule in every if matches(rule.match, alert) and (end := rule.ends(now)) is not None]
        if not open_:
            return None
        end, rule = max(open_, key=lambda one: one[0])
        kind = "silenced" if isinstance(rule, Silence) else "maintenance"
        return end, f"{kind}{': ' + rule.reason if rule.reason else ''}"


def matches(match: Match, alert: Alert) -> bool:
    """Whether all labels match."""
    return all(re.fullmatch(regex, alert.labels.get(label, "")) is not None for label, regex in match.items())


def parse(text: str) -> Rules:
    """The rules in a YAML document.

    Raises:
        RulesError: there are none in it that can be followed.
    """
    try:
        content = yaml.safe_load(text)
        return Rules.model_validate({} if content is None else content)
    except yaml.YAMLError as wrong:
        raise RulesError(" ".join(str(wrong).split())[:300]) from wrong
    except ValidationError as wrong:
        raise RulesError("; ".join(_told(wrong.errors(include_url=False, include_context=False)))) from wrong


def _told(errors: Iterable[object]) -> list[str]:
    told = [e for e in errors if isinstance(e, dict)][:5]
    return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in told]


class RulesFile:
    """The rules of a file, read again when it changes; while it is wrong, those that were right before count."""

    def __init__(self, path: Path | None) -> None:
        """Reads them; without a file there are none.

        Raises:
            RulesError: they are missing or wrong.
        """
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._rules = Rules()
        self._read()

    def current(self) -> Rules:
        """The rules that count now."""
        try:
            self._read()
        except RulesError as wrong:
            _log.error("the rules that were read before still count: %s", wrong)
        return self._rules

    def _read(self) -> None:
        if self._path is None:
            return
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if version == self._seen:
                return
            text, self._seen = self._path.read_text(), version
        except (OSError, UnicodeDecodeError) as failure:
            raise RulesError(f"{self._path}: {failure}") from failure
        try:
            self._rules = parse(text)
        except RulesError as wrong:
            raise RulesError(f"{self._path}: {wrong}") from wrong

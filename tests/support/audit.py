"""The API server's audit log, read as it grows: who changed what, by the only witness that no operator can talk to."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from tests.support.identity import Json

from interlock.crds.names import LAST_STEP_ANNOTATION, OPERATOR_USER, RUNNERS_NAMESPACE

READS = frozenset({"get", "list", "watch"})
RUNNERS = f"system:serviceaccount:{RUNNERS_NAMESPACE}:"
ALLOWED_TO_OPERATOR = frozenset(
    {
        "patch runbookexecutions/status",
        "patch runbookexecutions",
        "create events",
        "create secrets",
        "delete secrets",
        "create serviceaccounts/token",
        "create leases",
        "create subjectaccessreviews",
        "patch guardrails/status",
        "create auditheads",
        "create ledgers",
        "patch ledgers",
        "delete runbookexecutions",
        "patch leases",
    }
)
"""All that an operator ever writes under its own account."""


@dataclass
class AuditLog:
    """The events that were written since the last look, also across the log's rotation."""

    path: Path
    _file: IO[str] | None = None
    _rest: str = ""

    def skip(self) -> None:
        """Forgets what was written up to now."""
        for _ in self.fresh():
            pass

    def fresh(self) -> Iterator[Json]:
        """The completed requests since the last look."""
        for line in self._lines():
            event = json.loads(line)
            if event["stage"] == "ResponseComplete":
                yield event

    def written_with(self, credentials: set[str]) -> list[str]:
        """What was written since the last look with these credentials, Leases and Events aside."""
        return [
            f"{event['verb']} {event['requestURI']}"
            for event in self.fresh()
            if took_effect(event)
            and event.get("objectRef", {}).get("resource") not in {"leases", "events"}
            and credentials & set(event["user"].get("extra", {}).get("authentication.kubernetes.io/credential-id", ()))
        ]

    def _lines(self) -> Iterator[str]:
        while True:
            if self._file is None:
                self._file = self.path.open()
            for line in self._file:
                self._rest += line
                if line.endswith("\n"):
                    whole, self._rest = self._rest, ""
                    yield whole
            if self.path.stat().st_ino == os.fstat(self._file.fileno()).st_ino:
                return
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(frozen=True)
class Writes:
    """What was written in one run."""

    effects: Counter[str] = field(default_factory=Counter)
    """What runners changed: verb, object and change, with the marker and the condition left out."""
    conditions: tuple[tuple[str, str], ...] = ()
    """Of each effect the marker that it left and the resourceVersion or generation that it was conditional on."""
    forbidden: tuple[str, ...] = ()
    """What the operator's account wrote and never may."""


def took_effect(event: Json) -> bool:
    """Whether a request changed something."""
    asked = event.get("requestObject") or {}  # where a deletion says that it is a dry run
    reads = event["verb"] in READS or "dryRun" in event["requestURI"] or "dryRun" in asked
    return not reads and event["responseStatus"]["code"] < 300


def writes(events: Iterator[Json], namespace: str, rename: dict[str, str]) -> Writes:
    """What runners changed in a namespace, and what the operator's account should not have written, anywhere."""
    effects: Counter[str] = Counter()
    conditions: list[tuple[str, str]] = []
    forbidden: list[str] = []
    for event in events:
        if not took_effect(event):
            continue
        user, reference = event["user"]["username"], event.get("objectRef", {})
        what = "/".join(filter(None, (reference.get("resource"), reference.get("subresource"))))
        if user.startswith(RUNNERS) and reference.get("namespace") == namespace:
            change = json.dumps(_change(event.get("requestObject")), sort_keys=True)
            effects[plain(f"{event['verb']} {what} {reference.get('name', '')} {change}", rename)] += 1
            conditions += _condition(event.get("requestObject"))
        elif user == OPERATOR_USER and f"{event['verb']} {what}" not in ALLOWED_TO_OPERATOR:
            forbidden.append(f"{event['verb']} {what} {reference.get('namespace')}/{reference.get('name')}")
    return Writes(effects, tuple(conditions), tuple(forbidden))


def _condition(body: Json | list[Json] | None) -> list[tuple[str, str]]:
    """The marker that a patch leaves, and the resourceVersion or generation on which it is conditional."""
    if isinstance(body, list):
        values = {operation["path"]: operation.get("value") for operation in body}
        return [(str(values[_MARK]), f"generation {values['/metadata/generation']}")] if _MARK in values else []
    meta = (body or {}).get("metadata") or {}
    marker = (meta.get("annotations") or {}).get(LAST_STEP_ANNOTATION)
    return [(marker, meta.get("resourceVersion", ""))] if marker else []


def _change(body: Json | list[Json] | None) -> Json | list[Json] | None:
    if isinstance(body, list):
        return [operation for operation in body if operation["op"] != "test" and operation["path"] != _MARK]
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        return body
    meta = {key: value for key, value in body["metadata"].items() if key not in {"resourceVersion", "uid"}}
    notes = {k: v for k, v in (meta.pop("annotations", None) or {}).items() if k != LAST_STEP_ANNOTATION}
    return {**body, "metadata": meta | ({"annotations": notes} if notes else {})}


_MARK = "/metadata/annotations/" + LAST_STEP_ANNOTATION.replace("/", "~1")
_POD = re.compile(r"\bTARGET-[a-z0-9]+-[a-z0-9]{5}\b")
_UID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def plain(text: str, rename: dict[str, str]) -> str:
    """A text without what differs from run to run: names, uids, times."""
    for name, stand_in in rename.items():
        text = text.replace(name, stand_in)
    return _UID.sub("UID", _POD.sub("POD", _TIME.sub("TIME", text)))

"""What was asked of the API server, by its own audit log."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.identity import Json

from interlock.crds.names import OPERATOR_USER, RUNNERS_NAMESPACE

RUNNERS = f"system:serviceaccount:{RUNNERS_NAMESPACE}:"
CONTROLLER = "argo"
ANSWERER = "argo-answers"
Name = Callable[[Json], str | None]
"""What a request is for; None where it is not of the work that is measured."""


_BESIDE = frozenset(
    {"leases", "subjectaccessreviews", "validatingadmissionpolicies", "validatingadmissionpolicybindings"}
)


@dataclass(frozen=True)
class AuditLog:
    """The part of an audit log that was written after it was marked."""

    path: Path
    offset: int

    @classmethod
    def mark(cls, path: Path) -> "AuditLog":
        """From now on."""
        return cls(path, path.stat().st_size)

    def counted(self, name: Name) -> Counter[str]:
        """How often each kind was asked."""
        return Counter(kind for entry in self._entries() if (kind := name(entry)))

    def _entries(self) -> Iterator[Json]:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)


def of_operator(entry: Json) -> str | None:
    """The requests of the operator and of its runners; leases, self-checks and watches are not of any execution."""
    user, verb, resource = entry["user"]["username"], entry["verb"], _resource(entry)
    if resource in _BESIDE or verb == "watch":
        return None
    failed = "" if entry["responseStatus"]["code"] < 400 else f" ({entry['responseStatus']['code']})"
    if user.startswith(RUNNERS):
        return ("dry run " if "dryRun=" in entry["requestURI"] else "effect ") + resource + failed
    if user != OPERATOR_USER:
        return None
    if verb in {"get", "list"}:
        return f"{verb} {resource or entry['requestURI']}"
    return _WRITES.get((verb, resource), f"{verb} {resource}") + failed


def of_kopf(entry: Json) -> str | None:
    """The requests of plain Kopf, and the reads of its handlers."""
    verb, resource = entry["verb"], _resource(entry)
    if verb == "watch":
        return None
    if entry.get("userAgent", "").startswith("kopf") and verb in {"patch", "create"}:
        return "Event" if resource == "events" else f"{verb} {resource}"
    return f"{verb} {resource}" if (verb, resource) == ("get", "configmaps") else None


def of_argo(entry: Json) -> str | None:
    """The requests of Argo's controller and of who answers its tasks."""
    user, verb = entry["user"]["username"], entry["verb"]
    resource = _resource(entry)
    if user not in {CONTROLLER, ANSWERER} or verb == "watch" or resource == "leases":
        return None
    failed = "" if entry["responseStatus"]["code"] < 400 else f" ({entry['responseStatus']['code']})"
    return f"{verb} {resource or entry['requestURI']}{failed}"


def _resource(entry: Json) -> str:
    about = entry.get("objectRef") or {}
    return "/".join(filter(None, (about.get("resource", ""), about.get("subresource", ""))))


_WRITES = {
    ("patch", "runbookexecutions/status"): "status",
    ("patch", "runbookexecutions"): "finalizer",
    ("create", "secrets"): "Secret made",
    ("delete", "secrets"): "Secret removed",
    ("create", "serviceaccounts/token"): "token",
    ("create", "events"): "Event",
}

"""What runners asked the API server for: by its audit log, or where there is none to be had by their client's record.

The log is read as it grows, and across its rotation.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from interlock.crds.names import RUNNERS_NAMESPACE
from interlock.runbooks.vetting.permissions import Use

_RUNNER = f"system:serviceaccount:{RUNNERS_NAMESPACE}:"


@dataclass(frozen=True)
class Request:
    """One request of a runner."""

    account: str
    use: Use
    namespace: str
    code: int
    dry_run: bool

    @property
    def wrote(self) -> bool:
        """Whether it changed something, or may have: it was sent, and nothing is known of an answer."""
        reads = self.use.verb in {"get", "list", "watch"}
        return not reads and not self.dry_run and (self.code == 0 or 200 <= self.code < 300)

    @property
    def effect(self) -> str:
        """What it did to which object, in words."""
        return f"{self.use.verb} {self.use.resource} {self.use.name}".rstrip()


@dataclass
class Witness:
    """All requests of runners that a log tells of."""

    path: Path
    read: Callable[[str], Request | None]
    """What a line of the log says."""
    _file: IO[str] | None = None
    _rest: str = ""
    _seen: list[Request] = field(default_factory=list)

    def all(self) -> list[Request]:
        """Every request of a runner so far."""
        self._seen.extend(filter(None, map(self.read, self._lines())))
        return list(self._seen)

    def requests(self, account: str, within: str, after: int = 0) -> list[Request]:
        """What an account asked for in a namespace, or of objects whose names begin with the namespace's, after so many
        requests of anybody."""
        mine = (request for request in self.all()[after:] if request.account == account)
        return [request for request in mine if request.namespace == within or request.use.name.startswith(within)]

    def _lines(self) -> Iterator[str]:
        while True:
            if self._file is None:
                self._file = self.path.open(encoding="utf-8")
            *lines, self._rest = (self._rest + self._file.read()).split("\n")
            yield from lines
            if not self._is_rotated():
                return
            self._file.close()
            self._file, self._rest = None, ""

    def _is_rotated(self) -> bool:
        """Whether the file that is read got another name, and all of it is read."""
        if self._file is None:
            return False
        mine = os.fstat(self._file.fileno())
        return self.path.exists() and self.path.stat().st_ino != mine.st_ino and self._file.tell() >= mine.st_size

    def close(self) -> None:
        """Lets go of the log."""
        if self._file is not None:
            self._file.close()


def audited_request(line: str) -> Request | None:
    """The request of a runner that a line of the API server's audit log is about."""
    if _RUNNER not in line:
        return None
    event: dict[str, Any] = json.loads(line)
    user, about = event["user"]["username"], event.get("objectRef")
    if not user.startswith(_RUNNER) or about is None or event["stage"] != "ResponseComplete":
        return None
    resource = "/".join(filter(None, (about["resource"], about.get("subresource", ""))))
    allowed = event.get("annotations", {}).get("authorization.k8s.io/decision") != "forbid"
    use = Use(about.get("apiGroup", ""), resource, event["verb"], about.get("name", ""), allowed)
    return Request(
        user.removeprefix(_RUNNER),
        use,
        about.get("namespace", ""),
        event.get("responseStatus", {}).get("code", 0),
        "dryRun" in event["requestURI"],
    )


_URL = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/?]+))?"
    r"/(?P<resource>[^/?]+)(?:/(?P<name>[^/?]+))?(?:/(?P<sub>[^/?]+))?(?:\?(?P<query>.*))?"
)
_VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}


def own_request(line: str) -> Request | None:
    """The request that a line of the runner client's own record is about; None where it asks for no resource.

    There is a line as it is sent, without an answer (0), and one with its answer: who sent it may be killed in between.
    A refusal by admission looks like one by RBAC there.
    """
    entry: dict[str, Any] = json.loads(line) if line else {"url": ""}
    found = _URL.fullmatch(entry["url"])
    if found is None:
        return None
    resource = "/".join(filter(None, (found["resource"], found["sub"])))
    verb = _VERBS.get(entry["method"]) or ("get" if found["name"] else "list")
    use = Use(found["group"] or "", resource, verb, found["name"] or "", entry["code"] != 403)
    return Request(entry["account"], use, found["namespace"] or "", entry["code"], "dryRun=" in (found["query"] or ""))

"""The API server's audit log beside the journals: what it saw of the runners must be what the journals explain.

The journal names the credential (`jti`) with which a step acts; the API server writes the same name into its audit log,
at the token's minting and at each of its uses. A token that no execution explains was minted by somebody who went past
the operator's record, or by an operator that did.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from interlock.cli.audit.effects import beyond_intent
from interlock.cli.audit.intents import Intent, intents
from interlock.cli.audit.revisions import Revisions
from interlock.crds.execution import RunbookExecution
from interlock.crds.names import OPERATOR_USER, RUNNERS_GROUP, RUNNERS_NAMESPACE
from interlock.operator.archive.verify import Flaw

_CREDENTIAL = "authentication.kubernetes.io/credential-id"
_ISSUED = "authentication.kubernetes.io/issued-credential-id"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_QUESTIONS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
"""Who am I, and what may I: creations that change nothing."""
Concern = Literal["secret", "token", "write", "revision"]


@dataclass(frozen=True)
class Request:
    """A write that the API server carried out: of a runner, of a runner's token or its Secret, or of a ReplicaSet."""

    concern: Concern
    id: str
    at: str
    user: str
    credential: str
    verb: str
    resource: str
    namespace: str
    name: str
    issued: str = ""
    bound_to: str = ""
    body: object = None
    """What a runner sent, where the log holds it."""

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.verb} {self.resource} {place}{self.name} at {self.at} (audit id {self.id})"


@dataclass(frozen=True)
class Write:
    """A runner's write and the step that explains it."""

    uid: str
    step: str
    undo: bool
    request: Request

    def as_data(self) -> dict[str, Any]:
        """For a machine."""
        request = self.request
        return {
            "auditID": request.id,
            "at": request.at,
            "step": self.step,
            "undo": self.undo,
            "verb": request.verb,
            "resource": request.resource,
            "name": request.name,
            "credential": request.credential,
        }


def requests(lines: Iterable[str]) -> Iterator[Request | Flaw]:
    """What concerns runners in an audit log, one JSON document per line; a line that cannot be read is a flaw."""
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
            found = _request(event)
        except (ValueError, KeyError, TypeError, AttributeError):
            if line.endswith("\n"):  # the last one may be half written
                yield Flaw(None, "", f"line {number} of the API server's audit log cannot be read")
            continue
        if found is not None:
            yield found


class Join:
    """Matches requests, in the order of the log, with what executions said that they would do."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.flaws: list[Flaw] = []
        self.tokens = 0
        self._intents: dict[str, list[Intent]] = {}
        self._by_credential: dict[str, str] = {}
        self._secrets: dict[str, bool] = {}
        self._done: set[tuple[int, str, str]] = set()
        self._revisions = Revisions()

    def know(self, execution: RunbookExecution) -> None:
        """An execution that may explain requests."""
        found = list(intents(execution))
        self._intents[execution.uid] = found
        self._by_credential |= {intent.credential: execution.uid for intent in found if intent.credential}

    def take(self, found: Request | Flaw) -> None:
        """The next request of the log."""
        if isinstance(found, Flaw):
            self.flaws.append(found)
        elif found.concern == "secret":
            self._secrets[found.name] = found.user == OPERATOR_USER
        elif found.concern == "token":
            self._token(found)
        elif found.concern == "revision":
            self._revisions.heard(found.namespace, found.name, found.verb, found.at)
        else:
            self._write(found)

    def end(self) -> None:
        """The log is over: what only shows by what came after it."""
        self.flaws += [Flaw(None, uid, what) for uid, what in self._revisions.missing()]

    def _token(self, request: Request) -> None:
        self.tokens += 1
        uid, doubt = self._minted_for(request)
        if not doubt:
            self._by_credential[request.issued] = uid
            return
        who = f"for {request.name} by {request.user} at {request.at} (JTI={request.issued}, audit id {request.id})"
        self.flaws.append(Flaw(None, uid, f"token minted without an intent: {who}: {doubt}"))

    def _minted_for(self, request: Request) -> tuple[str, str]:
        """The execution that a token was minted for, and why that is not believed."""
        uid = self._by_credential.get(request.issued, "") or _uid_in(request.bound_to)
        if request.user != OPERATOR_USER:
            return uid, "only the operator mints"
        if request.issued in self._by_credential:
            return uid, ""
        if not request.bound_to:
            return uid, "no journal names it, and the log does not say which Secret it is bound to"
        if uid not in self._intents:
            return uid, f"there is no execution to its Secret {request.bound_to}"
        if not self._secrets.pop(request.bound_to, False):
            return uid, f"the operator made no Secret {request.bound_to} for it before"
        return uid, ""

    def _write(self, request: Request) -> None:
        uid = self._by_credential.get(request.credential)
        if uid is None:
            what = f"no execution explains the write of {request.user} (JTI={request.credential}): {request}"
            self.flaws.append(Flaw(None, "", what))
            return
        explaining = [i for i in self._intents.get(uid, ()) if _names(i, request)]
        before = [i for i in explaining if _time(i.at) <= _time(request.at)] or explaining
        fresh = [i for i in before if (id(i), request.resource, request.name) not in self._done]
        if not fresh:
            why = "no intent of a step names it" if not explaining else "its step's intent was carried out before"
            self.flaws.append(Flaw(None, uid, f"a write of {request.user} is not explained: {request}: {why}"))
            return
        intent = fresh[-1]
        self._done.add((id(intent), request.resource, request.name))
        self.writes.append(Write(uid, intent.step, intent.undo, request))
        for what in beyond_intent(intent, request.verb, request.body):
            self.flaws.append(Flaw(None, uid, f"a write of {request.user} is more than was said: {request}: {what}"))
        if isinstance(revision := intent.data.get("revision"), Mapping):
            self._revisions.rolled_back(uid, request.namespace, str(revision["name"]), request.at)


def _request(event: Mapping[str, Any]) -> Request | None:
    if event["stage"] != "ResponseComplete" or event["verb"] not in _WRITES:
        return None
    if not 200 <= int((event.get("responseStatus") or {}).get("code") or 0) < 300 or _is_dry_run(event):
        return None
    place = event.get("objectRef") or {}
    concern = _concern(event, place)
    if concern is None:
        return None
    user, body = event["user"], _body(event)
    return Request(
        concern=concern,
        id=event["auditID"],
        at=event["requestReceivedTimestamp"],
        user=_acts_as(event)["username"] + (f" impersonated by {user['username']}" * ("impersonatedUser" in event)),
        credential=_id((user.get("extra") or {}).get(_CREDENTIAL, [""])[0]),
        verb=event["verb"],
        resource="/".join(filter(None, (place.get("resource"), place.get("subresource")))),
        namespace=place.get("namespace", ""),
        name=place.get("name", ""),
        issued=_id((event.get("annotations") or {}).get(_ISSUED, "")),
        bound_to=((body.get("spec") or {}).get("boundObjectRef") or {}).get("name", ""),
        body=event.get("requestObject") if concern == "write" else None,
    )


def _concern(event: Mapping[str, Any], place: Mapping[str, Any]) -> Concern | None:
    if RUNNERS_GROUP in (_acts_as(event).get("groups") or ()):
        return None if place.get("apiGroup") in _QUESTIONS else "write"
    if place.get("resource") == "replicasets" and not place.get("subresource"):
        return "revision" if event["verb"] in ("create", "delete") else None
    if place.get("namespace") != RUNNERS_NAMESPACE or event["verb"] != "create":
        return None
    if place.get("resource") == "serviceaccounts" and place.get("subresource") == "token":
        return "token"
    return "secret" if place.get("resource") == "secrets" else None


def _acts_as(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Whose rights were used."""
    user: Mapping[str, Any] = event.get("impersonatedUser") or event["user"]
    return user


def _is_dry_run(event: Mapping[str, Any]) -> bool:
    """A deletion that carries options says it in them."""
    asked = parse_qs(urlsplit(event["requestURI"]).query).get("dryRun", [])
    return "All" in asked or (event["verb"] == "delete" and "All" in (_body(event).get("dryRun") or ()))


def _body(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was sent, if it was kept and is an object; a JSON patch is a list."""
    body = event.get("requestObject")
    return body if isinstance(body, dict) else {}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _id(text: str) -> str:
    return text.removeprefix("JTI=")


def _uid_in(secret: str) -> str:
    """The uid in `rbx-<uid>-<attempt>`."""
    return secret.removeprefix("rbx-").rpartition("-")[0] if secret.startswith("rbx-") else ""


def _names(intent: Intent, request: Request) -> bool:
    plural = request.resource.partition("/")[0]
    return any(name == request.name and (not kind or plural in _plurals(kind)) for kind, name in intent.objects)


def _plurals(kind: str) -> tuple[str, str, str]:
    word = kind.lower()
    return f"{word}s", f"{word}es", f"{word[:-1]}ies"

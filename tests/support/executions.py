"""Executions as tests need them: asked for by one person, moved by the operator's own account, decided by others.

Every write here is one that the contract allows; what must be refused is what a test changes about it.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.identity import JSON_PATCH, Answer, Identity, Json
from tests.support.installation import API, Installation

from interlock.crds.execution import FIRST_PHASES, TRANSITIONS
from interlock.crds.journal import Entry, Event, extend
from interlock.crds.names import AUDIT_FINALIZER

RUNBOOK = "restart-deployment-1.0.0"
NOW = "2026-01-01T00:00:00.000Z"
GENESIS = "0" * 64


def digest(letter: str) -> str:
    """A digest that is as good as any other where nothing computes them."""
    return f"sha256:{letter * 64}"


PLAN = digest("a")


def plan(of: str = PLAN, *, quorum: int = 1, **changes: Any) -> Json:
    """A plan of one step that changes one path."""
    change = {"path": "/spec/replicas", "before": "1", "after": "2"}
    return {
        "digest": of,
        "targetUid": "0b3c",
        "madeAt": NOW,
        "expiresAt": NOW,
        "quorum": quorum,
        "steps": [{"name": "scale", "action": "scale", "changes": [change]}],
        **changes,
    }


@dataclass(frozen=True)
class Place:
    """An opted-in namespace where alice and dave may ask, bob and carol may approve, and dave may break the glass."""

    installation: Installation
    namespace: str

    @property
    def path(self) -> str:
        """Where its executions are served."""
        return f"{API}/namespaces/{self.namespace}/runbookexecutions"

    def person(self, name: str) -> Identity:
        """Somebody by name."""
        return self.installation.person(name)

    def request(self, *, by: str = "alice", **spec: Any) -> Json:
        """The object to create for a new execution."""
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": self.namespace, "name": "web"}
        return {
            "apiVersion": "interlock.dev/v1alpha1",
            "kind": "RunbookExecution",
            "metadata": {"name": f"restart-{secrets.token_hex(4)}", "finalizers": [AUDIT_FINALIZER]},
            "spec": {
                "runbook": {"name": RUNBOOK, "digest": digest("b")},
                "target": target,
                "reason": {"summary": "pods are stuck"},
                "requestedBy": by,
                **spec,
            },
        }

    def execution(self, phase: str = "", *, by: str = "alice", **spec: Any) -> "Execution":
        """A new execution that alice asked for, or somebody else, moved to a phase if one is given."""
        made = self.person(by).post(self.path, self.request(by=by, **spec))
        assert made.ok, made
        execution = Execution(self, made.body["metadata"]["name"])
        if phase:
            execution.reach(phase)
        return execution


@contextmanager
def place(installation: Installation) -> Iterator[Place]:
    """A place of its own, with its people bound."""
    name = f"test-{secrets.token_hex(4)}"
    installation.opt_in(name)
    for person in ("alice", "dave"):
        installation.bind(person, "interlock-requester", name)
    for person in ("bob", "carol"):
        installation.bind(person, "interlock-approver", name)
    installation.bind("dave", "interlock-break-glass", name)
    yield Place(installation, name)
    installation.admin.delete(f"/api/v1/namespaces/{name}")


@dataclass(frozen=True)
class Execution:
    """One execution, and the writes that move it."""

    place: Place
    name: str

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"{self.place.path}/{self.name}"

    def live(self) -> Json:
        """The object as it stands."""
        answer = self.place.installation.admin.get(self.path)
        assert answer.ok, answer
        return answer.body

    def status(self) -> Json:
        """Its status as it stands, empty before the first."""
        status: Json = self.live().get("status", {})
        return status

    def head(self) -> str:
        """The digest of its journal's head."""
        return f"sha256:{self.status()['journal'][-1]['hash']}"

    def next_status(self, phase: str, **changes: Any) -> Json:
        """The status that rightly follows when it moves to `phase`, with `changes`."""
        old = self.status()
        voids = old.get("phase") in {"AwaitingApproval", "Approved"} and phase == "Planning"
        return {
            "phase": phase,
            "fence": old.get("fence", {"epoch": 1, "holder": "operator-0"}),
            "journal": appended(old.get("journal", [])),
            "replans": old.get("replans", 0) + (1 if voids else 0),
            "plan": old.get("plan", plan()),
            **changes,
        }

    def write(self, status: Json | None, *, who: Identity | None = None, dry_run: bool = False) -> Answer:
        """One patch of its status, by the operator unless told otherwise."""
        who = who or self.place.installation.operator
        return who.patch(f"{self.path}/status{'?dryRun=All' if dry_run else ''}", {"status": status})

    def move(self, phase: str, *, dry_run: bool = False, **changes: Any) -> Answer:
        """What the operator writes when it moves to `phase`, with `changes`."""
        return self.write(self.next_status(phase, **changes), dry_run=dry_run)

    def reach(self, phase: str) -> None:
        """Moves it to a phase on a legal way, approved by bob on that way if it leads through AwaitingApproval."""
        if phase in FIRST_PHASES and phase != "AwaitingApproval":
            _demand(self.move(phase))
            return
        for step in way("AwaitingApproval", phase):
            _demand(self.move(step))
            if step == "AwaitingApproval":
                _demand(self.decide("bob", "Approve"))

    def decide(self, who: str, verdict: str, subject: str = "", **changes: Any) -> Answer:
        """A decision cast by somebody, about what stands now unless told otherwise."""
        if not subject:
            about_plan = verdict in {"Approve", "BreakGlass", "Deny"}
            subject = self.status()["plan"]["digest"] if about_plan else self.head()
        decision = {"by": who, "verdict": verdict, "subject": subject, **changes}
        return self.append(self.place.person(who), decision)

    def append(self, who: Identity, *decisions: Json) -> Answer:
        """Adds decisions as they are, in one request."""
        operations = [{"op": "add", "path": "/spec/decisions/-", "value": decision} for decision in decisions]
        return who.patch(self.path, operations, JSON_PATCH)


def appended(journal: Sequence[Json], count: int = 1) -> list[Json]:
    """A journal with `count` more entries."""
    entries = extend(GENESIS, [Entry.model_validate(entry) for entry in journal], [Event(event="Planned")] * count, NOW)
    return [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in entries]


def way(start: str, end: str) -> list[str]:
    """The shortest way through the phases."""
    ways = [[start]]
    for found in ways:
        if found[-1] == end:
            return found
        ways += [[*found, following] for following in sorted(TRANSITIONS.get(found[-1], ())) if following not in found]
    raise ValueError(f"no way from {start} to {end}")


def _demand(answer: Answer) -> None:
    assert answer.ok, answer


def refused(answer: Answer, words: str) -> None:
    """Asserts that it was refused, and with these words: a refusal for another reason proves nothing."""
    assert not answer.ok, f"was allowed, should have been refused: {words}"
    assert answer.status in {403, 422}, answer
    assert words in answer.message, answer


def allowed(answer: Answer) -> None:
    """Asserts that it was done."""
    assert answer.ok, answer

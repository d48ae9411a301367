"""A lane: one operator at a time on a lab, behind a proxy, and executions that go through it one after the other.

Whatever is done to the operator, it is started again as a supervisor would, under the same name; what must not depend
on how often it died is compared in `oracle`.
"""

import itertools
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.audit import AuditLog, Writes, writes
from tests.support.identity import Json, path_of
from tests.support.installation import API, Installation
from tests.support.launcher import Clock, CommitTrap, Process
from tests.support.proxy import Disturb, Proxy, undisturbed
from tests.support.scene import Scene, open_namespace, operator_environment
from tests.support.waiting import PATIENCE, eventually

from interlock.crds.execution import TERMINAL, RunbookExecution
from interlock.crds.ledger import ledger_of
from interlock.crds.names import (
    AUDIT_FINALIZER,
    EXECUTION_UID_LABEL,
    OPERATOR_ACCOUNT,
    RUNNERS_NAMESPACE,
    SYSTEM_NAMESPACE,
)
from interlock.crds.runbook import Runbook
from interlock.lab.kubeconfig import token_user, write_kubeconfig
from interlock.operator.archive import Archive, ArchivedExecution
from interlock.operator.archive.verify import verify

People = Callable[["Run", RunbookExecution], None]
"""What people do when they see an execution so; asked again and again."""


@dataclass(frozen=True)
class Scenario:
    """A runbook and what people do while it runs."""

    name: str
    book: Runbook
    objects: Callable[[str], Sequence[Json]]
    """What it acts on, by the target's name; the target first."""
    ends: tuple[str, str]
    """The phase and the reason of an undisturbed end."""
    people: People = lambda run, _: run.approve()
    ordered: bool = True
    """Whether its steps follow one another; else those side by side may come to their ends in any order."""
    ready: Callable[[Json], bool] = lambda _: True
    """Whether the target has settled, so that the fault can be asked about."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    execution: RunbookExecution
    objects: tuple[Json, ...]
    written: Writes
    archived: tuple[ArchivedExecution, ...]
    flaws: tuple[str, ...]
    """What is wrong with the whole archive."""
    secrets_left: int
    holds: bool
    """Whether it still holds something in its namespace's Ledger."""
    rename: Mapping[str, str]
    deaths: int
    """How many operators died over it."""


@dataclass
class Lane:
    """One namespace with its operator."""

    installation: Installation
    namespace: str
    directory: Path
    proxy: Proxy
    audit: AuditLog
    clock: Clock = field(default_factory=Clock)
    process: Process | None = None
    trap: CommitTrap | None = None
    lives: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _opted: set[str] = field(default_factory=set)

    @property
    def scene(self) -> Scene:
        """The people of the namespace and their requests."""
        who = self.installation
        return Scene(who, self.namespace, self.directory / "archive.db", who.person("erin"), who.person("bob"))

    @property
    def log(self) -> Path:
        """What the operators of this lane printed."""
        return self.directory / "operator.log"

    def start(self) -> Process:
        """Starts an operator; the one before must be dead."""
        assert not self.alive
        self.stop()
        environment = operator_environment(self.kubeconfig, self.directory) | self.settings
        self.process = Process(environment, self.log, self.clock, self.trap)
        self.trap = None
        self.lives += 1
        return self.process

    @property
    def kubeconfig(self) -> Path:
        """The operator's account, by way of the proxy."""
        path = self.directory / f"kubeconfig-{self.proxy.port}"
        authority = self.installation.lab.ca_file.read_bytes()
        return write_kubeconfig(path, self.proxy.url, authority, "operator", token_user(self.proxy.operator_token))

    @property
    def alive(self) -> bool:
        """Whether an operator lives."""
        return self.process is not None and self.process.alive

    def revive(self) -> None:
        """Starts an operator if none lives."""
        if not self.alive:
            self.start()

    def kill(self) -> None:
        """Kills the operator, if one lives."""
        if self.process is not None:
            self.process.kill()

    def stop(self) -> None:
        """Ends the operator for good."""
        if self.process is not None:
            self.process.__exit__()
            self.process = None

    def begin(self, scenario: Scenario, disturb: Disturb = undisturbed, people: People | None = None) -> "Run":
        """Asks for a new execution on a new target."""
        if scenario.book.metadata.name not in self._opted:
            self.scene.use(scenario.book)
            self._opted.add(scenario.book.metadata.name)
        number = next(self._numbers)
        run = Run(
            self, scenario, people or scenario.people, f"fix-{number:04d}", f"web-{number:04d}", self.lives - self.alive
        )
        run.create_objects()
        self.audit.skip()
        self.proxy.begin(run.name, disturb)
        run.ask()
        return run

    def carry_out(self, scenario: Scenario, disturb: Disturb = undisturbed, seconds: float = PATIENCE) -> Outcome:
        """A new execution, driven to its end, with whatever is done to it on the way."""
        return self.begin(scenario, disturb).finish(seconds)


@dataclass
class Run:
    """One execution on its way."""

    lane: Lane
    scenario: Scenario
    people: People
    name: str
    target: str
    deaths_before: int
    did: set[str] = field(default_factory=set)
    """What people have done already."""

    @property
    def manifests(self) -> Sequence[Json]:
        """What its objects were created from, the target first."""
        return self.scenario.objects(self.target)

    def path(self, manifest: Json) -> str:
        """Where an object is served."""
        placed = {**manifest, "metadata": {**manifest["metadata"], "namespace": self.lane.namespace}}
        return path_of(placed)

    def create_objects(self) -> None:
        """Creates what it acts on and waits until that is ready."""
        for manifest in self.manifests:
            answer = self.lane.installation.admin.post(self.path(manifest).rpartition("/")[0], manifest)
            assert answer.ok, answer
        eventually("the objects to settle", lambda: all(map(self.scenario.ready, self.live())))

    def live(self) -> tuple[Json, ...]:
        """Its objects as they are now; what is gone is empty."""
        answers = [self.lane.installation.admin.get(self.path(manifest)) for manifest in self.manifests]
        return tuple(answer.body if answer.ok else {} for answer in answers)

    def change_target(self, patch: Json) -> None:
        """Changes the target as its owner would."""
        answer = self.lane.installation.admin.patch(self.path(self.manifests[0]), patch)
        assert answer.ok, answer

    def ask(self) -> None:
        """Asks for it."""
        kind = self.manifests[0]
        answer = self.lane.scene.request(
            self.scenario.book,
            name=self.name,
            target=self.target,
            kind=(kind["apiVersion"], kind["kind"]),
        )
        assert answer.ok, answer

    def once(self, what: str, act: Callable[[], Any]) -> None:
        """Lets people do something a single time."""
        if what not in self.did:
            self.did.add(what)
            act()

    def approve(self) -> None:
        """Approves the plan that is offered, if one is and is not approved yet."""
        status = self.execution().status
        if status is not None and status.plan is not None and status.phase == "AwaitingApproval":
            self.once(status.plan.digest, lambda: self.lane.scene.decide(name=self.name))

    def execution(self) -> RunbookExecution:
        """It as it is now."""
        return self.lane.scene.execution(self.name)

    def look(self) -> RunbookExecution | None:
        """One round of everybody else: a dead operator is started, people act; the execution when it is over."""
        self.lane.revive()
        try:
            answer = self.lane.installation.admin.get(self.lane.scene.path(self.name))
            return self._seen(RunbookExecution.from_object(answer.body)) if answer.ok else None
        except OSError:  # the API server is away
            return None

    def _seen(self, found: RunbookExecution) -> RunbookExecution | None:
        phase = found.status.phase if found.status else None
        if phase == "AwaitingPerson":
            raise AssertionError(f"a person is needed: {found.status.message if found.status else ''}")
        if phase not in TERMINAL:
            self.people(self, found)
            return None
        return None if AUDIT_FINALIZER in found.finalizers else found

    def finish(self, seconds: float = PATIENCE) -> Outcome:
        """Waits for its end and takes down all that it left."""
        done = eventually(f"{self.name} to end", self.look, seconds)
        rename = {done.uid: "UID", self.name: "EXECUTION", self.target: "TARGET"}
        return Outcome(
            done,
            self.live(),
            writes(self.lane.audit.fresh(), self.lane.namespace, rename),
            *self._archived(),
            self._secrets_left(done.uid),
            self._holds(done.uid),
            rename,
            self.lane.lives - self.lane.alive - self.deaths_before,
        )

    def _archived(self) -> tuple[tuple[ArchivedExecution, ...], tuple[str, ...]]:
        archive = Archive(f"sqlite:///{self.lane.directory / 'archive.db'}")
        try:
            with archive.snapshot() as snapshot:
                flaws = tuple(map(str, verify(snapshot).flaws))
            rows = archive.list(namespace=self.lane.namespace, limit=10_000)
            return tuple(row for row in rows if row.name == self.name), flaws
        finally:
            archive.close()

    def _secrets_left(self, uid: str) -> int:
        path = f"/api/v1/namespaces/{RUNNERS_NAMESPACE}/secrets?labelSelector={EXECUTION_UID_LABEL}={uid}"
        return len(self.lane.installation.admin.get(path).body["items"])

    def _holds(self, uid: str) -> bool:
        path = f"{API}/namespaces/{SYSTEM_NAMESPACE}/ledgers/{ledger_of(self.lane.namespace)}"
        answer = self.lane.installation.admin.get(path)
        return answer.ok and any(hold["uid"] == uid for hold in answer.body["spec"]["holds"])


@contextmanager
def proxied(installation: Installation) -> Iterator[Proxy]:
    """A wire for an operator with a token of its own."""
    token = installation.account(SYSTEM_NAMESPACE, OPERATOR_ACCOUNT).headers[0][1].removeprefix("Bearer ")
    tls = ssl.create_default_context(cafile=str(installation.lab.ca_file))
    with Proxy(installation.lab.server, tls, token).serving() as proxy:
        yield proxy


@contextmanager
def lane(installation: Installation, directory: Path, settings: Mapping[str, str]) -> Iterator[Lane]:
    """A lane of its own namespace, which is a shard of its own: lanes side by side do not meet."""
    namespace = f"crash-{secrets.token_hex(4)}"
    open_namespace(installation, namespace, shard=namespace)
    for person, role in (("erin", "interlock-requester"), ("bob", "interlock-approver")):
        installation.bind(person, role, namespace)
    (directory / namespace).mkdir(parents=True)
    with ExitStack() as stack:
        proxy = stack.enter_context(proxied(installation))
        log = stack.enter_context(AuditLog(installation.lab.audit_log))
        made = Lane(
            installation,
            namespace,
            directory / namespace,
            proxy,
            log,
            settings={**settings, "INTERLOCK_OPERATOR_SHARD": namespace},
        )
        stack.callback(made.stop)
        yield made
    installation.admin.delete(f"/api/v1/namespaces/{namespace}")

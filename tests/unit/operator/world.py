"""The cluster as far as one execution sees it: looks, writes and answers whose outcome somebody chooses.

Objects have versions and marks, so a write under an old version is refused and a probe tells what it can tell. What was
really done is kept apart from what the operator writes down, so that the one can be held against the other.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import JsonValue
from tests.unit.operator.making import CREATED, TARGET_UID, digest

from interlock.crds.attestation import Verdict
from interlock.crds.execution import Change, Phase, PlannedObject, PlannedStep, RunbookExecution
from interlock.crds.guardrail import Guardrail
from interlock.crds.ledger import Hold, Ledger, LedgerSpec, ledger_of
from interlock.crds.names import OPT_IN_LABEL, OPT_IN_VALUE
from interlock.crds.runbook import Runbook, Step
from interlock.operator.actions.base import DemandOn, always_on
from interlock.operator.api import Api
from interlock.operator.changes import UndoConflict
from interlock.operator.checks import Checks
from interlock.operator.core.gates import Case
from interlock.operator.core.ledger import Horizon, target_name
from interlock.operator.core.nodes import Node
from interlock.operator.errors import Conflict, Forbidden, OptedOut, Paused, Unavailable
from interlock.operator.facts import Facts
from interlock.operator.ledgers import Ledgers, LedgerStore
from interlock.operator.look import Observer, View
from interlock.operator.prepared import (
    Acted,
    Condition,
    MovingObject,
    Prepared,
    Probe,
    Settled,
    StepRefused,
    Subject,
    Waiting,
    marker,
    undo_marker,
)
from interlock.operator.session import Clock, Session
from interlock.operator.steps import Steps
from interlock.operator.trust import Trust

Choose = Callable[[str, Sequence[str]], str]
"""Chooses an outcome of what is named; the first is the one with which all goes well."""

OTHER = "0f0c2a6e-0000-4000-8000-000000000099"
"""The uid of another execution on the same target."""

NO_API = cast(Api, None)
"""Nothing here asks an API server."""


class Killed(Exception):
    """The process ended; what was not written is lost."""


@dataclass(frozen=True)
class Traits:
    """What the steps of a runbook are like, beside what it says itself; by the names that the runbook gives them."""

    lasting: frozenset[str] = frozenset()
    """Their effects cannot be undone."""
    manual: frozenset[str] = frozenset()
    """A person confirms them."""
    shared: frozenset[str] = frozenset()
    """They all write one object, each other step one of its own."""
    items: Mapping[str, int] = field(default_factory=dict)
    """How many items a loop has; two where nothing is said."""


@dataclass
class Thing:
    """An object of the cluster."""

    version: int = 1
    mark: str = ""
    holds: list[str] = field(default_factory=list)
    """The steps whose effect is in place."""

    def write(self, mark: str) -> None:
        """Another version, by whom the mark says."""
        self.version += 1
        self.mark = mark


@dataclass(frozen=True)
class Deed:
    """An effect that really happened."""

    step: str
    undo: bool
    entries: int
    """How many journal entries were written by then."""


@dataclass
class World:
    """What happens, and what has happened."""

    choose: Choose
    traits: Traits = Traits()
    things: dict[str, Thing] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    drifts: int = 0
    """How often the cluster came to differ from the plan."""
    dead: bool = False
    phase: Callable[[], Phase] = lambda: "Pending"
    """Of the execution, as it is written."""
    guardrails: tuple[Guardrail, ...] = ()
    ledgers: dict[str, Ledger] = field(default_factory=dict)

    async def answers(self) -> None:
        """The cluster is asked for something: others come first, or the answer finds nobody."""
        for _ in range(["at once", "later", "last"].index(self.choose("answer", ["at once", "later", "last"]))):
            await asyncio.sleep(0)
        self.dead = self.dead or self.choose("process", ["lives", "is killed"]) == "is killed"
        if self.dead:
            raise Killed

    def keep(self, name: str, spec: LedgerSpec) -> Ledger:
        """A Ledger with this content, under another version."""
        before = self.ledgers.get(name)
        self.ledgers[name] = Ledger(name=name, version=str(int(before.version) + 1 if before else 1), spec=spec)
        return self.ledgers[name]

    def occupy(self, target: str, *, occupied: bool) -> None:
        """Another execution works on the target, or none does any more."""
        own = ledger_of("shop")
        spec = self.ledgers[own].spec if own in self.ledgers else LedgerSpec()
        holds = [hold for hold in spec.holds if hold.uid != OTHER]
        if occupied and not holds:
            other = {"uid": OTHER, "execution": "other", "namespace": "shop", "target": target, "family": "other"}
            more = {"risk": "Low", "requester": "dave", "digest": digest(9), "at": CREATED}
            holds = [Hold.model_validate({**other, **more})]
        if holds != spec.holds:
            self.keep(own, spec.model_copy(update={"holds": holds}))

    def thing(self, name: str, definition: str) -> Thing:
        """The object that a step writes."""
        return self.things.setdefault(self.thing_name(name, definition), Thing())

    def thing_name(self, name: str, definition: str) -> str:
        """The name of the object that a step writes."""
        return "shared" if definition in self.traits.shared else name


class WorldSteps(Steps):
    """Looks and writes in a world; `durable` is asked before each write whether its intent is written."""

    def __init__(self, world: World, durable: Callable[[str, Mapping[str, JsonValue], bool], int]) -> None:
        self._world = world
        self._durable = durable

    async def items(self, subject: Subject, step: Step) -> tuple[JsonValue, ...]:
        if step.for_each is None:
            return ()
        return tuple(f"item {number}" for number in range(self._world.traits.items.get(step.name, 2)))

    async def prepare(
        self, subject: Subject, node: Node, *, attempt: int, written: frozenset[PlannedObject] = frozenset()
    ) -> Prepared:
        if node.empty:
            return Prepared(_planned(node), {"writes": False}, skipped=True)
        if subject.outputs is None:
            if self._world.choose("plan", ["is made", "is refused"]) == "is refused":
                raise StepRefused("must not be done")
            return self._prepared(subject, node, attempt, written)
        await self._world.answers()
        looks = ["finds", "finds nothing to do", "is refused", "finds it moving", "meets withdrawn consent", "fails"]
        match self._world.choose("look", looks):
            case "finds nothing to do":
                return Prepared(_planned(node), {"writes": False}, skipped=True)
            case "is refused":
                raise StepRefused("must not be done")
            case "meets withdrawn consent":
                raise OptedOut(403, "has not opted in")
            case "finds it moving":
                raise MovingObject("changes faster than it can be looked at")
            case "fails":
                raise Unavailable(503, "no answer")
        return self._prepared(subject, node, attempt, frozenset())

    def _prepared(self, about: Subject, node: Node, attempt: int, written: frozenset[PlannedObject]) -> Prepared:
        traits, definition = self._world.traits, node.step.name
        if definition in traits.manual:
            return Prepared(_planned(node), {"writes": False, "asks": "is it done?"})
        if node.step.action in {"assert", "wait"}:
            return Prepared(_planned(node), {"writes": False}, condition=Condition("true"))
        place = self._world.thing_name(node.name, definition)
        planned = _planned(node, object=PlannedObject(api_version="v1", kind="ConfigMap", name=place, uid="1"))
        if planned.object in written:
            return Prepared(planned.model_copy(update={"deferred": ["/data/**"]}), {"writes": True})
        thing = self._world.thing(node.name, definition)
        intent: dict[str, JsonValue] = {"writes": True, "object": place, "resourceVersion": thing.version}
        if definition in traits.lasting:
            intent["undoable"] = False
        change = Change(path="/data/drifts", after=str(self._world.drifts))
        patch = {"step": node.name, "mark": marker(about.execution, node.name, attempt)}
        return Prepared(planned.model_copy(update={"changes": [change]}), intent, place, patch)

    async def prepare_undo(self, execution: RunbookExecution, name: str, intent: Mapping[str, Any]) -> Prepared | None:
        await self._world.answers()
        thing = self._world.things[intent["object"]]
        if name not in thing.holds:
            return None
        match self._world.choose(
            "undo look", ["finds it", "meets another's change", "meets withdrawn consent", "fails"]
        ):
            case "meets withdrawn consent":
                raise OptedOut(403, "has not opted in")
            case "meets another's change":
                raise UndoConflict("no longer holds what was written")
            case "fails":
                raise Unavailable(503, "no answer")
        undo = {"object": intent["object"], "resourceVersion": thing.version}
        planned = PlannedStep(name=name, action="undo")
        patch = {"step": name, "mark": undo_marker(execution, name)}
        return Prepared(planned, undo, intent["object"], patch)

    async def act(
        self, execution: RunbookExecution, ready: Prepared, demand_on: DemandOn = always_on
    ) -> Acted | Waiting:
        await self._world.answers()
        patch, undo = ready.body or {}, ready.planned.action == "undo"
        entries = self._durable(patch["step"], ready.intent, undo)
        thing = self._world.things[ready.path]
        ways = ["succeeds", "is refused", "is stopped", "meets a conflict", "is lost", "has its answer lost"]
        outcome = self._world.choose("undo" if undo else "act", [*ways, "takes its time"])
        if outcome == "is lost":
            raise Unavailable(503, "no answer")
        if outcome == "takes its time":
            return Waiting("in progress")
        if outcome == "meets a conflict":
            thing.version += 1
        if thing.version != ready.intent["resourceVersion"]:
            raise Conflict(409, "the object has been modified")
        if outcome == "is refused":
            raise Forbidden(403, "may not")
        if outcome == "is stopped":
            raise Paused(403, "paused")
        thing.write(patch["mark"])
        self._world.deeds.append(Deed(patch["step"], undo, entries))
        if undo:
            thing.holds.remove(patch["step"])
        elif patch["step"] not in thing.holds:
            thing.holds.append(patch["step"])
        await self._world.answers()
        if outcome == "has its answer lost":
            raise Unavailable(503, "no answer")
        return Acted({"resourceVersion": str(thing.version)})

    async def probe(self, intent: Mapping[str, Any], ours: Callable[[str], bool]) -> Probe:
        await self._world.answers()
        thing = self._world.things[intent["object"]]
        match self._world.choose("probe", ["tells", "cannot tell", "fails"]):
            case "cannot tell":
                return "unknown"
            case "fails":
                raise Unavailable(503, "no answer")
        if ours(thing.mark):
            return "happened"
        return "not" if thing.version == intent["resourceVersion"] else "unknown"

    async def settle(self, subject: Subject, node: Node, intent: Mapping[str, JsonValue]) -> Settled | Waiting:
        if node.step.until is None:
            return Settled({})
        await self._world.answers()
        match self._world.choose("settling", ["is done", "waits", "is refused", "fails"]):
            case "waits":
                return Waiting("not yet")
            case "is refused":
                raise StepRefused("its outputs look like a secret")
            case "fails":
                raise Unavailable(503, "no answer")
        return Settled({"name": node.name})


class WorldLedgers(LedgerStore):
    """The Ledgers of a world; their writes may be lost, or come too late."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def read(self, name: str) -> Ledger:
        await self._world.answers()
        if self._world.choose("ledger read", ["answers", "fails"]) == "fails":
            raise Unavailable(503, "no answer")
        return self._world.ledgers.get(name) or self._world.keep(name, LedgerSpec())

    async def write(self, ledger: Ledger, spec: LedgerSpec) -> Ledger:
        await self._world.answers()
        outcome = self._world.choose("ledger", ["takes it", "meets a conflict", "is lost", "has its answer lost"])
        if outcome == "is lost":
            raise Unavailable(503, "no answer")
        if outcome == "meets a conflict":
            self._world.keep(ledger.name, self._world.ledgers[ledger.name].spec)
        if self._world.ledgers[ledger.name].version != ledger.version:
            raise Conflict(409, "the object has been modified")
        written = self._world.keep(ledger.name, spec)
        await self._world.answers()
        if outcome == "has its answer lost":
            raise Unavailable(503, "no answer")
        return written

    async def all(self) -> list[Ledger]:
        return list(self._world.ledgers.values())

    async def phase(self, hold: Hold) -> Phase | None:
        return "Running" if hold.uid == OTHER else self._world.phase()


class WorldFacts(Facts):
    """What the gates judge in a world."""

    def __init__(self, world: World, runbook: Runbook, clock: Clock, ledgers: Ledgers) -> None:
        trust = Trust(NO_API, None, clock, allow_unvetted=True)
        super().__init__(NO_API, Observer(NO_API), cast(Checks, None), ledgers, trust=trust, clock=clock)
        self._world = world
        self._pinned = runbook

    async def remember_runbook(self, session: Session) -> None:
        session.memory.runbook = self._pinned

    async def guardrails(self, session: Session) -> tuple[Guardrail, ...]:
        session.horizon = Horizon.of(self._world.guardrails)
        session.guardrails = self._world.guardrails
        return session.guardrails

    async def case(self, session: Session) -> Case:
        await self._world.answers()
        await self.guardrails(session)
        starting, target = session.state.approved, {"metadata": {"uid": TARGET_UID}}
        outcomes = ["is open", "is refused", "is not needed", *(["is held", "finds drift"] if starting else [])]
        outcome = self._world.choose("start" if starting else "gate", outcomes)
        if outcome == "finds drift":
            self._world.drifts += 1
        self._world.occupy(target_name(session.execution.spec.target), occupied=outcome == "is held")
        session.memory.runbook = self._pinned
        session.view = self.view(session, self._pinned, TARGET_UID)
        return Case(
            execution=session.execution.key,
            namespace=session.execution.namespace,
            spec=session.execution.spec,
            runbook=self._pinned,
            runbook_error="",
            namespace_labels={} if outcome == "is refused" else {OPT_IN_LABEL: OPT_IN_VALUE},
            guardrails=session.guardrails,
            target=target,
            ungranted="",
            unmet=["the fault is gone"] if outcome == "is not needed" else [],
            limits=await self._limits(session, self._pinned, target),
            vetted=Verdict("Trusted", "it passed"),
            allow_unvetted=False,
        )

    async def stopped(self, session: Session) -> str:
        return "pulled" if self._world.choose("switch", ["is off", "is on"]) == "is on" else ""

    async def failing(self, conditions: Mapping[str, Condition], view: View) -> dict[str, str]:
        await self._world.answers()
        checks = self._pinned.spec.verification.checks if self._pinned.spec.verification else []
        what = "verification" if set(conditions) == {check.name for check in checks} else "finding"
        holds = self._world.choose(what, ["holds", "does not hold"]) == "holds"
        return {} if holds else dict.fromkeys(conditions, "is false")


def _planned(node: Node, **changes: Any) -> PlannedStep:
    item = None if node.item is None else f'"{node.item}"'
    return PlannedStep(name=node.name, action=node.step.action, item=item, **changes)

"""The operator walked at random through everything that can happen to an execution: all laws hold on every way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Protocol, TypeVar, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.operator.laws import is_lawful
from tests.unit.operator.making import REQUESTER, digest, runbook
from tests.unit.operator.shell import OFFERED_FOR, Shell
from tests.unit.operator.way import Way
from tests.unit.operator.world import Traits

from interlock.crds.execution import TERMINAL, TRANSITIONS
from interlock.crds.guardrail import Guardrail, GuardrailSpec
from interlock.crds.journal import Event, EventName, extend, genesis
from interlock.crds.runbook import OnFailure, Runbook
from interlock.operator.core.failing import Error
from interlock.operator.core.state import apply, parse_time, replay

T = TypeVar("T")


class Draw(Protocol):
    """Chooses one of several, of what is named."""

    def __call__(self, what: str, options: Sequence[T], /) -> T: ...


PEOPLE = (REQUESTER, "bob", "carol")
ROUNDS = 600
CEILING = 6000
TROUBLES = 40
"""How often things may go otherwise than well before they go well for ever: endings are only owed to those."""
ORDER = frozenset({"answer", "jitter"})
"""What is no trouble, whichever way it goes."""
UNUSUAL: tuple[frozenset[str], ...] = (
    frozenset({"process", "world", "approval", "approver", "denial", "denier", "judge", "judgment", "meanwhile"}),
    frozenset({"world", "approval", "approver", "start", "gate", "plan", "meanwhile", "time"}),
    frozenset({"answer", "look", "act", "probe", "time", "jitter"}),
    frozenset({"answer", "act", "probe", "world", "judge", "judgment", "judged", "process"}),
    frozenset({"answer", "act", "settling", "verification", "undo", "probe", "process", "world"}),
    frozenset({"act", "probe", "verification", "undo look", "undo", "world", "judge", "judgment", "judged"}),
    frozenset({"look", "finding", "verification", "undo", "world", "switch"}),
    frozenset({"start", "gate", "world", "approver", "denier", "denial"}),
    frozenset({"verification", "world", "undo", "undo look", "time"}),
    frozenset({"answer", "finding", "look", "settling", "time", "world", "judge", "judgment", "judged"}),
    frozenset({"answer", "process", "meanwhile", "time", "act", "probe", "settling", "judgment"}),
    frozenset({"verification", "undo"}),
    frozenset({"start", "time"}),
    frozenset({"process", "observed"}),
    frozenset({"process", "ledger", "ledger read", "start", "answer", "world", "time"}),
    frozenset({"ledger", "ledger read", "verification", "time"}),
    frozenset({"process", "dry run", "gate"}),
)
"""What may go otherwise on one way: if everything might, hardly any way would come far."""

OBSERVING = (Guardrail(name="observe", spec=GuardrailSpec(mode="Observe")),)
LIMITING = (
    Guardrail.model_validate(
        {
            "name": "limits",
            "spec": {
                "budgets": [{"per": per, "limit": 1, "windowSeconds": 86400} for per in ("Cluster", "Target")],
                "concurrency": [{"per": per, "limit": 1} for per in ("Requester", "Family")],
                "coolDownSeconds": 600,
                "breaker": {"failures": 1, "repeats": 1, "windowSeconds": 600},
            },
        }
    ),
)
"""So tight that whoever asked again for what it holds already would be refused."""

ENDS = (
    *("Denied", "NoApprovalInTime", "TakenOver", "ObserveOnly", "DryRun"),
    *("CancelledBeforeStart", "NothingUndone", "CancelledAndUndone", "UndoDecided"),
    *("StepFailed", "VerificationFailed", "TimedOut", "UndoFailed", "RevertFailed", "Verified", "Reverted"),
)
"""Reasons of which each must be met."""
MEANINGS = (
    *get_args(Error),
    *(*get_args(OnFailure), "Retry", "Stopped"),
    *("Confirm", "Resume"),
)
"""Kinds of failures, what they mean, and verdicts; each must be met."""


@dataclass
class Fate:
    """Draws outcomes; after so many that are not the best, only the best are left."""

    draw: Draw
    unusual: frozenset[str]
    rarely: int
    """How often the best is among the outcomes, beside each other."""
    troubles: int = TROUBLES
    chosen: list[str] = field(default_factory=list)

    def __call__(self, what: str, outcomes: Sequence[str]) -> str:
        """What happens."""
        if self.troubles <= 0 or what not in self.unusual:
            return outcomes[0]
        outcome = self.draw(what, [*[outcomes[0]] * self.rarely, *outcomes])
        if outcome != outcomes[0] and what not in ORDER:
            self.troubles -= 1
            self.chosen.append(f"{what} {outcome}")
        return outcome


def drawn(draw: Draw) -> tuple[Runbook, Traits]:
    """A runbook of any shape: rows, branches and loops of steps that write, look, wait and ask."""
    names = [f"step-{letter}" for letter in "abcdef"[: draw("count", [0, 1, 2, 3, 4, 5, 6])]]
    shape = draw("shape", ["row", "fan", "any"])
    chosen = {name: draw("trait", ["plain", "plain", "lasting", "manual", "shared", "shared"]) for name in names}
    steps = [
        {"name": name, **_needs(draw, shape, names[:number]), **_traits(draw)} for number, name in enumerate(names)
    ]
    undo = draw("policy", ["OnFailure", "OnFailure", "OnFailure", "Never"])
    more: dict[str, Any] = {"undo": undo, "timeoutSeconds": draw("limit", [3600, 3600, 25])}
    if names:
        checks = [{"name": "ready", "expression": "true"}]
        more["verification"] = {"checks": checks, "withinSeconds": draw("within", [60, 3])}
    if names and undo == "OnFailure" and draw("measure", ["lasts", "is temporary"]) == "is temporary":
        more["revertAfterSeconds"] = 120
    having = {trait: frozenset(name for name in names if chosen[name] == trait) for trait in chosen.values()}
    nobody: frozenset[str] = frozenset()
    return runbook(steps, **more), Traits(
        lasting=having.get("lasting", nobody),
        manual=having.get("manual", nobody),
        shared=having.get("shared", nobody),
        items={name: draw("items", [2, 0, 1, 3]) for name in names},
    )


def _needs(draw: Draw, shape: str, before: Sequence[str]) -> dict[str, Any]:
    match shape:
        case "row":
            return {}
        case "fan":
            return {"needs": []}
        case _:
            return {"needs": [name for name in before if draw("need", [True, False])]}


def _traits(draw: Draw) -> dict[str, Any]:
    step: dict[str, Any] = {
        "action": draw("action", ["scale", "scale", "scale", "wait", "assert"]),
        "timeoutSeconds": draw("timeout", [120, 10]),
        "onFailure": draw("failure", ["Undo", "Undo", "Stop", "Continue", "Ask"]),
    }
    if draw("loop", [False, False, False, True]):
        step["forEach"] = "[1, 2]"
    if step["action"] == "scale" and draw("until", [False, True]):
        step["until"] = "true"
    if draw("retry", [False, True]):
        errors = draw("errors", [["Conflict", "NotHolding", "Refused"], ["NotHolding", "Refused"], ["Conflict"]])
        step["retry"] = {"limit": draw("limit of tries", [2, 1]), "on": errors, "jitterPercent": 50}
    return step


def live(shell: Shell, fate: Fate, wanted: float | None) -> None:
    """The world between two passes: time passes, and people decide what they like."""
    shell.now += timedelta(seconds=min(600.0, max(1.0, wanted or 1.0)))
    match fate("time", ["passes", "leaps", "jumps back"]):
        case "leaps":
            shell.now += timedelta(seconds=300)
        case "jumps back":
            shell.now -= timedelta(seconds=90)
    people(shell, fate)


def people(shell: Shell, fate: Fate) -> None:
    """What somebody does, if anybody does anything."""
    match fate("world", ["helps", "waits", "sleeps", "approves", "denies", "cancels", "deletes", "judges"]):
        case "helps":
            if not any(shell.decide(person, "Approve") for person in ("bob", "carol")):
                shell.decide("bob", fate("judgment", ["Confirm", "Resume", "Undo"])) or shell.decide("dave", "Confirm")
        case "sleeps":
            shell.now += OFFERED_FOR
        case "approves":
            stale = fate("approval", ["of this plan", "of an old plan"]) == "of an old plan"
            shell.decide(fate("approver", PEOPLE), "Approve", stale=stale)
        case "denies":
            shell.decide(fate("denier", ("bob", REQUESTER)), "Deny", stale=fate("denial", ["now", "late"]) == "late")
        case "cancels":
            shell.cancel()
        case "deletes":
            shell.delete()
        case "judges":
            stale = fate("judged", ["what is asked", "what was asked"]) == "what was asked"
            verdict = fate("judgment", ["Confirm", "Resume", "Undo"])
            shell.decide(fate("judge", ("carol", REQUESTER)), verdict, stale=stale)


def meddling(shell: Shell, fate: Fate) -> None:
    """What others do at the moment of a write."""
    match fate("meanwhile", ["nothing", "somebody cancels", "somebody approves", "somebody denies"]):
        case "somebody cancels":
            shell.cancel()
        case "somebody approves":
            shell.decide("carol", "Approve")
        case "somebody denies":
            shell.decide("carol", "Deny")


def walk(draw: Draw, troubles: int = TROUBLES) -> Shell:
    """One execution from request to end."""
    fate = Fate(draw, draw("unusual", UNUSUAL), draw("rarely", [2, 6, 20]), troubles)
    made, traits = drawn(draw)
    shell = Shell(
        made,
        fate,
        quorum=draw("quorum", [1, 2]),
        guardrails=OBSERVING if "observed" in fate.unusual else draw("limits", [(), LIMITING]),
        dry_run="dry run" in fate.unusual,
        traits=traits,
    )
    shell.meanwhile = lambda: meddling(shell, fate)
    for _ in range(ROUNDS):
        wanted = shell.run_pass()
        shell.sweep()
        if shell.ended and not shell.holds:
            return shell
        live(shell, fate, wanted)
    pytest.fail(f"no end after {ROUNDS} passes, in {shell.phases[-1:]}, by {fate.chosen}")


# Hypothesis draws mostly short ways and shrinks what fails to the least that does; plain chance comes farther.


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_every_way_is_a_lawful_one(data: st.DataObject) -> None:
    is_lawful(walk(lambda what, options: data.draw(st.sampled_from(options), label=what)))


@settings(max_examples=300)
@given(st.randoms(use_true_random=True))
def test_every_long_way_is_a_lawful_one(chance: Random) -> None:
    is_lawful(walk(lambda _, options: chance.choice(options)))


def test_chance_comes_everywhere() -> None:
    """A law that no way puts to the test would hold of itself."""
    phases = {*TRANSITIONS, *TERMINAL} - {"Pending"}  # none stays there: what is requested is planned in one pass
    missing = {*phases, *get_args(EventName), *ENDS, *MEANINGS}
    chance = Random(1)
    for _ in range(CEILING):
        way = Way(walk(lambda _, options: chance.choice(options)))
        missing -= {*way.shell.phases, *(line.event for line in way.lines)}
        missing -= {str(line.data.get(key)) for line in way.lines for key in ("reason", "error", "then", "verdict")}
        if not missing:
            return
    pytest.fail(f"no way led to {missing}")


happenings = st.builds(
    Event, event=st.sampled_from(["Requested", "VerificationStarted", "VerificationPassed", "CancelRequested"])
) | st.builds(
    Event,
    event=st.just("StepStarted"),
    step=st.sampled_from(["a", "b"]),
    data=st.fixed_dictionaries({"writes": st.booleans(), "note": st.text(max_size=10)}),
)


@given(st.lists(happenings, max_size=8), st.lists(happenings, max_size=8))
def test_replaying_what_was_appended_is_applying_it(before: list[Event], after: list[Event]) -> None:
    at = "2026-01-01T00:00:00.250Z"
    start = genesis("uid", digest(0))
    journal = extend(start, (), before, at)
    state = replay(journal)
    for event in after:
        state = apply(state, event, parse_time(at))
    assert replay(extend(start, journal, after, at)) == state

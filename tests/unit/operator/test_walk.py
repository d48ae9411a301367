"""The core walked at random through everything that can happen to an execution: what must hold on every way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Protocol, TypeVar, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.operator.making import REQUESTER, digest, runbook
from tests.unit.operator.shell import MAX_DECISIONS, OFFERED_FOR, Shell

from interlock.crds.execution import TERMINAL, TRANSITIONS
from interlock.crds.journal import Entry, Event, EventName, extend, genesis
from interlock.operator.core.decide import MAX_REPLANS
from interlock.operator.core.state import State, apply, parse_time, replay

T = TypeVar("T")


class Draw(Protocol):
    """Chooses one of several, of what is named."""

    def __call__(self, what: str, options: Sequence[T], /) -> T: ...


PEOPLE = (REQUESTER, "bob", "carol")
BEFORE_START = frozenset({"AwaitingApproval", "Approved", "Planning", "Pending"})
ROUNDS = 400
TROUBLES = 40
"""How often things may go otherwise than well before they go well for ever: endings are only owed to those."""
STEPS: tuple[tuple[str, ...], ...] = (("a", "b", "c"), ("a",), ("a", "b"), ("a", "b", "c", "d"), ())
UNUSUAL: tuple[set[str], ...] = (
    {"process", "world", "approval", "approver", "denial", "denier", "judge", "judgment"},
    {"world", "approval", "approver", "start", "gates"},
    {"world", "approval", "approver", "start", "process"},
    {"world", "step", "begin", "finish", "judge", "judgment"},
    {"step", "finish", "judgment", "verification", "undo", "finish undo", "process"},
    {"step", "finish", "verification", "undo", "finish undo", "world", "judge", "judgment"},
    {"begin", "verification", "undo", "finish undo", "world"},
    {"start", "fault", "world", "approver", "denier"},
    {"verification", "world", "undo"},
    {"process", "observed"},
    {"process", "dry run", "gates"},
)
"""What may go otherwise on one way: if everything might, hardly any way would come far."""


@dataclass
class Fate:
    """Draws outcomes; after so many that are not the best, only the best are left."""

    draw: Draw
    unusual: set[str]
    troubles: int = TROUBLES
    chosen: list[str] = field(default_factory=list)

    def __call__(self, what: str, outcomes: Sequence[str]) -> str:
        if self.troubles <= 0 or what not in self.unusual:
            return outcomes[0]
        outcome = self.draw(what, [outcomes[0], *outcomes])
        if outcome != outcomes[0]:
            self.troubles -= 1
        self.chosen.append(f"{what} {outcome}")
        return outcome


def live(shell: Shell, fate: Fate) -> None:
    """The world between two passes: time passes, and people decide what they like."""
    shell.now += timedelta(seconds=1)
    match fate("world", ["helps", "waits", "sleeps", "approves", "denies", "cancels", "judges"]):
        case "helps":
            if not any(shell.decide(person, "Approve") for person in ("bob", "carol")) and not shell.decide(
                "bob", "Confirm"
            ):
                shell.now += timedelta(minutes=1)
        case "sleeps":
            shell.now += OFFERED_FOR
        case "approves":
            stale = fate("approval", ["of this plan", "of an old plan"]) == "of an old plan"
            shell.decide(fate("approver", PEOPLE), "Approve", stale=stale)
        case "denies":
            shell.decide(fate("denier", ("bob", REQUESTER)), "Deny", stale=fate("denial", ["now", "late"]) == "late")
        case "cancels":
            shell.cancel()
        case "judges":
            shell.decide(fate("judge", ("carol", REQUESTER)), fate("judgment", ["Confirm", "Resume", "Undo"]))


def walk(draw: Draw) -> Shell:
    """One execution from request to end."""
    unusual = draw("unusual", UNUSUAL)
    fate = Fate(draw, unusual)
    shell = Shell(
        runbook(draw("steps", STEPS), undo=draw("policy", ["OnFailure", "OnFailure", "Never"])),
        fate,
        quorum=draw("quorum", [1, 2]),
        observed="observed" in unusual,
        dry_run="dry run" in unusual,
    )
    for _ in range(ROUNDS):
        shell.run_pass()
        if shell.ended:
            return shell
        live(shell, fate)
    pytest.fail(f"no end after {ROUNDS} passes, in {shell.phases[-1:]}, by {fate.chosen}")


# Hypothesis draws mostly short ways and shrinks what fails to the least that does; plain chance comes farther.


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_every_way_is_a_lawful_one(data: st.DataObject) -> None:
    is_lawful(walk(lambda what, options: data.draw(st.sampled_from(options), label=what)))


@settings(max_examples=150)
@given(st.randoms(use_true_random=True))
def test_every_long_way_is_a_lawful_one(chance: Random) -> None:
    is_lawful(walk(lambda _, options: chance.choice(options)))


def test_chance_comes_everywhere() -> None:
    """A law that no way puts to the test would hold of itself."""
    missing = {*TRANSITIONS, *TERMINAL, *get_args(EventName)} - {"Pending", "Reverting", "StepActed", "Halted"}
    chance = Random(1)
    for _ in range(3000):
        shell = walk(lambda _, options: chance.choice(options))
        missing -= {*shell.phases, *(entry.event for entry in shell.journal)}
        if not missing:
            return
    pytest.fail(f"no way led to {missing}")


def is_lawful(shell: Shell) -> None:
    """One walk, all laws: walks are what costs time."""
    journal = shell.journal
    ends_once(shell)
    starts_only_what_was_approved(shell)
    has_one_thing_open_at_a_time(journal)
    begins_steps_in_order(shell)
    undoes_backwards_and_once(journal)
    voids_at_most_three_times(shell)
    starts_nothing_once_refused(shell)
    expires_exactly_in_time(shell)
    folds_as_it_was_lived(journal)


def ends_once(shell: Shell) -> None:
    names = [entry.event for entry in shell.journal]
    assert names[0] == ("Ended" if shell.cancelled_after == 0 else "Requested")
    assert names.index("Ended") == len(names) - 1
    assert shell.phases[-1] in TERMINAL
    assert not set(shell.phases[:-1]) & TERMINAL
    before = shell.writes
    shell.run_pass()
    assert shell.writes == before, "nothing is written after the end"


def starts_only_what_was_approved(shell: Shell) -> None:
    planned, approved = None, False
    for position, entry in enumerate(shell.journal):
        if entry.event in {"Planned", "PlanVoided"}:
            planned, approved = entry.details().get("plan") if entry.event == "Planned" else None, False
        elif entry.event == "Approved":
            approvers = {
                cast.by
                for cast in shell.casts
                if cast.after <= position and (cast.verdict, cast.subject) == ("Approve", planned)
            } - {REQUESTER}
            assert entry.details() == {"by": sorted(approvers), "plan": planned}
            assert len(approvers) >= shell.quorum
            approved = True
        elif entry.event.startswith(("Step", "Undo", "Verification")):
            assert approved, f"{entry.event} of what nobody approved"


def has_one_thing_open_at_a_time(journal: Sequence[Entry]) -> None:
    open_now: tuple[str, str] | None = None
    writing = False
    for entry in journal:
        kind = "undo" if entry.event.startswith("Undo") else "step"
        this = (kind, entry.step or "")
        if entry.event in {"StepStarted", "UndoStarted"}:
            assert open_now in {None, this}
            open_now, writing = this, entry.details()["writes"] is True
        elif entry.event in {"StepSucceeded", "StepFailed", "UndoSucceeded", "UndoFailed", "PersonNeeded"}:
            assert open_now is not None
            assert open_now[1] == entry.step
            open_now = open_now if entry.event == "PersonNeeded" else None
        elif entry.event == "StepSkipped":
            assert open_now in {None, this}
            open_now = None
        elif entry.event == "StepUnclear":
            assert open_now == (open_now and open_now[0], entry.step)
        elif entry.event == "PersonDecided":
            assert open_now is not None
            open_now = None
        elif entry.event == "CancelRequested":
            assert open_now is None or not writing, "what may have had an effect is finished first"
            open_now = None
        else:
            assert open_now is None, f"{entry.event} while {open_now} is open"


def begins_steps_in_order(shell: Shell) -> None:
    begun = [entry.step for entry in shell.journal if entry.event in {"StepStarted", "StepSkipped"}]
    assert list(dict.fromkeys(begun)) == [step.name for step in shell.runbook.spec.steps][: len(set(begun))]
    if "Succeeded" in shell.phases:
        assert len(set(begun)) == len(shell.runbook.spec.steps)
    troubled = next((e.seq for e in shell.journal if e.event in {"UndoStarted", "CancelRequested"}), None)
    if troubled is not None:
        late = [e for e in shell.journal[troubled:] if e.event.startswith(("StepS", "Verification"))]
        assert not late, "nothing goes forward once it goes back"


def undoes_backwards_and_once(journal: Sequence[Entry]) -> None:
    """What is undone is what had its effect or may have had it, the last first."""
    done: list[str] = []
    writes: dict[str, bool] = {}
    undone: list[str] = []
    decided_on: set[str] = set()
    outcomes: dict[str, int] = {}
    for entry in journal:
        name = entry.step or ""
        match entry.event:
            case "StepStarted":
                writes[name] = entry.details()["writes"] is True
            case "StepSucceeded" if writes[name]:
                done.append(name)
            case "PersonDecided" if name in undone:
                decided_on.add(name)
            case "PersonDecided" if entry.details()["verdict"] != "Resume":
                done.append(name)
            case "UndoStarted" if not undone or undone[-1] != name:
                undone.append(name)
            case "UndoSucceeded" | "UndoFailed":
                outcomes[name] = outcomes.get(name, 0) + 1
    assert undone == list(reversed(done))[: len(undone)]
    assert all(count == 1 for count in outcomes.values())
    assert set(outcomes) | decided_on >= set(undone), "no undo is left open"


def voids_at_most_three_times(shell: Shell) -> None:
    voided = sum(entry.event == "PlanVoided" for entry in shell.journal)
    assert voided <= MAX_REPLANS == 3
    assert shell.status is not None
    assert shell.status.replans == voided
    started = next((e.seq for e in shell.journal if e.event in {"StepStarted", "StepSkipped"}), None)
    assert started is None or "PlanVoided" not in {e.event for e in shell.journal[started:]}


def starts_nothing_once_refused(shell: Shell) -> None:
    """A denial of the plan that stands, or a cancellation: what had not started by then never does."""
    started = next((e.seq for e in shell.journal if e.event in {"StepStarted", "StepSkipped"}), None)
    if shell.cancelled_after is not None and (started is None or started >= shell.cancelled_after):
        assert started is None
        assert shell.phases[-1] == "Cancelled"
    plans = [(e.seq, e.details()["plan"]) for e in shell.journal if e.event == "Planned"]
    for cast in shell.casts:
        offered = next((plan for seq, plan in reversed(plans) if seq < cast.after), None)
        if cast.verdict == "Deny" and cast.subject == offered and (started is None or started >= cast.after):
            assert started is None
            assert shell.phases[-1] in {"Denied", "Cancelled"}


def expires_exactly_in_time(shell: Shell) -> None:
    """An offer ends when its time is over, and no operator that looks in time ends it before."""
    expires_at = shell.expires_at()
    if shell.phases[-1] == "Expired":
        assert expires_at is not None
        assert shell.now >= expires_at
    elif expires_at is not None and shell.phases[-1] not in {"Denied", "Cancelled", "Observed", "Planned"}:
        started = next((e for e in shell.journal if e.event in {"StepStarted", "StepSkipped"}), None)
        last = started or shell.journal[-1]
        voided = [e.event for e in shell.journal if e.event in {"Planned", "PlanVoided"}][-1:] == ["PlanVoided"]
        assert voided or parse_time(last.at) < expires_at


def folds_as_it_was_lived(journal: Sequence[Entry]) -> None:
    state = State()
    for entry in journal:
        state = apply(state, Event(event=entry.event, step=entry.step, data=entry.details()), parse_time(entry.at))
    assert state == replay(journal)
    assert state.ended


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


def test_there_is_room_for_every_decision() -> None:
    """The shell's own bound lies inside the contract's."""
    assert MAX_DECISIONS < 32

"""Single ways through graphs of steps, their failures and their ways back, and what they cost in writes."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from tests.unit.operator.laws import is_lawful
from tests.unit.operator.making import runbook
from tests.unit.operator.shell import OFFERED_FOR, Shell
from tests.unit.operator.test_core import Script, events
from tests.unit.operator.world import Traits

from interlock.operator.core.decide import JOURNAL_ENTRIES

Steps = Sequence[str | Mapping[str, Any]]


def begun(*otherwise: str, steps: Steps, traits: Traits | None = None, **spec: Any) -> Shell:
    """An execution that was offered, approved by bob and carried on until it ends or waits."""
    made = Shell(runbook(steps, **spec), Script(*otherwise), traits=traits or Traits())
    made.run_pass()
    made.decide("bob", "Approve")
    made.run_pass()
    return made


def carried_on(made: Shell, *otherwise: str, after: float = 0.0) -> Shell:
    """The same, so many seconds later."""
    made.now += timedelta(seconds=after)
    made.choose = Script(*otherwise)
    made.run_pass()
    return made


def last(of: Shell, count: int) -> list[str]:
    return events(of)[-count:]


def fan(count: int, **more: Any) -> list[Mapping[str, Any]]:
    return [{"name": f"step-{number}", "needs": [], **more} for number in range(count)]


FAILING = ("act succeeds", "act is refused")


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_branches_side_by_side_cost_four_writes_in_all(count: int) -> None:
    made = begun(steps=fan(count))
    assert (made.phases[-1], made.writes) == ("Succeeded", 4)


def test_what_needs_two_branches_waits_for_both() -> None:
    steps: Steps = ({"name": "a"}, {"name": "b", "needs": []}, {"name": "c", "needs": ["a", "b"]})
    made = begun("settling waits", "settling waits", steps=({"name": "a", "until": "true"}, *steps[1:]))
    assert last(made, 2) == ["StepActed a", "StepSucceeded b"]
    assert last(carried_on(made), 6)[:3] == ["StepSucceeded a", "StepStarted c", "StepSucceeded c"]


@pytest.mark.parametrize(
    ("kind", "following", "phase"),
    [
        ("Undo", ["StepFailed b", "UndoStarted a", "UndoSucceeded a", "Ended"], "Undone"),
        ("Stop", ["StepFailed b", "Ended"], "Failed"),
        ("Continue", ["StepFailed b", "VerificationStarted", "VerificationPassed", "Ended"], "Succeeded"),
        ("Ask", ["StepFailed b", "PersonNeeded b"], "AwaitingPerson"),
    ],
)
def test_a_failure_means_what_the_runbook_says(kind: str, following: list[str], phase: str) -> None:
    made = begun(*FAILING, steps=("a", {"name": "b", "onFailure": kind}))
    assert (last(made, len(following)), made.phases[-1]) == (following, phase)


def test_stop_outweighs_undo_whichever_fails_first() -> None:
    for kinds in (("Stop", "Undo"), ("Undo", "Stop")):
        failing = [{"name": kind.lower(), "needs": ["a"], "onFailure": kind} for kind in kinds]
        made = begun("act succeeds", "act is refused", "act is refused", steps=("a", *failing))
        assert (made.phases[-1], made.world.things["a"].holds) == ("Failed", ["a"])


@pytest.mark.parametrize(
    ("verdict", "following"),
    [
        ("Confirm", ["PersonDecided b", "VerificationStarted", "VerificationPassed", "Ended"]),
        ("Resume", ["StepStarted b", "StepSucceeded b", "VerificationStarted", "VerificationPassed", "Ended"]),
        ("Undo", ["PersonDecided b", "UndoStarted a", "UndoSucceeded a", "Ended"]),
    ],
)
def test_of_a_failure_a_person_decides(verdict: str, following: list[str]) -> None:
    made = begun(*FAILING, steps=("a", {"name": "b", "onFailure": "Ask"}), undo="Never")
    made.decide("carol", verdict)
    assert last(carried_on(made), len(following)) == following


def test_an_answer_to_one_question_is_none_to_the_next() -> None:
    """Two effects that no probe can tell: each is asked about, and answered, by itself."""
    made = begun("act is lost", "probe cannot tell", "act is lost", "probe cannot tell", steps=fan(2))
    assert made.phases[-1] == "AwaitingPerson"
    made.decide("carol", "Confirm")
    carried_on(made)
    assert last(made, 2) == ["PersonDecided step-0", "PersonNeeded step-1"]
    made.decide("carol", "Confirm")
    assert carried_on(made).phases[-1] == "Succeeded"


def test_an_intent_that_was_never_written_is_not_acted_on() -> None:
    """The API server fails one branch after another has looked anew: that look is lost with the pass."""
    conflicts = ["act meets a conflict", "act meets a conflict"]
    made = begun(*conflicts, "look finds", "look fails", steps=fan(2))
    carried_on(made)
    assert made.phases[-1] == "Succeeded"
    is_lawful(made)


def held(of: Shell) -> list[str]:
    """Why it is held, if it is."""
    return [c.reason for c in of.status.conditions if (c.type, c.status) == ("Held", "True")] if of.status else []


WITHDRAWN = "meets withdrawn consent"


@pytest.mark.parametrize("where", [f"look {WITHDRAWN}", "act is stopped"])
def test_what_may_not_be_written_now_is_written_later_and_once(where: str) -> None:
    made = begun("act succeeds", where, steps=("a", "b"))
    assert (made.phases[-1], held(made), len(made.world.deeds)) == ("Running", [HELD_BY[where]], 1)
    writes = made.writes
    assert (carried_on(made, where).writes, held(made)) == (writes, [HELD_BY[where]])
    assert (carried_on(made).phases[-1], held(made), len(made.world.deeds)) == ("Succeeded", [], 2)
    assert events(made).count("StepStarted b") == 1


HELD_BY = {f"look {WITHDRAWN}": "NotOptedIn", "act is stopped": "NamespacePaused"}


def test_an_undo_waits_for_withdrawn_consent_until_somebody_wants_an_end() -> None:
    made = begun(*FAILING, f"undo look {WITHDRAWN}", steps=("a", "b"))
    assert (last(made, 1), held(made)) == (["StepFailed b"], ["NotOptedIn"])
    made.cancel()
    carried_on(made, f"undo look {WITHDRAWN}")
    assert last(made, 3) == ["UndoStarted a", "UndoFailed a", "Ended"]
    assert made.phases[-1] == "Failed"
    is_lawful(made)


def test_a_cancelled_execution_waits_for_the_end_of_a_pause() -> None:
    made = begun("verification does not hold", steps=("a",))
    made.cancel()
    carried_on(made, "undo is stopped")
    assert (made.phases[-1], held(made)) == ("Undoing", ["NamespacePaused"])
    assert carried_on(made).phases[-1] == "Cancelled"


def test_an_undo_that_takes_its_time_has_the_time_of_the_step() -> None:
    failing = ("act succeeds", "act is refused", "undo takes its time")
    made = begun(*failing, steps=({"name": "a", "timeoutSeconds": 10}, "b"))
    assert last(carried_on(made, "undo takes its time", after=9.0), 1) == ["UndoStarted a"]
    assert last(carried_on(made, "undo takes its time", after=1.0), 2) == ["UndoFailed a", "Ended"]
    assert made.phases[-1] == "Failed"


def test_what_wrote_last_to_an_object_is_put_back_first() -> None:
    """The second branch wins the first round; the first, refused by a conflict, writes over it."""
    made = begun("act meets a conflict", "verification does not hold", steps=fan(2))
    made.cancel()
    carried_on(made)
    assert events(made)[-5:] == [
        "UndoStarted step-0",
        "UndoSucceeded step-0",
        "UndoStarted step-1",
        "UndoSucceeded step-1",
        "Ended",
    ]


def test_time_does_not_run_while_a_person_is_awaited() -> None:
    steps: Steps = ({"name": "a", "needs": [], "until": "true", "timeoutSeconds": 10}, {"name": "b", "needs": []})
    made = begun("settling waits", steps=steps, traits=Traits(manual=frozenset({"b"})))
    made.decide("carol", "Confirm")
    assert last(carried_on(made, "settling waits", after=3600.0), 1) == ["PersonDecided b"]
    assert last(carried_on(made, "settling waits", after=10.0), 4)[0] == "StepFailed a"


@pytest.mark.parametrize(("limit", "tries"), [(1, 2), (3, 4)])
def test_a_step_is_tried_again_so_often_and_not_before_its_time(limit: int, tries: int) -> None:
    retry = {"limit": limit, "on": ["Refused"], "backoffSeconds": 4, "jitterPercent": 0}
    made = begun("act is refused", steps=({"name": "a", "retry": retry},))
    assert carried_on(made, after=3.9).writes == made.writes
    for number in range(1, limit + 1):
        carried_on(made, "act is refused", after=4.0 * 2 ** (number - 1))
    assert events(made).count("StepStarted a") == tries
    assert made.phases[-1] == "Failed"


def test_a_temporary_measure_is_put_back_in_its_time() -> None:
    made = begun(steps=("a", "b"), revertAfterSeconds=60)
    assert made.phases[-1] == "Reverting"
    assert carried_on(made, after=59.9).phases[-1] == "Reverting"
    made.restart()
    assert last(carried_on(made, after=0.1), 5) == [
        "UndoStarted b",
        "UndoSucceeded b",
        "UndoStarted a",
        "UndoSucceeded a",
        "Ended",
    ]
    assert made.phases[-1] == "Succeeded"


def test_a_temporary_measure_that_is_cancelled_is_put_back_at_once() -> None:
    made = begun(steps=("a",), revertAfterSeconds=60)
    made.cancel()
    carried_on(made)
    assert (made.phases[-1], made.world.things["a"].holds) == ("Succeeded", [])


def test_a_restart_does_not_prolong_the_time_limit() -> None:
    made = begun("settling waits", "settling waits", steps=({"name": "a", "until": "true"},), timeoutSeconds=30)
    for _ in range(3):
        made.restart()
        carried_on(made, "settling waits", after=9.0)
    assert last(made, 1) == ["StepActed a"]
    made.restart()
    assert last(carried_on(made, "settling waits", after=3.0), 4) == [
        "Halted",
        "UndoStarted a",
        "UndoSucceeded a",
        "Ended",
    ]


def test_the_stop_switch_holds_every_write() -> None:
    made = begun("switch is on", steps=("a",))
    writes = made.writes
    assert (carried_on(made, "switch is on").writes, made.world.deeds) == (writes, [])
    assert carried_on(made).phases[-1] == "Succeeded"


def test_what_is_held_too_long_expires() -> None:
    made = begun("start is held", steps=("a",))
    carried_on(made, "start is held", after=OFFERED_FOR.total_seconds())
    assert made.journal[-1].details()["reason"] == "HeldTooLong"


def test_going_back_a_person_who_resumes_lets_the_undo_look_for_itself() -> None:
    """One effect failed while another cannot be told: to go on is to put back what there is."""
    steps = [{"name": "a", "needs": []}, {"name": "b", "needs": []}]
    made = begun("act has its answer lost", "probe cannot tell", "act is refused", steps=steps)
    assert (made.phases[-1], made.world.things["a"].holds) == ("AwaitingPerson", ["a"])
    made.decide("carol", "Resume")
    carried_on(made)
    assert (made.phases[-1], made.world.things["a"].holds) == ("Undone", [])


WIDE = [{"name": f"step-{number}", "needs": [], "forEach": "[1, 2]", "until": "true"} for number in range(16)]
RETRY = {"limit": 8, "on": ["Conflict", "Refused"], "backoffSeconds": 1, "maxBackoffSeconds": 1}


def long_way(steps: Steps, choose: Script | Any, **spec: Any) -> Shell:
    """An execution of many steps, answered by bob whatever is asked, until it ends."""
    made = Shell(runbook(steps, **spec), choose)
    for _ in range(300):
        made.run_pass()
        if made.ended:
            return made
        made.decide("bob", "Approve") or made.decide("bob", "Resume")
        made.now += timedelta(seconds=2)
    pytest.fail(f"no end, in {made.phases[-1]}")


def test_a_journal_near_its_limit_stops_in_time_to_undo_everything() -> None:
    steps = [{**step, "retry": RETRY, "timeoutSeconds": 3600} for step in WIDE]
    refused = {"now": True}

    def choose(what: str, outcomes: Sequence[str]) -> str:
        if what == "act" and made and len(made[0].journal) >= 60:
            refused["now"] = False
        return "is refused" if what == "act" and refused["now"] else outcomes[0]

    made: list[Shell] = []
    made.append(Shell(runbook(steps), choose))
    for _ in range(300):
        made[0].run_pass()
        made[0].decide("bob", "Approve")
        made[0].now += timedelta(seconds=2)
    assert made[0].ended
    assert not any(thing.holds for thing in made[0].world.things.values()) or made[0].phases[-1] == "Succeeded"


@pytest.mark.parametrize("what", ["settling", "act", "undo", "probe", "look"])
def test_a_long_way_stays_inside_its_journal(what: str) -> None:
    chance, troubles = Random(what), [300]

    def choose(asked: str, outcomes: Sequence[str]) -> str:
        if asked not in {what, "act", "undo", "probe"} or not troubles[0]:
            return outcomes[0]
        troubles[0] -= 1
        return chance.choice(outcomes)

    made = long_way([{**step, "retry": RETRY, "timeoutSeconds": 3600} for step in WIDE], choose)
    assert len(made.journal) <= JOURNAL_ENTRIES
    is_lawful(made)

"""What must hold of every way that an execution can take, each law by itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import JsonValue
from tests.unit.operator.making import REQUESTER
from tests.unit.operator.shell import Shell
from tests.unit.operator.way import BEGINS, Line, Way

from interlock.crds.execution import TERMINAL
from interlock.crds.journal import Event
from interlock.operator.core import decide as core
from interlock.operator.core.state import State, apply, parse_time, replay
from interlock.operator.effects import MAX_ATTEMPTS
from interlock.operator.session import Memory, Session

Law = Callable[[Way], None]


def ends_once(way: Way) -> None:
    shell, names = way.shell, [line.event for line in way.lines]
    assert names[0] == "Requested"
    assert names.index("Ended") == len(names) - 1
    assert shell.phases[-1] in TERMINAL
    assert not set(shell.phases[:-1]) & TERMINAL
    before = shell.writes, shell.closed
    shell.run_pass()
    assert shell.writes == before[0], "nothing is written after the end"


def starts_only_what_was_approved(way: Way) -> None:
    planned, approved = None, False
    for line in way.lines:
        if line.event in {"Planned", "PlanVoided"}:
            planned, approved = line.data["plan"] if line.event == "Planned" else None, False
        elif line.event == "Approved":
            approvers = {str(by) for by in _listed(line.data["by"])}
            cast = {c.by for c in way.shell.casts if (c.verdict, c.subject) == ("Approve", planned)} - {REQUESTER}
            assert line.data == {"by": sorted(approvers), "plan": planned}
            assert approvers <= cast
            assert len(approvers) >= way.shell.quorum
            approved = True
        elif line.event.startswith(("Step", "Undo", "Verification")):
            assert approved, f"{line.event} of what nobody approved"


def begins_nothing_before_what_it_needs(way: Way) -> None:
    done: set[str] = set()
    for line in way.lines:
        if line.event in BEGINS:
            assert way.nodes[line.step].needs <= done, f"{line.step} began before {way.nodes[line.step].needs}"
        if line.event in {"StepSucceeded", "StepSkipped"} or line.then == "Continue":
            done.add(line.step)
        if line.event == "PersonDecided" and line.data["verdict"] == "Confirm":
            done.add(line.step)


def begins_nothing_once_it_goes_back(way: Way) -> None:
    """Intents may be stated side by side with a failure, and in one write with it; they are not acted on."""
    if way.turned is None:
        return
    written = next(length for length in way.shell.lengths if length > way.turned)
    aside = written if way.lines[way.turned].event == "StepFailed" else way.turned
    for line in way.lines[way.turned :]:
        assert line.event not in {"VerificationStarted", "VerificationPassed"}
        assert line.event not in BEGINS or line.number < aside


def does_nothing_while_a_person_is_asked(way: Way) -> None:
    """Once it is written that one step asks, no other begins; once the person is asked, only the answer follows."""
    asking: dict[str, int] = {}
    busy: set[str] = set()
    for before, line in zip([None, *way.lines], way.lines, strict=False):
        if before is not None and before.event == "PersonNeeded":
            assert (line.event, line.step) == ("PersonDecided", before.step)
        if line.event in BEGINS:
            since = min(asking.values(), default=line.number)
            assert line.number <= since or line.step in busy, f"{line.step} begins while {asking} ask"
            busy.add(line.step)
        if line.event in {"StepSucceeded", "StepFailed"}:
            busy.discard(line.step)
        if line.event == "StepUnclear" or line.then == "Ask":
            asking[line.step] = next(length for length in way.shell.lengths if length > line.number) - 1
        if line.event == "PersonDecided":
            asking.pop(line.step, None)


def asks_before_it_goes_on(way: Way) -> None:
    """A question is put to a person, unless all is given up before; only a verdict that was asked for is an answer."""
    open_questions: set[str] = set()
    asked: set[str] = set()
    for line in way.lines:
        if line.event == "StepUnclear" or line.then == "Ask":
            open_questions.add(line.step)
        elif line.event == "PersonNeeded":
            asked = {str(verdict) for verdict in _listed(line.data["verdicts"])}
            assert line.step in open_questions
        elif line.event == "PersonDecided":
            open_questions.discard(line.step)
            assert line.data["verdict"] in asked
            answers_what_was_asked(way, line)
        elif line.event == "VerificationStarted":
            assert not open_questions


def answers_what_was_asked(way: Way, line: Line) -> None:
    """Who decided was not the requester, and had seen this very question."""
    if line.data["by"] == "":
        assert way.shell.cancelled_after is not None
        return
    question = way.shell.journal[line.number - 1]
    assert line.data["by"] != REQUESTER
    assert any(
        (cast.by, cast.verdict, cast.subject) == (line.data["by"], line.data["verdict"], f"sha256:{question.hash}")
        for cast in way.shell.casts
    )


def _listed(value: JsonValue) -> list[JsonValue]:
    assert isinstance(value, list)
    return value


def never_begins_again_what_acted(way: Way) -> None:
    acted: set[str] = set()
    for line in way.lines:
        if line.event in {"StepActed", "StepSucceeded"}:
            acted.add(line.step)
        assert line.event not in BEGINS or line.step not in acted


@dataclass
class _Tries:
    began: datetime
    tries: int = 1
    looks: int = 0
    not_before: datetime | None = None


def tries_within_bounds(way: Way) -> None:
    """So many looks in a try, so many tries of a step, none before its time; a person's word begins anew."""
    counts: dict[str, _Tries] = {}
    for line in way.lines:
        if line.event == "PersonDecided":
            counts.pop(line.step, None)
            for count in counts.values():
                count.began = line.at
        if line.event not in {"StepStarted", "StepFailed"}:
            continue
        count = counts.setdefault(line.step, _Tries(line.at))
        step = way.nodes[line.step].step
        if line.event == "StepStarted":
            assert count.not_before is None or line.at >= count.not_before
            count.not_before = None
            count.looks += 1
            assert count.looks <= MAX_ATTEMPTS
        elif line.then == "Retry":
            assert step.retry is not None
            assert line.data["error"] in step.retry.on
            assert count.tries <= step.retry.limit
            count.not_before = parse_time(str(line.data["retryAt"]))
            assert count.not_before < count.began + timedelta(seconds=step.timeout_seconds)
            count.tries, count.looks = count.tries + 1, 0
        else:
            assert line.then == ("Continue" if line.data["error"] == "Stopped" else step.on_failure)


def wants_undo(way: Way) -> bool:
    """What the runbook says, unless a failed step says Stop or a person says Undo."""
    decided = [line for line in way.of("PersonDecided") if line.data["verdict"] == "Undo" and line.data["by"]]
    first_undo = next((line.number for line in way.of("UndoStarted")), len(way.lines))
    if any(line.number < first_undo for line in decided):
        return True
    return way.shell.runbook.spec.undo == "OnFailure" and all(line.then != "Stop" for line in way.lines)


def undoes_exactly_what_had_an_effect(way: Way) -> None:
    """Backwards by the latest intents, each once; a person's word may have one undone again."""
    undone = [line.step for line in way.of("UndoStarted")]
    assert undone == [name for name in dict.fromkeys(undone) for _ in range(undone.count(name))]
    effects = way.effects(next((line.number for line in way.of("UndoStarted")), None))
    expected = [name for name in reversed(effects) if way.undoable(name)]
    reverted = any(line.data.get("revertAt") for line in way.of("VerificationPassed"))
    if not reverted and (way.turned is None or not wants_undo(way)):
        expected = []
    found = list(dict.fromkeys(undone))
    assert found == (expected[: len(found)] if way.gave_up else expected)
    outcomes = [line.step for line in way.of("UndoSucceeded", "UndoFailed")]
    assert len(outcomes) == len(set(outcomes))
    assert set(outcomes) | way.judged >= set(undone), "no undo is left open"


def succeeds_only_when_all_is_done(way: Way) -> None:
    if way.shell.phases[-1] != "Succeeded":
        return
    assert way.of("VerificationPassed")
    for name in way.nodes:
        last = [line for line in way.lines if line.step == name and not line.event.startswith("Undo")][-1]
        done = {"StepSucceeded", "StepSkipped", "PersonDecided"}
        assert last.event in done or last.then == "Continue", f"{name}: {last}"


def says_undone_only_of_what_is(way: Way) -> None:
    phase, failed = way.shell.phases[-1], way.of("UndoFailed")
    if failed:
        assert phase == "Failed"
    if phase == "Undone":
        assert way.of("UndoSucceeded") or way.judged


def reverts_in_its_time(way: Way) -> None:
    passed = next(iter(way.of("VerificationPassed")), None)
    if passed is None or "revertAt" not in passed.data:
        return
    assert way.shell.runbook.spec.revert_after_seconds is not None
    assert parse_time(str(passed.data["revertAt"])) == passed.at + timedelta(
        seconds=way.shell.runbook.spec.revert_after_seconds
    )
    first = way.lines[passed.number + 1]
    early = way.shell.cancelled_after is not None and way.shell.cancelled_after <= first.number
    assert early or first.at >= parse_time(str(passed.data["revertAt"]))
    assert (way.last.data["phase"], way.last.data["reason"]) in {
        ("Succeeded", "Reverted"),
        ("Failed", "RevertFailed"),
        ("Failed", "JournalFull"),
    }


def keeps_deadlines(way: Way) -> None:
    """Counted from what is written, so that no restart prolongs them."""
    limit = timedelta(seconds=way.shell.runbook.spec.timeout_seconds)
    verification = way.shell.runbook.spec.verification
    clock_from = verifying = None
    for line in way.lines:
        if line.event == "Halted" and line.data["reason"] == "TimedOut":
            assert clock_from is not None
            assert line.at >= clock_from + limit
        if line.event in BEGINS and clock_from is not None:
            assert line.at < clock_from + limit
        if line.event in BEGINS and clock_from is None:
            clock_from = line.at
        if line.event == "PersonDecided":
            clock_from = line.at
        if line.event == "VerificationStarted":
            verifying = line.at
        if line.event == "VerificationFailed":
            assert verification is not None
            assert verifying is not None
            assert line.at >= verifying + timedelta(seconds=verification.within_seconds)


def voids_at_most_three_times(way: Way) -> None:
    voided = len(way.of("PlanVoided"))
    assert voided <= core.MAX_REPLANS == 3
    assert way.shell.status is not None
    assert way.shell.status.replans == voided
    assert way.began is None or all(line.number < way.began for line in way.of("PlanVoided"))


def starts_nothing_once_refused(way: Way) -> None:
    """A denial of the plan that stands, or a cancellation: what had not started by then never does."""
    shell, began = way.shell, way.began
    if shell.cancelled_after is not None and (began is None or began >= shell.cancelled_after):
        assert began is None
    plans = [(line.number, line.data["plan"]) for line in way.of("Planned")]
    for cast in shell.casts:
        offered = next((plan for number, plan in reversed(plans) if number < cast.after), None)
        if cast.verdict == "Deny" and cast.subject == offered and (began is None or began >= cast.after):
            assert began is None


def expires_exactly_in_time(way: Way) -> None:
    """An offer ends when its time is over, and no operator that looks in time ends it before."""
    shell, expires_at = way.shell, way.shell.expires_at()
    if shell.phases[-1] == "Expired":
        assert expires_at is not None
        assert shell.now >= expires_at
    elif expires_at is not None and way.began is not None:
        assert way.lines[way.began].at < expires_at


def _folded(way: Way) -> Iterator[State]:
    state = State()
    for line in way.lines:
        event = Event.model_validate({"event": line.event, "step": line.step or None, "data": line.data})
        state = apply(state, event, line.at)
        yield state


def decides_everywhere(way: Way) -> None:
    """Whatever is written and whoever takes over: something follows, also for who is cancelled or late."""
    shell = way.shell
    session = Session(shell.body, Memory(runbook=shell.runbook), lambda: shell.now)
    asked = session.request()
    for state in _folded(way):
        for request in (asked, replace(asked, cancelled="cancelled by carol"), replace(asked, undoes=False)):
            for now in (shell.now - timedelta(days=30), shell.now + timedelta(days=30)):
                following = core.decide(state, request, now)
                assert (following == core.Done()) == state.ended
    assert state == replay(shell.journal)


def did_what_is_written(way: Way) -> None:
    """The world and the journal agree: no effect twice, none unrecorded, none claimed that never was."""
    done: dict[str, int] = {}
    for deed in way.shell.world.deeds:
        done[deed.step] = done.get(deed.step, 0) + (not deed.undo)
    effects = set(way.effects())
    unknown = way.judged | ({line.step for line in way.of("StepUnclear")} if way.gave_up else set())
    for name in {*way.nodes, *done} - unknown:
        assert done.get(name, 0) == (name in effects), f"{name}: done {done.get(name, 0)} times"
    holding = {name for thing in way.shell.world.things.values() for name in thing.holds}
    undone = {line.step for line in way.of("UndoSucceeded")} - way.judged
    assert not holding & undone, "what is said to be undone is undone"


def takes_once_and_gives_back(way: Way) -> None:
    """What has begun is counted once as started and once as it ended; nothing is held for ever after."""
    shell = way.shell
    assert not shell.holds
    end = {"Succeeded": "Succeeded", "Failed": "Failed", "Undone": "Failed"}.get(shell.phases[-1], "Ended")
    for name, ledger in shell.world.ledgers.items():
        counted = {count.what: count.times for count in ledger.spec.counts}
        ours = {"Started": 1} if name == "shared" else {"Started": 1, end: 1}
        assert counted in ([ours] if way.began is not None else [ours, {}])


LAWS: tuple[Law, ...] = (
    ends_once,
    starts_only_what_was_approved,
    begins_nothing_before_what_it_needs,
    begins_nothing_once_it_goes_back,
    does_nothing_while_a_person_is_asked,
    asks_before_it_goes_on,
    never_begins_again_what_acted,
    tries_within_bounds,
    undoes_exactly_what_had_an_effect,
    succeeds_only_when_all_is_done,
    says_undone_only_of_what_is,
    reverts_in_its_time,
    keeps_deadlines,
    voids_at_most_three_times,
    starts_nothing_once_refused,
    expires_exactly_in_time,
    decides_everywhere,
    did_what_is_written,
    takes_once_and_gives_back,
)


def is_lawful(shell: Shell) -> None:
    """One walk, all laws: walks are what costs time."""
    way = Way(shell)
    for law in LAWS:
        law(way)

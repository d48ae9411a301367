"""What is to be found fault with once an execution is over: pure, from what was seen of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from interlock.cli.vetting.audit import Request
from interlock.cli.vetting.changes import Objects, beyond_the_plan, not_restored, unlike_the_plan
from interlock.crds.actions import ACTIONS, EffectName
from interlock.crds.execution import Plan, RunbookExecution
from interlock.crds.journal import Entry
from interlock.crds.runbook import Runbook


@dataclass(frozen=True)
class Seen:
    """One execution, and what stood around it."""

    runbook: Runbook
    execution: RunbookExecution
    plan: Plan | None
    before: Objects
    """The objects as they were when the plan was offered, or when it was asked for if none was."""
    after: Objects
    requests: Sequence[Request]
    plurals: Mapping[str, str]
    """How resources are called, by kind."""
    key: bytes
    """Under which the plan shows hidden values."""

    @property
    def ending(self) -> str:
        """How it stands, in words."""
        status = self.execution.status
        return f"{status.phase} ({status.reason}): {status.message}" if status else "nothing"

    @property
    def phase(self) -> tuple[str, str | None]:
        """Phase and reason."""
        status = self.execution.status
        return (status.phase, status.reason) if status else ("", None)

    @property
    def acted(self) -> frozenset[str]:
        """The steps of which an effect is on record."""
        return acted(self.execution.journal)

    @property
    def patched(self) -> frozenset[str]:
        """The objects that it patched, as "Kind/name"."""
        steps = self.plan.steps if self.plan else []
        return frozenset(
            f"{step.object.kind}/{step.object.name}"
            for step in steps
            if step.object and step.name in self.acted and ACTIONS[step.action].effect == "patch"
        )


def acted(journal: Sequence[Entry]) -> frozenset[str]:
    """The steps of which an effect is on record."""
    writing = {e.step for e in journal if e.event == "StepStarted" and e.details().get("writes")}
    done = {e.step for e in journal if e.event in {"StepActed", "StepSucceeded"}}
    return frozenset(step for step in writing & done if step)


def refused(seen: Seen, precondition: str) -> Iterator[str]:
    """Of a Control: this precondition spoke, and nothing was changed."""
    wanted = next(p.message for p in seen.runbook.spec.preconditions if p.name == precondition)
    if seen.phase != ("NotNeeded", "PreconditionNotMet"):
        yield f"control: its preconditions should have refused it, but it ended as {seen.ending}"
    elif seen.execution.status is not None and wanted not in seen.execution.status.message:
        yield f"control: {precondition} did not refuse it, but: {seen.execution.status.message}"
    yield from (f"control: the runner did {r.effect!r}" for r in seen.requests if r.wrote)
    yield from not_restored(seen.before, seen.after, seen.before, "control")


def cured(seen: Seen) -> Iterator[str]:
    """Right after the proof: what was changed is what was planned."""
    wanted = {"HandedOver"} if seen.runbook.spec.type == "Handover" else {"Succeeded", "Reverting"}
    if seen.phase[0] not in wanted:
        yield f"cure: ended as {seen.ending}"
    elif seen.plan is not None:
        yield from unlike_the_plan(seen.plan, seen.acted, seen.before, seen.after, seen.key)
        yield from beyond_the_plan(seen.plan, seen.acted, seen.requests, seen.plurals)


def reverted(seen: Seen) -> Iterator[str]:
    """Of a temporary measure: it is put back."""
    if seen.phase != ("Succeeded", "Reverted"):
        yield f"revert: ended as {seen.ending}"
    yield from not_restored(seen.before, seen.after, seen.patched, "revert")


def undone(seen: Seen) -> Iterator[str]:
    """With its verification made to fail: what can be undone is, and left nothing behind."""
    by_name = {step.name: ACTIONS[step.action].effect for step in seen.runbook.spec.steps}
    effects: set[EffectName | None] = {by_name.get(name, by_name.get(name.rpartition(".")[0])) for name in seen.acted}
    undoes = seen.runbook.spec.undo == "OnFailure" and bool(effects & {"patch", "create"})
    wanted = "Undone" if undoes else "Failed"
    if seen.phase != (wanted, "VerificationFailed"):
        yield f"undo: should have ended as {wanted} (VerificationFailed), and did as {seen.ending}"
    if undoes:
        yield from not_restored(seen.before, seen.after, seen.patched, "undo")


def one_of(twins: Sequence[Seen]) -> Iterator[str]:
    """Of several equal requests exactly one acted, and cured."""
    winners = [seen for seen in twins if seen.acted]
    if len(winners) != 1:
        endings = "; ".join(seen.ending for seen in twins)
        yield f"twice: {len(winners)} of {len(twins)} equal requests acted: {endings}"
    for winner in winners:
        yield from cured(replace(winner, requests=[r for seen in twins for r in seen.requests]))

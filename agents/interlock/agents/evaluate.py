"""How good a diagnosis is on snapshots whose fault is known: accuracy, calibration, and what crude rules would give.

A case is a snapshot with a file `expected.json`: the causes that are right, the object that must be changed, and
whether it is well. Rules are tuned on one part of a library and reported on the other.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pydantic_core
from pydantic import ValidationError

from interlock.agents.analyzers.findings import Finding
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.analyzers.workloads import Deployment, ReplicaSet
from interlock.agents.errors import AgentError
from interlock.agents.model import ObjectRef, Record
from interlock.crds.causes import covers

EXPECTED = "expected.json"
BINS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


class ExpectedRefusedError(AgentError):
    """A case's expectation cannot be read; the message names the file."""


class ObjectName(Record):
    """An object by kind and name; `*` is any name."""

    kind: str
    name: str


class Expectation(Record):
    """What must be found in a case."""

    mechanism: str
    flavour: Literal["fault", "herring", "control", "thin"] = "fault"
    split: Literal["tune", "held-out"] = "held-out"
    causes: tuple[str, ...]
    object: ObjectName
    others: tuple[ObjectName, ...] = ()
    """Objects that an expert would accept as well."""
    cures: tuple[str, ...] = ()
    """Families of runbooks that would cure it; none where a person is to be asked."""

    @classmethod
    def read(cls, folder: Path) -> "Expectation":
        """The expectation beside a snapshot.

        Raises:
            ExpectedRefusedError: there is none, or it is not one.
        """
        file = folder / EXPECTED
        try:
            return cls.model_validate(pydantic_core.from_json(file.read_bytes()))
        except (OSError, ValueError, ValidationError) as wrong:
            raise ExpectedRefusedError(f"{file}: {str(wrong).splitlines()[0][:200]}") from wrong


class Result(Record):
    """One case and what was found in it, the best first; `sure` are the confidences."""

    case: str
    expected: Expectation
    found: tuple[tuple[str, ObjectRef], ...]
    sure: tuple[float, ...]
    asked: str
    """Family of the runbook that changes something and would have been proposed; empty where none would."""
    seconds: float
    baseline: bool
    """Whether the most recently changed workload is the one at fault."""

    @property
    def is_true(self) -> bool:
        """Whether what is said first is right, or at least the family of what is."""
        return bool(self.found) and is_true(self.expected, *self.found[0])

    def right_at(self, places: int) -> bool:
        """Whether one of the first `places` hypotheses is right in cause and object."""
        return any(is_right(self.expected, cause, ref) for cause, ref in self.found[:places])


def is_true(expected: Expectation, cause: str, ref: ObjectRef) -> bool:
    """Whether a hypothesis is right, or names the family of what is, which claims less and is no mistake."""
    family = any(covers(cause, right) for right in expected.causes)
    return (family and _is_object(expected, ref)) or is_right(expected, cause, ref)


def is_right(expected: Expectation, cause: str, ref: ObjectRef) -> bool:
    """Whether a hypothesis names the cause, or one under it, and the object."""
    named = any(covers(right, cause) for right in expected.causes)
    return named and _is_object(expected, ref)


def _is_object(expected: Expectation, ref: ObjectRef) -> bool:
    return any((ref.kind, ref.name) == (one.kind, one.name) for one in (expected.object, *expected.others))


def result(
    case: str, expected: Expectation, world: Landscape, shown: Iterable[Finding], *, asked: str, seconds: float
) -> Result:
    """A case's result from its diagnosis."""
    kept = tuple(shown)
    newest = most_recent_change(world)
    return Result(
        case=case,
        expected=expected,
        found=tuple((f.cause, f.object) for f in kept),
        sure=tuple(f.confidence for f in kept),
        asked=asked,
        seconds=seconds,
        baseline=newest is not None and (newest.kind, newest.name) == (expected.object.kind, expected.object.name),
    )


def most_recent_change(world: Landscape) -> ObjectRef | None:
    """The workload that was changed last: what a hurried person suspects first."""
    sets = [
        r for r in world.every(ReplicaSet) if r.metadata.creation_timestamp is not None and r.metadata.owner_references
    ]
    if not sets:
        return next((d.ref for d in world.every(Deployment)), None)
    last = max(sets, key=lambda r: str(r.metadata.creation_timestamp))
    return ObjectRef(kind="Deployment", namespace=last.metadata.namespace, name=last.metadata.owner_references[0].name)


class Bin(Record):
    """One row of the reliability table: how sure, and how often right."""

    low: float
    high: float
    count: int
    sure: float
    right: float


class Score(Record):
    """What a library says of a diagnosis."""

    cases: int
    mechanisms: int
    at_one: float
    at_three: float
    unsure: float
    thin_right: float
    """The same where a part of the evidence was taken away: what is not right there should be unsure."""
    thin_unsure: float
    confidently_wrong: int
    cured: float
    """Of what a runbook would cure, the share for which one that does is proposed."""
    wrong_cures: int
    """Faults for which something is proposed that does not cure them."""
    wrong_actions: int
    controls: int
    calibration_error: float
    reliability: tuple[Bin, ...]
    newest_change_is_guilty: float
    restart_everything: float
    milliseconds: float
    """Median of the processor's time for the analysis, without loading."""


_RESTARTED = ("workload.secret.rotated-not-reloaded", "workload.memory.leak", "workload.crash.dependency-at-start")


def score(results: Iterable[Result]) -> Score:
    """The figures; accuracy over the faults (by mechanism, so that each counts once), actions over the controls."""
    every = list(results)
    faults = [r for r in every if r.expected.flavour in ("fault", "herring")]
    thin = [r for r in every if r.expected.flavour == "thin"]
    controls = [r for r in every if r.expected.flavour == "control"]
    reliability = _reliability(every)
    counted = sum(b.count for b in reliability)
    error = sum(b.count * abs(b.sure - b.right) for b in reliability) / counted if counted else 0.0
    times = sorted(r.seconds for r in every)
    return Score(
        cases=len(every),
        mechanisms=len({r.expected.mechanism for r in faults}),
        at_one=_by_mechanism(faults, lambda r: r.right_at(1)),
        at_three=_by_mechanism(faults, lambda r: r.right_at(3)),
        unsure=_by_mechanism(faults, lambda r: not r.found),
        thin_right=_by_mechanism(thin, lambda r: r.right_at(1)),
        thin_unsure=_by_mechanism(thin, lambda r: not r.found),
        confidently_wrong=sum(1 for r in every if r.found and r.sure[0] >= 0.8 and not r.is_true),
        cured=_by_mechanism([r for r in faults if r.expected.cures], lambda r: r.asked in r.expected.cures),
        wrong_cures=sum(1 for r in (*faults, *thin) if r.asked and r.asked not in r.expected.cures),
        wrong_actions=sum(1 for r in controls if r.asked),
        controls=len(controls),
        calibration_error=round(error, 4),
        reliability=reliability,
        newest_change_is_guilty=_by_mechanism(faults, lambda r: r.baseline),
        restart_everything=_by_mechanism(faults, lambda r: r.expected.causes[0] in _RESTARTED),
        milliseconds=round(1000 * times[len(times) // 2], 2) if times else 0.0,
    )


def _by_mechanism(results: list[Result], holds: Callable[[Result], bool]) -> float:
    grouped: dict[str, list[bool]] = {}
    for one in results:
        grouped.setdefault(one.expected.mechanism, []).append(bool(holds(one)))
    shares = [sum(found) / len(found) for found in grouped.values()]
    return round(sum(shares) / len(shares), 4) if shares else 0.0


def _reliability(results: list[Result]) -> tuple[Bin, ...]:
    first = [(r.sure[0], r.is_true) for r in results if r.found]
    found: list[Bin] = []
    for low, high in pairwise(BINS):
        inside = [(sure, right) for sure, right in first if low <= sure < high or (high == 1.0 and sure == 1.0)]
        if inside:
            sure = sum(s for s, _ in inside) / len(inside)
            right = sum(r for _, r in inside) / len(inside)
            found.append(Bin(low=low, high=high, count=len(inside), sure=round(sure, 3), right=round(right, 3)))
    return tuple(found)


def failures(results: Iterable[Result]) -> list[dict[str, Any]]:
    """What was not right, for whoever mends rules."""
    return [
        {
            "case": r.case,
            "expected": f"{r.expected.causes[0]} {r.expected.object.kind} {r.expected.object.name}",
            "found": [f"{sure:.2f} {cause} {ref}" for (cause, ref), sure in zip(r.found, r.sure, strict=True)][:3],
        }
        for r in results
        if not r.right_at(1)
    ]

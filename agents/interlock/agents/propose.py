"""From a diagnosis to a request: which runbook answers it, with which parameters, or why a person is asked.

Pure: the catalogue, the evidence and what was tried before come in, one decision goes out. A runbook is eligible when
it answers the cause, may be pointed at the object that is at fault, and what it does can help: going back helps only
where the current revision brought the fault. Of the eligible the least invasive is chosen.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from interlock.agents.analyzers import Finding
from interlock.agents.analyzers.wide import Landscape
from interlock.agents.cluster import KINDS, api_version
from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence
from interlock.agents.facts import Facts
from interlock.agents.model import ObjectRef, Record
from interlock.agents.page import page
from interlock.agents.parameters import Unfit, fill
from interlock.agents.payload import printable
from interlock.crds.causes import covers
from interlock.crds.execution import Citation, Reason, RunbookExecutionSpec, RunbookRef, Target, new_execution
from interlock.crds.names import SYSTEM_NAMESPACE
from interlock.crds.parameters import ParameterRefused, parse_parameters
from interlock.crds.redact import redact_text
from interlock.crds.runbook import Runbook

Objection = Callable[[Runbook, Facts, Mapping[str, str]], str | None]
"""Says what of the evidence speaks against a runbook with these parameters; None where nothing does."""

SURE_ENOUGH_TO_ACT = 0.75
LONGEST_LINE = 400
LONGEST_PAGE = 1000
_TELLING = ("known", "why a person", "look next", "possible", "ruled out")
_RISKS = {"Low": 0, "Medium": 1, "High": 2}
Tried = frozenset[tuple[str, tuple[tuple[str, str], ...]]]
"""Runbooks by family, with the parameters that they were asked for with."""


class Choice(Record):
    """A runbook to ask for; a hand-over when `handover`."""

    runbook: str
    family: str
    digest: str
    parameters: dict[str, str]
    target: ObjectRef
    handover: bool
    why: str


class Nothing(Record):
    """No runbook to ask for, not even one that hands over to a person."""

    why: str


def catalogue(bodies: Iterable[Mapping[str, Any]]) -> tuple[Runbook, ...]:
    """The runbooks that may be asked for: active, valid, and of each family the newest."""
    return newest(runbook for body in bodies if (runbook := _usable(body)) is not None)


def newest(runbooks: Iterable[Runbook]) -> tuple[Runbook, ...]:
    """Of each family the newest version, by family."""
    found: dict[str, Runbook] = {}
    for runbook in runbooks:
        known = found.get(runbook.spec.family)
        if known is None or _version(runbook) > _version(known):
            found[runbook.spec.family] = runbook
    return tuple(found[family] for family in sorted(found))


def _usable(body: Mapping[str, Any]) -> Runbook | None:
    try:
        runbook = _read(body["metadata"]["name"], json.dumps(body["spec"]))
    except (ValidationError, KeyError):
        return None
    conditions = (body.get("status") or {}).get("conditions") or ()
    refused = any(c.get("type") == "Valid" and c.get("status") == "False" for c in conditions)
    return None if refused or runbook.spec.state != "Active" else runbook


@lru_cache(maxsize=512)
def _read(name: str, spec: str) -> Runbook:
    """A runbook never changes but for its state, and the whole catalogue is read for each incident."""
    return Runbook.from_object({"metadata": {"name": name}, "spec": json.loads(spec)})


def _version(runbook: Runbook) -> tuple[int, ...]:
    return tuple(int(part) for part in runbook.spec.version.split("."))


def choose(
    diagnosis: Diagnosis,
    evidence: Evidence,
    runbooks: Sequence[Runbook],
    tried: Tried = frozenset(),
    *,
    land: Landscape | None = None,
    objection: Objection = lambda *_: None,
) -> Choice | Nothing:
    """The cure to ask for, or the hand-over, or nothing; `why` says which rule led there.

    `land` is what stands around the target, where somebody looked; `objection` says what speaks against a runbook.
    """
    best = diagnosis.best
    if best is None:
        return hand_over(f"not sure: {diagnosis.verdict}", diagnosis, (evidence.target,), runbooks)
    places = (best.object, evidence.target)
    if best.confidence < SURE_ENOUGH_TO_ACT:
        return hand_over(f"not sure enough of {best.cause} to change anything", diagnosis, places, runbooks)
    facts = Facts.about(best, diagnosis.hypotheses, evidence, land)
    judged = [_judged(runbook, facts, tried, objection) for runbook in runbooks if _answers(runbook, best)]
    fitting = [one for one in judged if isinstance(one, tuple)]
    if not fitting:
        why = "; ".join(one for one in judged if isinstance(one, str)) or "nothing in the catalogue is for it"
        words = f"no runbook answers {best.cause} on {best.object}: {why}"
        return hand_over(words, diagnosis, places, runbooks)
    runbook, parameters = min(fitting, key=lambda one: _invasiveness(one[0], best.cause))
    return _choice(runbook, parameters, best.object, f"{runbook.metadata.name} addresses {best.cause}")


def _judged(runbook: Runbook, facts: Facts, tried: Tried, objection: Objection) -> tuple[Runbook, dict[str, str]] | str:
    """The runbook with its parameters, or why it is not for this."""
    name = runbook.metadata.name
    if facts.unseen:
        return f"{name} needs an object that was seen"
    if not _can_help(runbook, facts):
        return f"{name} goes back, and the current revision did not bring the fault"
    parameters = _parameters(runbook, facts)
    if isinstance(parameters, str):
        return f"{name}: {parameters}"
    if (runbook.spec.family, tuple(sorted(parameters.items()))) in tried:
        return f"{name} was asked for before and did not help"
    against = objection(runbook, facts, parameters)
    return f"{name}: {against}" if against else (runbook, parameters)


def hand_over(
    why: str, diagnosis: Diagnosis, places: Sequence[ObjectRef], runbooks: Sequence[Runbook]
) -> Choice | Nothing:
    """The runbook that hands the incident to a person, for the first place that one takes."""
    handovers = [r for r in runbooks if r.spec.type == "Handover" and _complete(r, {})]
    cause = diagnosis.best.cause if diagnosis.best else diagnosis.verdict
    for target in (*places, *(_namespace(place) for place in places[:1])):
        fitting = [runbook for runbook in handovers if _aims_at(runbook, target)]
        if fitting:
            return _choice(min(fitting, key=lambda r: (-_specificity(r, cause), r.metadata.name)), {}, target, why)
    return Nothing(why=f"{why}; and no runbook hands over a {places[0].kind}")


def _namespace(place: ObjectRef) -> ObjectRef:
    return ObjectRef(kind="Namespace", namespace=None, name=place.namespace or "default")


def _choice(runbook: Runbook, parameters: dict[str, str], target: ObjectRef, why: str) -> Choice:
    return Choice(
        runbook=runbook.metadata.name,
        family=runbook.spec.family,
        digest=runbook.digest(),
        parameters=parameters,
        target=target,
        handover=runbook.spec.type == "Handover",
        why=why,
    )


def _answers(runbook: Runbook, finding: Finding) -> bool:
    return _specificity(runbook, finding.cause) > 0 and _aims_at(runbook, finding.object)


def _specificity(runbook: Runbook, cause: str) -> int:
    return max((len(general) for general in runbook.spec.addresses.causes if covers(general, cause)), default=0)


def _aims_at(runbook: Runbook, target: ObjectRef) -> bool:
    if target.kind not in KINDS:
        return False
    # A hand-over touches nothing, so its scope says nothing about what may be handed over.
    if runbook.spec.type == "Remediation" and (target.namespace is None) != (runbook.spec.scope == "Cluster"):
        return False
    wanted = (api_version(target.kind), target.kind)
    return any((kind.api_version, kind.kind) == wanted for kind in runbook.spec.targets)


def _can_help(runbook: Runbook, facts: Facts) -> bool:
    return "rolloutUndo" not in {step.action for step in runbook.spec.steps} or _is_introduced(facts)


def _is_introduced(facts: Facts) -> bool:
    """Whether the current revision brought the fault, by the finding or, where it does not know, by one beside it."""
    beside = (rival.introduced for rival in facts.rivals if rival.object == facts.object)
    return facts.finding.introduced == "yes" or (facts.finding.introduced == "unknown" and "yes" in beside)


def _invasiveness(runbook: Runbook, cause: str) -> tuple[int, int, int, str]:
    spec = runbook.spec
    return _RISKS[spec.risk], len(spec.steps), -_specificity(runbook, cause), runbook.metadata.name


def _parameters(runbook: Runbook, facts: Facts) -> dict[str, str] | str:
    """The parameters by declared rules; why there are none where one that is needed is not known."""
    given: dict[str, str] = {}
    for parameter in runbook.spec.parameters:
        value = fill(parameter.name, facts)
        if isinstance(value, Unfit):
            return value.why
        if value is not None:
            given[parameter.name] = value
    return given if _complete(runbook, given) else f"its parameters are not known or out of bounds: {given}"


def _complete(runbook: Runbook, given: Mapping[str, str]) -> bool:
    try:
        parse_parameters(runbook.spec.parameters, given)
    except ParameterRefused:
        return False
    return True


def execution_name(incident: str, attempt: int) -> str:
    """The same for the same attempt, so that an interrupted proposal is never made twice."""
    return f"{incident}-{attempt}"


def execution_body(
    choice: Choice, *, incident: str, attempt: int, diagnosis: Diagnosis, evidence: Evidence, requested_by: str
) -> dict[str, Any]:
    """The RunbookExecution to create."""
    best = diagnosis.hypotheses[0] if diagnosis.hypotheses else None
    sure = diagnosis.best
    spec = RunbookExecutionSpec(
        runbook=RunbookRef(name=choice.runbook, digest=choice.digest),
        target=Target(
            api_version=api_version(choice.target.kind),
            kind=choice.target.kind,
            namespace=choice.target.namespace,
            name=choice.target.name,
        ),
        parameters=choice.parameters,
        reason=Reason(
            summary=_handed_over(choice, diagnosis) if choice.handover else _summary(choice, best),
            incident=incident,
            cause=sure.cause if sure else diagnosis.verdict,
            confidence=diagnosis.confidence,
            citations=_citations(best, evidence),
        ),
        requested_by=requested_by,
    )
    name = execution_name(incident, attempt)
    return new_execution(name=name, namespace=choice.target.namespace or SYSTEM_NAMESPACE, spec=spec)


def _summary(choice: Choice, best: Finding | None) -> str:
    found = best.summary if best else "Nothing that was seen says what is wrong."
    return printable(redact_text(f"{found} ({choice.why})"), 1000)


def _handed_over(choice: Choice, diagnosis: Diagnosis) -> str:
    """The page that a person reads, a line each, the most telling first; what there is no room for is left out."""
    lines = sorted(page(diagnosis, choice.why), key=lambda line: _TELLING.index(line[0]))
    shown = [printable(redact_text(f"{heading}: {words}"), LONGEST_LINE) for heading, words in lines]
    while len("\n".join(shown)) > LONGEST_PAGE:
        shown.pop()
    return "\n".join(shown)


def _citations(best: Finding | None, evidence: Evidence) -> list[Citation]:
    items = {item.id: item for item in evidence.items}
    return [
        Citation(
            id=quote.id,
            source=printable(items[quote.id].source, 250),
            excerpt=printable(redact_text(quote.excerpt), 600),
            digest=items[quote.id].digest,
        )
        for quote in (best.quotes if best else ())
        if quote.id in items
    ][:8]

"""From a diagnosis to a request: which runbook answers it, with which parameters, or why a person is asked.

Pure: the catalogue, the evidence and what was tried before come in, one decision goes out. A runbook is eligible when
it answers the cause, may be pointed at the object that is at fault, and what it does can help: going back helps only
where the current revision brought the fault. Of the eligible the least invasive is chosen.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from interlock.agents.analyzers import Finding, Scene
from interlock.agents.analyzers.replicas import meant_replicas
from interlock.agents.cluster import KINDS, api_version
from interlock.agents.diagnose import Diagnosis
from interlock.agents.evidence import Evidence
from interlock.agents.model import ObjectRef, Record
from interlock.agents.payload import printable
from interlock.crds.causes import covers
from interlock.crds.execution import Citation, Reason, RunbookExecutionSpec, RunbookRef, Target, new_execution
from interlock.crds.names import SYSTEM_NAMESPACE
from interlock.crds.parameters import Parameter, ParameterRefused, parse_parameters
from interlock.crds.redact import redact_text
from interlock.crds.runbook import Runbook

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
        runbook = Runbook.from_object(body)
    except (ValidationError, KeyError):
        return None
    conditions = (body.get("status") or {}).get("conditions") or ()
    refused = any(c.get("type") == "Valid" and c.get("status") == "False" for c in conditions)
    return None if refused or runbook.spec.state != "Active" else runbook


def _version(runbook: Runbook) -> tuple[int, ...]:
    return tuple(int(part) for part in runbook.spec.version.split("."))


def choose(
    diagnosis: Diagnosis, evidence: Evidence, runbooks: Sequence[Runbook], tried: Tried = frozenset()
) -> Choice | Nothing:
    """The cure to ask for, or the hand-over, or nothing; `why` says which rule led there."""
    best = diagnosis.best
    if best is None:
        return hand_over(f"not sure: {diagnosis.verdict}", diagnosis, evidence.target, runbooks)
    choices = []
    for runbook in runbooks:
        if runbook.spec.type == "Remediation" and _answers(runbook, best) and _can_help(runbook, best):
            parameters = _parameters(runbook, evidence)
            if parameters is not None and (runbook.spec.family, tuple(sorted(parameters.items()))) not in tried:
                choices.append((_invasiveness(runbook, best.cause), runbook, parameters))
    if not choices:
        return hand_over(f"no runbook answers {best.cause} on {best.object}", diagnosis, evidence.target, runbooks)
    _, runbook, parameters = min(choices, key=lambda choice: choice[0])
    why = f"{runbook.metadata.name} addresses {best.cause}"
    return _choice(runbook, parameters, best.object, why)


def hand_over(why: str, diagnosis: Diagnosis, target: ObjectRef, runbooks: Sequence[Runbook]) -> Choice | Nothing:
    """The runbook that hands the incident to a person: one for this cause if there is one."""
    fitting = [r for r in runbooks if r.spec.type == "Handover" and _aims_at(r, target) and _complete(r, {})]
    if not fitting:
        return Nothing(why=f"{why}; and no runbook hands over a {target.kind}")
    cause = diagnosis.best.cause if diagnosis.best else diagnosis.verdict
    fitting.sort(key=lambda r: (-_specificity(r, cause), r.metadata.name))
    return _choice(fitting[0], {}, target, why)


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


def _can_help(runbook: Runbook, finding: Finding) -> bool:
    actions = {step.action for step in runbook.spec.steps}
    return "rolloutUndo" not in actions or finding.introduced == "yes"


def _invasiveness(runbook: Runbook, cause: str) -> tuple[int, int, int, str]:
    spec = runbook.spec
    return _RISKS[spec.risk], len(spec.steps), -_specificity(runbook, cause), runbook.metadata.name


def _parameters(runbook: Runbook, evidence: Evidence) -> dict[str, str] | None:
    """The parameters by declared rules; None when one that is needed is not known."""
    given: dict[str, str] = {}
    for parameter in runbook.spec.parameters:
        value = _value(parameter, evidence)
        if value is not None:
            given[parameter.name] = value
    return given if _complete(runbook, given) else None


def _value(parameter: Parameter, evidence: Evidence) -> str | None:
    match parameter.name:
        case "toRevision" | "revision":
            return str(good_revision(Scene(evidence)))
        case "replicas":
            meant = meant_replicas(evidence)
            return str(meant) if meant is not None else None
        case _:
            return None  # the runbook's own default, if it has one


def good_revision(scene: Scene) -> int:
    """The newest earlier revision that has ready pods; 0 (the one before) when none is seen to work."""
    return next((r.revision for r in scene.revisions[1:] if r.ready > 0), 0)


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
            summary=_summary(choice, best),
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

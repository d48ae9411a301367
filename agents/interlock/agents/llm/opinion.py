"""What a model concluded, checked against the evidence, and weighed against what the analyzers say.

A model adds a hypothesis where no analyzer is sure. Where one is sure and the model says otherwise, nobody decides but
a person. That nothing is wrong is never concluded by a model alone: a log line could ask for it.
"""

import re
from collections.abc import Iterable

from interlock.agents.analyzers import Finding, Quote
from interlock.agents.cluster import CLUSTER_SCOPED, KINDS
from interlock.agents.diagnose import MOST_HYPOTHESES, Diagnosis
from interlock.agents.evidence import Evidence
from interlock.agents.llm.arguments import Citation, Conclude
from interlock.agents.llm.reading import contains
from interlock.agents.model import ObjectRef, Record
from interlock.crds.causes import covers

UNKNOWN = "unknown"


class Opinion(Record):
    """A conclusion whose citations stand in the evidence."""

    cause: str
    """Of the vocabulary, or `unknown`."""
    object: ObjectRef
    confidence: float
    summary: str
    quotes: tuple[Quote, ...] = ()


class Weighed(Record):
    """The diagnosis with the opinion in it."""

    diagnosis: Diagnosis
    doubt: str = ""
    """What a person has to decide, empty where nothing stands against each other."""


def object_of(conclusion: Conclude, target: ObjectRef) -> ObjectRef:
    """The object that a conclusion names; it stands where the incident is, or is cluster-scoped."""
    namespace = None if conclusion.kind in CLUSTER_SCOPED else target.namespace
    return ObjectRef(kind=conclusion.kind, namespace=namespace, name=conclusion.name)


def uncited(citations: Iterable[Citation], evidence: Evidence) -> str:
    """What is wrong with citations, empty when nothing is."""
    items = {item.id: item for item in evidence.items}
    for citation in citations:
        if citation.id not in items:
            return f"there is no evidence {citation.id}"
        if citation.excerpt and not contains(items[citation.id], citation.excerpt):
            return f"the excerpt does not stand in {citation.id}; copy it word by word"
    return ""


def problem_with(conclusion: Conclude, evidence: Evidence) -> str:
    """Why a conclusion is not accepted, empty when it is."""
    if wrong := uncited(conclusion.citations, evidence):
        return wrong
    if conclusion.cause == UNKNOWN:
        return ""
    if not any(citation.excerpt for citation in conclusion.citations):
        return "a cause needs a citation with an excerpt"
    named, target = object_of(conclusion, evidence.target), evidence.target
    if named == target:
        return ""
    if named.kind not in KINDS or named.kind in CLUSTER_SCOPED or target.namespace is None:
        return f"only objects of the incident's namespace can be concluded upon; name {named} in the summary"
    cited = {citation.id for citation in conclusion.citations}
    if not any(_mentions(f"{item.source} {item.content}", named.name) for item in evidence.items if item.id in cited):
        return f"none of the cited items mentions {named.name}"
    return ""


def opinion_of(conclusion: Conclude, target: ObjectRef) -> Opinion:
    """The opinion in a conclusion that was accepted."""
    return Opinion(
        cause=conclusion.cause,
        object=object_of(conclusion, target),
        confidence=conclusion.confidence,
        summary=conclusion.summary,
        quotes=tuple(Quote(id=citation.id, excerpt=citation.excerpt) for citation in conclusion.citations),
    )


def weigh(diagnosis: Diagnosis, opinion: Opinion, *, min_confidence: float, most: float) -> Weighed:
    """The diagnosis with an opinion; `most` is the highest confidence that an opinion has by itself."""
    if opinion.cause == UNKNOWN:
        return Weighed(diagnosis=diagnosis)
    told = f"a model says {opinion.cause} on {opinion.object} ({opinion.confidence:.2f}): {opinion.summary}"
    certain = [finding for finding in diagnosis.hypotheses if finding.confidence >= min_confidence]
    opposed = [finding for finding in certain if not _agrees(finding, opinion)]
    if opposed:
        sure = opposed[0]
        doubt = f"analyzers are sure of {sure.cause} on {sure.object} ({sure.confidence:.2f}), but {told}"
        mine = _finding(opinion, most, against=(f"analyzers are sure of {sure.cause} on {sure.object}",))
        return Weighed(diagnosis=_contradictory(diagnosis, mine), doubt=doubt)
    if certain:
        return Weighed(diagnosis=diagnosis)
    if covers("none", opinion.cause):
        return Weighed(diagnosis=diagnosis, doubt=f"{told}; alerts fire, so a person decides")
    return Weighed(diagnosis=_with(diagnosis, _finding(opinion, most), min_confidence))


def _finding(opinion: Opinion, most: float, against: tuple[str, ...] = ()) -> Finding:
    return Finding(
        cause=opinion.cause,
        object=opinion.object,
        confidence=round(min(opinion.confidence, most), 3),
        summary=f"A model's judgment: {opinion.summary}",
        quotes=opinion.quotes,
        against=against,
    )


def _contradictory(diagnosis: Diagnosis, mine: Finding) -> Diagnosis:
    return Diagnosis(
        hypotheses=(*diagnosis.hypotheses[: MOST_HYPOTHESES - 1], mine),
        verdict="unknown.contradictory-evidence",
        confidence=diagnosis.confidence,
    )


def _with(diagnosis: Diagnosis, mine: Finding, min_confidence: float) -> Diagnosis:
    same = next((f for f in diagnosis.hypotheses if (f.cause, f.object) == (mine.cause, mine.object)), None)
    if same is not None:
        sure = max(same.confidence, mine.confidence)
        mine = mine.model_copy(update={"confidence": sure, "introduced": same.introduced})
    others = [finding for finding in diagnosis.hypotheses if finding is not same]
    ranked = tuple(sorted((mine, *others), key=lambda finding: -finding.confidence))[:MOST_HYPOTHESES]
    known = ranked[0].confidence >= min_confidence
    verdict = ranked[0].cause if known else "unknown.insufficient-evidence"
    return Diagnosis(hypotheses=ranked, verdict=verdict, confidence=ranked[0].confidence)


def _agrees(finding: Finding, opinion: Opinion) -> bool:
    same = covers(finding.cause, opinion.cause) or covers(opinion.cause, finding.cause)
    return same and finding.object == opinion.object


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![a-z0-9.-]){re.escape(name)}(?![a-z0-9])", text) is not None
